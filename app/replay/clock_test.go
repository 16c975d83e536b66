package replay

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A collector that is starting drops connections and answers 503 before it answers: the replay asks
// again, as long as its caller has patience.
func TestACollectorThatStartsIsWaitedFor(t *testing.T) {
	asked, mode := 0, "recorded"
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked++; {
		case r.URL.Path != "/v1/clock":
			http.NotFound(w, r)
		case asked <= 2:
			panic(http.ErrAbortHandler) // drops the connection without an answer
		case asked == 3:
			http.Error(w, "starting", http.StatusServiceUnavailable)
		default:
			fmt.Fprintf(w, `{"mode":%q}`, mode)
		}
	}))
	defer s.Close()
	logger := slog.New(slog.DiscardHandler)
	if err := CheckClock(t.Context(), http.DefaultClient, s.URL+"/", logger); err != nil || asked != 4 {
		t.Errorf("after %d questions: %v", asked, err)
	}
	mode = "system"
	if err := CheckClock(t.Context(), http.DefaultClient, s.URL, logger); err == nil || !strings.Contains(err.Error(), `clock is "system"`) {
		t.Errorf("another clock: %v", err)
	}
	before := asked
	if err := CheckClock(t.Context(), http.DefaultClient, s.URL+"/elsewhere", logger); err == nil || !strings.Contains(err.Error(), "answered 404") || asked != before+1 {
		t.Errorf("another server, after %d questions: %v", asked-before, err)
	}
	s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := CheckClock(ctx, http.DefaultClient, s.URL, logger); err == nil || !strings.Contains(err.Error(), "refused") || !strings.Contains(err.Error(), "start it with `clickloop ingest --clock recorded`") {
		t.Errorf("no server: %v", err)
	}
}
