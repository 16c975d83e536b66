package scorer

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/klauspost/compress/gzip"
)

// hostileBodies are of about a megabyte, in the forms that a reader could make much of.
func hostileBodies() map[string]string {
	const size = 1_000_000
	fill := func(head, part, tail string) string {
		return head + strings.Repeat(part, (size-len(head)-len(tail))/len(part)) + tail
	}
	numbered := func(head string, n int, part, tail string) string {
		var b strings.Builder
		b.WriteString(head)
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, part, i)
		}
		return b.String() + tail
	}
	ads := numbered("", 1000, `{"ad":"a%d"}`, "")
	line := func(fields, candidates int, choose string) string {
		return numbered(`{`+choose+`"user":"u","context":{`, fields, `"f%d":1`, `},"candidates":[`) + numbered("", candidates, `{"ad":"a%d"}`, "") + `]}` + "\n"
	}
	var expressions strings.Builder
	for i := range 500 {
		fmt.Fprintf(&expressions, `{"value":"%d%s%s","candidates":[{"ad":"a"}]}`+"\n", i, strings.Repeat("+1", 249), strings.Repeat(" ", 1400))
	}
	many := func(line string) string { return strings.Repeat(line, size/len(line)) }
	return map[string]string{
		"context of 50,000 fields":          numbered(`{"context":{`, 50_000, `"f%d":1`, `},"candidates":[`+ads+`]}`),
		"context and candidate":             numbered(`{"context":{`, 40_000, `"f%d":1`, `},`) + numbered(`"candidates":[{"ad":"a","context":{`, 40_000, `"g%d":1`, `}}]}`),
		"context of 200 fields, choose all": line(200, 1000, `"choose":1000,`),
		"lines of wide contexts":            many(line(2000, 50, "")),
		"lines of middling contexts":        many(line(200, 200, "")),
		"lines that choose all":             many(line(2000, 50, `"choose":50,`)),
		"lines of one candidate":            many(`{"candidates":[{"ad":"a"}]}` + "\n"),
		"lines of nothing":                  many("{}\n"),
		"lines that are no JSON":            many("a\n"),
		"lines with unknown fields":         many(`{"a":1,"b":2,"c":3,"d":4,"candidates":[{"ad":"a","x":1,"y":2}]}` + "\n"),
		"nested deep":                       fill(`{"context":`, `{"a":`, `1}`),
		"long name around many":             numbered(`{"context":{"`+strings.Repeat("n", 500_000)+`":{`, 50_000, `"f%d":1`, `}},"candidates":[{"ad":"a"}]}`),
		"middling name around many":         numbered(`{"context":{"`+strings.Repeat("n", 400)+`":{`, 60_000, `"f%d":1`, `}},"candidates":[{"ad":"a"}]}`),
		"list of many":                      `{"context":{"a":[` + strings.Repeat(`"b",`, 100_000) + `"b"]},"candidates":[` + ads + `]}`,
		"many lists":                        numbered(`{"context":{`, 50_000, `"f%d":["a"]`, `},"candidates":[`+ads+`]}`),
		"candidates of nothing":             fill(`{"candidates":[`, `{},`, `{}]}`),
		"candidates, too many":              fill(`{"candidates":[`, `{"ad":"a"},`, `{"ad":"a"}]}`),
		"an array":                          fill(`[`, `[],`, `[]]`),
		"numbers":                           fill(`[`, `1,`, `1]`),
		"lines of expressions":              expressions.String(),
		"lines that exclude":                many(numbered(`{"exclude":[`, 9000, `"e%d"`, `],"candidates":[{"ad":"a"}]}`) + "\n"),
		"lines of caps":                     many(numbered(`{"choose":999,"cap":[`, 8, `{"field":"f%d","most":1}`, `],"candidates":[`) + numbered("", 900, `{"ad":"a%d","context":{"f1":["a","b"]}}`, "") + `]}` + "\n"),
		"escapes":                           fill(`{"user":"`, `\u0041`, `","candidates":[{"ad":"a"}]}`),
		"unknown fields":                    numbered(`{`, 60_000, `"x%d":1`, `,"candidates":[{"ad":"a"}]}`),
	}
}

// No body of a megabyte makes the scorer take 160 times its bytes.
func TestNoBodyTakesManyTimesItsMemory(t *testing.T) {
	for name, body := range hostileBodies() {
		for _, form := range forms(name) {
			t.Run(name+" "+form, func(t *testing.T) {
				s := newScorer(t, nil)
				var sent []byte
				contentType := "application/json"
				if strings.Contains(name, "lines") {
					contentType = "application/x-ndjson"
				}
				switch form {
				case "plain":
					sent = []byte(body)
				case "utf-16":
					sent = utf16Of(body[:len(body)/2])
					contentType += "; charset=utf-16"
				case "gzip":
					sent = packed(t, body)
				}
				r := httptest.NewRequest("POST", "/v1/score", bytes.NewReader(sent))
				r.Header.Set("Content-Type", contentType)
				if form == "gzip" {
					r.Header.Set("Content-Encoding", "gzip")
				}
				w := httptest.NewRecorder()
				taken := peak(func() { s.handleScore(w, r) })
				t.Logf("%4d MB, status %d, answer %d kB: %.80s", taken>>20, w.Code, w.Body.Len()>>10, w.Body)
				if taken > 160<<20 {
					t.Errorf("%d MB are taken for %d bytes", taken>>20, len(body))
				}
			})
		}
	}
}

// forms are how a body is sent. Unpacking is the same for all, so two bodies stand for the others.
func forms(name string) []string {
	if name == "lines of wide contexts" || name == "context of 50,000 fields" {
		return []string{"plain", "utf-16", "gzip"}
	}
	return []string{"plain"}
}

// peak is how much the heap grows beyond what is in use while f runs, at most. Garbage is collected
// often meanwhile, so that it hardly counts.
func peak(f func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	runtime.GC()
	inUse := func() uint64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	before, most := inUse(), uint64(0)
	done, sampled := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(sampled)
		for tick := time.NewTicker(200 * time.Microsecond); ; {
			most = max(most, inUse())
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	f()
	close(done)
	<-sampled
	return max(most, inUse()) - min(before, most)
}

func utf16Of(s string) []byte {
	b := []byte{0xfe, 0xff}
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u>>8), byte(u))
	}
	return b
}

func packed(t *testing.T, body string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(body)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
