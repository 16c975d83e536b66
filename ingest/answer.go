package ingest

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/web"
	"github.com/clickloop/clickloop/stream"
)

// refusal is how a request is answered that could not be accepted.
type refusal struct {
	verdict string // that the request counts as
	status  int
	code    string
	retry   int // seconds after which the sender should try again; 0: it should not
	err     error
}

// refuse answers with the status that an error means. SDKs send the same again after 429 and 503,
// and give up after other answers from 400 on.
func (c *collector) refuse(w http.ResponseWriter, err error) {
	a := c.refusalOf(err)
	c.verdicts.WithLabelValues(a.verdict).Inc()
	if a.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(a.retry))
	}
	if a.status == http.StatusUnsupportedMediaType {
		w.Header().Set("Accept-Encoding", inbound.Encodings)
	}
	web.Refuse(w, a.status, a.code, a.err)
}

func (c *collector) refusalOf(err error) refusal {
	unavailable := func(retry int, reason string) refusal {
		return refusal{"unavailable", http.StatusServiceUnavailable, "unavailable", retry, errors.New(reason)}
	}
	switch {
	case errors.Is(err, errTooLarge):
		return refusal{"refused", http.StatusRequestEntityTooLarge, "too_large", 0,
			fmt.Errorf("the body has more than %d bytes: send fewer events at once", c.cfg.MaxBody)}
	case errors.Is(err, errRate):
		return refusal{"limited", http.StatusTooManyRequests, "rate_limited", 1,
			fmt.Errorf("more than %g events a second come in: send the same again in a second", c.cfg.Rate)}
	case errors.Is(err, errBusy):
		return unavailable(1, "too many requests are under way: send the same again after Retry-After")
	case errors.Is(err, errLeaving):
		return unavailable(1, "this collector is ending: send the same again, with the same ids, after Retry-After")
	case errors.Is(err, errAway):
		return unavailable(2, "no acknowledgement from Kafka: send the same again, with the same ids, after Retry-After")
	case errors.As(err, new(*inbound.Unsupported)):
		return refusal{"refused", http.StatusUnsupportedMediaType, "unsupported", 0, err}
	}
	return refusal{"refused", http.StatusBadRequest, "bad_request", 0, err}
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
