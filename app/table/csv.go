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

// csvRows calls fn for every row.
func (s *Source) csvRows(fn func(*Row) error) error {
	var names []string
	var columns []*Column
	extra := 0 // fields that parts of columns may add
	return s.Cells(func(n []string) error {
		names, columns = n, make([]*Column, len(n))
		for i, name := range n {
			if s.options.Columns != nil {
				columns[i] = s.options.Columns.byName[name]
			}
			if columns[i].Expands() {
				extra += len(dateParts)
			}
		}
		return nil
	}, func(line int, cells []string) error {
		row := &Row{File: s.name, Line: line, Weight: 1, Fields: make(event.Fields, 0, len(cells)+extra)}
		for i, cell := range cells {
			if c := columns[i]; c.Expands() {
				row.Fields = c.Append(row.Fields, strings.Clone(cell), row.Place)
			} else {
				v := c.Value(cell, row.Place)
				v.Str = strings.Clone(v.Str)
				row.Fields = append(row.Fields, event.Field{Name: names[i], Value: v})
			}
		}
		return fn(row)
	})
}

// Cells reads a CSV file without making Rows, and closes it at its end. It calls header once with
// the columns' names, then row for each row. row must not keep cells. An error of either ends it.
func (s *Source) Cells(header func(names []string) error, row func(line int, cells []string) error) error {
	defer s.Close()
	sep, err := s.separator()
	if err != nil {
		return err
	}
	t := &csvReader{s: s, sep: sep, header: header, row: row}
	if s.options.Columns != nil {
		t.sample = bytes.Clone(s.bufferedLines())
	}
	for line := 1; ; line++ {
		text, err := s.r.ReadSlice('\n')
		if err == io.EOF && len(text) == 0 {
			return t.end()
		}
		if err != nil && err != io.EOF || sep >= utf8.RuneSelf || !t.split(text) {
			return t.readGeneral(io.MultiReader(bytes.NewReader(bytes.Clone(text)), s.r), line-1)
		}
		if len(t.cells) == 0 {
			continue
		}
		if err := s.CheckText(text); err != nil {
			if t.skip() {
				continue
			}
			return t.badText(line, t.cells, err)
		}
		if err := t.accept(line, t.cells); err != nil {
			return err
		}
	}
}

// csvReader reads the rows of a CSV file. The first row is the header.
type csvReader struct {
	s      *Source
	sep    rune
	header func(names []string) error
	row    func(line int, cells []string) error
	names  []string // nil before the header
	cells  []string // of the row that was split last
	sample []byte   // the first rows, from which the columns' readings are decided
}

// skip counts a malformed row if such rows are to be skipped. A header never is.
func (t *csvReader) skip() bool {
	if !t.s.options.SkipBad || t.names == nil {
		return false
	}
	t.s.skipped++
	return true
}

// accept passes a row to the callback for it.
func (t *csvReader) accept(line int, cells []string) error {
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
		t.s.options.Columns.decideCSV(t.sample, t.sep, t.names)
		t.sample = nil
	}
	return t.header(t.names)
}

func (t *csvReader) end() error {
	if t.names == nil {
		return fmt.Errorf("%s is empty, want a header of the columns' names", t.s.name)
	}
	return nil
}

// split cuts a simple line into t.cells, which share its memory. It returns false for any other
// line: one with a quote within a cell, a cell of several lines, or another number of cells than
// the header has.
func (t *csvReader) split(line []byte) bool {
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

// readGeneral reads the rest of the file by encoding/csv. before is the number of lines before it.
func (t *csvReader) readGeneral(rest io.Reader, before int) error {
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
				if t.skip() { // any other error would come again
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
			if t.skip() {
				continue
			}
			line, _ := r.FieldPos(bad)
			return t.badText(line+before, cells, t.s.CheckText([]byte(cells[bad])))
		}
		if err := t.accept(last, cells); err != nil {
			return err
		}
	}
}

// badCell returns the index of the first cell that is not text in the file's encoding, or -1.
func (t *csvReader) badCell(cells []string) int {
	return slices.IndexFunc(cells, func(cell string) bool { return t.s.CheckText([]byte(cell)) != nil })
}

// badText names the line and the column of the first cell that is not text in the file's encoding.
func (t *csvReader) badText(line int, cells []string, err error) error {
	column := ""
	if i := t.badCell(cells); i >= 0 {
		err = t.s.CheckText([]byte(cells[i]))
		if column = fmt.Sprintf("the name of column %d: ", i+1); t.names != nil {
			column = fmt.Sprintf("column %q: ", t.names[i])
		}
	}
	return fmt.Errorf("%s:%d: %s%w", t.s.name, line, column, err)
}

// rowError explains an error of encoding/csv: where the row is wrong, and what is expected there.
// last is the line of the row before.
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

// bounded limits the bytes of a row. A quote that is never closed makes a row of the rest of the
// file, which would fill the memory.
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

// separator returns the given separator, or the tab for a file named .tsv, or else that of , ; tab
// and | which the header has most often outside quotes.
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
