package dashboard_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/clickloop/clickloop/internal/browser"
)

// fake serves the page with the files of testdata instead of a loop. What it answers can be changed
// while pages are open.
type fake struct {
	*httptest.Server
	mu     sync.Mutex
	state  string        // what the stream sends
	status int           // of the calls when it is not 200
	key    string        // that the calls want; "" for none
	change chan struct{} // closed and replaced at each change
}

// Untrusted texts of testdata: one that would take over the page if it could, and a long one.
const (
	evil   = "\u202eevil<img src=x onerror=alert(1)>\u0007\u200b"
	marked = "‹U+202E›evil<img src=x onerror=alert(1)>‹U+0007›‹U+200B›"
)

func testdata(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("@NASTY@", strings.NewReplacer("\a", `\u0007`).Replace(evil), "@LONG@", strings.Repeat("x", 300)+strings.Repeat("y", 9700)).Replace(string(b))
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{state: strings.ReplaceAll(testdata(t, "state.json"), "\n", ""), status: 200, change: make(chan struct{})}
	series, story := testdata(t, "series.json"), testdata(t, "story.json")
	mux := http.NewServeMux()
	files := http.FileServer(http.Dir("page"))
	page := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'")
		files.ServeHTTP(w, r)
	}
	mux.HandleFunc("GET /{$}", page)
	mux.Handle("GET /assets/", http.StripPrefix("/assets", http.HandlerFunc(page)))
	mux.HandleFunc("GET /v1/dashboard/series", f.guarded(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, series) }))
	mux.HandleFunc("GET /v1/predictions/{id...}", f.guarded(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, story) }))
	mux.HandleFunc("GET /v1/dashboard/stream", f.guarded(f.stream))
	f.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		f.set(func() { f.status = 503 }) // ends the streams, for which Close waits
		f.Close()
	})
	return f
}

// set changes what is answered, and wakes the streams.
func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.change)
	f.change = make(chan struct{})
}

func (f *fake) guarded(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		status, key := f.status, f.key
		f.mu.Unlock()
		switch {
		case status != 200:
			w.WriteHeader(status)
			fmt.Fprint(w, "<h1>Bad gateway</h1>")
		case key != "" && r.Header.Get("Authorization") != "Bearer "+key:
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"error":{"code":"unauthorized","message":"the key is unknown"}}`)
		default:
			next(w, r)
		}
	}
}

func (f *fake) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	for {
		f.mu.Lock()
		state, status, change := f.state, f.status, f.change
		f.mu.Unlock()
		if status != 200 {
			return
		}
		fmt.Fprintf(w, ": alive\n\nevent: state\ndata: %s\n\n", state)
		w.(http.Flusher).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-change:
		}
	}
}

var views = []string{"loop", "quality", "calibration", "segments", "predictions", "prediction=r1.0", "networks", "health", "bidding"}

// shown waits until a view is drawn: its chart or table, or what would have to happen.
func shown(p *browser.Page, view string) {
	name, _, _ := strings.Cut(view, "=")
	p.Eval(fmt.Sprintf("location.hash = %q", "#"+view), nil)
	p.Wait(fmt.Sprintf(`location.hash === %q && document.querySelector("#main .view")?.children.length > 0 && document.querySelector('nav a[aria-current]')?.hash === %q`, "#"+view, "#"+strings.Replace(name, "prediction", "predictions", strings.Count(view, "="))))
	p.Wait(`!/Asking the server|Searching the topics/.test(document.getElementById("main").innerText)`)
}

// Every view is drawn on a desk and on a phone, in light and in dark: without a fault, without
// scrolling sideways, and without anything that axe-core finds serious. So it is of states in which
// much is missing.
func TestEveryViewIsDrawn(t *testing.T) {
	b, f := browser.Start(t), newFake(t)
	full := f.state
	for _, look := range []browser.View{{Width: 1280, Height: 900}, {Width: 390, Height: 844, Dark: true}, {Width: 1280, Height: 900, Dark: true}, {Width: 390, Height: 844}} {
		p := b.Page(t, look)
		f.set(func() { f.state = full })
		p.Go(f.URL + "/")
		for _, view := range views {
			at := fmt.Sprintf("%s at %d pixels, dark %v", view, look.Width, look.Dark)
			shown(p, view)
			check(t, p, at, look.Width)
			for _, found := range p.Axe() {
				t.Errorf("%s: %s", at, found)
			}
		}
	}
	p := b.Page(t, browser.View{Width: 390, Height: 844})
	for _, state := range []string{`{"now":"2026-11-29T16:00:00.000Z","objectives":null,"topics":null,"evaluations":null,"bidding":null}`, `{"now":"2026-11-29T16:00:00.000Z"}`} {
		f.set(func() { f.state = state })
		p.Go(f.URL + "/")
		p.Wait(`document.querySelector("#status")?.innerText.includes("Live")`)
		for _, view := range views {
			shown(p, view)
			check(t, p, view+" of "+state, 390)
		}
	}
}

// check looks for what no view may show.
func check(t *testing.T, p *browser.Page, at string, width int) {
	t.Helper()
	if text := p.Text("#main"); strings.Contains(text, "cannot be drawn") || strings.Contains(text, "undefined") || strings.Contains(text, "NaN") || strings.Contains(text, "[object") {
		t.Errorf("%s shows:\n%.600s", at, text)
	}
	var drawn int
	if p.Eval("document.documentElement.scrollWidth", &drawn); drawn > width {
		t.Errorf("%s is %d pixels wide", at, drawn)
	}
	for _, fault := range p.Faults() {
		t.Errorf("%s: %s", at, fault)
	}
}

// An ad, a user, a reason may hold anything: it is shown as text, with what is invisible marked,
// and a long one is cut.
func TestTextsAreShownAsTexts(t *testing.T) {
	b, f := browser.Start(t), newFake(t)
	p := b.Page(t, browser.View{Width: 390, Height: 844})
	p.Go(f.URL + "/")
	for _, view := range []string{"predictions", "health", "segments", "bidding", "prediction=r1.0"} {
		shown(p, view)
		var found struct {
			Images, Scripts int
			Raw, Marked     bool
			Longest         float64
		}
		p.Eval(`({Images: document.images.length, Scripts: document.querySelectorAll("main script, main iframe, main a[href^='javascript']").length,
			Raw: /[\u202e\u0007\u200b]/.test(document.body.textContent), Marked: document.body.textContent.includes("‹U+202E›evil<img src=x onerror=alert(1)>‹U+0007›‹U+200B›"),
			Longest: Math.max(0, ...[...document.querySelectorAll("main td, main th")].map((e) => e.getBoundingClientRect().height))})`, &found)
		if found.Images+found.Scripts > 0 || found.Raw {
			t.Errorf("%s: %+v", view, found)
		}
		if (view == "predictions" || view == "health") && !found.Marked {
			t.Errorf("%s does not show %q", view, marked)
		}
		if found.Longest > 420 {
			t.Errorf("%s has a cell of %.0f pixels", view, found.Longest)
		}
	}
}
