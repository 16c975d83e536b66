// Package table reads text files of examples: CSV with any separator, JSON lines, and Vowpal
// Wabbit's text format, gzip or not. Errors name file, line, and what was expected.
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
	Format    string // csv, jsonl, vw; empty: found out from the name and the first line
	Separator string // of csv; empty: found out from the header
	SkipBad   bool   // pass over lines that are malformed and count them, instead of ending
	Encoding  string // of the text, such as windows-1251; empty: UTF-8

	Columns *Columns // how columns are read; nil: every cell as Cell does

	Counter *atomic.Int64 // counts the bytes read from disk, for progress; nil for none
}

// Source is an opened file.
type Source struct {
	name    string
	options Options
	format  string
	decoded bool // from another encoding, in which damaged text has become U+FFFD
	r       *bufio.Reader
	closers []io.Closer
	skipped int64
}

// Record is one line.
type Record struct {
	File   string
	Line   int
	Fields event.Fields
	Label  float64 // of vw
	Weight float64 // importance; 1 unless vw says otherwise
	HasY   bool    // vw: a label was given
}

// Place names the line, for errors.
func (r *Record) Place() string { return r.File + ":" + strconv.Itoa(r.Line) }

// bufferBytes are read at once. Memory that is touched for the first time costs more than a call to
// the system does.
const bufferBytes = 128 << 10

// maxLine bounds a line.
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

// counted counts what is read through it.
type counted struct {
	io.Reader
	n *atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n.Add(int64(n))
	return n, err
}

// unpacked says what is wrong with packed data.
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

// guess tells the format by the name, else by the first line.
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

// Skipped is how many malformed lines were passed over.
func (s *Source) Skipped() int64 { return s.skipped }

// Reader is the plain text that is left.
func (s *Source) Reader() *bufio.Reader { return s.r }

// Close closes the file.
func (s *Source) Close() error {
	var err error
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i].Close())
	}
	s.closers = nil
	return err
}

// Records yields the lines, each with Fields of its own, and closes the file at their end. An error
// ends them.
func (s *Source) Records() iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		defer s.Close()
		if s.format == "csv" {
			s.csv(yield)
			return
		}
		if s.format == "jsonl" && s.options.Columns != nil {
			s.decideJSON()
		}
		parse := parseJSON
		if s.format == "vw" {
			parse = ParseVW
		}
		for line := 1; ; line++ {
			text, err := s.readLine()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("%s:%d: %w", s.name, line, err))
				return
			}
			if len(bytes.TrimSpace(text)) == 0 {
				continue
			}
			rec := &Record{File: s.name, Line: line, Weight: 1}
			err = s.CheckText(text)
			if err == nil {
				err = parse(rec, string(text))
			}
			if err != nil {
				if s.options.SkipBad {
					s.skipped++
					continue
				}
				yield(nil, fmt.Errorf("%s:%d: %w", s.name, line, err))
				return
			}
			if s.format == "jsonl" {
				s.expandJSON(rec)
			}
			if !yield(rec, nil) {
				return
			}
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
	return bytes.TrimRight(line, "\r\n"), err
}

func parseJSON(rec *Record, line string) error {
	err := rec.Fields.UnmarshalJSON([]byte(line))
	// an array, or an object over several lines
	if err != nil && !strings.HasSuffix(strings.TrimSpace(line), "}") {
		return fmt.Errorf("%w: want one whole object a line", err)
	}
	return err
}
