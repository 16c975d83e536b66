package table

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/event"
)

func (s *Source) csv(yield func(*Record, error) bool) {
	sep, err := s.separator()
	if err != nil {
		yield(nil, err)
		return
	}
	in := &bounded{Reader: s.r, left: maxLine}
	r := csv.NewReader(bufio.NewReaderSize(in, 64<<10))
	r.Comma, r.ReuseRecord = sep, true
	header, err := r.Read()
	if err == io.EOF {
		yield(nil, fmt.Errorf("%s is empty, want a header of the columns' names", s.name))
		return
	}
	if err != nil {
		yield(nil, s.rowError(err, 0, header, len(header), sep))
		return
	}
	names := make([]string, len(header))
	for i, name := range header {
		if names[i] = strings.Clone(name); name == "" {
			names[i] = "column" + strconv.Itoa(i+1)
		}
	}
	for last := 1; ; {
		in.left = maxLine
		cells, err := r.Read()
		if err == io.EOF {
			return
		}
		if err != nil {
			var malformed *csv.ParseError
			if s.options.SkipBad && errors.As(err, &malformed) { // any other error comes again
				s.skipped++
				continue
			}
			yield(nil, s.rowError(err, last, cells, len(names), sep))
			return
		}
		last, _ = r.FieldPos(0)
		rec := &Record{File: s.name, Line: last, Weight: 1, Fields: make(event.Fields, len(cells))}
		for i, cell := range cells {
			rec.Fields[i] = event.Field{Name: names[i], Value: Cell(cell)}
		}
		if !yield(rec, nil) {
			return
		}
	}
}

// rowError says where a row is wrong and what is expected there; last is the line of the row before it.
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

// bounded ends a row that does not end, as behind a quote that is never closed, before it fills the memory.
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

// separator is the given one, that of the name, or else that of ; tab , | which the header has most of outside quotes.
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
