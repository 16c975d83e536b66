package access

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/clickloop/clickloop/internal/web"
)

// Refused is the error about a call that a Gate does not let in.
type Refused struct {
	Status  int
	Code    string // in the answer
	outcome outcome
	retry   time.Duration // after which the same call is let in, if nobody else comes
	close   bool          // the rest of the body is not wanted
	reason  string
}

func (r *Refused) Error() string { return r.reason }

// outcome is what became of a call, in metrics.
type outcome string

const (
	allowed      outcome = "allowed"
	unauthorized outcome = "unauthorized"
	forbidden    outcome = "forbidden"
)

// keyLimits and addressLimits are the outcomes of calls that are too fast, by what is limited.
var (
	keyLimits     = [kinds]outcome{inEvents: "key_rate", inBytes: "key_bytes"}
	addressLimits = [kinds]outcome{inEvents: "address_rate", inBytes: "address_bytes"}
)

// reasons are sentences for clients. All that is wrong with a key has one.
var reasons = map[outcome]string{
	"key_rate":      "more than %g %s a second come with this key",
	"address_rate":  "more than %g %s a second come from this address",
	"key_bytes":     "more than %g bytes a second come with this key",
	"address_bytes": "more than %g bytes a second come from this address",
}

// refuse counts a call whose key is not good for its scope.
func (g *Gate) refuse(name string, s Scope, o outcome) *Refused {
	g.count(name, s, o)
	if o == forbidden {
		return &Refused{Status: http.StatusForbidden, Code: "forbidden", outcome: o, reason: fmt.Sprintf("the key is good for other calls: this one wants a key for %s", s)}
	}
	reason := "a key is missing or wrong: send the header `Authorization: Bearer KEY`"
	if s == Events {
		reason += ", or the write key as Segment's libraries do"
	}
	return &Refused{Status: http.StatusUnauthorized, Code: "unauthorized", outcome: o, reason: reason}
}

// limit counts a call that is too fast.
func (v *Visit) limit(name string, o outcome, rate float64, wait time.Duration) *Refused {
	v.refused = true
	v.gate.count(name, v.scope, o)
	r := &Refused{Status: http.StatusTooManyRequests, Code: "rate_limited", outcome: o, retry: max(wait, time.Nanosecond), close: v.taken[inBytes] > 0}
	if o == keyLimits[inBytes] || o == addressLimits[inBytes] {
		r.reason = fmt.Sprintf(reasons[o], rate)
	} else {
		r.reason = fmt.Sprintf(reasons[o], rate, map[Scope]string{Events: "events", Score: "requests", Admin: "requests"}[v.scope])
	}
	r.reason += ": send the same again after Retry-After"
	return r
}

// SetHeader adds what an answer with the status of r has in its header.
func (r *Refused) SetHeader(h http.Header) {
	if r.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if r.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(r.retry.Seconds()))))
	}
	if r.close {
		h.Set("Connection", "close")
	}
}

// Answer answers the call.
func (r *Refused) Answer(w http.ResponseWriter) {
	r.SetHeader(w.Header())
	web.Refuse(w, r.Status, r.Code, r)
}
