package inbound

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"

	"github.com/clickloop/clickloop/event"
	"github.com/klauspost/compress/zstd"
)

const body = `{"type":"page","title":"Grüße 😀"}`

var errLimit = errors.New("too large")

// upTo is a Limited.
func upTo(limit int) Limited {
	return func(r io.Reader) ([]byte, error) {
		b, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
		if err == nil && len(b) > limit {
			err = errLimit
		}
		return b, err
	}
}

func gzipped(s string) string {
	return packedBy(s, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) })
}
func zlibbed(s string) string {
	return packedBy(s, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) })
}

func deflated(s string) string {
	return packedBy(s, func(w io.Writer) io.WriteCloser { z, _ := flate.NewWriter(w, 6); return z })
}

func zstdded(s string) string {
	return packedBy(s, func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w, zstd.WithWindowSize(1<<20)); return z })
}

func packedBy(s string, pack func(io.Writer) io.WriteCloser) string {
	var b bytes.Buffer
	z := pack(&b)
	_, _ = io.WriteString(z, s)
	_ = z.Close()
	return b.String()
}

func inUTF16(s string, low int) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		pair := [2]byte{byte(u), byte(u >> 8)}
		b.WriteByte(pair[low])
		b.WriteByte(pair[1-low])
	}
	return b.String()
}

func headers(encoding, contentType string) http.Header {
	h := http.Header{}
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	if contentType != "" {
		h.Set("Content-Type", contentType)
	}
	return h
}

func TestBodiesAreUnpackedByWhatTheyAre(t *testing.T) {
	f := func(raw, encoding, contentType string) {
		t.Helper()
		got, err := Unpack([]byte(raw), headers(encoding, contentType), upTo(1000))
		if err != nil || string(got) != body {
			t.Errorf("%q as %q, %q: %q, %v", raw, encoding, contentType, got, err)
		}
	}
	const form = "application/x-www-form-urlencoded"
	f(body, "", "")
	f(body, "identity", "application/json")
	f(body, "gzip", "") // a proxy has unpacked it
	f(body, "deflate", "")
	f(body, "", form) // RudderStack's SDK says so
	f(body, "", "text/csv")
	f(gzipped(body), "", "")
	f(gzipped(body), "gzip", "application/json")
	f(gzipped(body), "x-gzip", form)
	f(gzipped(gzipped(body)), "gzip, gzip", "")
	f(zlibbed(body), "deflate", "")
	f(zlibbed(body), "", "")
	f(deflated(body), "deflate", "")
	f(deflated(body), "Deflate", "")
	f(zstdded(body), "zstd", "")
	f(zstdded(body), "", "")
	f("\ufeff"+body, "", "")
	f("\ufeff"+body, "deflate", "")
	f(gzipped("\ufeff"+body), "gzip", "")
	f("\xff\xfe"+inUTF16(body, 0), "", "")
	f("\xfe\xff"+inUTF16(body, 1), "", "application/json; charset=utf-16")
	f(inUTF16(body, 0), "", "")
	f(inUTF16(body, 1), "", "")
	f("data="+url.QueryEscape(body), "", form)
	f("writeKey=k&payload="+url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(body))), "", form+"; charset=utf-8")
	f("data="+base64.StdEncoding.EncodeToString([]byte(body)), "", form)
	f("data="+base64.RawURLEncoding.EncodeToString([]byte(body)), "", form)
	f(url.QueryEscape(body), "", form)
	f(url.QueryEscape(body)+"=", "", form)
	f(gzipped("data="+url.QueryEscape(body)), "gzip", form)
	for _, list := range []string{"[" + body + "]", " \n" + body} {
		if got, err := Unpack([]byte(list), http.Header{}, nil); err != nil || string(got) != list {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func TestWhatIsNoBodyOfOursIsRefusedByName(t *testing.T) {
	f := func(raw, encoding, contentType string, status415 bool, want ...string) {
		t.Helper()
		_, err := Unpack([]byte(raw), headers(encoding, contentType), upTo(1000))
		var unsupported *Unsupported
		if err == nil || errors.As(err, &unsupported) != status415 {
			t.Errorf("%q as %q, %q: %v", raw, encoding, contentType, err)
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q as %q, %q: %v, want %s", raw, encoding, contentType, err, w)
			}
		}
	}
	const form = "application/x-www-form-urlencoded"
	f("\x5b\x00brotli", "br", "", true, `"br"`, "gzip, deflate, zstd")
	f(body, "br", "", true, `"br"`)
	f(body, "gzip, compress", "", true, `"compress"`)
	f(gzipped(body)[:20], "gzip", "", false, "gzip", "unexpected EOF")
	f(zlibbed(body)[:20], "", "", false, "zlib", "unexpected EOF")
	f(zstdded(body)[:20], "", "", false, "zstd")
	f("zzzz", "deflate", "", false, "deflate")
	f(gzipped(gzipped(gzipped(body))), "", "", true, "more than 2 times", "gzip")
	f("\xff\xfe\x00\x00{\x00\x00\x00", "", "", true, "UTF-32")
	f("\x00\x00\xfe\xff\x00\x00\x00{", "", "", true, "UTF-32")
	f("{\"a\":\"\xe9\"}", "identity", "application/json; charset=ISO-8859-1", true, `"iso-8859-1"`, "UTF-8")
	f("a=1&b=2", "", form, true, form, "a, b", "data or payload")
	f("data=hello", "", form, true, form)
	f(url.QueryEscape(body)+"=&b=2", "", form, true, form)
	f("%zz", "", form, true, form)
	f("--x\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{}\r\n--x--", "", "multipart/form-data; boundary=x", true, "multipart/form-data", "expected JSON")
	f("<event/>", "", "application/xml", true, "application/xml")
	// What is said to be JSON or text is for its reader, which names the byte.
	for _, kind := range []string{"application/json", "text/plain;charset=UTF-8", "application/x-ndjson", ""} {
		if got, err := Unpack([]byte("NaN"), headers("", kind), upTo(9)); err != nil || string(got) != "NaN" {
			t.Errorf("%s: %q, %v", kind, got, err)
		}
	}
}

// However small a body is, what it unpacks to is bounded.
func TestBodiesThatUnpackWithoutEndAreBounded(t *testing.T) {
	bomb := strings.Repeat(" ", 10<<20) + body
	f := func(raw, encoding, contentType string) {
		t.Helper()
		if _, err := Unpack([]byte(raw), headers(encoding, contentType), upTo(1<<16)); !errors.Is(err, errLimit) {
			t.Errorf("%d bytes as %q: %v", len(raw), encoding, err)
		}
	}
	f(gzipped(bomb), "", "")
	f(gzipped(gzipped(bomb)), "", "")
	f(zlibbed(bomb), "", "")
	f(deflated(bomb), "deflate", "")
	f(zstdded(bomb), "", "")
	f("\xff\xfe"+strings.Repeat("\x20\x4e", 1<<15), "", "") // three bytes each in UTF-8
	f("data=["+strings.Repeat("1", 1<<16)+"]", "", "application/x-www-form-urlencoded")
	z, _ := zstd.NewWriter(nil, zstd.WithWindowSize(64<<20), zstd.WithSingleSegment(false))
	var wide bytes.Buffer
	z.Reset(&wide)
	for range 9 {
		_, _ = z.Write(make([]byte, 8<<20))
	}
	_ = z.Close()
	if _, err := Unpack(wide.Bytes(), headers("zstd", ""), upTo(1<<30)); err == nil || !strings.Contains(err.Error(), "window") {
		t.Errorf("a window of 64 MiB: %v", err)
	}
}

func TestPlainBodiesAreNotCopied(t *testing.T) {
	raw, h := []byte(body), headers("", "application/json")
	if allocs := testing.AllocsPerRun(100, func() { _, _ = Unpack(raw, h, nil) }); allocs > 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestParametersThatNobodyKnowsAreRefusedByName(t *testing.T) {
	f := func(query, want string, known ...string) {
		t.Helper()
		r := &http.Request{URL: &url.URL{RawQuery: query}}
		_, err := Query(r, known...)
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", query, err)
			}
			return
		}
		var wrong *event.Error
		if !errors.As(err, &wrong) || err.Error() != want {
			t.Errorf("%s: %v, want %s", query, err, want)
		}
	}
	f("", "", "objective")
	f("objective=a&wait=1s", "", "objective", "wait")
	f("objektive=a", "objektive is not known; did you mean objective?", "objective", "wait")
	f("zebra=a&ant=1", "ant is not known; known are objective, wait", "objective", "wait")
	f("zebra=a", "zebra is not known here: no parameters are")
	f("wait=1s&wait=2s", "wait is given twice", "wait")
	f("wait=%zz", `query cannot be read: invalid URL escape "%zz"`, "wait")
	f("=1", `"" is not known; known are wait`, "wait")
	f(strings.Repeat("x", 1000)+"=1", strings.Repeat("x", 64)+"... is not known; known are wait", "wait")
	values, err := Query(&http.Request{URL: &url.URL{RawQuery: "wait=2s"}}, "wait")
	if err != nil || values.Get("wait") != "2s" || values.Get("other") != "" {
		t.Error(values, err)
	}
}

// What a client cut in the middle of a character is read all the same.
func TestHalvesOfUTF16BecomeReplacementCharacters(t *testing.T) {
	f := func(raw, want string) {
		t.Helper()
		got, err := Unpack([]byte(raw), nil, upTo(1000))
		if err != nil || string(got) != want {
			t.Errorf("%q: %q, %v, want %q", raw, got, err, want)
		}
	}
	f("{\x00\x3d\xd8", "{\ufffd")                     // the first half of a pair
	f("{\x00\x00\xde}\x00", "{\ufffd}")               // the second
	f("{\x00\x3d\xd8}\x00", "{\ufffd}")               // the first, and a character
	f("{\x00\x3d\xd8\x3d\xd8}\x00", "{\ufffd\ufffd}") // two first ones
	f("{\x00}", "{\ufffd")                            // half a unit
}

func TestBodiesAreReadWithinTheirLimits(t *testing.T) {
	f := func(raw string, limit int, want string) {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, "/", strings.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Receive(r, limit)
		if err == nil {
			got, err = Text(got, r.Header, limit)
		}
		if text := string(got) + fmt.Sprint(err); !strings.Contains(text, want) {
			t.Errorf("%.20q within %d: %.40q, %v, want %s", raw, limit, got, err, want)
		}
	}
	text := `{"a":"` + strings.Repeat("x", 9992) + `"}`
	f(text, 10_000, text)
	f(text+" ", 10_000, "the body has more than 10000 bytes")
	f(gzipped(text), 10_000, text)
	f(gzipped(text+" "), 10_000, "the body has more than 10000 bytes when it is unpacked")
	r, _ := http.NewRequest(http.MethodPost, "/", iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := Receive(r, 100); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "could not be read whole") {
		t.Errorf("a body that ends early: %v", err)
	}
}

// What a body takes is reserved before it is taken.
func TestMemoryIsReservedAsABodyGrows(t *testing.T) {
	text := strings.Repeat("x", 10_000)
	f := func(most int, want string) {
		t.Helper()
		reserved := 0
		got, err := Within(10_000, func(n int) error {
			if reserved += n; reserved > most {
				return errors.New("no room")
			}
			return nil
		})(strings.NewReader(text))
		if text := string(got) + fmt.Sprint(err); !strings.Contains(text, want) || reserved < len(got) {
			t.Errorf("within %d: %.40q, %v, %d are reserved", most, got, err, reserved)
		}
	}
	f(16<<10, text)
	f(8<<10, "no room")
}
