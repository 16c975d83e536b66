package run_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/replay"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/internal/access"
)

// Where all calls want keys, a process plays a recording into itself by a key of its own, and the
// replay command by the one of its file.
func TestAReplayBringsAKey(t *testing.T) {
	rec := open(t, bank)
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("replay-key-0123456789\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := start(t, func(c *config.Config) {
		recorded(rec)(c)
		c.Access.Keys = map[string]access.Key{"all": {For: []access.Scope{access.Events, access.Score, access.Admin}, File: path}}
	})
	if s, err := l.Play(t.Context(), run.PlayOptions{Recording: rec, Lockstep: true, Limit: 60}); err != nil || s.Requests != 60 || s.Model == "" {
		t.Fatalf("%+v, %v", s, err)
	}
	check := func(by http.RoundTripper) error {
		return replay.CheckClock(t.Context(), &http.Client{Transport: by}, "http://"+l.Admin, slog.New(slog.DiscardHandler))
	}
	if err := check(http.DefaultTransport); err == nil || !strings.Contains(err.Error(), "401") || !strings.Contains(err.Error(), "a key is missing") {
		t.Errorf("without a key: %v", err)
	}
	key, err := access.ReadKey(path)
	if err == nil {
		err = check(access.Bearer{Key: key, Next: http.DefaultTransport})
	}
	if err != nil {
		t.Error(err)
	}
	if status := post(t, l, "/v1/events", `{"type":"page"}`, 0); status != http.StatusUnauthorized {
		t.Errorf("an event without a key: status %d", status)
	}
}
