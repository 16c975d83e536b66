package dashboard

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// states is a Dashboard without topics, whose states a test publishes.
func states(most int) *Dashboard {
	m := newInstruments(nil)
	return &Dashboard{hub: newHub(most, m), metrics: m, history: newHistory(1 << 20)}
}

// state is one that differs from others by a problem.
func state(problem string) *State {
	s := &State{Now: time.Now()}
	s.Problems = []string{problem}
	return s
}

// reader is the far end of a stream. While it is stuck, writes to it wait for the deadline.
type reader struct {
	header http.Header
	stuck  chan struct{} // closed by the deadline

	mu     sync.Mutex
	got    bytes.Buffer
	blocks bool
	once   sync.Once
}

func newReader() *reader { return &reader{header: http.Header{}, stuck: make(chan struct{})} }

func (r *reader) Header() http.Header { return r.header }
func (r *reader) WriteHeader(int)     {}
func (r *reader) Flush()              {}

func (r *reader) SetWriteDeadline(t time.Time) error {
	if t.Before(time.Now()) {
		r.once.Do(func() { close(r.stuck) })
	}
	return nil
}

func (r *reader) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.blocks {
		r.mu.Unlock()
		<-r.stuck
		r.mu.Lock()
		return 0, os.ErrDeadlineExceeded
	}
	return r.got.Write(b)
}

func (r *reader) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got.String()
}

func (r *reader) block() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blocks = true
}

// open begins a stream. end closes it and waits.
func open(t *testing.T, d *Dashboard) (r *reader, end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	r, done := newReader(), make(chan struct{})
	go func() {
		defer close(done)
		d.handleStream(r, httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/dashboard/stream", nil))
	}()
	synctest.Wait()
	return r, func() { cancel(); <-done }
}

func TestAStreamHasEachStateOnceAndStaysOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := states(2)
		r, end := open(t, d)
		defer end()
		for _, problem := range []string{"a", "a", "b"} { // the second says nothing new
			d.hub.publish(state(problem), time.Now(), time.Minute)
			synctest.Wait()
			time.Sleep(time.Second) // virtual
		}
		if n := strings.Count(r.text(), "event: state\ndata: {"); n != 2 {
			t.Errorf("%d states were sent, want 2: %s", n, r.text())
		}
		for line := range strings.Lines(r.text()) {
			if data, ok := strings.CutPrefix(line, "data: "); ok && !strings.HasPrefix(data, `{"now":"2000-01-01T00:00:0`) {
				t.Errorf("a state is %s", data)
			}
		}
		time.Sleep(alive)
		synctest.Wait()
		if !strings.HasSuffix(r.text(), "\n\n: alive\n\n") {
			t.Errorf("a silent stream has no sign of life: %q", r.text())
		}
		if got := r.header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("its type is %s", got)
		}
	})
}

// A client that does not read loses its stream. The others have theirs in time.
func TestASlowClientIsDroppedAndHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := states(2)
		slow, endSlow := open(t, d)
		defer endSlow()
		quick, end := open(t, d)
		defer end()
		slow.block()
		began := time.Now()
		d.hub.publish(state("a"), time.Now(), time.Minute)
		synctest.Wait()
		if !strings.Contains(quick.text(), "event: state") || time.Since(began) != 0 {
			t.Errorf("the other client waited %v and has %q", time.Since(began), quick.text())
		}
		time.Sleep(clientTime)
		synctest.Wait()
		if n := d.hub.watchers; n != 1 || value(t, d.metrics.dropped) != 1 {
			t.Errorf("%d watch and %v were dropped, want 1 and 1", n, value(t, d.metrics.dropped))
		}
	})
}

func TestOneMoreClientThanMayWatchIsToldWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := states(1)
		_, end := open(t, d)
		w := httptest.NewRecorder()
		d.handleStream(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/dashboard/stream", nil))
		if w.Code != 503 || !strings.Contains(w.Body.String(), "dashboard.max_clients") || w.Header().Get("Retry-After") == "" || value(t, d.metrics.refused) != 1 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		end()
		_, again := open(t, d)
		defer again()
		if d.hub.watchers != 1 {
			t.Errorf("%d watch after one has left and one has come", d.hub.watchers)
		}
	})
}

func TestWorkEndsALittleAfterTheLastWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := states(1)
		_, end := open(t, d)
		<-d.hub.woken
		time.Sleep(time.Hour)
		if !d.hub.publish(state("a"), time.Now(), linger) {
			t.Error("it ends while somebody watches")
		}
		end()
		time.Sleep(linger - 1)
		if !d.hub.publish(state("b"), time.Now(), linger) {
			t.Error("it ends at once")
		}
		time.Sleep(time.Nanosecond)
		if d.hub.publish(state("c"), time.Now(), linger) {
			t.Error("it goes on although nobody watches")
		}
		d.hub.clear()
		select {
		case <-d.hub.woken:
			t.Error("it is woken by nobody")
		default:
		}
		_, again := open(t, d)
		defer again()
		<-d.hub.woken // and by the next who comes
	})
}

// The process ends while clients watch: streams end with their requests, and no new one begins.
func TestStreamsEndWithTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := states(2)
		_, end := open(t, d)
		end()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		w := httptest.NewRecorder()
		d.handleStream(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/dashboard/stream", nil))
		if w.Code != 503 || d.hub.watchers != 0 {
			t.Errorf("%d, and %d watch", w.Code, d.hub.watchers)
		}
	})
}

func TestAStateThatDoesNotComeIsToldAndNotWaitedForForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := states(2)
		began := time.Now()
		w := httptest.NewRecorder()
		d.handleState(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/dashboard", nil))
		if w.Code != 503 || time.Since(began) != firstWait || !strings.Contains(w.Body.String(), "ask again") {
			t.Errorf("after %v: %d %s", time.Since(began), w.Code, w.Body)
		}
	})
}

// All who watch are sent the same bytes.
func TestAStateIsEncodedOnceForAll(t *testing.T) {
	h := newHub(2, newInstruments(nil))
	h.publish(state("a"), time.Now(), time.Minute)
	one, err := h.newest(t.Context(), nil, 0)
	other, otherErr := h.newest(t.Context(), nil, 0)
	if one == nil || one != other || errors.Join(err, otherErr) != nil {
		t.Errorf("%p and %p", one, other)
	}
}
