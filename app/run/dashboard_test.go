package run_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/internal/access"
)

// The page is the same for everyone. What it shows wants the key, and a page of elsewhere gets
// neither.
func TestThePageNeedsNoKeyAndItsDataDoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("admin-key-0123456789\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l := start(t, func(c *config.Config) {
		c.Access.Keys = map[string]access.Key{"all": {For: []access.Scope{access.Admin}, File: path}}
	})
	f := func(target, key string, want int) http.Header {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Admin+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		if key != "" {
			r.Header.Set("Authorization", "Bearer "+key)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s with key %q: %s, want %d", target, key, resp.Status, want)
		}
		return resp.Header
	}
	h := f("/", "", 200)
	if policy := h.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("the page's policy is %q", policy)
	}
	f("/assets/none", "", 404)
	for _, data := range []string{"/v1/dashboard", "/v1/dashboard/stream", "/v1/dashboard/series?objective=click", "/metrics"} {
		f(data, "", 401)
		f(data, "wrong-key-0123456789", 401)
		f(data, "admin-key-0123456789", 200)
	}
}

// The admin port's guard holds for the page, too: it answers to no name but its own.
func TestThePageAnswersToNoOtherName(t *testing.T) {
	l := start(t, nil)
	for _, target := range []string{"/", "/v1/dashboard"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Admin+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "evil.example"
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s by another name: %s", target, resp.Status)
		}
	}
}

// A process without the dashboard answers at / as before.
func TestTheDashboardCanBeSwitchedOff(t *testing.T) {
	l := start(t, func(c *config.Config) { c.Dashboard.Enabled = false })
	status, _, text := call(t, http.DefaultClient, http.MethodGet, "http://"+l.Admin+"/")
	if status != 200 || !strings.HasPrefix(text, "clickloop: GET /v1/model") {
		t.Errorf("%d %q", status, text)
	}
	if status, _, _ := call(t, http.DefaultClient, http.MethodGet, "http://"+l.Admin+"/v1/dashboard"); status != http.StatusNotFound {
		t.Errorf("the state: %d, want 404", status)
	}
}
