package export

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/clickloop/clickloop/stream"
)

// Whatever a producer writes becomes a row: a message that is not read is in the payload, and no
// text of a table is anything but UTF-8, which readers of Parquet refuse.
func FuzzRows(f *testing.F) {
	for _, s := range []string{`{"id":"a","time":"2026-11-25T09:00:00.000Z","p":{"click":0.5},"features":{"a":{"b":[1]},"c":null}}`, `{"x":"\ud83d","features":{"":{}}}`,
		"{\"id\":\"\xff\"}", `{"w":1e400}`, `{"features":{"a":{"b":1},"a.b":2}}`, `[]`, `{`, ``, `{"p":{"click":{}},"row":1e2}`} {
		f.Add([]byte(s), []byte("key"))
	}
	columns := newColumns(layoutOf("predictions"), 100, nil)
	f.Fuzz(func(t *testing.T, value, key []byte) {
		d, r := newDecoder(columns), &row{}
		records := []stream.Record{{Value: value, Key: key, Headers: []stream.Header{{Key: string(key), Value: value}, {Key: string(key)}}}}
		d.decode(&records[0], r)
		payload := r.cells[d.scalars+atPayload]
		if payload.kind != none && payload.text != string(value) {
			t.Errorf("the payload is %q", payload.text)
		}
		if payload.kind == none && r.cells[d.scalars+atError].kind != none && r.cells[d.scalars+atRest].kind == none {
			t.Errorf("there is an error, and neither payload nor rest")
		}
		for i, c := range r.cells {
			if i != d.scalars+atPayload && !utf8.ValidString(c.text) {
				t.Errorf("cell %d is %q", i, c.text)
			}
		}
		for _, list := range r.maps {
			names := map[string]bool{}
			for _, e := range list {
				if names[e.name] || !utf8.ValidString(e.name) || !utf8.ValidString(e.cell.text) {
					t.Errorf("entry %q: %q", e.name, e.cell.text)
				}
				names[e.name] = true
			}
		}
		e := &exporter{cfg: Config{Format: Parquet}, layout: columns.layout, columns: newColumns(columns.layout, 3, nil)}
		e.discover(records)
		if err := e.writeTable(records, &bytes.Buffer{}); err != nil {
			t.Error(err)
		}
	})
}
