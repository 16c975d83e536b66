package ingest

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/web"
	"github.com/clickloop/clickloop/stream"
)

// refuse answers with the status that an error means. SDKs send the same again after 429 and 503,
// and give up after other answers from 400 on.
func (c *collector) refuse(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, errTooLarge):
		c.verdicts.WithLabelValues("refused").Inc()
		web.Refuse(w, http.StatusRequestEntityTooLarge, "too_large", fmt.Errorf("the body has more than %d bytes: send fewer events at once", c.cfg.MaxBody))
	case errors.Is(err, errRate):
		c.verdicts.WithLabelValues("limited").Inc()
		w.Header().Set("Retry-After", "1")
		web.Refuse(w, http.StatusTooManyRequests, "rate_limited", fmt.Errorf("more than %g events a second come in: send the same again in a second", c.cfg.Rate))
	case errors.Is(err, errBusy):
		c.verdicts.WithLabelValues("unavailable").Inc()
		w.Header().Set("Retry-After", "1")
		web.Refuse(w, http.StatusServiceUnavailable, "unavailable", errors.New("too many requests are under way: send the same again after Retry-After"))
	case errors.Is(err, errLeaving):
		c.verdicts.WithLabelValues("unavailable").Inc()
		w.Header().Set("Retry-After", "1")
		web.Refuse(w, http.StatusServiceUnavailable, "unavailable", errors.New("this collector is ending: send the same again, with the same ids, after Retry-After"))
	case errors.Is(err, errAway):
		c.verdicts.WithLabelValues("unavailable").Inc()
		w.Header().Set("Retry-After", "2")
		web.Refuse(w, http.StatusServiceUnavailable, "unavailable", errors.New("no acknowledgement from Kafka: send the same again, with the same ids, after Retry-After"))
	case errors.As(err, new(*inbound.Unsupported)):
		c.verdicts.WithLabelValues("refused").Inc()
		w.Header().Set("Accept-Encoding", inbound.Encodings)
		web.Refuse(w, http.StatusUnsupportedMediaType, "unsupported", err)
	default:
		c.verdicts.WithLabelValues("refused").Inc()
		web.Refuse(w, http.StatusBadRequest, "bad_request", err)
	}
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
