package ingest

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/access"
	"github.com/clickloop/clickloop/internal/backend"
)

// guarded runs an Ingester behind a gate whose key for events is k-events, and which has a key for
// the scorer.
func guarded(t *testing.T, cfg Config, recorded bool, change func(*access.Config)) *httptest.Server {
	t.Helper()
	c := access.DefaultConfig()
	c.Keys = map[string]access.Key{}
	for name, key := range map[string]string{"events": "k-events", "score": "k-score-0123456789"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
		c.Keys[name] = access.Key{For: []access.Scope{access.Scope(name)}, File: path}
	}
	if change != nil {
		change(&c)
	}
	gate, err := access.New(c, cfg.Rate, discard, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, server, _ := runDeps(t, cfg, Deps{
		Client: dial(t, backend.Kafka(t)), Store: features.NewMemory(), Access: gate, Logger: discard,
		Clock: NewClock(func() event.Time { return event.TimeOf(time.Now()) }, recorded),
	})
	return server
}

// Senders bring their key as SDKs do.
func TestKeysComeAsSDKsSendThem(t *testing.T) {
	server := guarded(t, DefaultConfig(), false, nil)
	f := func(path, authorization, body string, status int, code string) {
		t.Helper()
		headers := map[string]string{}
		if authorization != "" {
			headers["Authorization"] = authorization
		}
		got, h, a := send(t, "POST", server.URL+path, headers, strings.NewReader(body))
		if got != status || a.Error.Code != code || (h.Get("WWW-Authenticate") != "") != (status == 401) {
			t.Errorf("%s %q %s: %d %v %+v, want %d", path, authorization, body, got, h, a, status)
		}
	}
	basic := func(user string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(user)) }
	const track, page = `{"userId":"u","event":"x"}`, `{"type":"page"}`
	f("/v1/events", "Bearer k-events", page, 200, "")
	f("/v1/events", basic("k-events:"), page, 200, "")
	f("/v1/events?writeKey=k-events", "", page, 200, "") // a page's beacon
	f("/v1/events", "", page, 401, "unauthorized")
	f("/v1/events", "", `{"type":"page","writeKey":"k-events"}`, 401, "unauthorized")
	f("/v1/events", "Bearer wrong", page, 401, "unauthorized")
	f("/v1/events", "Bearer k-score-0123456789", page, 403, "forbidden")
	f("/v1/track", basic("k-events:"), track, 200, "")
	f("/v1/track", basic("k-events"), track, 200, "")
	f("/v1/track", "", `{"userId":"u","event":"x","writeKey":"k-events"}`, 200, "")
	f("/v1/t?writeKey=k-events", "", track, 200, "")
	f("/v1/track", "", track, 401, "unauthorized")
	f("/v1/track", "", `{"userId":"u","event":"x","writeKey":"wrong"}`, 401, "unauthorized")
	f("/v1/track", "", `{"userId":"u","event":"x","writeKey":{"a":["k-events"]}}`, 401, "unauthorized")
	f("/v1/track", "", `{"userId":"u","event":"x","writeKey":"k-score-0123456789"}`, 403, "forbidden")
	f("/v1/track", basic("wrong:"), `{"userId":"u","event":"x","writeKey":"k-events"}`, 401, "unauthorized") // the header counts
	f("/v1/batch", "", `{"batch":[{"type":"page","userId":"u"}],"writeKey":"k-events"}`, 200, "")
	f("/v1/batch", "", `{"batch":[{"type":"page","userId":"u","writeKey":"k-events"}]}`, 401, "unauthorized")
	f("/v1/batch", "", `{"batch":[{}],"writeKey":"wrong"}`, 401, "unauthorized")
	f("/beacon/v1/batch?writeKey=k-events", "", `{"batch":[{"type":"page","userId":"u"}]}`, 200, "")
	f("/beacon/v1/batch", "", `{"batch":[{"type":"page","userId":"u"}]}`, 401, "unauthorized")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprint(z, `{"batch":[{"type":"page","userId":"u"}],"writeKey":"k-events"}`)
	z.Close()
	f("/v1/batch", "", packed.String(), 200, "")
}

// A replay needs its key, too.
func TestAReplayNeedsAKey(t *testing.T) {
	server := guarded(t, DefaultConfig(), true, func(c *access.Config) {
		k := c.Keys["events"]
		k.Rate = 1
		c.Keys["events"] = k
	})
	const page = `{"type":"page","time":"2026-11-25T09:00:00Z"}`
	for range 5 {
		if status, _, _ := send(t, "POST", server.URL+"/v1/events", map[string]string{"Authorization": "Bearer k-events"}, strings.NewReader(page)); status != 200 {
			t.Errorf("status %d", status)
		}
	}
	if status, _, _ := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(page)); status != 401 {
		t.Errorf("without a key: status %d", status)
	}
}

// Events count by key and by address, in all forms, and what the rate of all clients refuses is
// given back.
func TestRatesCountEventsByKeyAndByAddress(t *testing.T) {
	f := func(what string, cfg Config, change func(*access.Config), want int) {
		t.Helper()
		server := guarded(t, cfg, false, change)
		ok := 0
		for range 4 {
			body := `{"batch":[` + strings.TrimSuffix(strings.Repeat(`{"type":"page","userId":"u"},`, 8), ",") + `],"writeKey":"k-events"}`
			status, h, a := send(t, "POST", server.URL+"/v1/batch", nil, strings.NewReader(body))
			switch {
			case status == 200:
				ok++
			case status != 429 || h.Get("Retry-After") == "" || a.Error.Code != "rate_limited" || !strings.Contains(a.Error.Message, what):
				t.Errorf("%s: %d %v %+v", what, status, h, a)
			}
		}
		if ok != want {
			t.Errorf("%s: %d batches of 8 pass, want %d", what, ok, want)
		}
	}
	key := func(c *access.Config) {
		k := c.Keys["events"]
		k.Rate = 0.01
		c.Keys["events"] = k
	}
	f("with this key", DefaultConfig(), key, 1) // larger than what the rate ever holds
	f("from this address", DefaultConfig(), func(c *access.Config) { c.Address.Rate = 16.5 }, 2)
	all := DefaultConfig()
	all.Rate, all.MaxEvents = 1, 8
	f("more than 1 events a second come in", all, func(c *access.Config) { c.Address.Rate = 1000 }, 1)
}
