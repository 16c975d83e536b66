package run_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
)

// The whole loop with signing on: events of a replay bring the tokens of their answers back, and
// the weights are those of a replay without keys, bit for bit. The key is replaced meanwhile.
func TestAReplayWithSignedPredictionsHasTheSameWeights(t *testing.T) {
	rec := open(t, bank)
	path := filepath.Join(t.TempDir(), "keys")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	const before, after = "the secret of before\n", "the secret that comes\n"
	write(before)
	play := func(key string) (*run.Summary, string) {
		l := start(t, func(c *config.Config) { recorded(rec)(c); c.Feedback.SignKey = key })
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		done := make(chan struct{})
		go func() { // the steps of docs/operations.md
			defer close(done)
			if key == "" {
				return
			}
			for _, text := range []string{before + after, after + before} {
				time.Sleep(400 * time.Millisecond)
				write(text)
			}
		}()
		s, err := l.Play(ctx, run.PlayOptions{Recording: rec, Lockstep: true, Limit: 2000})
		<-done
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.Get("http://" + l.HTTP + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return s, string(text)
	}
	plain, metrics := play("")
	if strings.Contains(metrics, "clickloop_feedback_tokens_total{") {
		t.Error("tokens are counted without a key")
	}
	signed, metrics := play(path)
	if plain.Weights != signed.Weights || plain.Examples != signed.Examples || plain.Weights == "" {
		t.Errorf("%+v\nwithout a key %+v", signed, plain)
	}
	for _, result := range []string{"missing", "malformed", "unknown_key", "mismatch", "expired"} {
		if !strings.Contains(metrics, `clickloop_feedback_tokens_total{result="`+result+`"} 0`) {
			t.Errorf("tokens are %s", result)
		}
	}
	if strings.Contains(metrics, `clickloop_feedback_tokens_total{result="valid"} 0`) || !strings.Contains(metrics, `clickloop_feedback_tokens_total{result="valid"}`) {
		t.Error("no token is checked")
	}
	if strings.Contains(metrics, strings.TrimSpace(before)) {
		t.Error("metrics tell a secret")
	}
}
