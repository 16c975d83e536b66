package inbound

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	bomUTF8    = "\xef\xbb\xbf"
	bomUTF16LE = "\xff\xfe"
	bomUTF16BE = "\xfe\xff"
)

// toUTF8 decodes UTF-16, with a byte order mark or without, and takes the mark off UTF-8. A body in
// a character set that its content type names is refused by that name, unless it is UTF-8 after
// all.
func toUTF8(b []byte, contentType string, read Limited) ([]byte, error) {
	switch {
	case bytes.HasPrefix(b, []byte(bomUTF8)):
		return b[len(bomUTF8):], nil
	case bytes.HasPrefix(b, []byte("\xff\xfe\x00\x00")), bytes.HasPrefix(b, []byte("\x00\x00\xfe\xff")):
		return nil, &Unsupported{"is UTF-32; send UTF-8"}
	case bytes.HasPrefix(b, []byte(bomUTF16LE)):
		return read(&utf16Reader{b: b[2:], low: 0})
	case bytes.HasPrefix(b, []byte(bomUTF16BE)):
		return read(&utf16Reader{b: b[2:], low: 1})
	case len(b) >= 2 && b[1] == 0 && (b[0] == '{' || b[0] == '['):
		return read(&utf16Reader{b: b, low: 0})
	case len(b) >= 2 && b[0] == 0 && (b[1] == '{' || b[1] == '['):
		return read(&utf16Reader{b: b, low: 1})
	}
	_, params, err := mime.ParseMediaType(contentType)
	charset := strings.ToLower(params["charset"])
	if err != nil || charset == "" || charset == "utf-8" || charset == "utf8" || utf8.Valid(b) {
		return b, nil
	}
	return nil, &Unsupported{fmt.Sprintf("is no UTF-8, and its content type names the character set %.40q; send UTF-8", charset)}
}

// utf16Reader reads UTF-16 as UTF-8. Half a pair, and half a unit at the end, become U+FFFD.
type utf16Reader struct {
	b    []byte
	low  int // where the low byte of a unit stands in it
	rest []byte
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	if len(u.rest) == 0 {
		const atOnce = 1 << 10
		u.rest = u.rest[:0]
		for len(u.b) > 0 && len(u.rest) < atOnce {
			u.rest = utf8.AppendRune(u.rest, u.next())
		}
	}
	if len(u.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

func (u *utf16Reader) next() rune {
	first, ok := u.unit()
	if !ok {
		u.b = nil
		return utf8.RuneError
	}
	u.b = u.b[2:]
	if second, ok := u.unit(); ok && utf16.IsSurrogate(first) {
		if pair := utf16.DecodeRune(first, second); pair != utf8.RuneError {
			u.b = u.b[2:]
			return pair
		}
	}
	return first // AppendRune writes half a pair as U+FFFD
}

func (u *utf16Reader) unit() (rune, bool) {
	if len(u.b) < 2 {
		return 0, false
	}
	return rune(u.b[u.low]) | rune(u.b[1-u.low])<<8, true
}
