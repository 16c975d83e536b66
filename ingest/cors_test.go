package ingest

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/prometheus/client_golang/prometheus"
)

// Websites that are named may read answers, with their credentials. All others together get no
// credentials; without "*" they may not read, and still send what a browser sends without asking.
func TestOriginsMayReadAnswersByName(t *testing.T) {
	f := func(origins []string, origin, want string, credentials bool) {
		t.Helper()
		client := dial(t, backend.Kafka(t))
		cfg := DefaultConfig()
		cfg.CORSOrigins = origins
		_, server, stop := run(t, client, cfg, features.NewMemory(), false)
		defer stop()
		headers := map[string]string{}
		if origin != "" {
			headers["Origin"] = origin
		}
		check := func(method, path, body string, status int, names ...string) {
			t.Helper()
			got, h, _ := send(t, method, server.URL+path, headers, bytes.NewReader([]byte(body)))
			if got != status || h.Get("Access-Control-Allow-Origin") != want {
				t.Errorf("%s %s from %q with %v: status %d, %v", method, path, origin, origins, got, h)
			}
			if is := h.Get("Access-Control-Allow-Credentials"); is != map[bool]string{true: "true"}[credentials] {
				t.Errorf("%s %s from %q with %v: credentials %q", method, path, origin, origins, is)
			}
			if lists := len(origins) > 0 && origins[0] != "*"; lists != (h.Get("Vary") == "Origin") {
				t.Errorf("%s %s with %v: Vary is %q", method, path, origins, h.Get("Vary"))
			}
			for _, name := range names {
				if (h.Get(name) != "") != (want != "") {
					t.Errorf("%s %s from %q with %v: %s is %q", method, path, origin, origins, name, h.Get(name))
				}
			}
		}
		const exposed = "Access-Control-Expose-Headers"
		check("POST", "/v1/events", `{"type":"page"}`, 200, exposed)
		check("POST", "/v1/events", `{`, 400, exposed)
		check("POST", "/v1/p", `{"userId":"u"}`, 200, exposed)
		check("GET", "/v1/projects/k/settings", ``, 200, exposed)
		for _, path := range []string{"/v1/events", "/v1/batch", "/v1/t"} {
			check("OPTIONS", path, ``, 204, exposed, "Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age")
		}
	}
	f([]string{"*"}, "https://shop.example", "*", false)
	f([]string{"*"}, "null", "*", false)
	f([]string{"*"}, "", "", false)
	f([]string{"https://shop.example", "*"}, "https://shop.example", "https://shop.example", true)
	f([]string{"https://shop.example", "*"}, "https://evil.example", "*", false)
	f([]string{"https://shop.example", "https://b.example"}, "https://b.example", "https://b.example", true)
	f([]string{"https://shop.example"}, "https://evil.example", "", false)
	f(nil, "https://shop.example", "", false)
}

func TestOriginsAreMatchedWhole(t *testing.T) {
	f := func(listed, origin string, want bool) {
		t.Helper()
		if isOrigin(listed, origin) != want {
			t.Errorf("%s and %s: %v", listed, origin, !want)
		}
	}
	f("https://shop.example", "https://shop.example", true)
	f("https://shop.example", "https://shop.example.evil", false)
	f("https://shop.example", "http://shop.example", false)
	f("https://shop.example", "https://shop.example:8443", false)
	f("https://*.shop.example", "https://a.shop.example", true)
	f("https://*.shop.example", "https://a.b.shop.example", true)
	f("https://*.shop.example", "https://shop.example", false)
	f("https://*.shop.example", "https://.shop.example", false)
	f("https://*.shop.example", "https://evilshop.example", false)
	f("https://*.shop.example", "http://a.shop.example", false)
	f("https://*.shop.example", "https://evil.example/.shop.example", false)
	f("https://*.shop.example", "https://evil.example:1@a.shop.example", false)
	f("https://*.shop.example:8443", "https://a.shop.example:8443", true)
	f("https://*.shop.example:8443", "https://a.shop.example", false)
}

// The owner of a website that is left out hears of it from the collector, not from visitors.
func TestOriginsThatAreNotAllowedAreCountedAndNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		reg := prometheus.NewRegistry()
		o := newOrigins([]string{"https://shop.example"}, slog.New(slog.NewTextHandler(&log, nil)), reg)
		ask := func(origin string) {
			r := httptest.NewRequest(http.MethodOptions, "http://collector.example/v1/t", nil)
			r.Header.Set("Origin", origin)
			o.handlePreflight(httptest.NewRecorder(), r)
		}
		for range 1000 {
			ask("https://other.example/" + strings.Repeat("x", 1000))
			ask("https://shop.example")
			ask("https://collector.example") // a page of the collector's own host asks for nothing
		}
		if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "ingest.cors_origins") || !strings.Contains(text, "https://other.example") || len(text) > 500 {
			t.Errorf("logged is %s", text)
		}
		if n := metric(t, reg, "clickloop_ingest_origins_refused_total", ""); n != 1000 {
			t.Errorf("%v requests are counted", n)
		}
		time.Sleep(time.Minute)
		ask("https://other.example")
		if n := strings.Count(log.String(), "\n"); n != 2 {
			t.Errorf("%d lines after a minute", n)
		}
	})
}
