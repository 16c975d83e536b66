package run_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/internal/access"
)

// call returns the status, the header and the text of an answer.
func call(t *testing.T, client *http.Client, method, url string, header ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

func TestEachPortHasItsOwnCalls(t *testing.T) {
	l := start(t, nil)
	f := func(address, method, path string, status int, says string) {
		t.Helper()
		got, _, text := call(t, http.DefaultClient, method, "http://"+address+path, "Content-Type: application/json")
		if got != status || !strings.Contains(text, says) {
			t.Errorf("%s %s: %d %s, want %d %s", method, path, got, text, status, says)
		}
	}
	for _, c := range []string{"GET /v1/clock", "GET /v1/model", "GET /v1/learner", "POST /v1/learner/snapshot", "GET /v1/evaluation", "POST /v1/feedback/release", "GET /metrics", "GET /debug/pprof/heap", "GET /debug/pprof/"} {
		method, path, _ := strings.Cut(c, " ")
		f(l.HTTP, method, path, 404, `{"error":{"code":"not_found","message":"`+c+` is a call of administrators: ask the admin port`)
	}
	for _, c := range []string{"POST /v1/score", "POST /v1/events", "POST /v1/track", "GET /v1/projects/k/settings"} {
		method, path, _ := strings.Cut(c, " ")
		f(l.Admin, method, path, 404, c+" is a public call: ask the public port")
	}
	f(l.HTTP, "GET", "/nothing", 404, "404 page not found")
	f(l.HTTP, "GET", "/v1/score", 405, "Method Not Allowed")
	f(l.Admin, "POST", "/v1/clock", 405, "Method Not Allowed")
	f(l.Admin, "GET", "/nothing", 404, "404 page not found")
	for _, address := range []string{l.HTTP, l.Admin} {
		f(address, "GET", "/healthz", 200, "ok")
		f(address, "GET", "/readyz", 200, "ready")
	}
	f(l.HTTP, "GET", "/", 200, "clickloop: ")
	f(l.Admin, "GET", "/", 200, "<title>")
	f(l.Admin, "GET", "/metrics", 200, `clickloop_http_refused_total{port="public",reason="other_port"} 9`)
	f(l.Admin, "GET", "/debug/pprof/goroutine?debug=1", 200, "goroutine profile")
	f(l.Admin, "GET", "/debug/pprof/cmdline", 404, "") // arguments may hold passwords
	f(l.Admin, "GET", "/v1/clock", 200, `"mode":"wall"`)
}

// The public answer of a process that is not ready names what is away and nothing else.
func TestPublicReadinessTellsNoAddress(t *testing.T) {
	l := start(t, nil)
	l.Services.StopKafka()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		status, header, text := call(t, http.DefaultClient, "GET", "http://"+l.HTTP+"/readyz")
		if status == http.StatusServiceUnavailable {
			if header.Get("Retry-After") != "1" || !regexp.MustCompile(`^not ready: [A-Za-z]+\n$`).MatchString(text) {
				t.Fatalf("public: %q, %v", text, header)
			}
			if text == "not ready: Kafka\n" { // a client of Kafka notices it within seconds
				break
			}
		}
		if time.Now().After(end) {
			t.Fatalf("%d %q without Kafka", status, text)
		}
	}
	if status, header, text := call(t, http.DefaultClient, "GET", "http://"+l.Admin+"/readyz"); status != 503 || header.Get("Retry-After") != "1" || strings.HasPrefix(text, "not ready") {
		t.Errorf("admin: %d %q", status, text)
	}
	if err := l.Services.StartKafka(); err != nil {
		t.Fatal(err)
	}
}

// keys are access.keys with a key for scopes.
func keys(t *testing.T, key string, scopes ...access.Scope) map[string]access.Key {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]access.Key{"test": {For: scopes, File: file}}
}

func TestPortsThatOthersReachWantKeys(t *testing.T) {
	f := func(want string, stages []string, change func(*config.Config)) {
		t.Helper()
		c := config.Default()
		c.HTTP, c.Admin = "127.0.0.1:0", "127.0.0.1:0"
		c.Kafka.Brokers, c.Redis.Address = []string{"nowhere"}, "127.0.0.1:1" // what passes ends here
		change(&c)
		var log bytes.Buffer
		l, err := run.Start(t.Context(), run.Options{Config: c, Stages: stages, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err == nil {
			_ = l.Close()
			t.Fatal("it starts without Kafka")
		}
		if text := err.Error() + log.String(); !strings.Contains(text, want) {
			t.Errorf("%s, want %s", text, want)
		}
	}
	const passes = `broker "nowhere" is not host:port`
	anywhere := func(c *config.Config) { c.HTTP = "0.0.0.0:0" }
	const ways = "is set: give keys (access.keys.NAME: {for: [score], file: FILE}), or listen on loopback (127.0.0.1:8080), or say by --insecure-public"
	f("http is 0.0.0.0:0, which other machines may reach, and no key for score "+ways, []string{"scorer"}, anywhere)
	f("no key for events is set", []string{"ingest"}, anywhere)
	f("no key for events and score is set", nil, anywhere)
	f(passes, []string{"learner"}, anywhere)
	f(passes, []string{"feedback"}, anywhere)
	f(passes, nil, func(c *config.Config) {})
	f("no key for events is set", nil, func(c *config.Config) { anywhere(c); c.Access.Keys = keys(t, strings.Repeat("k", 20), access.Score) })
	f("no key for bid is set", nil, func(c *config.Config) {
		anywhere(c)
		c.Access.Keys = keys(t, strings.Repeat("k", 20), access.Score, access.Events)
		c.Bidding.Enabled = true
	})
	f(passes, nil, func(c *config.Config) {
		anywhere(c)
		c.Access.Keys = keys(t, strings.Repeat("k", 20), access.Score, access.Events)
	})
	f(passes, nil, func(c *config.Config) { anywhere(c); c.InsecurePublic = true })
	f("the public port is open to everyone who reaches it", nil, func(c *config.Config) { anywhere(c); c.InsecurePublic = true })
	f("insecure_public opens nothing: all public calls", []string{"scorer"}, func(c *config.Config) {
		anywhere(c)
		c.InsecurePublic, c.Access.Keys = true, keys(t, strings.Repeat("k", 20), access.Score)
	})
	f("insecure_public opens nothing: only this machine", nil, func(c *config.Config) { c.InsecurePublic = true })
	adminAnywhere := func(c *config.Config) { c.Admin, c.InsecurePublic = "0.0.0.0:0", true }
	f("admin is 0.0.0.0:0, which other machines may reach, and no key for admin is set: give a key (access.keys.NAME: {for: [admin], file: FILE}), or listen on loopback", []string{"learner"}, adminAnywhere)
	f(passes, []string{"learner"}, func(c *config.Config) {
		adminAnywhere(c)
		c.Access.Keys = keys(t, strings.Repeat("k", 20), access.Admin)
	})
}

// An address in use is replaced where it is spare, and else an error names it and its flag.
func TestSparePortsMayBeOtherOnes(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	c := config.Default()
	c.HTTP, c.Admin, c.Data = taken.Addr().String(), taken.Addr().String(), t.TempDir()
	o := run.Options{Config: c, Embedded: true, AnyPort: true, Logger: slog.New(slog.DiscardHandler), Spare: run.Spare{HTTP: true}}
	if _, err := run.Start(t.Context(), o); err == nil || !strings.Contains(err.Error(), "cannot listen on "+c.Admin) || !strings.Contains(err.Error(), "--admin") {
		t.Errorf("the admin port is not spare: %v", err)
	}
	o.Spare.Admin = true
	l, err := run.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if l.HTTP == c.HTTP || l.Admin == c.Admin || l.HTTP == l.Admin || !strings.HasPrefix(l.Admin, "127.0.0.1:") {
		t.Errorf("it listens on %s and %s", l.HTTP, l.Admin)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// certificate writes a certificate of its own authority for a name, with its key.
func certificate(t *testing.T, dir, name string, until time.Time) (files [2]string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files = [2]string{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	for i, block := range []*pem.Block{{Type: "CERTIFICATE", Bytes: der}, {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(files[i], pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return files, pool
}

// All stages behind HTTPS and keys on both ports: a replay in the process goes through, a client
// trusts the certificate, and an administrator hears that it ends soon.
func TestBothPortsSpeakHTTPSAndAskForKeys(t *testing.T) {
	rec := open(t, bank)
	files, pool := certificate(t, t.TempDir(), "clickloop.example", time.Now().Add(24*time.Hour))
	key := strings.Repeat("k", 20)
	l := start(t, func(c *config.Config) {
		recorded(rec)(c)
		c.HTTPS.CertFile, c.HTTPS.KeyFile = files[0], files[1]
		c.AdminHTTPS = c.HTTPS
		c.Access.Keys = keys(t, key, access.Score, access.Events, access.Admin)
	})
	s, err := l.Play(t.Context(), run.PlayOptions{Recording: rec, Lockstep: true, Limit: 50})
	if err != nil || s.Predictions != 50 || s.Examples != 50 || s.Weights == "" {
		t.Fatalf("%v: %+v", err, s)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "clickloop.example"}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	f := func(address, path string, status int, says string, header ...string) {
		t.Helper()
		if got, _, text := call(t, client, "GET", "https://"+address+path, header...); got != status || !strings.Contains(text, says) {
			t.Errorf("%s: %d %s, want %d %s", path, got, text, status, says)
		}
	}
	bearer := "Authorization: Bearer " + key
	f(l.Admin, "/healthz", 200, "ok")
	f(l.Admin, "/metrics", 401, "Authorization: Bearer KEY")
	f(l.Admin, "/metrics", 401, "unauthorized", bearer+"x")
	f(l.Admin, "/metrics", 200, `clickloop_http_connections{port="admin"}`, bearer)
	f(l.Admin, "/readyz", 200, "warning: the certificate of https expires at", bearer)
	f(l.HTTP, "/readyz", 200, "ready")
	if status, _, text := call(t, http.DefaultClient, "GET", "http://"+l.HTTP+"/readyz"); status != 400 || !strings.Contains(text, "HTTP request to an HTTPS server") {
		t.Errorf("plain HTTP is answered %d %s", status, text)
	}
	_, err = (&http.Client{Transport: &http.Transport{}}).Get("https://" + l.HTTP + "/readyz")
	if err == nil || !strings.Contains(fmt.Sprint(err), "certificate") {
		t.Errorf("a client that does not know the authority: %v", err)
	}
}
