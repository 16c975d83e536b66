package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/notify"
)

// hub hands one encoded state to all who watch.
type hub struct {
	most    int
	metrics *instruments
	woken   chan struct{} // has room for one: somebody watches
	changed notify.Broadcast

	mu       sync.Mutex
	watchers int
	asked    time.Time // when somebody watched last
	frame    *frame    // nil: no state was made since somebody began to watch
}

// frame is an encoded state. Nobody changes it.
type frame struct {
	json  []byte // on one line
	event []byte // as a server-sent event
	body  []byte // json without the members that change by themselves
}

func newHub(most int, m *instruments) *hub {
	return &hub{most: most, metrics: m, woken: make(chan struct{}, 1)}
}

var errFull = errors.New("as many clients watch the dashboard as may (dashboard.max_clients): close one, or ask GET /v1/dashboard now and then")

// enter counts a watcher, unless there are as many as may be. The caller calls leave.
func (h *hub) enter() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watchers >= h.most {
		h.metrics.refused.Inc()
		return errFull
	}
	h.watchers++
	h.metrics.clients.Set(float64(h.watchers))
	h.wakeLocked()
	return nil
}

func (h *hub) leave() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers--
	h.metrics.clients.Set(float64(h.watchers))
	h.asked = time.Now()
}

// wake notes that somebody asks for a state.
func (h *hub) wake() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wakeLocked()
}

func (h *hub) wakeLocked() {
	h.asked = time.Now()
	select {
	case h.woken <- struct{}{}:
	default: // it is being worked on, or will be
	}
}

// newest waits for a frame other than the one given.
func (h *hub) newest(ctx context.Context, than *frame, wait time.Duration) (*frame, error) {
	until := time.Now().Add(wait)
	for {
		changed := h.changed.Wait()
		h.mu.Lock()
		f := h.frame
		h.mu.Unlock()
		if f != nil && f != than {
			return f, nil
		}
		left := time.Until(until)
		if left <= 0 {
			return nil, nil
		}
		if err := notify.Await(ctx, changed, left); err != nil {
			return nil, err
		}
	}
}

// publish hands out a state, unless nothing in it has changed. It returns false when nobody has
// watched for as long as linger.
func (h *hub) publish(s *State, now time.Time, linger time.Duration) bool {
	h.mu.Lock()
	s.Watching = h.watchers
	before := h.frame
	h.mu.Unlock()
	f, err := encode(s)
	if err != nil {
		panic("BUG: a state that JSON cannot hold: " + err.Error())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if before == nil || !bytes.Equal(before.body, f.body) {
		h.frame = f
		h.changed.Fire()
	}
	if h.watchers > 0 {
		h.asked = now
	}
	return now.Sub(h.asked) < linger
}

// clear forgets the state, which grows old from now on. Who came in the last moment wakes the
// dashboard again.
func (h *hub) clear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.frame = nil
	if h.watchers > 0 {
		h.wakeLocked()
	}
}

// encode makes a frame. The first line has what changes by itself, the time; the rest tells whether
// anything has happened.
func encode(s *State) (*frame, error) {
	body, err := json.Marshal(&s.Content)
	if err != nil {
		return nil, err
	}
	b := append([]byte("event: state\ndata: "), `{"now":`...)
	b = event.TimeOf(s.Now).AppendJSON(b)
	b = append(b, ',')
	b = append(b, body[1:]...)
	b = append(b, '\n', '\n')
	return &frame{json: b[len("event: state\ndata: ") : len(b)-2], event: b, body: body}, nil
}
