package strictjson

import (
	"unicode/utf16"
	"unicode/utf8"
)

// unescaped maps the letter after a backslash to its character.
var unescaped = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unescapeRune reads \uXXXX, or two of these that make a surrogate pair. size is 0 when a digit is
// wrong. It returns a surrogate for half a pair, as in a text that was cut in the middle of a
// character.
func unescapeRune(s string) (r rune, size int) {
	r, ok := hex4(s)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(r) && len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if low, ok := hex4(s[6:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 12
			}
		}
	}
	return r, 6
}

func mendSurrogates(b []byte) (mended []byte, replaced int) {
	mended = make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		first := surrogate(b[i:])
		if first == 0 {
			mended = append(mended, b[i])
			i++
			continue
		}
		i += 3
		char := utf16.DecodeRune(first, surrogate(b[i:]))
		if char == utf8.RuneError {
			replaced++
		} else {
			i += 3
		}
		mended = utf8.AppendRune(mended, char)
	}
	return mended, replaced
}

// surrogate returns the surrogate at the beginning of b, encoded as UTF-8 encodes characters; else
// 0.
func surrogate(b []byte) rune {
	if len(b) < 3 || b[0] != 0xed || b[1] < 0xa0 || b[1] > 0xbf || b[2]&0xc0 != 0x80 {
		return 0
	}
	return 0xd000 | rune(b[1]&0x3f)<<6 | rune(b[2]&0x3f)
}

// hex4 reads the digits of \uXXXX.
func hex4(s string) (rune, bool) {
	if len(s) < 6 {
		return 0, false
	}
	var r rune
	for i := 2; i < 6; i++ {
		c := s[i]
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// scanNumber returns the end of the number that starts at i, 0 when there is no number.
func scanNumber(s string, i int) int {
	if i < len(s) && s[i] == '-' {
		i++
	}
	switch {
	case i >= len(s):
		return 0
	case s[i] == '0':
		i++
	case s[i]-'1' <= 8:
		i = scanDigits(s, i)
	default:
		return 0
	}
	if i < len(s) && s[i] == '.' {
		from := i + 1
		if i = scanDigits(s, from); i == from {
			return 0
		}
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		from := i + 1
		if from < len(s) && (s[from] == '+' || s[from] == '-') {
			from++
		}
		if i = scanDigits(s, from); i == from {
			return 0
		}
	}
	return i
}

func scanDigits(s string, i int) int {
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	return i
}
