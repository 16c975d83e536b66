package scorer

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// A body is taken in the encodings that the collector takes, or refused by name.
func TestBodiesOfRequestsAreUnpacked(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.MaxBody = 64 << 10 })
	mux := http.NewServeMux()
	s.Register(mux, mux)
	const request = `{"request":"r1","user":"u \ud83d","candidates":[{"ad":"a1"}]}`
	zipped := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(text))
		_ = z.Close()
		return b.String()
	}
	f := func(body, encoding, contentType string, status int, want string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "/v1/score", strings.NewReader(body))
		r.Header.Set("Content-Encoding", encoding)
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code != status || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%.40q as %q, %q: %d %s, want %d with %s", body, encoding, contentType, w.Code, w.Body, status, want)
		}
		if accepts := w.Header().Get("Accept-Encoding"); (status == 415) != (accepts != "") {
			t.Errorf("%.40q: status %d, Accept-Encoding %q", body, status, accepts)
		}
	}
	const ok = `"request":"r1"`
	f(request, "", "application/json", 200, ok)
	f("\ufeff"+request, "", "application/json", 200, ok)
	f(zipped(request), "gzip", "application/json", 200, ok)
	f(zipped(request+"\n"+strings.Replace(request, "r1", "r2", 1)), "", "application/x-ndjson", 200, `"request":"r2"`)
	f(request, "br", "application/json", 415, `"code":"unsupported"`)
	f("a=1", "", "application/x-www-form-urlencoded", 415, "application/x-www-form-urlencoded")
	f(zipped(request)[:30], "gzip", "application/json", 400, "gzip")
	f(zipped(strings.Repeat(" ", 64<<10)+request), "gzip", "application/json", 413, "65536 bytes when it is unpacked")
	f(strings.Repeat(" ", 64<<10)+request, "", "application/json", 413, "more than 65536 bytes")
}

func TestParametersOfQuestionsAreKnown(t *testing.T) {
	s := newScorer(t, nil)
	mux := http.NewServeMux()
	s.Register(mux, mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/model?objective=click&atleast=7", nil))
	if w.Code != 400 || !strings.Contains(w.Body.String(), "did you mean at_least?") || !strings.Contains(w.Body.String(), `"field":"atleast"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// stalled is a client that does not read its answer.
type stalled struct {
	httptest.ResponseRecorder
	writing, read chan struct{}
}

func (s *stalled) Write(b []byte) (int, error) {
	close(s.writing)
	<-s.read
	return len(b), nil
}

// The one slot is free while clients send their bodies and while they do not read their answers.
func TestASlotIsHeldForWorkOnly(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.MaxInFlight = 1 })
	mux := http.NewServeMux()
	s.Register(mux, mux)
	const request = `{"candidates":[{"ad":"a"}]}`
	body, sender := io.Pipe()
	sent := httptest.NewRecorder()
	silent := &stalled{writing: make(chan struct{}), read: make(chan struct{}), ResponseRecorder: *httptest.NewRecorder()}
	var wg sync.WaitGroup
	wg.Go(func() { mux.ServeHTTP(sent, httptest.NewRequest(http.MethodPost, "/v1/score", body)) })
	_, _ = io.WriteString(sender, request[:1]) // returns when it is read
	wg.Go(func() {
		mux.ServeHTTP(silent, httptest.NewRequest(http.MethodPost, "/v1/score", strings.NewReader(request)))
	})
	<-silent.writing
	if w := post(s, request, ""); w.Code != 200 {
		t.Errorf("beside clients that neither send nor read: %d %s", w.Code, w.Body)
	}
	_, _ = io.WriteString(sender, request[1:])
	_ = sender.Close()
	close(silent.read)
	wg.Wait()
	if sent.Code != 200 {
		t.Errorf("a body that comes late: %d %s", sent.Code, sent.Body)
	}
}

// A body of many candidates takes many slots, at most half of all and its first, and one that is
// worth more is refused.
func TestLargeBodiesTakeAsManySlotsAsTheyAreWorth(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.MaxInFlight, u.config.MaxBody = 128, 4<<20 })
	const ndjson = "application/x-ndjson"
	line := `{"choose":0,"candidates":[` + ads(500, "") + `]}` + "\n"
	f := func(lines, want int) {
		t.Helper()
		if w := post(s, strings.Repeat(line, lines), ndjson); w.Code != want {
			t.Errorf("%d lines: %d %.200s", lines, w.Code, w.Body)
		}
		if !s.slots.all.TryAcquire(128) || !s.slots.extra.TryAcquire(64) {
			t.Fatal("slots are not given back")
		}
		s.slots.all.Release(128)
		s.slots.extra.Release(64)
	}
	f(65, 200)
	f(66, 413)
	if w := post(s, strings.Repeat("x\n", 65*500+1), ndjson); w.Code != 413 {
		t.Errorf("lines that are no requests: %d %.200s", w.Code, w.Body)
	}
	if !s.slots.take(1) {
		t.Fatal("no slot")
	}
	if held, err := s.slots.grow(1, 65); held != 65 || err != nil { // a body of many is at work
		t.Fatal("no slots")
	}
	beside := func(body string, want int) {
		t.Helper()
		if w := post(s, body, ndjson); w.Code != want {
			t.Errorf("%.60s beside a large body: %d %.200s", body, w.Code, w.Body)
		}
	}
	beside(`{"candidates":[{"ad":"a"}]}`, 200)
	beside(strings.Repeat(line, 2), 503)
	s.slots.release(65)
	beside(strings.Repeat(line, 2), 200)
}

// However low the settings are, a replay may send its lines.
func TestLowSettingsTakeTheLinesOfAReplay(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.MaxInFlight, u.config.MaxCandidates = 1, 2 })
	line := `{"choose":0,"candidates":[` + ads(2, "") + `]}` + "\n"
	if w := post(s, strings.Repeat(line, 256), "application/x-ndjson"); w.Code != 200 {
		t.Errorf("%d %.200s", w.Code, w.Body)
	}
}

// The memory of large bodies and answers is not kept for later calls.
func TestMemoryOfLargeCallsIsNotKept(t *testing.T) {
	s := newScorer(t, nil)
	line := `{"choose":0,"candidates":[` + ads(500, "") + `]}` + "\n"
	if w := post(s, strings.Repeat(line, 20), "application/x-ndjson"); w.Code != 200 || w.Body.Len() <= keptOutput {
		t.Fatalf("%d, %d bytes", w.Code, w.Body.Len())
	}
	if kept := s.exchanges.Get().(*exchange); cap(kept.call.Requests) > 0 || cap(kept.lines) > 0 {
		t.Errorf("an exchange of %d requests is kept", cap(kept.call.Requests))
	}
	if kept := s.outputs.Get().(*output); cap(kept.text) > keptOutput {
		t.Errorf("an answer of %d bytes is kept", cap(kept.text))
	}
}
