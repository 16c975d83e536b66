package run

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/internal/web"
	"github.com/prometheus/client_golang/prometheus"
)

// ask sends a call with a Host and lines of its header through a guard.
func ask(g http.Handler, method, host string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://"+host+"/v1/x", nil)
	r.Host = host
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

func TestAPageInABrowserCannotUseTheAdminPort(t *testing.T) {
	reg := prometheus.NewRegistry()
	passed := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "passed") })
	open, keyed := newGuard(passed, false, web.NewMetrics(reg)), newGuard(passed, true, nil)
	f := func(g *guard, want int, says, method, host string, header ...string) {
		t.Helper()
		w := ask(g, method, host, header...)
		if w.Code != want || !strings.Contains(w.Body.String(), says) || (want != 200) != strings.HasPrefix(w.Body.String(), `{"error":{"code":`) {
			t.Errorf("%s %s %q: %d %s, want %d %s", method, host, header, w.Code, w.Body, want, says)
		}
	}
	for _, host := range []string{"localhost", "LOCALHOST:8081", "127.0.0.1", "127.0.0.1:8081", "[::1]:8081", "[::1]", "10.0.0.1:1", ""} {
		f(open, 200, "", "GET", host)
	}
	// a name that resolves to 127.0.0.1 may read nothing
	for _, host := range []string{"evil.example", "evil.example:8081", "localhost.evil.example", "127.0.0.1.evil.example", "127.1"} {
		f(open, 403, "127.0.0.1", "GET", host)
		f(open, 403, "set a key", "POST", host, "Content-Type: application/json")
		f(keyed, 200, "", "GET", host)
	}
	// a form of another origin changes nothing, whatever a browser says of it
	f(open, 403, "another origin", "POST", "localhost:8081", "Sec-Fetch-Site: cross-site", "Content-Type: application/json")
	f(open, 403, "another origin", "POST", "localhost:8081", "Origin: http://evil.example", "Content-Type: application/json")
	f(open, 403, "another origin", "DELETE", "localhost:8081", "Origin: null", "Content-Type: application/json")
	f(keyed, 403, "another origin", "POST", "localhost:8081", "Sec-Fetch-Site: same-site")
	f(open, 200, "", "POST", "localhost:8081", "Sec-Fetch-Site: same-origin", "Content-Type: application/json")
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain; application/json", "application/jsonx"} {
		f(open, 415, "Content-Type: application/json", "POST", "localhost:8081", "Content-Type: "+kind)
	}
	f(open, 415, "curl -X POST -H", "POST", "localhost:8081")
	f(open, 200, "", "POST", "localhost:8081", "Content-Type: application/json; charset=utf-8")
	f(keyed, 200, "", "POST", "localhost:8081")
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "clickloop_http_refused_total" {
				counted[m.GetLabel()[0].GetValue()+" "+m.GetLabel()[1].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	if want := map[string]float64{"admin content_type": 6, "admin host": 10, "admin origin": 3}; !maps.Equal(counted, want) {
		t.Errorf("counted are %v, want %v", counted, want)
	}
}
