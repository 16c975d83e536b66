package bidder

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/notice"
	"github.com/clickloop/clickloop/bidder/openrtb"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/access"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/web"
)

// handleBid answers one bid request. Exchanges throttle bidders that are late or fail: whatever
// happens to a request that can be read, it is answered in time, if need be without a bid.
func (b *Bidder) handleBid(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	w.Header().Set("x-openrtb-version", "2.6")
	if !b.d.Scorer.Admits() {
		b.decline(w, nil, noneBusy)
		return
	}
	visit, err := b.d.Gate.Enter(r, access.Bid, !b.d.Recorded())
	defer visit.End()
	if err == nil {
		err = visit.Known()
	}
	if err != nil {
		b.refuse(w, err)
		return
	}
	body, err := inbound.Receive(r, b.cfg.MaxBody)
	if err == nil {
		body, err = inbound.Text(body, r.Header, b.cfg.MaxBody)
	}
	at := b.d.Now()
	if err == nil {
		at, err = b.timeOf(r, at)
	}
	if err != nil {
		b.refuse(w, err)
		return
	}
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	default:
		b.decline(w, nil, noneBusy)
		return
	}
	c := b.calls.Get().(*call)
	b.answer(w, r, c, body, at, began)
	if len(body) <= keptBody {
		c.engine.Reset()
		b.calls.Put(c)
	}
}

// keptBody is the most bytes of a body whose call is used again.
const keptBody = 64 << 10

// answer reads a bid request, and answers it.
func (b *Bidder) answer(w http.ResponseWriter, r *http.Request, c *call, body []byte, at event.Time, began time.Time) {
	q := &c.auction
	b.clock.advance(at)
	options := openrtb.Options{GPC: r.Header.Get("Sec-GPC") == "1", Privacy: b.privacy(), Now: at}
	if err := openrtb.Read(body, q, options); err != nil {
		b.refuseAuction(w, q, err)
		return
	}
	if c.key = appendKey(c.key[:0], q.ID, body); !b.d.Recorded() {
		if known, ok := b.answers.get(string(c.key)); ok {
			b.metrics.count("repeated", "")
			b.write(w, r, known)
			return
		}
	}
	if q.Device.Bot {
		b.decline(w, q, noneCrawler)
		return
	}
	allowed := q.TMax
	if allowed == 0 {
		allowed = b.cfg.TMax
	}
	if allowed -= b.cfg.Margin; allowed <= 0 {
		b.decline(w, q, noneLate)
		return
	}
	var err error
	if c.base, err = b.baseOf(r); err != nil {
		b.refuseAuction(w, q, &openrtb.Invalid{NBR: noneInvalid.nbr, Reason: "the header Host: " + err.Error()})
		return
	}
	// the same bytes at the same moment, as of a call that is hedged, wait for the first
	first := false
	made, _, _ := b.flights.Do(string(c.key), func() (any, error) {
		// the first may have just ended
		if known, ok := b.answers.get(string(c.key)); ok && !b.d.Recorded() {
			return outcome{text: known}, nil
		}
		first = true
		why := b.bid(r.Context(), c, began.Add(allowed))
		if why != (noBid{}) {
			return outcome{why: why}, nil
		}
		return outcome{text: b.answers.put(string(c.key), c.out)}, nil
	})
	b.metrics.latency.Observe(time.Since(began).Seconds())
	switch got := made.(outcome); {
	case got.why != (noBid{}):
		b.decline(w, q, got.why)
	case !first:
		b.metrics.count("repeated", "")
		b.write(w, r, got.text)
	default:
		b.metrics.count("bid", "")
		b.write(w, r, got.text)
	}
}

// outcome is the answer to a bid request, or why it has no bid.
type outcome struct {
	text []byte
	why  noBid
}

// timeOf is the time of a request: in recorded mode the one that it brings, else when it came.
// Exchanges have parameters of their own in the URL that they call, which say nothing here.
func (b *Bidder) timeOf(r *http.Request, now event.Time) (event.Time, error) {
	text := r.URL.Query().Get("time")
	switch {
	case text == "":
		return now, nil
	case !b.d.Recorded():
		return now, &event.Error{Field: "time", Reason: "is given, but bid requests are of their arrival: only with clock: recorded they bring their time"}
	}
	return event.ParseTime(text)
}

// baseOf is the URL of the public port as the world sees it: the one of the configuration, which
// the links know, else the one that was asked.
func (b *Bidder) baseOf(r *http.Request) (string, error) {
	if b.cfg.PublicURL != "" {
		return "", nil
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return notice.Base(scheme + r.Host)
}

// write writes an answer with bids, packed where the exchange takes that.
func (b *Bidder) write(w http.ResponseWriter, r *http.Request, text []byte) {
	if len(text) >= packedFrom && takesGzip(r.Header) {
		writePacked(w, text)
		return
	}
	web.WriteJSON(w, http.StatusOK, text)
}

// decline answers that there is no bid.
func (b *Bidder) decline(w http.ResponseWriter, q *auction.Request, why noBid) {
	b.metrics.count("no_bid", why.reason)
	if !b.cfg.TellNoBid || q == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	web.WriteJSON(w, http.StatusOK, openrtb.AppendResponse(nil, &openrtb.Answer{ID: q.ID, NBR: why.nbr}))
}

// refuseAuction answers what is no bid request with 400 and no content, as OpenRTB wants, and a bid
// request that cannot be bid on without a bid. The reason stands in a header, for the people who
// set an exchange up.
func (b *Bidder) refuseAuction(w http.ResponseWriter, q *auction.Request, err error) {
	var invalid *openrtb.Invalid
	if !errors.As(err, &invalid) {
		invalid = &openrtb.Invalid{Malformed: true, Reason: err.Error()}
	}
	w.Header().Set(reasonHeader, headerText(invalid.Reason))
	if invalid.Malformed {
		b.metrics.count("malformed", "")
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	b.decline(w, q, noBid{invalid.NBR, "invalid"})
}

// refuse answers a call that is no bid request at all, or may not be made.
func (b *Bidder) refuse(w http.ResponseWriter, err error) {
	var no *access.Refused
	if errors.As(err, &no) {
		b.metrics.count("refused", "")
		no.SetHeader(w.Header())
		web.Refuse(w, no.Status, no.Code, no)
		return
	}
	status := http.StatusBadRequest
	switch {
	case errors.As(err, new(*inbound.TooLarge)):
		status = http.StatusRequestEntityTooLarge
	case errors.As(err, new(*inbound.Unsupported)):
		status = http.StatusUnsupportedMediaType
		w.Header().Set("Accept-Encoding", inbound.Encodings)
	}
	b.metrics.count("malformed", "")
	w.Header().Set(reasonHeader, headerText(err.Error()))
	w.Header().Set("Content-Length", strconv.Itoa(0))
	w.WriteHeader(status)
}

// reasonHeader says why a bid request gets no bid.
const reasonHeader = "X-Clickloop-Reason"

// headerText makes a text fit for a header.
func headerText(s string) string {
	const most = 300
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return clean[:min(len(clean), most)]
}
