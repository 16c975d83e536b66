package table

import (
	"bytes"
	"encoding/csv"

	"github.com/clickloop/clickloop/event"
)

// sampleRows are looked at, of those in the first buffer, to find out how columns are read.
const sampleRows = 2000

// head is the text that is in the buffer, up to the end of its last whole line.
func (s *Source) head() []byte {
	head, err := s.r.Peek(s.r.Size())
	if err == nil { // there is more
		head = head[:bytes.LastIndexByte(head, '\n')+1]
	}
	return head
}

// decideCSV finds out how the columns of names are read.
func (s *Source) decideCSV(head []byte, sep rune, names []string) {
	cells := make([][]string, len(names))
	r := csv.NewReader(bytes.NewReader(head))
	r.Comma, r.FieldsPerRecord, r.ReuseRecord = sep, -1, true
	for row := 0; row <= sampleRows; row++ {
		record, err := r.Read()
		if err != nil { // told when it is read for good
			break
		}
		if row == 0 || len(record) != len(names) {
			continue
		}
		for i, cell := range record {
			cells[i] = append(cells[i], cell)
		}
	}
	s.options.Columns.decide(names, false, func(i int) []string { return cells[i] })
}

// decideJSON finds out how the fields of JSON lines are read.
func (s *Source) decideJSON() {
	var names []string
	cells := map[string][]string{}
	for row, rest := 0, s.head(); row < sampleRows && len(rest) > 0; row++ {
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

// expandJSON gives the fields of a record the parts that their columns have.
func (s *Source) expandJSON(rec *Record) {
	if s.options.Columns == nil {
		return
	}
	plain := true
	for i := range rec.Fields {
		x := s.options.Columns.by[rec.Fields[i].Name]
		plain = plain && (x == nil || x.Reading == Plain)
	}
	if plain {
		return
	}
	fields := make(event.Fields, 0, len(rec.Fields)+8)
	for _, f := range rec.Fields {
		x := s.options.Columns.by[f.Name]
		text := f.Value.Text()
		switch {
		case x == nil || x.Reading == Plain || f.Value.Kind == event.List || f.Value.Kind == event.Null:
			fields = append(fields, f)
		case x.Reading == Tokens && f.Value.Kind == event.String, x.Reading == Numbers && f.Value.Kind == event.Number:
			fields = append(fields, f)
		case x.Reading == Dates: // a text stays one, though a cell of CSV would be a number
			n := len(fields)
			if fields = x.Append(fields, text, rec.Place); len(fields) > n {
				fields[n].Value = f.Value
			}
		default:
			fields = x.Append(fields, text, rec.Place)
		}
	}
	rec.Fields = fields
}
