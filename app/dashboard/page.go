package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed page
var pageFiles embed.FS

// policy lets the page load nothing but its own files, and lets no other page frame it. A text from
// a topic that looks like HTML can therefore do nothing, even if the page had a fault.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"

// page holds the files of the page as they are sent: they are compressed once, at the start.
type page struct {
	files map[string]*pageFile // by path; index.html is ""
}

type pageFile struct {
	kind        string
	etag        string
	plain, gzip []byte
}

// newPage reads the folder page.
func newPage(from fs.FS) (*page, error) {
	p := &page{files: map[string]*pageFile{}}
	err := fs.WalkDir(from, "page", func(at string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		b, err := fs.ReadFile(from, at)
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(at, "page/")
		if name == "index.html" {
			name = ""
		}
		f, err := newFile(path.Ext(at), b)
		p.files[name] = f
		return err
	})
	if err == nil && p.files[""] == nil {
		err = fmt.Errorf("the page has no index.html")
	}
	return p, err
}

func newFile(ext string, b []byte) (*pageFile, error) {
	sum := sha256.Sum256(b)
	f := &pageFile{kind: kindOf(ext), etag: `"` + hex.EncodeToString(sum[:12]) + `"`, plain: b}
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	f.gzip = buf.Bytes()
	return f, nil
}

// kindOf does not ask the machine for common kinds: its tables may be missing.
func kindOf(ext string) string {
	switch ext {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".txt", "":
		return "text/plain; charset=utf-8"
	}
	if kind := mime.TypeByExtension(ext); kind != "" {
		return kind
	}
	return "application/octet-stream"
}

// serve answers with a file, compressed where the client takes that. Browsers ask each time whether
// it has changed: an ETag costs one short answer, and a new version is never hidden by a cache.
func (p *page) serve(w http.ResponseWriter, r *http.Request, name string) {
	f := p.files[name]
	if f == nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "Accept-Encoding")
	h.Set("ETag", f.etag)
	if matches(r.Header.Get("If-None-Match"), f.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	b := f.plain
	if takesGzip(r.Header.Get("Accept-Encoding")) && len(f.gzip) < len(f.plain) {
		h.Set("Content-Encoding", "gzip")
		b = f.gzip
	}
	h.Set("Content-Type", f.kind)
	h.Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b) // a client that is gone cannot be told
}

// matches compares a list of entity tags weakly (RFC 9110, 13.1.2).
func matches(list, etag string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		if tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/"); tag == etag || tag == "*" {
			return true
		}
	}
	return false
}

// takesGzip tells whether a client accepts gzip; "gzip;q=0" refuses it.
func takesGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		q, ok := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		value, err := strconv.ParseFloat(q, 64)
		return !ok || err != nil || value > 0
	}
	return false
}
