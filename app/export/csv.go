package export

import (
	"encoding/base64"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// csvTable writes tables as RFC 4180. A null is an empty field, and an empty text is "". A map is a
// JSON object.
type csvTable struct {
	columns []column
	w       io.Writer
}

func newCSV(columns []column, w io.Writer) (*csvTable, error) {
	t := &csvTable{columns, w}
	var line []byte
	for i, c := range columns {
		if i > 0 {
			line = append(line, ',')
		}
		line = appendField(line, c.name)
	}
	line = append(line, ",kafka_payload_base64\r\n"...)
	_, err := w.Write(line)
	return t, err
}

type csvBlock struct {
	columns []column
	lines   []byte
}

func (t *csvTable) newBlock() block { return &csvBlock{columns: t.columns} }

func (t *csvTable) write(b block) error {
	_, err := t.w.Write(b.(*csvBlock).lines)
	return err
}

func (t *csvTable) close() error { return nil }

func (b *csvBlock) reset() { b.lines = b.lines[:0] }

func (b *csvBlock) add(r *row) {
	payload := ""
	for i := range b.columns {
		c := &b.columns[i]
		if i > 0 {
			b.lines = append(b.lines, ',')
		}
		switch {
		case c.kind.isMap():
			if list := r.maps[c.cell]; list != nil {
				b.lines = appendField(b.lines, string(appendMap(nil, list)))
			}
		case c.kind == bytesKind && !utf8.ValidString(r.cells[c.cell].text):
			payload = base64.StdEncoding.EncodeToString([]byte(r.cells[c.cell].text))
		default:
			b.lines = appendCell(b.lines, c.kind, &r.cells[c.cell])
		}
	}
	b.lines = append(b.lines, ',')
	b.lines = append(b.lines, payload...)
	b.lines = append(b.lines, '\r', '\n')
}

func appendCell(dst []byte, k kind, c *cell) []byte {
	switch {
	case c.kind == none:
		return dst
	case k == number:
		return strictjson.AppendNumber(dst, c.num)
	case k == integer:
		return strconv.AppendInt(dst, c.int, 10)
	case k == flag:
		return strconv.AppendBool(dst, c.int == 1)
	case k == moment:
		return append(dst, event.Time(c.int).String()...)
	}
	return appendField(dst, c.text)
}

// appendField appends a text, in quotes where it needs them or would look like a null.
func appendField(dst []byte, s string) []byte {
	if s != "" && !strings.ContainsAny(s, "\",\r\n") && s[0] != ' ' && s[len(s)-1] != ' ' {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	dst = append(dst, strings.ReplaceAll(s, `"`, `""`)...)
	return append(dst, '"')
}

// appendMap appends entries as a JSON object, in their order.
func appendMap(dst []byte, list []entry) []byte {
	o := strictjson.NewObject(dst)
	for _, e := range list {
		o.EscapedKey(e.name)
		switch e.cell.kind {
		case none:
			o.Buf = append(o.Buf, "null"...)
		case number:
			o.Buf = strictjson.AppendNumber(o.Buf, e.cell.num)
		case integer:
			o.Buf = strconv.AppendInt(o.Buf, e.cell.int, 10)
		case tree:
			o.Buf = append(o.Buf, e.cell.text...)
		default:
			o.Buf = strictjson.AppendString(o.Buf, e.cell.text)
		}
	}
	return o.End()
}
