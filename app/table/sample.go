package table

import (
	"bytes"
	"encoding/csv"
	"slices"

	"github.com/clickloop/clickloop/event"
)

// sampleRows is the largest number of rows from which the readings of columns are decided. They are
// taken from the first buffer, so that a file can be read as a stream.
const sampleRows = 2000

// bufferedLines returns the whole lines at the start of the file, without consuming them.
func (s *Source) bufferedLines() []byte {
	head, err := s.r.Peek(s.r.Size())
	if err == nil { // there is more
		head = head[:bytes.LastIndexByte(head, '\n')+1]
	}
	return head
}

// decideCSV decides the readings of a CSV file's columns from its first rows.
func (c *Columns) decideCSV(sample []byte, sep rune, names []string) {
	cells := make([][]string, len(names))
	r := csv.NewReader(bytes.NewReader(sample))
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = sep, -1, true
	for row := 0; row <= sampleRows; row++ {
		record, err := r.Read()
		if err != nil { // reported when the row is read as data
			break
		}
		if row == 0 || len(record) != len(names) {
			continue
		}
		for i, cell := range record {
			cells[i] = append(cells[i], cell)
		}
	}
	c.decide(names, false, func(i int) []string { return cells[i] })
}

// decideJSON decides the readings of the fields of JSON lines.
func (s *Source) decideJSON() {
	var names []string
	cells := map[string][]string{}
	for row, rest := 0, s.bufferedLines(); row < sampleRows && len(rest) > 0; row++ {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		rest = after
		var fields event.Fields
		if fields.UnmarshalJSON(line) != nil {
			continue
		}
		for _, f := range fields {
			if f.Value.Kind == event.List {
				continue
			}
			if _, met := cells[f.Name]; !met {
				names = append(names, f.Name)
			}
			cells[f.Name] = append(cells[f.Name], f.Value.Text())
		}
	}
	s.options.Columns.decide(names, true, func(i int) []string { return cells[names[i]] })
}

// expandJSON reads the fields of a row of JSON as their columns say, and adds the parts.
func (s *Source) expandJSON(row *Row) {
	if s.options.Columns == nil || !slices.ContainsFunc(row.Fields, func(f event.Field) bool { return s.reading(f.Name) != Plain }) {
		return
	}
	fields := make(event.Fields, 0, len(row.Fields)+8)
	for _, f := range row.Fields {
		reading, kind := s.reading(f.Name), f.Value.Kind
		if reading == Plain || kind == event.List || kind == event.Null || reading == Tokens && kind == event.String || reading == Numbers && kind == event.Number {
			fields = append(fields, f)
			continue
		}
		first := len(fields)
		fields = s.options.Columns.byName[f.Name].Append(fields, f.Value.Text(), row.Place)
		if reading == Dates { // a text stays a text, though the same cell of CSV would be a number
			fields[first].Value = f.Value
		}
	}
	row.Fields = fields
}

// reading returns how a field of JSON is read. One that the sample did not have is read as it is.
func (s *Source) reading(name string) Reading {
	if c := s.options.Columns.byName[name]; c != nil {
		return c.Reading
	}
	return Plain
}
