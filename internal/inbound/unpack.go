package inbound

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/klauspost/compress/zstd"
)

// Encodings are the content encodings that bodies may have, as the header Accept-Encoding of an
// answer.
const Encodings = "gzip, deflate, zstd"

// Unsupported is an error about the form of a body. It is answered with the status 415.
type Unsupported struct{ Reason string }

// Error is the reason, as a sentence.
func (u *Unsupported) Error() string { return "the body " + u.Reason }

// Limited reads all of r within a caller's bounds. Its errors are passed on as they are.
type Limited func(r io.Reader) ([]byte, error)

// maxLayers bounds how often a body may be packed.
const maxLayers = 2

// Unpack returns the JSON that raw holds, in UTF-8 without a byte order mark. A form may hold it in
// a field. Its first bytes tell how it is packed, since the headers of SDKs and proxies are often
// wrong or missing. Headers decide where the bytes cannot: for raw deflate, and for encodings that
// are refused by name. The error is an *Unsupported, one of read's, or an *event.Error.
func Unpack(raw []byte, h http.Header, read Limited) ([]byte, error) {
	if isText(raw) && len(h["Content-Encoding"]) == 0 {
		return raw, nil
	}
	encoding := strings.ToLower(strings.Join(h.Values("Content-Encoding"), ","))
	text, err := decompress(raw, encoding, read)
	if err != nil {
		return nil, err
	}
	if text, err = toUTF8(text, h.Get("Content-Type"), read); err != nil || isText(text) {
		return text, err
	}
	return unwrap(text, h.Get("Content-Type"), read)
}

// isText says whether b begins as an object or an array does.
func isText(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	// with 0 it is UTF-16
	return len(b) > 0 && (b[0] == '{' || b[0] == '[') && (len(b) == 1 || b[1] != 0)
}

func decompress(b []byte, encoding string, read Limited) ([]byte, error) {
	for range maxLayers {
		packing := packed(b)
		if packing == "" {
			break
		}
		var err error
		if b, err = expand(b, packing, read); err != nil {
			return nil, err
		}
	}
	for _, name := range strings.Split(encoding, ",") {
		switch name = strings.TrimSpace(name); name {
		case "", "identity", "gzip", "x-gzip", "zstd":
		case "deflate":
			if !isText(b) && len(b) > 0 && packed(b) == "" && !bytes.HasPrefix(b, []byte(bomUTF8)) {
				return expand(b, "deflate", read)
			}
		default:
			return nil, &Unsupported{fmt.Sprintf("has the content encoding %.40q; accepted are %s, and none", name, Encodings)}
		}
	}
	if packing := packed(b); packing != "" {
		return nil, &Unsupported{fmt.Sprintf("is packed more than %d times, the last time by %s", maxLayers, packing)}
	}
	return b, nil
}

// packed tells how a body is packed by its first bytes, with which no text begins.
func packed(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\x1f\x8b")):
		return "gzip"
	case bytes.HasPrefix(b, []byte("\x28\xb5\x2f\xfd")):
		return "zstd"
	case len(b) >= 2 && b[0] == 'x' && isZlib(b):
		return "zlib"
	}
	return ""
}

// isZlib checks the two bytes of zlib's header. packed takes only those of a window of 32 KiB,
// which all libraries choose by default: with the others a text may begin, so the headers must say
// deflate.
func isZlib(b []byte) bool {
	return len(b) >= 2 && b[0]&0x0f == 8 && b[0]>>4 <= 7 && (int(b[0])<<8|int(b[1]))%31 == 0
}

func expand(b []byte, packing string, read Limited) ([]byte, error) {
	var r io.Reader
	var err error
	switch {
	case packing == "gzip":
		r, err = gzip.NewReader(bytes.NewReader(b))
	case packing == "zstd":
		zstdSlots <- struct{}{} // unpacking waits for nothing, so a slot comes free soon
		defer func() { <-zstdSlots }()
		var z *zstd.Decoder
		z, err = zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
		if err == nil {
			defer z.Close()
		}
		r = z
	case isZlib(b):
		r, err = zlib.NewReader(bytes.NewReader(b))
	default:
		r = flate.NewReader(bytes.NewReader(b))
	}
	if err != nil {
		return nil, broken(packing, err)
	}
	source := &watched{r: r}
	text, err := read(source)
	if source.err != nil {
		return nil, broken(packing, source.err)
	}
	return text, err
}

// maxWindow bounds the memory that a zstd body may ask for beside its text: RFC 8878 wants every
// decoder to take this much. zstdSlots bounds how many bodies have it at a time.
const maxWindow = 8 << 20

var zstdSlots = make(chan struct{}, runtime.GOMAXPROCS(0))

// watched keeps the error of its source, which tells a broken body from the bound of its reader.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil && err != io.EOF {
		w.err = err
	}
	return n, err
}

func broken(packing string, err error) error {
	return &event.Error{Reason: "is not " + packing + " as a whole: " + err.Error()}
}
