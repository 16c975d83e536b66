package inbound

import (
	"bytes"
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
)

const (
	bomUTF8    = "\xef\xbb\xbf"
	bomUTF16LE = "\xff\xfe"
	bomUTF16BE = "\xfe\xff"
)

// toUTF8 decodes UTF-16, with a byte order mark or without, and removes the mark of UTF-8. A body
// in another character set that its content type names is refused by that name, unless it is UTF-8
// after all.
func toUTF8(b []byte, contentType string, read Limited) ([]byte, error) {
	switch {
	case bytes.HasPrefix(b, []byte(bomUTF8)):
		return b[len(bomUTF8):], nil
	case bytes.HasPrefix(b, []byte("\xff\xfe\x00\x00")), bytes.HasPrefix(b, []byte("\x00\x00\xfe\xff")):
		return nil, &Unsupported{"is UTF-32; send UTF-8"}
	case bytes.HasPrefix(b, []byte(bomUTF16LE)), len(b) >= 2 && isText(b[:1]) && b[1] == 0:
		return readUTF16(b, unicode.LittleEndian, read)
	case bytes.HasPrefix(b, []byte(bomUTF16BE)), len(b) >= 2 && b[0] == 0 && isText(b[1:2]):
		return readUTF16(b, unicode.BigEndian, read)
	}
	_, params, err := mime.ParseMediaType(contentType)
	charset := strings.ToLower(params["charset"])
	if err != nil || charset == "" || charset == "utf-8" || charset == "utf8" || utf8.Valid(b) {
		return b, nil
	}
	return nil, &Unsupported{fmt.Sprintf("is no UTF-8, and its content type names the character set %.40q; send UTF-8", charset)}
}

// readUTF16 decodes UTF-16. Half a pair, and half a unit at the end, become U+FFFD.
func readUTF16(b []byte, order unicode.Endianness, read Limited) ([]byte, error) {
	return read(unicode.UTF16(order, unicode.UseBOM).NewDecoder().Reader(bytes.NewReader(b)))
}
