package table

import (
	"bufio"
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/unicode"
)

// byteOrderMark is the mark that some programs write before UTF-8.
const byteOrderMark = "\ufeff"

// decode makes s.r return UTF-8, from the encoding that the options name. Without a name the text
// must be UTF-8 already; CheckText checks that line by line.
func (s *Source) decode() error {
	head, _ := s.r.Peek(s.r.Size())
	name := strings.ToLower(s.options.Encoding)
	if name == "" || isUTF8(name) {
		if wide := wideText(head); wide != "" {
			return fmt.Errorf("%s is %s, want UTF-8: --encoding %s reads it, or iconv -f %s -t utf-8 makes it so", s.name, wide, strings.ToLower(wide), strings.ToLower(wide))
		}
		if bytes.HasPrefix(head, []byte(byteOrderMark)) {
			_, _ = s.r.Discard(len(byteOrderMark))
		}
		return nil
	}
	enc, err := CheckEncoding(name)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if !strings.HasPrefix(name, "utf") && !strings.HasPrefix(name, "gb18030") && looksUTF8(head) {
		return fmt.Errorf("%s is UTF-8 by the look of it, and its encoding is said to be %s: leave that out for it", s.name, s.options.Encoding)
	}
	s.decoded = true
	s.r = bufio.NewReaderSize(enc.NewDecoder().Reader(s.r), bufferBytes)
	if head, _ := s.r.Peek(len(byteOrderMark)); string(head) == byteOrderMark {
		_, _ = s.r.Discard(len(byteOrderMark))
	}
	return nil
}

// CheckEncoding returns the encoding of a name, or an error if there is none.
func CheckEncoding(name string) (encoding.Encoding, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if isUTF8(name) {
		return unicode.UTF8, nil
	}
	if known, ok := otherNames[name]; ok {
		name = known
	}
	switch name {
	case "utf-16":
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), nil
	case "utf-16be":
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), nil
	case "utf-16le":
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), nil
	}
	if e, err := htmlindex.Get(name); err == nil && e != encoding.Replacement {
		return e, nil
	}
	if e, err := ianaindex.IANA.Encoding(name); err == nil && e != nil {
		return e, nil
	}
	return nil, fmt.Errorf("there is no encoding %q, want a name such as utf-8, utf-16, windows-1251, windows-1252, iso-8859-2, koi8-r, shift_jis, gb18030, big5 or euc-kr", name)
}

// otherNames are common names of encodings that the registries do not have.
var otherNames = map[string]string{
	"cp932": "shift_jis", "cp936": "gbk", "cp949": "euc-kr", "cp950": "big5", "utf16": "utf-16", "utf16le": "utf-16le", "utf16be": "utf-16be",
	"latin-1": "latin1", "ansi": "windows-1252", "sjis": "shift_jis", "shift-jis": "shift_jis", "cp437": "ibm437", "cp850": "ibm850", "cp866": "ibm866",
}

func isUTF8(name string) bool { return name == "utf-8" || name == "utf8" || name == "utf-8-sig" }

// wideText returns the text's encoding if that has two or four bytes a character, which its mark or
// its zeros show.
func wideText(head []byte) string {
	for _, mark := range []struct{ bytes, name string }{
		{"\xff\xfe\x00\x00", "UTF-32"}, {"\x00\x00\xfe\xff", "UTF-32"}, {"\xff\xfe", "UTF-16"}, {"\xfe\xff", "UTF-16"},
	} {
		if bytes.HasPrefix(head, []byte(mark.bytes)) {
			return mark.name
		}
	}
	var zeros [2]int
	for i, c := range head[:min(len(head), 4096)] {
		if c == 0 {
			zeros[i%2]++
		}
	}
	switch half := min(len(head), 4096) / 8; {
	case zeros[0] > zeros[1] && zeros[0] > half:
		return "UTF-16BE"
	case zeros[1] > zeros[0] && zeros[1] > half:
		return "UTF-16LE"
	}
	return ""
}

// looksUTF8 reports whether a text can only be UTF-8: it has eight characters beyond ASCII or more,
// and all of them are valid.
func looksUTF8(head []byte) bool {
	wide := 0
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n == 1 {
			return len(head) < utf8.UTFMax && wide >= 8 // the text is cut in a character
		}
		if n > 1 {
			wide++
		}
		head = head[n:]
	}
	return wide >= 8
}

// CheckText returns an error if a line is not text in the file's encoding. Unreadable words must
// not pass: all of them would become the same token.
func (s *Source) CheckText(line []byte) error {
	if !s.decoded {
		if utf8.Valid(line) {
			return nil
		}
		at := 0
		for {
			r, n := utf8.DecodeRune(line[at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		return fmt.Errorf("byte %d (0x%02x) is not UTF-8: name the text's encoding, by --encoding or by encoding in recording.yaml, such as windows-1252, windows-1251 or shift_jis", at+1, line[at])
	}
	if at := bytes.Index(line, []byte("\ufffd")); at >= 0 && !strings.HasPrefix(strings.ToLower(s.options.Encoding), "utf") {
		return fmt.Errorf("a character after %q is not %s: is the text in another encoding?", line[max(0, at-20):at], s.options.Encoding)
	}
	return nil
}
