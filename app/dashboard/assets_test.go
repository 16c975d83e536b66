package dashboard_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// vendored are files that others wrote.
var vendored = map[string]bool{"uplot.js": true, "uplot.css": true}

// assets are the page's files with an ending.
func assets(t *testing.T, ending string) map[string]string {
	t.Helper()
	names, err := filepath.Glob("page/*" + ending)
	if err != nil || len(names) == 0 {
		t.Fatalf("%d files page/*%s (%v)", len(names), ending, err)
	}
	all := map[string]string{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(name)] = string(b)
	}
	return all
}

// A browser on a slow line waits for the script: it stays under 150 KB as it is sent.
func TestThePagesScriptIsSmall(t *testing.T) {
	const most = 150_000
	sent := 0
	for _, text := range assets(t, ".js") {
		var b bytes.Buffer
		z, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if _, err := z.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		sent += b.Len()
	}
	t.Logf("%d bytes of script are sent, compressed file by file", sent)
	if sent > most {
		t.Errorf("%d bytes of script, want at most %d", sent, most)
	}
}

// The browser learns of all modules from the document, so it asks for them at once and not one
// after another.
func TestEachModuleIsNamedByThePage(t *testing.T) {
	index := assets(t, ".html")["index.html"]
	for name := range assets(t, ".js") {
		if !strings.Contains(index, `"assets/`+name+`"`) {
			t.Errorf("index.html does not name assets/%s", name)
		}
	}
	for _, m := range regexp.MustCompile(`"assets/([^"]+)"`).FindAllStringSubmatch(index, -1) {
		if _, err := os.Stat("page/" + m[1]); err != nil {
			t.Errorf("index.html names assets/%s: %v", m[1], err)
		}
	}
}

// Texts come from the internet: nothing of the page makes HTML, styles or scripts of a text, and it
// names no other host.
func TestThePageMakesNoHTMLOfTexts(t *testing.T) {
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser|srcdoc|javascript:`)
	foreign := regexp.MustCompile(`https?://[^"' )]+`)
	for _, ending := range []string{".js", ".html", ".css"} {
		for name, text := range assets(t, ending) {
			if vendored[name] {
				continue
			}
			if found := forbidden.FindString(text); found != "" {
				t.Errorf("%s has %s", name, found)
			}
			for _, found := range foreign.FindAllString(text, -1) {
				if found != "http://www.w3.org/2000/svg" {
					t.Errorf("%s names %s", name, found)
				}
			}
			if n := strings.Count(text, "\n"); n > 400 {
				t.Errorf("%s has %d lines, want at most 400", name, n)
			}
		}
	}
}
