package bidder

import (
	"bytes"
	"net/http"
	"strings"
	"sync"

	"github.com/clickloop/clickloop/internal/web"
	"github.com/klauspost/compress/gzip"
)

// packedFrom is the least bytes of an answer that is worth packing.
const packedFrom = 1 << 10

// takesGzip says whether a client takes answers packed by gzip.
func takesGzip(h http.Header) bool {
	for _, line := range h["Accept-Encoding"] {
		for part := range strings.SplitSeq(line, ",") {
			name, parameters, _ := strings.Cut(strings.TrimSpace(part), ";")
			if name != "gzip" && name != "*" {
				continue
			}
			q := strings.ReplaceAll(parameters, " ", "")
			return q != "q=0" && !strings.HasPrefix(q, "q=0.0")
		}
	}
	return false
}

// packer packs one answer at a time.
type packer struct {
	buffer bytes.Buffer
	gzip   *gzip.Writer
}

var packers = sync.Pool{New: func() any {
	w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level exists
	return &packer{gzip: w}
}}

// writePacked writes an answer packed by gzip.
func writePacked(w http.ResponseWriter, text []byte) {
	p := packers.Get().(*packer)
	defer packers.Put(p)
	p.buffer.Reset()
	p.gzip.Reset(&p.buffer)
	_, _ = p.gzip.Write(text) // a buffer takes all
	_ = p.gzip.Close()
	w.Header().Set("Content-Encoding", "gzip")
	w.Header().Set("Vary", "Accept-Encoding")
	web.WriteJSON(w, http.StatusOK, p.buffer.Bytes())
}
