package dashboard

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/clickloop/clickloop/event"
)

func TestThePageIsSentOnceAndCompressed(t *testing.T) {
	text := "body {" + strings.Repeat("color: red;", 100) + "}"
	p, err := newPage(fstest.MapFS{"page/index.html": {Data: []byte("<p>hello")}, "page/a.css": {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, header map[string]string, status int, kind, encoding string) *http.Response {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		for k, v := range header {
			r.Header.Set(k, v)
		}
		w := httptest.NewRecorder()
		p.serve(w, r, name)
		got := w.Result()
		if got.StatusCode != status || status == 200 && (got.Header.Get("Content-Type") != kind || got.Header.Get("Content-Encoding") != encoding) {
			t.Errorf("%s %v: %s %v", name, header, got.Status, got.Header)
		}
		return got
	}
	f("", nil, 200, "text/html; charset=utf-8", "")
	f("nothing", nil, 404, "", "")
	f("index.html", nil, 404, "", "") // it has one address
	got := f("a.css", map[string]string{"Accept-Encoding": "br, gzip"}, 200, "text/css; charset=utf-8", "gzip")
	z, err := gzip.NewReader(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if plain, _ := io.ReadAll(z); string(plain) != text {
		t.Errorf("it unpacks to %.50s", plain)
	}
	f("a.css", map[string]string{"Accept-Encoding": "gzip;q=0, br"}, 200, "text/css; charset=utf-8", "")
	tag := got.Header.Get("ETag")
	f("a.css", map[string]string{"If-None-Match": `"x", W/` + tag}, 304, "", "")
	f("a.css", map[string]string{"If-None-Match": `"x"`}, 200, "text/css; charset=utf-8", "")
	if _, err := newPage(fstest.MapFS{"page/a.css": {Data: []byte("a")}}); err == nil {
		t.Error("a page without index.html is taken")
	}
}

// What a call asks for is answered, or refused by name.
func TestASeriesIsAskedForByName(t *testing.T) {
	d := states(1)
	d.d.Objectives = []event.Objective{{Name: "click"}, {Name: "conversion"}}
	f := func(query, want string) {
		t.Helper()
		w := httptest.NewRecorder()
		d.handleSeries(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/dashboard/series"+query, nil))
		if w.Code != 400 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s, want %s", query, w.Code, w.Body, want)
		}
	}
	f("", "want one of click, conversion")
	f("?objective=clicks", `"field":"objective"`)
	f("?objective=click&window=2h", "want one of 1m, 1h, 1d, all")
	f("?objective=click&segment=campaign", "NAME=VALUE")
	f("?objective=click&points=0", "want 1 to 2000")
	f("?objective=click&points=2001", `"field":"points"`)
	f("?objective=click&windw=1h", "did you mean window?")
}
