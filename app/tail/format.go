package tail

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/clickloop/clickloop/stream"
)

// piece is a part of a format: text, or a field of the record by its letter.
type piece struct {
	field byte // 0: text
	text  []byte
}

// FormatHelp lists the fields of a format for the help and for errors.
const FormatHelp = "%s message, %S its length, %R its length as 4 bytes, %k key, %K its length, %T time in ms, %h headers, %t topic, %p partition, %o offset, %% a percent sign"

// parseFormat parses a format of kcat 1.7.1; nil for an empty one. Escapes of its text are \n, \t,
// \r, \xHH and \NNN; of any other character the backslash is left out.
func parseFormat(format string) ([]piece, error) {
	var pieces []piece
	var plain []byte
	end := func() {
		if len(plain) > 0 {
			pieces = append(pieces, piece{text: plain})
			plain = nil
		}
	}
	for i := 0; i < len(format); i++ {
		switch c := format[i]; {
		case c == '%':
			if i++; i == len(format) {
				return nil, fmt.Errorf("-f ends with %%: want %s", FormatHelp)
			}
			switch format[i] {
			case '%':
				plain = append(plain, '%')
			case 's', 'S', 'R', 'k', 'K', 'T', 'h', 't', 'p', 'o':
				end()
				pieces = append(pieces, piece{field: format[i]})
			default:
				letter, _ := utf8.DecodeRuneInString(format[i:])
				return nil, fmt.Errorf("-f has %%%c: want %s", letter, FormatHelp)
			}
		case c == '\\' && i+1 < len(format):
			if format[i+1] == 'x' && (i+2 == len(format) || !isHex(format[i+2])) {
				return nil, fmt.Errorf(`-f has \x without hexadecimal digits, want one such as \x1f`)
			}
			var b byte
			b, i = escaped(format, i+1)
			plain = append(plain, b)
		default:
			plain = append(plain, c)
		}
	}
	end()
	return pieces, nil
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// escaped returns the byte that the character behind a backslash stands for, and the place of its
// last character.
func escaped(format string, i int) (byte, int) {
	switch c := format[i]; c {
	case 'n':
		return '\n', i
	case 't':
		return '\t', i
	case 'r':
		return '\r', i
	case 'x':
		return digits(format, i+1, 16, i)
	default:
		if c >= '0' && c <= '9' {
			base := 10
			if c == '0' {
				base = 8
			}
			return digits(format, i, base, i)
		}
		return c, i
	}
}

// digits reads the digits of a character's number from i on, and returns it with the place of its
// last digit, or last where there is none. More than a byte holds is cut, as in C.
func digits(format string, i, base, last int) (byte, int) {
	n := 0
	for ; i < len(format); i++ {
		digit, err := strconv.ParseUint(format[i:i+1], base, 8)
		if err != nil {
			break
		}
		n, last = (n*base+int(digit))&0xff, i
	}
	return byte(n), last
}

// appendFormatted appends a record in a format.
func appendFormatted(dst []byte, format []piece, topic string, r *stream.Record) []byte {
	for i := range format {
		switch format[i].field {
		case 0:
			dst = append(dst, format[i].text...)
		case 's':
			dst = append(dst, r.Value...)
		case 'S':
			dst = strconv.AppendInt(dst, length(r.Value), 10)
		case 'R':
			dst = binary.BigEndian.AppendUint32(dst, uint32(int32(length(r.Value))))
		case 'k':
			dst = append(dst, r.Key...)
		case 'K':
			dst = strconv.AppendInt(dst, length(r.Key), 10)
		case 'T':
			dst = strconv.AppendInt(dst, timestamp(r), 10)
		case 'h':
			dst = appendHeaders(dst, r.Headers)
		case 't':
			dst = append(dst, topic...)
		case 'p':
			dst = strconv.AppendInt(dst, int64(r.Partition), 10)
		case 'o':
			dst = strconv.AppendInt(dst, r.Offset, 10)
		}
	}
	return dst
}

// length is -1 for null.
func length(b []byte) int64 {
	if b == nil {
		return -1
	}
	return int64(len(b))
}

// appendHeaders appends name=value,name=value, with NULL for null.
func appendHeaders(dst []byte, headers []stream.Header) []byte {
	for i, h := range headers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, h.Key...), '=')
		if h.Value == nil {
			dst = append(dst, "NULL"...)
		}
		dst = append(dst, h.Value...)
	}
	return dst
}

// jqFormat returns the filter of jq that makes a format of what kcat -J prints. ok is false where
// jq cannot.
func jqFormat(format []piece) (filter string, ok bool) {
	for i, p := range format {
		if i > 0 {
			filter += "+"
		}
		if p.field == 0 && !utf8.Valid(p.text) {
			return "", false
		}
		part, known := map[byte]string{
			0: jqText(string(p.text)), 's': `(.payload//"")`, 'k': `(.key//"")`, 't': ".topic",
			'S': "(.payload|if . then utf8bytelength else -1 end|tostring)", 'K': "(.key|if . then utf8bytelength else -1 end|tostring)",
			'T': "(.ts|tostring)", 'p': "(.partition|tostring)", 'o': "(.offset|tostring)",
			'h': `([.headers//[]|. as $h|range(0;length;2)|$h[.]+"="+($h[.+1]//"NULL")]|join(","))`,
		}[p.field]
		if !known {
			return "", false
		}
		filter += part
	}
	return filter, true
}
