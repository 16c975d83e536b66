package dashboard

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/web"
)

// Register adds the page and its calls to those of administrators.
func (d *Dashboard) Register(_, admin *http.ServeMux) {
	admin.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { d.page.serve(w, r, "") })
	admin.HandleFunc("GET /assets/{name}", func(w http.ResponseWriter, r *http.Request) { d.page.serve(w, r, r.PathValue("name")) })
	admin.HandleFunc("GET /v1/dashboard", d.handleState)
	admin.HandleFunc("GET /v1/dashboard/stream", d.handleStream)
	admin.HandleFunc("GET /v1/dashboard/series", d.handleSeries)
}

// Open are the patterns of Register that need no key: the page holds no data. The page asks its
// reader for the key with which it asks for the rest.
func Open() []string { return []string{"GET /{$}", "GET /assets/{name}"} }

// firstWait is how long a call waits for the first state.
const firstWait = 10 * time.Second

// handleState answers with the state as it is now, at most a second old.
func (d *Dashboard) handleState(w http.ResponseWriter, r *http.Request) {
	if _, err := inbound.Query(r); err != nil {
		web.Refuse(w, http.StatusBadRequest, "", err)
		return
	}
	d.hub.wake()
	f, err := d.hub.newest(r.Context(), nil, firstWait)
	if f == nil {
		web.Refuse(w, http.StatusServiceUnavailable, "unavailable", orNotYet(err))
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	web.WriteJSON(w, http.StatusOK, f.json)
}

func orNotYet(err error) error {
	if err != nil {
		return field.Wrong("", "the process is ending")
	}
	return field.Wrong("", "no state was read within %v: ask again", firstWait)
}

const (
	alive      = 15 * time.Second // between lines that keep a silent stream open
	clientTime = 5 * time.Second  // for a client to read a state, or it is dropped
	chunk      = 16 << 10         // of a state in one write
)

// handleStream sends the state at once, and then each second in which it has changed. A client that
// is slow gets fewer states, always the newest; one that does not read a state in time is dropped.
func (d *Dashboard) handleStream(w http.ResponseWriter, r *http.Request) {
	if _, err := inbound.Query(r); err != nil {
		web.Refuse(w, http.StatusBadRequest, "", err)
		return
	}
	if r.Context().Err() != nil {
		web.Refuse(w, http.StatusServiceUnavailable, "unavailable", orNotYet(r.Context().Err()))
		return
	}
	if err := d.hub.enter(); err != nil {
		web.Refuse(w, http.StatusServiceUnavailable, "busy", err)
		return
	}
	defer d.hub.leave()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // proxies would hold states back
	out := &client{w: w, control: http.NewResponseController(w)}
	var sent *frame
	if !out.send([]byte(": clickloop\n\n")) {
		return
	}
	for {
		f, err := d.hub.newest(r.Context(), sent, alive)
		switch {
		case err != nil:
			return
		case f == nil:
			if !out.send([]byte(": alive\n\n")) {
				d.metrics.dropped.Inc()
				return
			}
		case !out.send(f.event):
			if r.Context().Err() == nil {
				d.metrics.dropped.Inc()
			}
			return
		default:
			sent = f
		}
	}
}

// client is the far end of a stream.
type client struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// send writes b and returns false when the client is gone, or has not read it in time.
func (c *client) send(b []byte) bool {
	// the server's own deadline grows with what was sent, and a stream sends much
	late := time.AfterFunc(clientTime, func() { _ = c.control.SetWriteDeadline(time.Unix(1, 0)) })
	defer late.Stop()
	for len(b) > 0 {
		n := min(len(b), chunk)
		if _, err := c.w.Write(b[:n]); err != nil {
			return false
		}
		b = b[n:]
	}
	return c.control.Flush() == nil
}

const (
	pointsDefault = 500
	pointsMost    = 2000
)

// handleSeries answers with the newest points of a series of evaluations.
func (d *Dashboard) handleSeries(w http.ResponseWriter, r *http.Request) {
	query, err := inbound.Query(r, "objective", "window", "segment", "network", "points")
	if err == nil {
		var q seriesQuery
		if q, err = d.parseSeries(query.Get); err == nil {
			d.hub.wake()
			if _, err := d.hub.newest(r.Context(), nil, firstWait); err != nil {
				web.Refuse(w, http.StatusServiceUnavailable, "unavailable", orNotYet(err))
				return
			}
			w.Header().Set("Cache-Control", "no-store")
			web.WriteJSON(w, http.StatusOK, d.history.append(nil, q))
			return
		}
	}
	web.Refuse(w, http.StatusBadRequest, "", err)
}

// seriesQuery is what a call asks for.
type seriesQuery struct {
	series
	points int
}

func (d *Dashboard) parseSeries(get func(string) string) (seriesQuery, error) {
	q := seriesQuery{series{get("objective"), get("window"), get("segment"), get("network")}, pointsDefault}
	var names []string
	known := false
	for _, o := range d.d.Objectives {
		names = append(names, o.Name)
		known = known || o.Name == q.objective
	}
	if q.objective == "" && len(names) == 1 {
		q.objective, known = names[0], true
	}
	if !known {
		return q, field.Wrong("objective", "is %.80q, want one of %s", q.objective, strings.Join(names, ", "))
	}
	if q.window == "" {
		q.window = "1m"
	}
	if !knownWindow(q.window) {
		return q, field.Wrong("window", "is %.40q, want one of %s", q.window, strings.Join(windows, ", "))
	}
	if name, value, ok := strings.Cut(q.segment, "="); q.segment != "" && (!ok || name == "" || value == "") {
		return q, field.Wrong("segment", "is %.80q, want NAME=VALUE, such as campaign=c9", q.segment)
	}
	if q.network == event.DefaultNetwork {
		q.network = ""
	}
	if text := get("points"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > pointsMost {
			return q, field.Wrong("points", "is %.40q, want 1 to %d", text, pointsMost)
		}
		q.points = n
	}
	return q, nil
}
