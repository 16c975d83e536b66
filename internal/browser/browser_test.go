package browser

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Each kind of fault is noted: else the tests of the dashboard could not fail.
func TestFaultsAreNoted(t *testing.T) {
	b := Start(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!DOCTYPE html><html lang="en"><title>t</title><h1>Hello</h1><img src="http://127.0.0.2:9/x.png" alt=""></html>`))
	}))
	defer server.Close()
	p := b.Page(t, View{})
	p.Go(server.URL)
	if got := p.Text("h1"); got != "Hello" {
		t.Errorf("it shows %q", got)
	}
	p.Eval(`console.error("wrong"); setTimeout(() => { window.thrown = true; throw new Error("broken"); })`, nil)
	p.Wait(`window.thrown`)
	p.Eval(`new Promise((done) => setTimeout(done))`, nil)
	all := strings.Join(p.Faults(), "\n")
	for _, want := range []string{"console.error", "broken", "another host: http://127.0.0.2:9/x.png"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not among the faults:\n%s", want, all)
		}
	}
	if more := p.Faults(); len(more) > 1 { // the picture may fail meanwhile
		t.Errorf("faults are told twice: %q", more)
	}
}
