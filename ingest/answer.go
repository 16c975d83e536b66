package ingest

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/clickloop/clickloop/internal/access"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/web"
	"github.com/clickloop/clickloop/stream"
)

// refusal is an error about a request as a whole that knows its answer. SDKs send the same again
// after 429 and 503, and give up after other statuses from 400 on.
type refusal struct {
	status        int
	verdict, code string // in the metrics, in the answer
	retry         int    // seconds after which the sender should try again; 0: it should not
	reason        string
}

func (r *refusal) Error() string { return r.reason }

func unavailable(retry int, reason string) *refusal {
	return &refusal{http.StatusServiceUnavailable, "unavailable", "unavailable", retry, reason}
}

var (
	errBusy   = unavailable(1, "too many requests are under way: send the same again after Retry-After")
	errEnding = unavailable(1, "this collector is ending: send the same again, with the same ids, after Retry-After")
	errAway   = unavailable(2, "no acknowledgement from Kafka: send the same again, with the same ids, after Retry-After")
)

func errTooLarge(limit int) *refusal {
	return &refusal{http.StatusRequestEntityTooLarge, "refused", "too_large", 0, fmt.Sprintf("the body has more than %d bytes: send fewer events at once", limit)}
}

func errRate(limit float64) *refusal {
	return &refusal{http.StatusTooManyRequests, "limited", "rate_limited", 1, fmt.Sprintf("more than %g events a second come in: send the same again in a second", limit)}
}

// refuse answers a request that is not accepted.
func (c *collector) refuse(w http.ResponseWriter, err error) {
	answer := &refusal{status: http.StatusBadRequest, verdict: "refused", code: "bad_request"}
	if errors.As(err, new(*inbound.Unsupported)) {
		answer.status, answer.code = http.StatusUnsupportedMediaType, "unsupported"
		w.Header().Set("Accept-Encoding", inbound.Encodings)
	}
	if no := (*access.Refused)(nil); errors.As(err, &no) {
		no.SetHeader(w.Header())
		answer, err = &refusal{status: no.Status, verdict: "refused", code: no.Code}, no
		if no.Status == http.StatusTooManyRequests {
			answer.verdict = "limited"
		}
	}
	errors.As(err, &answer)
	c.metrics.verdicts.WithLabelValues(answer.verdict).Inc()
	if answer.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(answer.retry))
	}
	web.Refuse(w, answer.status, answer.code, err)
}

// refuseAll answers a request of which not one event is good.
func refuseAll(w http.ResponseWriter, in *intake) {
	status, code := http.StatusBadRequest, "bad_request"
	if large := (*stream.TooLargeError)(nil); errors.As(in.firstError, &large) {
		status, code = http.StatusRequestEntityTooLarge, "too_large"
	}
	o := strictjson.NewObject(nil)
	o.Buf = web.AppendError(o.Buf, code, in.firstError)
	in.addResults(&o)
	web.WriteJSON(w, status, o.End())
}
