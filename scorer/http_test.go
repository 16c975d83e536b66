package scorer

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A body is taken in the encodings that the collector takes, or refused by name.
func TestBodiesOfRequestsAreUnpacked(t *testing.T) {
	s := newScorer(t, func(u *setup) { u.config.MaxBody = 64 << 10 })
	mux := http.NewServeMux()
	s.Register(mux)
	const request = `{"request":"r1","user":"u \ud83d","candidates":[{"ad":"a1"}]}`
	zipped := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(text))
		_ = z.Close()
		return b.String()
	}
	f := func(body, encoding, contentType string, status int, want string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "/v1/score", strings.NewReader(body))
		r.Header.Set("Content-Encoding", encoding)
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		if w.Code != status || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%.40q as %q, %q: %d %s, want %d with %s", body, encoding, contentType, w.Code, w.Body, status, want)
		}
		if accepts := w.Header().Get("Accept-Encoding"); (status == 415) != (accepts != "") {
			t.Errorf("%.40q: status %d, Accept-Encoding %q", body, status, accepts)
		}
	}
	const ok = `"request":"r1"`
	f(request, "", "application/json", 200, ok)
	f("\ufeff"+request, "", "application/json", 200, ok)
	f(zipped(request), "gzip", "application/json", 200, ok)
	f(zipped(request+"\n"+strings.Replace(request, "r1", "r2", 1)), "", "application/x-ndjson", 200, `"request":"r2"`)
	f(request, "br", "application/json", 415, `"code":"unsupported"`)
	f("a=1", "", "application/x-www-form-urlencoded", 415, "application/x-www-form-urlencoded")
	f(zipped(request)[:30], "gzip", "application/json", 400, "gzip")
	f(zipped(strings.Repeat(" ", 64<<10)+request), "gzip", "application/json", 413, "65536 bytes when it is unpacked")
	f(strings.Repeat(" ", 64<<10)+request, "", "application/json", 413, "more than 65536 bytes")
}

func TestParametersOfQuestionsAreKnown(t *testing.T) {
	s := newScorer(t, nil)
	mux := http.NewServeMux()
	s.Register(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/model?objective=click&atleast=7", nil))
	if w.Code != 400 || !strings.Contains(w.Body.String(), "did you mean at_least?") || !strings.Contains(w.Body.String(), `"field":"atleast"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
