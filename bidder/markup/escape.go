package markup

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/clickloop/clickloop/internal/strictjson"
)

const hex = "0123456789ABCDEF"

// appendURL appends a URL in which all that may end it, in HTML, XML or a header, is escaped by %.
// What is escaped already, and macros, stay.
func appendURL(dst []byte, url string) []byte {
	for i := range len(url) {
		switch c := url[i]; {
		case c <= ' ' || c >= 0x7f || strings.IndexByte("\"'<>\\^`|", c) >= 0:
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// appendComponent appends a value for a part of a URL: all but letters, digits and -._~ is escaped
// by %, so it is safe in HTML, JavaScript and XML, too.
func appendComponent[T string | []byte](dst []byte, value T) []byte {
	for i := range len(value) {
		switch c := value[i]; {
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~':
			dst = append(dst, c)
		default:
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

// escapeFrom escapes &, <, >, quotes and apostrophes of what stands in dst from an index on, for
// the text or an attribute of HTML and XML.
func escapeFrom(dst []byte, from int) []byte { return replaceFrom(dst, from, entity) }

func entity(c byte) string {
	switch c {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '"':
		return "&#34;"
	case '\'':
		return "&#39;"
	}
	return ""
}

// replaceFrom replaces the bytes in dst from an index on for which by has a text, in place: from
// the end, where there is room.
func replaceFrom(dst []byte, from int, by func(byte) string) []byte {
	more := 0
	for _, c := range dst[from:] {
		if text := by(c); text != "" {
			more += len(text) - 1
		}
	}
	if more == 0 {
		return dst
	}
	read := len(dst)
	dst = slices.Grow(dst, more)[:len(dst)+more]
	for write := len(dst); read < write; {
		read--
		if text := by(dst[read]); text != "" {
			write -= len(text)
			copy(dst[write:], text)
		} else {
			write--
			dst[write] = dst[read]
		}
	}
	return dst
}

// appendText appends s as text of XML. Characters that XML does not have become U+FFFD.
func appendText(dst []byte, s string) []byte {
	from := len(dst)
	for _, r := range s {
		if r < ' ' && r != '\t' && r != '\n' || r == 0xfffe || r == 0xffff {
			r = utf8.RuneError
		}
		dst = utf8.AppendRune(dst, r)
	}
	return escapeFrom(dst, from)
}

// appendJSON appends s as a string of JSON that may stand in a script of a page, too.
func appendJSON(dst []byte, s string) []byte {
	from := len(dst)
	return replaceFrom(strictjson.AppendString(dst, s), from, inScript)
}

func inScript(c byte) string {
	switch c {
	case '<':
		return `\u003c`
	case '>':
		return `\u003e`
	case '&':
		return `\u0026`
	}
	return ""
}
