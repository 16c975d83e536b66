// Package openrtb reads bid requests of OpenRTB 2.5 and 2.6 and writes the answers.
//
// A member that protects somebody (a block list, a floor, a deal, a limit of the place, a privacy
// signal) is never read to less than it says: where it is not what the specification says, the
// place, the request or the user's data is refused, by the name of the member. All other members
// are read as far as they go, since exchanges differ: numbers in quotes, whole numbers with a
// fraction, null and texts without characters, one text instead of a list, unknown members.
package openrtb

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/prebid/openrtb/v20/openrtb3"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/consent"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// Bounds of what a request may bring. What lies beyond is refused by its name.
const (
	MaxBytes      = 512 << 10
	MaxIDBytes    = 200 // of the request, an imp, a deal: ids of bids and tokens are made of them
	maxDepth      = 32
	maxImps       = 50
	maxFormats    = 100
	maxDeals      = 300
	maxAssets     = 50
	maxBlocked    = 10_000
	maxCategories = 200 // of the place, a list
	maxList       = 1_000
	maxTextBytes  = 2 << 10 // of a text that is kept
	maxMultiplier = 1e6
)

// Options are what a request does not say itself.
type Options struct {
	// GPC says that the HTTP request had the header Sec-GPC: 1, as Prebid Server passes it on. No
	// other header of it tells of the user: the sender is a server.
	GPC     bool
	Privacy consent.Policy
	Now     event.Time
}

// Invalid is why a request gets no bid.
type Invalid struct {
	NBR int // the reason by OpenRTB's list
	// Malformed says that it is no bid request at all: the answer is the status 400 without
	// content.
	Malformed bool
	Reason    string // for people: names the member and what is wrong with it
}

func (e *Invalid) Error() string { return "the bid request is refused: " + e.Reason }

var readers = sync.Pool{New: func() any { return new(reader) }}

// Read reads a bid request into q. The error is an *Invalid; then q has nothing but the id, where
// the request has one. Otherwise q has at least one imp, and what is refused of others is in
// q.Refused. q keeps no memory of body, and nothing of what it held before is used again.
//
// Where the user's data may not be used (q.Consent.User), q has no id, no segments and no keywords
// of the user, and at most three characters of the postal code. IP addresses are never read, and
// places on earth are rounded to a tenth of a degree always. For places directed at children, q has
// nothing of the device's place but country and region.
func Read(body []byte, q *auction.Request, o Options) error {
	*q = auction.Request{Time: o.Now}
	if len(body) > MaxBytes {
		return invalid(fmt.Sprintf("it has %d bytes, at most %d are allowed", len(body), MaxBytes))
	}
	r := readers.Get().(*reader)
	defer r.release()
	q.CategoryTaxonomy = 1
	r.begin(string(body), q)
	r.signals.GPC = o.GPC
	err := r.read()
	if err == nil {
		r.finish(o.Privacy)
		return nil
	}
	*q = auction.Request{ID: q.ID, Time: o.Now}
	return err
}

func (r *reader) read() error {
	if r.Kind() != strictjson.KindObject {
		return &Invalid{NBR: int(openrtb3.NoBidInvalidRequest), Malformed: true, Reason: "it is no JSON object"}
	}
	r.request()
	if err := r.End(); err != nil {
		return r.broken(err)
	}
	switch {
	case r.q.ID == "" && r.reasons[0] == "":
		return &Invalid{NBR: int(openrtb3.NoBidInvalidRequest), Malformed: true, Reason: "id is missing"}
	case r.reasons[0] != "":
		return invalid(r.reasons[0])
	case r.places > 1:
		return invalid("site, app and dooh: more than one is given")
	case r.imps == 0:
		return invalid("imp is missing or empty")
	case len(r.q.Imps) == 0:
		return invalid(r.q.Refused[0].Reason)
	}
	return nil
}

func invalid(reason string) error {
	return &Invalid{NBR: int(openrtb3.NoBidInvalidRequest), Reason: reason}
}

// broken tells texts that are no JSON from those that exceed a bound or give a member twice.
func (r *reader) broken(err error) error {
	var wrong *field.Error
	malformed := errors.As(err, &wrong) && (strings.HasPrefix(wrong.Reason, "is not JSON") || strings.HasPrefix(wrong.Reason, "is not valid UTF-8"))
	return &Invalid{NBR: int(openrtb3.NoBidInvalidRequest), Malformed: malformed, Reason: err.Error()}
}
