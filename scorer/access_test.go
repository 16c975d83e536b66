package scorer

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/internal/access"
)

// guarded gives s a gate with a key for the scorer.
func guarded(t testing.TB, s *Scorer, rate float64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("k-score-0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := access.DefaultConfig()
	c.Keys = map[string]access.Key{"bidder": {For: []access.Scope{access.Score}, File: path, Rate: rate}}
	gate, err := access.New(c, 1, s.logger, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.gate = gate
}

// call asks the scorer with a key.
func call(s *Scorer, key, contentType, body string) *httptest.ResponseRecorder {
	mux := http.NewServeMux()
	s.Register(mux, http.NewServeMux())
	r := httptest.NewRequest(http.MethodPost, "/v1/score", strings.NewReader(body))
	if r.Header.Set("Content-Type", contentType); key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w
}

func TestScoringNeedsAKey(t *testing.T) {
	s := newScorer(t, nil)
	guarded(t, s, 0)
	f := func(key string, want int) {
		t.Helper()
		if w := call(s, key, "application/json", `{`); w.Code != want || (w.Header().Get("WWW-Authenticate") != "") != (want == 401) {
			t.Errorf("%q: %d %s", key, w.Code, w.Body)
		}
	}
	f("", 401)
	f("wrong", 401)
	f("k-score-0123456789", 400) // it reads the body
}

// A rate counts requests, of which JSON lines have several. A replay is not limited.
func TestTheRateOfAKeyCountsLines(t *testing.T) {
	f := func(recorded bool, want int) {
		t.Helper()
		s := newScorer(t, func(u *setup) { u.recorded = recorded })
		guarded(t, s, 6)
		ok := 0
		for range 5 {
			w := call(s, "k-score-0123456789", "application/x-ndjson", strings.Repeat("{}\n", 3))
			switch w.Code {
			case 200:
				ok++
			case 429:
				if w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "more than 6 requests a second come with this key") {
					t.Errorf("%v %s", w.Header(), w.Body)
				}
			default:
				t.Errorf("%d %s", w.Code, w.Body)
			}
		}
		if ok != want {
			t.Errorf("recorded %v: %d bodies of 3 lines pass, want %d", recorded, ok, want)
		}
	}
	f(false, 2)
	f(true, 5)
}
