// Package table reads text files of examples for fit, predict and recordings: CSV with any
// separator, JSON lines, and Vowpal Wabbit's text format, compressed by gzip or not.
//
// A file is read once, from start to end, in constant memory. How a column is read is decided from
// its first rows and never changes afterwards, so the same file always gives the same fields. Every
// error names the file, the line, and what was expected there.
package table

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/clickloop/clickloop/event"
	"github.com/klauspost/compress/gzip"
)

// Options say how a file is read.
type Options struct {
	Format    string // csv, jsonl, vw; empty: guessed from the name and the first line
	Separator string // of csv; empty: guessed from the header
	SkipBad   bool   // skip and count malformed rows; otherwise the first one is an error
	Encoding  string // of the text, such as windows-1251; empty: UTF-8

	// how columns are read; nil: every cell is a number if it looks like one, else a text
	Columns *Columns

	Counter *atomic.Int64 // counts the bytes read from disk, for progress; nil for none
}

// Source is an opened file. It belongs to one goroutine, and its rows are read once.
type Source struct {
	name    string
	options Options
	format  string
	decoded bool // from another encoding, in which damaged text has become U+FFFD
	r       *bufio.Reader
	closers []io.Closer
	skipped int64
}

// Row is one row of a file: a line, unless CSV quotes a cell of several lines.
type Row struct {
	File   string
	Line   int // of the row's first line
	Fields event.Fields
	Label  float64 // of vw
	Weight float64 // importance; 1 unless vw gives another
	HasY   bool    // vw: the line has a label
}

// Place names the row in errors.
func (r *Row) Place() string { return r.File + ":" + strconv.Itoa(r.Line) }

// bufferBytes is the size of a read. A larger buffer is slower: touching new memory costs more than
// the system calls that it saves.
const bufferBytes = 128 << 10

// maxLine is the length of the longest line in bytes.
const maxLine = 16 << 20

// Open opens a file; "-" is standard input.
func Open(path string, o Options) (*Source, error) {
	s := &Source{name: path, options: o}
	var in io.Reader = os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("cannot read examples: %w", err)
		}
		in = f
		s.closers = append(s.closers, f)
	}
	if o.Counter != nil {
		in = &counted{in, o.Counter}
	}
	s.r = bufio.NewReaderSize(in, bufferBytes)
	if head, _ := s.r.Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(s.r)
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, packedError(err)), s.Close())
		}
		s.closers = append(s.closers, z)
		s.r = bufio.NewReaderSize(unpacked{z}, bufferBytes)
	}
	if err := s.decode(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.format = o.Format; s.format == "" {
		s.format = s.guess()
	}
	switch s.format {
	case "csv", "jsonl", "vw":
		return s, nil
	}
	return nil, errors.Join(fmt.Errorf("%s: format %q is none of csv, jsonl, vw", path, s.format), s.Close())
}

// counted is a reader that counts its bytes.
type counted struct {
	io.Reader
	n *atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// unpacked is a gzip reader whose errors explain what is wrong with the file.
type unpacked struct{ z *gzip.Reader }

func (u unpacked) Read(b []byte) (int, error) {
	n, err := u.z.Read(b)
	return n, packedError(err)
}

func packedError(err error) error {
	switch {
	case err == nil, err == io.EOF:
		return err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the gzip data ends too early, as of a file that was cut short: %w", err)
	}
	return fmt.Errorf("the gzip data is damaged, or followed by something else: %w", err)
}

// base is the file's name without .gz, in lower case.
func (s *Source) base() string { return strings.TrimSuffix(strings.ToLower(s.name), ".gz") }

// guess returns the format that the name, else the first line, suggests.
func (s *Source) guess() string {
	base := s.base()
	for suffix, format := range map[string]string{".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".vw": "vw"} {
		if strings.HasSuffix(base, suffix) {
			return format
		}
	}
	head, _ := s.r.Peek(64 << 10)
	line, _, _ := bytes.Cut(bytes.TrimLeft(head, "\r\n \t"), []byte("\n"))
	switch {
	case bytes.HasPrefix(line, []byte("{")):
		return "jsonl"
	case bytes.IndexByte(line, '|') >= 0 && bytes.IndexByte(line, ',') < 0 && bytes.IndexByte(line, ';') < 0:
		return "vw"
	}
	return "csv"
}

// Format is csv, jsonl or vw.
func (s *Source) Format() string { return s.format }

// Skipped is the number of malformed rows that were skipped so far.
func (s *Source) Skipped() int64 { return s.skipped }

// Close closes the file.
func (s *Source) Close() error {
	var err error
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i].Close())
	}
	s.closers = nil
	return err
}

// errStop ends reading early, without an error for the caller.
var errStop = errors.New("stop")

// Rows yields the rows, each with Fields of its own, and closes the file at their end. An error
// ends them.
func (s *Source) Rows() iter.Seq2[*Row, error] {
	return func(yield func(*Row, error) bool) {
		read := s.textRows
		if s.format == "csv" {
			read = s.csvRows
		}
		err := read(func(row *Row) error {
			if !yield(row, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && err != errStop {
			yield(nil, err)
		}
	}
}

// textRows calls fn for every row of JSON lines or of VW.
func (s *Source) textRows(fn func(*Row) error) error {
	if s.format == "jsonl" && s.options.Columns != nil {
		s.decideJSON()
	}
	parse := parseJSON
	if s.format == "vw" {
		parse = ParseVW
	}
	return s.Lines(func(line int, text []byte) error {
		if len(bytes.TrimSpace(text)) == 0 {
			return nil
		}
		row := &Row{File: s.name, Line: line, Weight: 1}
		err := s.CheckText(text)
		if err == nil {
			err = parse(row, string(text))
		}
		switch {
		case err != nil && s.options.SkipBad:
			s.skipped++
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", row.Place(), err)
		case s.format == "jsonl":
			s.expandJSON(row)
		}
		return fn(row)
	})
}

// Lines calls fn for every line of the text, without the line's end, and closes the file at its
// end. fn must not keep text. An error of fn ends the lines.
func (s *Source) Lines(fn func(line int, text []byte) error) error {
	defer s.Close()
	for line := 1; ; line++ {
		text, err := s.readLine()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", s.name, line, err)
		}
		if err := fn(line, text); err != nil {
			return err
		}
	}
}

// readLine returns the next line without its end, valid until the next call.
func (s *Source) readLine() ([]byte, error) {
	line, err := s.r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		long := append([]byte(nil), line...)
		for err == bufio.ErrBufferFull {
			if len(long) > maxLine {
				return nil, fmt.Errorf("the line has more than %d bytes", maxLine)
			}
			line, err = s.r.ReadSlice('\n')
			long = append(long, line...)
		}
		line = long
	}
	if err == io.EOF && len(line) > 0 {
		err = nil
	}
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	return line, err
}

func parseJSON(row *Row, line string) error {
	err := row.Fields.UnmarshalJSON([]byte(line))
	// an array, or an object over several lines
	if err != nil && !strings.HasSuffix(strings.TrimSpace(line), "}") {
		return fmt.Errorf("%w: want one whole object a line", err)
	}
	return err
}
