package scorer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/web"
)

// handleModel answers which weights of an objective are served. With ?at_least=N it waits, for at
// most ?wait=, until they have learned N examples.
func (s *Scorer) handleModel(w http.ResponseWriter, r *http.Request) {
	query, err := inbound.Query(r, "objective", "at_least", "wait")
	if err != nil {
		web.Refuse(w, http.StatusBadRequest, "bad_request", err)
		return
	}
	name := query.Get("objective")
	i := slices.IndexFunc(s.followers, func(f *follower) bool { return f.objective == name })
	if i < 0 {
		web.Refuse(w, http.StatusNotFound, "not_found", fmt.Errorf("there is no objective %q: give ?objective=NAME", name))
		return
	}
	least, wait := int64(-1), time.Second
	if text := query.Get("at_least"); text != "" {
		if least, err = strconv.ParseInt(text, 10, 64); err != nil {
			web.Refuse(w, http.StatusBadRequest, "bad_request", &event.Error{Field: "at_least", Reason: "is not a whole number"})
			return
		}
	}
	if text := query.Get("wait"); text != "" {
		if wait, err = time.ParseDuration(text); err != nil || wait < 0 || wait > time.Minute {
			web.Refuse(w, http.StatusBadRequest, "bad_request", &event.Error{Field: "wait", Reason: "is not a duration up to 1m, such as 20s"})
			return
		}
	}
	n, at := s.followers[i].await(r.Context(), least, wait)
	o := strictjson.NewObject(nil)
	o.Text("objective", name)
	if n >= 0 {
		o.Text("model", event.ModelVersion(s.followers[i].network, n))
		o.Integer("age_ms", max(int64(s.now()-at), 0))
		o.Buf = s.followers[i].appendCalibration(o.Buf)
	}
	o.Integer("examples", n)
	web.WriteJSON(w, http.StatusOK, o.End())
}

// await returns the served version as soon as it has least examples, or as it is after wait.
func (f *follower) await(ctx context.Context, least int64, wait time.Duration) (int64, event.Time) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		changed := f.replicas.changed.Wait()
		n, at := f.replicas.version()
		if n >= least {
			return n, at
		}
		select {
		case <-changed:
		case <-timer.C:
			return n, at
		case <-ctx.Done():
			return n, at
		}
	}
}

// mostSlicesShown bounds the list of /v1/model: those with the most examples.
const mostSlicesShown = 100

// appendCalibration appends what the calibration of the served weights has learned.
func (f *follower) appendCalibration(b []byte) []byte {
	r := f.replicas.acquire()
	if r == nil {
		return b
	}
	c := r.weights.Calibration()
	r.release()
	if c.Count == 0 {
		return b
	}
	text, err := json.Marshal(c.Most(mostSlicesShown))
	if err != nil {
		panic(fmt.Sprintf("BUG: a calibration that was checked has infinite numbers: %v", err))
	}
	return append(append(b, `,"calibration":`...), text...)
}
