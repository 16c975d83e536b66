package openrtb

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/consent"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// reader walks a request once. Its methods that are named for a member read that member's value,
// whatever stands there.
type reader struct {
	strictjson.Reader
	state

	// scratch memory, which outlives a request
	texts          []string
	numbers        []int
	sizes          []auction.Size
	allImps        []auction.Imp
	impIDs         []string
	dealsAsRequest []*auction.Deal // whose at is the request's
	lower          []byte
}

// state is what is known of the request so far.
type state struct {
	q       *auction.Request
	prefix  string // the path of the text that is read, where it is within another
	reasons [maxScope + 1]string
	scope   int // which of reasons refuse sets: 0 for the request, above for what is within

	signals          consent.Signals
	older            regs // of regs.ext and user.ext
	buyer, user, ifa string
	home             string // the user's country
	places, imps     int
}

// maxScope is how deep a scope is at most: of a form of ad, in an imp, in the request.
const maxScope = 2

// regs are the privacy signals that have two homes: one in 2.6, one in ext in 2.5.
type regs struct {
	gdpr      consent.Applies
	usPrivacy string
	gpp       string
	sections  []int
	tcf       string
	eids      []string
	chain     auction.SupplyChain
}

func (r *reader) begin(text string, q *auction.Request) {
	r.Reset(text, strictjson.Limits{Bytes: MaxBytes, Depth: maxDepth})
	r.q = q
}

// release forgets all that is the request's and gives the scratch memory back, unless a request
// has made it large: each later one would have to clear it.
func (r *reader) release() {
	const keep = 1 << 10
	r.Reset("", strictjson.Limits{})
	r.state = state{}
	r.texts, r.impIDs = forget(r.texts, keep), forget(r.impIDs, keep)
	r.allImps, r.dealsAsRequest = forget(r.allImps, keep), forget(r.dealsAsRequest, keep)
	readers.Put(r)
}

// forget returns the memory of s without what was in it; none where that is more than keep.
func forget[T any](s []T, keep int) []T {
	if cap(s) > keep {
		return nil
	}
	clear(s[:cap(s)])
	return s[:0]
}

// refuse keeps why the innermost of request, imp and form of ad cannot be bid on, unless there is a
// reason already. The reason goes on from the path of the value that was read last.
func (r *reader) refuse(format string, args ...any) {
	if r.reasons[r.scope] == "" {
		r.reasons[r.scope] = r.place() + " " + fmt.Sprintf(format, args...)
	}
}

// unreadable refuses the use of the user's data, since a privacy signal is not what it should be.
func (r *reader) unreadable(format string, args ...any) {
	if r.signals.Unreadable == "" {
		r.signals.Unreadable = r.place() + " " + fmt.Sprintf(format, args...)
	}
}

func (r *reader) place() string {
	path := r.Path()
	switch {
	case r.prefix == "":
		return path
	case path == "":
		return r.prefix
	}
	return r.prefix + "." + path
}

// because keeps a reason that is whole, as refuse does.
func (r *reader) because(reason string) {
	if r.reasons[r.scope] == "" {
		r.reasons[r.scope] = reason
	}
}

// within runs read with a scope of its own and returns the reason of its first refusal.
func (r *reader) within(read func()) string {
	r.scope++
	r.reasons[r.scope] = ""
	read()
	r.scope--
	return r.reasons[r.scope+1]
}

// kindName is how reasons call what stands where something else should.
func kindName(k strictjson.Kind) string {
	switch k {
	case strictjson.KindObject:
		return "an object"
	case strictjson.KindArray:
		return "an array"
	case strictjson.KindString:
		return "a text"
	case strictjson.KindNumber:
		return "a number"
	case strictjson.KindBool:
		return "a boolean"
	case strictjson.KindNull:
		return "null"
	}
	return "not JSON"
}

// object says whether an object stands here; null reads as one without members. Anything else is
// passed, and refused where it protects somebody.
func (r *reader) object(protects bool) bool {
	k := r.Kind()
	if k == strictjson.KindObject || k == strictjson.KindNull {
		return r.Object()
	}
	r.Skip()
	if protects {
		r.refuse("is %s, expected an object", kindName(k))
	}
	return false
}

// array is object for arrays.
func (r *reader) array(protects bool) bool {
	k := r.Kind()
	if k == strictjson.KindArray || k == strictjson.KindNull {
		return r.Array()
	}
	r.Skip()
	if protects {
		r.refuse("is %s, expected an array", kindName(k))
	}
	return false
}

// text reads a text, or a number by its digits. Null is the empty text. Nothing else is ok.
func (r *reader) text() (s string, ok bool) {
	switch r.Kind() {
	case strictjson.KindString:
		return r.Text(), true
	case strictjson.KindNumber:
		return r.NumberText(), true
	case strictjson.KindNull:
		r.Null()
		return "", true
	}
	r.Skip()
	return "", false
}

// plain reads a text that protects nobody: what is none, or is longer than is kept, is empty.
func (r *reader) plain() string {
	if s, ok := r.text(); ok && len(s) <= maxTextBytes {
		return s
	}
	return ""
}

// guarded reads a text that protects somebody.
func (r *reader) guarded() string {
	k := r.Kind()
	s, ok := r.text()
	switch {
	case !ok:
		r.refuse("is %s, expected a text", kindName(k))
	case len(s) > maxTextBytes:
		r.refuse("has %d bytes, at most %d are allowed", len(s), maxTextBytes)
	default:
		return s
	}
	return ""
}

// id reads an id that answers and tokens repeat.
func (r *reader) id() string {
	s := r.guarded()
	if len(s) > MaxIDBytes {
		r.refuse("has %d bytes, at most %d are allowed", len(s), MaxIDBytes)
		return ""
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			r.refuse("contains a control character")
			return ""
		}
	}
	return s
}

// number reads a finite number, in quotes or not. Null and the empty text are not given.
func (r *reader) number() (f float64, given, ok bool) {
	var s string
	switch r.Kind() {
	case strictjson.KindNumber:
		s = r.NumberText()
	case strictjson.KindString:
		if s = strings.TrimSpace(r.Text()); s == "" {
			return 0, false, true
		}
	case strictjson.KindNull:
		r.Null()
		return 0, false, true
	default:
		r.Skip()
		return 0, false, false
	}
	f, ok = parseNumber(s)
	return f, ok, ok
}

func parseNumber(s string) (float64, bool) {
	if n := len(s); n > 0 && n <= 9 {
		whole := 0
		for i := 0; ; i++ {
			if i == n {
				return float64(whole), true
			}
			c := s[i] - '0'
			if c > 9 {
				break
			}
			whole = whole*10 + int(c)
		}
	}
	if s == "" || strings.Trim(s, "0123456789.eE+-") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsInf(f, 0)
}

// maxWhole bounds whole numbers, so that no later sum overflows.
const maxWhole = 1 << 31

// integer reads a whole number that protects nobody; what is none is not given.
func (r *reader) integer() (i int, given bool) {
	f, given, ok := r.number()
	if !ok || f != math.Trunc(f) || math.Abs(f) > maxWhole {
		return 0, false
	}
	return int(f), given
}

// whole reads a whole number from 0 that protects somebody.
func (r *reader) whole() (i int, given bool) {
	k := r.Kind()
	f, given, ok := r.number()
	switch {
	case !ok:
		r.refuse("is %s, expected a whole number", kindName(k))
	case f != math.Trunc(f) || f < 0 || f > maxWhole:
		r.refuse("is %v, expected a whole number from 0", f)
	default:
		return int(f), given
	}
	return 0, false
}

// money reads a price.
func (r *reader) money() float64 {
	const most = 1e9 // far above any price, far below where sums lose digits
	k := r.Kind()
	f, _, ok := r.number()
	switch {
	case !ok:
		r.refuse("is %s, expected a price", kindName(k))
	case f < 0 || f > most:
		r.refuse("is %v, expected a price from 0 to 1e9", f)
	default:
		return f
	}
	return 0
}

// flag reads 0 or 1, also as a boolean or in quotes. Any other number counts as 1.
func (r *reader) flag() (on, given, ok bool) {
	switch r.Kind() {
	case strictjson.KindBool:
		return r.Bool(), true, true
	case strictjson.KindString:
		switch s := strings.TrimSpace(r.Text()); s {
		case "":
			return false, false, true
		case "true":
			return true, true, true
		case "false":
			return false, true, true
		default:
			f, ok := parseNumber(s)
			return f != 0, ok, ok
		}
	}
	f, given, ok := r.number()
	return f != 0, given, ok
}

// on reads a flag that protects nobody.
func (r *reader) on() bool {
	on, _, ok := r.flag()
	return on && ok
}

// strict reads a flag that protects somebody when it is set: what cannot be read is set.
func (r *reader) strict() bool {
	on, _, ok := r.flag()
	return on || !ok
}
