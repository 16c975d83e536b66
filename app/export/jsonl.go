package export

import (
	"bytes"
	"encoding/base64"
	stdjson "encoding/json"
	"io"
	"unicode/utf8"

	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/stream"
)

// lines are a file of JSON lines: each is a message as it is on the topic, or with its envelope.
type lines struct {
	topic    string // with the prefix
	envelope bool
	w        io.Writer
	buf      []byte
}

// linesMax is how many bytes are gathered for a write.
const linesMax = 1 << 20

func (l *lines) add(r *stream.Record) error {
	l.buf = appendLine(l.buf, l.topic, r, l.envelope)
	if len(l.buf) < linesMax {
		return nil
	}
	return l.close()
}

func (l *lines) close() error {
	_, err := l.w.Write(l.buf)
	l.buf = l.buf[:0]
	return err
}

// appendLine appends the value and a newline. A value that cannot stand on a line of its own comes
// in its envelope all the same: one that is no JSON, and a null.
func appendLine(dst []byte, topic string, r *stream.Record, envelope bool) []byte {
	if !envelope && stdjson.Valid(r.Value) && utf8.Valid(r.Value) {
		return append(appendOneLine(dst, r.Value), '\n')
	}
	o := strictjson.NewObject(dst)
	o.Text("topic", topic)
	o.Integer("partition", int64(r.Partition))
	o.Integer("offset", r.Offset)
	o.Text("tstype", "create")
	o.Integer("ts", r.Time.UnixMilli())
	if len(r.Headers) > 0 {
		o.Key("headers")
		o.Buf = append(o.Buf, '[')
		for i, h := range r.Headers {
			if i > 0 {
				o.Buf = append(o.Buf, ',')
			}
			o.Buf = strictjson.AppendString(o.Buf, readable([]byte(h.Key)))
			o.Buf = append(o.Buf, ',')
			o.Buf = appendBytes(o.Buf, h.Value)
		}
		o.Buf = append(o.Buf, ']')
	}
	o.Key("key")
	o.Buf = appendBytes(o.Buf, r.Key)
	if r.Value == nil || utf8.Valid(r.Value) {
		o.Key("payload")
		o.Buf = appendBytes(o.Buf, r.Value)
	} else {
		o.Key("payload_base64")
		o.Buf = strictjson.AppendString(o.Buf, base64.StdEncoding.EncodeToString(r.Value))
	}
	return append(o.End(), '\n')
}

// appendOneLine appends JSON, without newlines between its tokens.
func appendOneLine(dst, value []byte) []byte {
	if !bytes.ContainsAny(value, "\r\n") {
		return append(dst, value...)
	}
	b := bytes.NewBuffer(dst)
	if err := stdjson.Compact(b, value); err != nil {
		panic("BUG: valid JSON cannot be compacted: " + err.Error())
	}
	return b.Bytes()
}

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, "null"...)
	}
	return strictjson.AppendString(dst, readable(b))
}
