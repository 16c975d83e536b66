package access

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	scoreKey = "score-key-0123456789"
	writeKey = "write-key"
	adminKey = "admin-key-0123456789"
)

// keyFile writes keys, a line each.
func keyFile(t testing.TB, name string, keys ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	write(t, path, keys...)
	return path
}

func write(t testing.TB, path string, keys ...string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(keys, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// threeKeys has a client for each scope.
func threeKeys(t testing.TB) Config {
	c := DefaultConfig()
	c.Keys = map[string]Key{
		"bidder":   {For: []Scope{Score}, File: keyFile(t, "bidder", scoreKey)},
		"website":  {For: []Scope{Events}, File: keyFile(t, "website", writeKey)},
		"operator": {For: []Scope{Admin}, File: keyFile(t, "operator", adminKey)},
	}
	return c
}

func newGate(t testing.TB, c Config, logger *slog.Logger, reg prometheus.Registerer) *Gate {
	t.Helper()
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	g, err := New(c, 100_000, logger, reg)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// from is a request of an address, with the lines of a header Authorization.
func from(address string, authorization ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", http.NoBody)
	r.RemoteAddr = address
	if len(authorization) > 0 {
		r.Header["Authorization"] = authorization
	}
	return r
}

func basic(user string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user))
}

// enter is the outcome of a call whose key is in its header.
func enter(g *Gate, r *http.Request, s Scope) *Refused {
	v, err := g.Enter(r, s, true)
	defer v.End()
	if err == nil {
		err = v.Known()
	}
	var no *Refused
	errors.As(err, &no)
	return no
}

func statusOf(no *Refused) int {
	if no == nil {
		return http.StatusOK
	}
	return no.Status
}

func TestKeysAreGoodForTheirScopes(t *testing.T) {
	g := newGate(t, threeKeys(t), nil, nil)
	f := func(s Scope, want int, authorization ...string) {
		t.Helper()
		if got := statusOf(enter(g, from("192.0.2.1:1", authorization...), s)); got != want {
			t.Errorf("%s with %q: %d, want %d", s, authorization, got, want)
		}
	}
	f(Score, 200, "Bearer "+scoreKey)
	f(Score, 200, "bearer   "+scoreKey+" ")
	f(Admin, 200, "Bearer "+adminKey)
	f(Events, 200, "Bearer "+writeKey)
	f(Events, 200, basic(writeKey+":"))
	f(Events, 200, basic(writeKey))
	f(Events, 200, strings.TrimRight(basic(writeKey), "="))
	f(Score, 403, "Bearer "+adminKey)
	f(Score, 403, "Bearer "+writeKey)
	f(Admin, 403, "Bearer "+scoreKey)
	f(Events, 403, basic(scoreKey+":"))
	f(Score, 401, basic(scoreKey+":")) // a write key's form
	f(Admin, 401, basic(adminKey+":"))
	f(Score, 401)
	f(Events, 401)
	for _, s := range scopes {
		f(s, 200, "Bearer "+g.Own())
	}
}

func TestAScopeWithoutKeysNeedsNone(t *testing.T) {
	c := threeKeys(t)
	delete(c.Keys, "website")
	g := newGate(t, c, nil, nil)
	for _, authorization := range [][]string{nil, {"Bearer wrong"}, {basic("any:")}} {
		if no := enter(g, from("192.0.2.1:1", authorization...), Events); no != nil {
			t.Errorf("%v with %v", no, authorization)
		}
	}
	var none *Gate
	v, err := none.Enter(from("192.0.2.1:1"), Admin, true)
	if err != nil || v.Present("k") != nil || v.Known() != nil || v.Take(5) != nil {
		t.Error("without a gate a call is refused")
	}
	v.GiveBack(5)
	v.End()
}

// Whoever tries keys learns nothing from an answer.
func TestAllWrongKeysGetOneAnswer(t *testing.T) {
	g := newGate(t, threeKeys(t), nil, nil)
	first := ""
	for _, authorization := range [][]string{
		nil, {""}, {"Bearer"}, {"Bearer "}, {"Bearer x"}, {"Bearer " + scoreKey[:19]}, {"Bearer " + scoreKey + "0"}, {"Bearer " + strings.Repeat("x", 100_000)},
		{scoreKey}, {"Token " + scoreKey}, {"Basic %%%"}, {"Bearer " + scoreKey, "Bearer " + scoreKey}, {"Bearer " + strings.ToUpper(scoreKey)}, {"Bearer\t" + scoreKey},
	} {
		w := httptest.NewRecorder()
		no := enter(g, from("192.0.2.1:1", authorization...), Score)
		if no == nil {
			t.Errorf("%.60q is let in", authorization)
			continue
		}
		no.Answer(w)
		is := fmt.Sprint(w.Code, w.Header(), w.Body)
		if first == "" {
			first = is
		}
		if is != first || w.Code != http.StatusUnauthorized || w.Header().Get("WWW-Authenticate") != "Bearer" || !strings.Contains(is, `"code":"unauthorized"`) {
			t.Errorf("%.60q is answered %s, want %s", authorization, is, first)
		}
	}
}

// The time of a look-up depends on a digest that nobody outside can compute, and on nothing else.
func TestKeysAreKnownByDigestsOfTheProcess(t *testing.T) {
	c := threeKeys(t)
	a, b := newGate(t, c, nil, nil), newGate(t, c, nil, nil)
	if a.hasher.digest(scoreKey) == b.hasher.digest(scoreKey) {
		t.Error("digests are not the process's own")
	}
	for d, c := range *a.ring.Load() {
		if _, ok := (*b.ring.Load())[d]; ok {
			t.Errorf("the digest of a key of %s is the same in two processes", c.name)
		}
	}
	r := from("192.0.2.1:1", "Bearer wrong-key-01234567890")
	if n := testing.AllocsPerRun(100, func() {
		key, _ := credential(r, Score)
		a.lookUp(key, Score)
	}); n != 0 {
		t.Errorf("a look-up allocates %v times", n)
	}
}

func TestEveryLineOfAFileOrVariableIsAKey(t *testing.T) {
	c := DefaultConfig()
	t.Setenv("TEST_KEYS", "\n  admin-old-0123456789  \r\n\nadmin-new-0123456789\n\n")
	c.Keys = map[string]Key{
		"bidder":   {For: []Scope{Score}, File: keyFile(t, "bidder", "score-old-0123456789", "", " score-new-0123456789\t")},
		"operator": {For: []Scope{Admin}, Env: "TEST_KEYS"},
	}
	g := newGate(t, c, nil, nil)
	for s, keys := range map[Scope][]string{Score: {"score-old-0123456789", "score-new-0123456789"}, Admin: {"admin-old-0123456789", "admin-new-0123456789"}} {
		for _, key := range keys {
			if no := enter(g, from("192.0.2.1:1", "Bearer "+key), s); no != nil {
				t.Errorf("%s: %v", key, no)
			}
		}
	}
}

func TestKeysThatCannotBeUsedAreRefusedByName(t *testing.T) {
	f := func(want string, keys map[string]Key) {
		t.Helper()
		c := DefaultConfig()
		c.Keys = keys
		_, err := New(c, 1, slog.New(slog.DiscardHandler), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if err != nil && strings.Contains(err.Error(), "0123") {
			t.Errorf("%v tells a key", err)
		}
	}
	one := func(s Scope, lines ...string) map[string]Key {
		return map[string]Key{"shop": {For: []Scope{s}, File: keyFile(t, "shop", lines...)}}
	}
	f("access.keys.shop: file ", one(Score, ""))
	f("has no key", one(Score, "", "  "))
	f("line 2 has 15 characters, want a key of 16", one(Score, scoreKey, "short-012345678"))
	f("line 1 has 7 characters, want a key of 8", one(Events, "0123456"))
	f("line 1 has 513 characters", one(Admin, strings.Repeat("0123", 128)+"x"))
	f("line 1 has a character", one(Score, "0123456789 0123456789"))
	f("line 1 has a character", one(Score, "0123456789é0123456789"))
	f("more than 65536 bytes", one(Score, strings.Repeat("0123456789abcdef\n", 5000)))
	f("no such file", map[string]Key{"shop": {For: []Scope{Score}, File: filepath.Join(t.TempDir(), "none")}})
	f("access.keys.shop: variable NO_SUCH_VARIABLE: is empty", map[string]Key{"shop": {For: []Scope{Score}, Env: "NO_SUCH_VARIABLE"}})
	f("access.keys.b: file ", map[string]Key{"a": {For: []Scope{Score}, File: keyFile(t, "a", scoreKey)}, "b": {For: []Scope{Admin}, File: keyFile(t, "b", "other-key-0123456789", scoreKey)}})
	f("access.keys.a has, too", map[string]Key{"a": {For: []Scope{Score}, File: keyFile(t, "a", scoreKey)}, "b": {For: []Scope{Admin}, File: keyFile(t, "b", scoreKey)}})
	// a write key that is good for more is a secret
	f("want a key of 16", map[string]Key{"shop": {For: []Scope{Events, Score}, File: keyFile(t, "shop", "0123456789")}})
}

// running runs do beside a gate that reloads its files, in virtual time.
func running(t *testing.T, c Config, do func(g *Gate, log *logged)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		log := &logged{}
		g := newGate(t, c, slog.New(slog.NewTextHandler(log, nil)), nil)
		go func() { _ = g.Run(t.Context()) }()
		do(g, log)
	})
}

// logged is a log that one goroutine writes and another reads.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logged) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Reset()
}

// pass lets the gate read its files.
func pass() {
	time.Sleep(reloadEvery)
	synctest.Wait()
}

func TestKeysOfAFileThatChangesAreReadAgain(t *testing.T) {
	c := threeKeys(t)
	path := c.Keys["bidder"].File
	running(t, c, func(g *Gate, log *logged) {
		is := func(key string, want int) {
			t.Helper()
			if got := statusOf(enter(g, from("192.0.2.1:1", "Bearer "+key), Score)); got != want {
				t.Errorf("%s: %d, want %d", key, got, want)
			}
		}
		const next = "score-new-0123456789"
		is(next, 401)
		write(t, path, scoreKey, next)
		pass()
		is(scoreKey, 200)
		is(next, 200)
		write(t, path, next)
		pass()
		is(scoreKey, 401)
		is(next, 200)
		is(g.Own(), 200)
		if n := strings.Count(log.String(), "keys were read again"); n != 2 {
			t.Errorf("logged is %s", log)
		}
	})
}

func TestAFileThatCannotBeReadAgainKeepsTheOldKeys(t *testing.T) {
	c := threeKeys(t)
	path := c.Keys["bidder"].File
	running(t, c, func(g *Gate, log *logged) {
		f := func(broken func()) {
			t.Helper()
			log.Reset()
			broken()
			pass()
			pass()
			if no := enter(g, from("192.0.2.1:1", "Bearer "+scoreKey), Score); no != nil {
				t.Errorf("the old key: %v", no)
			}
			if text := log.String(); strings.Count(text, "the old ones go on holding") != 1 || !strings.Contains(text, "client=bidder") || !strings.Contains(text, path) || strings.Contains(text, "0123") {
				t.Errorf("logged is %s", text)
			}
			write(t, path, scoreKey)
			pass()
		}
		f(func() { write(t, path) })
		f(func() { write(t, path, "new-key-0123456789", "0123") })
		f(func() { write(t, path, "new-key-0123456789", adminKey) })
		f(func() { write(t, path, strings.Repeat("0123456789abcdef\n", 5000)) })
		f(func() { _ = os.Remove(path) })
	})
}

func TestFilesThatOthersMayReadAreNamed(t *testing.T) {
	c := threeKeys(t)
	if err := os.Chmod(c.Keys["bidder"].File, 0o644); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	newGate(t, c, slog.New(slog.NewTextHandler(&log, nil)), nil)
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "client=bidder") || !strings.Contains(text, "chmod 600") {
		t.Errorf("logged is %s", text)
	}
}

// text is what Prometheus reads.
func text(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func TestCallsAreCountedByClientAndOutcome(t *testing.T) {
	c := threeKeys(t)
	k := c.Keys["bidder"]
	k.Rate = 2
	c.Keys["bidder"] = k
	reg := prometheus.NewRegistry()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, c, nil, reg)
		for range 5 {
			enter(g, from("192.0.2.1:1", "Bearer "+scoreKey), Score)
		}
		enter(g, from("192.0.2.1:1", "Bearer "+scoreKey), Admin)
		enter(g, from("192.0.2.1:1", "Bearer wrong"), Admin)
		enter(g, from("192.0.2.1:1"), Events)
		enter(g, from("192.0.2.1:1", basic(writeKey)), Events)
	})
	got := text(t, reg)
	for _, want := range []string{
		`{client="bidder",outcome="allowed",scope="score"} 2`, `{client="bidder",outcome="key_rate",scope="score"} 3`,
		`{client="bidder",outcome="forbidden",scope="admin"} 1`, `{client="",outcome="unauthorized",scope="admin"} 1`,
		`{client="",outcome="unauthorized",scope="events"} 1`, `{client="website",outcome="allowed",scope="events"} 1`,
	} {
		if !strings.Contains(got, "clickloop_http_requests_total"+want) {
			t.Errorf("%s is missing in\n%s", want, got)
		}
	}
}

func TestKeysAreInNoOutput(t *testing.T) {
	c := threeKeys(t)
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	g := newGate(t, c, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), reg)
	var said []string
	for _, s := range scopes {
		for _, key := range []string{scoreKey, writeKey, adminKey, scoreKey + "x"} {
			if no := enter(g, from("192.0.2.1:1", "Bearer "+key), s); no != nil {
				w := httptest.NewRecorder()
				no.Answer(w)
				said = append(said, w.Body.String(), fmt.Sprintf("%+v %#v", no, no))
			}
		}
	}
	v, err := g.Enter(from("192.0.2.1:1", "Bearer "+scoreKey), Score, true)
	said = append(said, log.String(), text(t, reg), fmt.Sprintf("%+v %#v", c, c), fmt.Sprintf("%+v %#v", g, g), fmt.Sprintf("%+v %v", v, err),
		fmt.Sprintf("%+v", *g.sources[0]), fmt.Sprint(Bearer{Key: scoreKey}), fmt.Sprintf("%+v", Bearer{Key: scoreKey}))
	for _, s := range said {
		for _, key := range []string{scoreKey, writeKey, adminKey, g.Own()} {
			if strings.Contains(s, key) {
				t.Errorf("a key is in %s", s)
			}
		}
	}
}

func TestAdministratorsNeedTheirKey(t *testing.T) {
	reached := 0
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		reached++
	})
	f := func(g *Gate, want int, authorization ...string) {
		t.Helper()
		w := httptest.NewRecorder()
		before := reached
		g.Admin(next).ServeHTTP(w, from("192.0.2.1:1", authorization...))
		if w.Code != want || (reached > before) != (want == 200) {
			t.Errorf("%q: %d, want %d", authorization, w.Code, want)
		}
	}
	g := newGate(t, threeKeys(t), nil, nil)
	f(g, 401)
	f(g, 401, "Bearer wrong")
	f(g, 403, "Bearer "+scoreKey)
	f(g, 200, "Bearer "+adminKey)
	f(g, 200, "Bearer "+g.Own())
	f(newGate(t, DefaultConfig(), nil, nil), 200)
	f(nil, 200)
}

func TestAClientSendsTheFirstKeyOfItsFile(t *testing.T) {
	key, err := ReadKey(keyFile(t, "k", "", "  "+scoreKey+" ", adminKey))
	if err != nil || key != scoreKey {
		t.Fatalf("%q, %v", key, err)
	}
	if _, err := ReadKey(keyFile(t, "empty", "")); err == nil {
		t.Error("an empty file has a key")
	}
	var sent string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { sent = r.Header.Get("Authorization") }))
	defer server.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	for _, k := range []string{key, ""} {
		resp, err := (&http.Client{Transport: Bearer{k, transport}}).Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if want := strings.TrimSuffix("Bearer "+k, "Bearer "); sent != want && sent != "Bearer "+k {
			t.Errorf("sent is %q", sent)
		}
	}
}
