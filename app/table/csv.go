package table

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/clickloop/clickloop/event"
)

// errEnough ends reading without an error.
var errEnough = errors.New("enough")

func (s *Source) csv(yield func(*Record, error) bool) {
	var names []string
	var columns []*Column
	more := 0 // fields that parts of columns make
	err := s.cells(func(n []string) error {
		names, columns = n, make([]*Column, len(n))
		for i, name := range n {
			if s.options.Columns != nil {
				columns[i] = s.options.Columns.by[name]
			}
			if columns[i].Expands() {
				more += len(dateParts)
			}
		}
		return nil
	}, func(line int, cells []string) error {
		rec := &Record{File: s.name, Line: line, Weight: 1, Fields: make(event.Fields, 0, len(cells)+more)}
		for i, cell := range cells {
			switch x := columns[i]; {
			case x == nil:
				rec.Fields = append(rec.Fields, event.Field{Name: names[i], Value: Cell(cell)})
			case x.Expands():
				rec.Fields = x.Append(rec.Fields, strings.Clone(cell), rec.Place)
			default:
				v := x.Value(cell, rec.Place)
				v.Str = strings.Clone(v.Str)
				rec.Fields = append(rec.Fields, event.Field{Name: names[i], Value: v})
			}
		}
		if !yield(rec, nil) {
			return errEnough
		}
		return nil
	})
	if err != nil && err != errEnough {
		yield(nil, err)
	}
}

// Cells reads a CSV file row by row, without records: header gets the columns' names, row each line
// with its cells, which it must not keep. It closes the file at its end. An error of either ends
// it.
func (s *Source) Cells(header func(names []string) error, row func(line int, cells []string) error) error {
	defer s.Close()
	return s.cells(header, row)
}

func (s *Source) cells(header func(names []string) error, row func(line int, cells []string) error) error {
	sep, err := s.separator()
	if err != nil {
		return err
	}
	t := &rows{s: s, sep: sep, header: header, row: row}
	if s.options.Columns != nil {
		t.head = bytes.Clone(s.head())
	}
	for line := 1; ; line++ {
		text, err := s.r.ReadSlice('\n')
		if err == io.EOF && len(text) == 0 {
			return t.end()
		}
		if err != nil && err != io.EOF || sep >= utf8.RuneSelf || !t.split(text) {
			return t.general(io.MultiReader(bytes.NewReader(bytes.Clone(text)), s.r), line-1)
		}
		if len(t.cells) == 0 {
			continue
		}
		if err := s.CheckText(text); err != nil {
			if s.options.SkipBad && t.names != nil {
				s.skipped++
				continue
			}
			return t.badText(line, t.cells, err)
		}
		if err := t.take(line, t.cells); err != nil {
			return err
		}
	}
}

// rows are the rows of a CSV file on their way: the first is the header.
type rows struct {
	s      *Source
	sep    rune
	header func(names []string) error
	row    func(line int, cells []string) error
	names  []string
	cells  []string
	head   []byte // what the columns are judged by
}

// take hands a row over.
func (t *rows) take(line int, cells []string) error {
	if t.names != nil {
		return t.row(line, cells)
	}
	t.names = make([]string, len(cells))
	first := make(map[string]int, len(cells))
	for i, name := range cells {
		if t.names[i] = strings.Clone(strings.Trim(name, " \t")); t.names[i] == "" {
			t.names[i] = "column" + strconv.Itoa(i+1)
		}
		if strings.IndexByte(t.names[i], '\r') >= 0 {
			return fmt.Errorf("%s:%d: the name of column %d has a carriage return in it, as where lines end with that alone: want a newline at each line's end", t.s.name, line, i+1)
		}
		if j, twice := first[t.names[i]]; twice { // they would be one field, or two labels
			return fmt.Errorf("%s:%d: columns %d and %d are both named %q, want a name of its own for each", t.s.name, line, j+1, i+1, t.names[i])
		}
		first[t.names[i]] = i
	}
	if t.s.options.Columns != nil {
		t.s.decideCSV(t.head, t.sep, t.names)
		t.head = nil
	}
	return t.header(t.names)
}

func (t *rows) end() error {
	if t.names == nil {
		return fmt.Errorf("%s is empty, want a header of the columns' names", t.s.name)
	}
	return nil
}

// split cuts a line into cells, which are parts of it. It cuts what needs no more than a look for
// separators: no quote within a cell, no cell of several lines, and as many cells as the header
// has. False: not such a line.
func (t *rows) split(line []byte) bool {
	t.cells = t.cells[:0]
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	if len(line) == 0 {
		return true // as if it were not there
	}
	text, sep := unsafe.String(&line[0], len(line)), byte(t.sep)
	for from := 0; ; {
		end := from
		if from < len(text) && text[from] == '"' {
			from++
			end = from + strings.IndexByte(text[from:], '"')
			if end < from || end+1 < len(text) && text[end+1] != sep {
				return false
			}
			t.cells = append(t.cells, text[from:end])
			end++
		} else {
			for end < len(text) && text[end] != sep {
				if text[end] == '"' {
					return false
				}
				end++
			}
			t.cells = append(t.cells, text[from:end])
		}
		if end >= len(text) {
			return t.names == nil || len(t.cells) == len(t.names)
		}
		from = end + 1
	}
}

// general reads the rest of the file, of which before lines are read, with all that CSV allows.
func (t *rows) general(rest io.Reader, before int) error {
	in := &bounded{Reader: rest, left: maxLine}
	r := csv.NewReader(bufio.NewReaderSize(in, 64<<10))
	r.Comma, r.ReuseRecord, r.FieldsPerRecord = t.sep, true, len(t.names)
	for last := before; ; {
		in.left = maxLine
		cells, err := r.Read()
		if err == io.EOF {
			return t.end()
		}
		if err != nil {
			var malformed *csv.ParseError
			if errors.As(err, &malformed) {
				malformed.StartLine += before
				malformed.Line += before
				if t.s.options.SkipBad && t.names != nil { // any other error comes again
					t.s.skipped++
					continue
				}
			}
			columns := len(t.names)
			if t.names == nil {
				columns = len(cells)
			}
			return t.s.rowError(err, last, cells, columns, t.sep)
		}
		last, _ = r.FieldPos(0)
		last += before
		if bad := t.badCell(cells); bad >= 0 {
			if t.s.options.SkipBad && t.names != nil {
				t.s.skipped++
				continue
			}
			line, _ := r.FieldPos(bad)
			return t.badText(line+before, cells, t.s.CheckText([]byte(cells[bad])))
		}
		if err := t.take(last, cells); err != nil {
			return err
		}
	}
}

// badCell is the number of the first cell that is no text of the file's encoding; -1: all are.
func (t *rows) badCell(cells []string) int {
	return slices.IndexFunc(cells, func(cell string) bool { return t.s.CheckText([]byte(cell)) != nil })
}

// badText names the line and the column of a cell that is no text of the file's encoding.
func (t *rows) badText(line int, cells []string, err error) error {
	column := ""
	if i := t.badCell(cells); i >= 0 {
		err = t.s.CheckText([]byte(cells[i]))
		if column = fmt.Sprintf("the name of column %d: ", i+1); t.names != nil {
			column = fmt.Sprintf("column %q: ", t.names[i])
		}
	}
	return fmt.Errorf("%s:%d: %s%w", t.s.name, line, column, err)
}

// rowError says where a row is wrong and what is expected there; last is the line of the row before
// it.
func (s *Source) rowError(err error, last int, cells []string, columns int, sep rune) error {
	var p *csv.ParseError
	if !errors.As(err, &p) {
		return fmt.Errorf("%s: after line %d: %w", s.name, last, err)
	}
	switch p.Err {
	case csv.ErrFieldCount:
		return fmt.Errorf("%s:%d: the row has %d columns, want %d, separated by %q, as the header has", s.name, p.StartLine, len(cells), columns, sep)
	case csv.ErrBareQuote:
		return fmt.Errorf("%s:%d:%d: there is a quote within a cell, want such a cell in quotes and each quote in it twice", s.name, p.Line, p.Column)
	case csv.ErrQuote:
		return fmt.Errorf("%s:%d:%d: a cell that begins with a quote on line %d does not end with one, want a quote and then %q or the line's end, and each quote within twice", s.name, p.Line, p.Column, p.StartLine, sep)
	}
	return fmt.Errorf("%s:%d:%d: %w", s.name, p.Line, p.Column, p.Err)
}

// bounded ends a row that does not end, as behind a quote that is never closed, before it fills the
// memory.
type bounded struct {
	io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, fmt.Errorf("the row has more than %d bytes: is a quote not closed?", maxLine)
	}
	n, err := b.Reader.Read(p)
	b.left -= n
	return n, err
}

// separator is the given one, that of the name, or else that of ; tab , | which the header has most
// of outside quotes.
func (s *Source) separator() (rune, error) {
	if sep := []rune(s.options.Separator); len(sep) == 1 {
		if c := sep[0]; c == '"' || c == '\r' || c == '\n' || c == '\ufffd' {
			return 0, fmt.Errorf("%s: separator %q cannot separate columns, want one such as , or ;", s.name, c)
		}
		return sep[0], nil
	} else if len(sep) > 1 {
		return 0, fmt.Errorf("%s: separator %q is more than one character", s.name, s.options.Separator)
	}
	if strings.HasSuffix(s.base(), ".tsv") {
		return '\t', nil
	}
	head, _ := s.r.Peek(64 << 10)
	line, _, _ := bytes.Cut(head, []byte("\n"))
	var counts [128]int
	quoted := false
	for _, c := range line {
		if c == '"' {
			quoted = !quoted
		} else if !quoted && c < 128 {
			counts[c]++
		}
	}
	best := ','
	for _, sep := range ",;\t|" {
		if counts[sep] > counts[best] {
			best = sep
		}
	}
	return best, nil
}
