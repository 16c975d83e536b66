// Package table reads text files of examples: CSV with any separator, JSON lines, and Vowpal Wabbit's text format, gzip or not. Errors name file, line, and
// what was expected.
package table

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
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

	Counter *atomic.Int64 // counts the bytes read from disk, for progress; nil for none
}

// Source is an opened file.
type Source struct {
	name    string
	options Options
	format  string
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

// bufferBytes are read at once. Memory that is touched for the first time costs more than a call to the system does.
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
	if head, _ := s.r.Peek(2); string(head) == "\xff\xfe" || string(head) == "\xfe\xff" {
		return nil, errors.Join(fmt.Errorf("%s is UTF-16, want UTF-8: iconv -f utf-16 -t utf-8 makes it so", path), s.Close())
	}
	if head, _ := s.r.Peek(len(byteOrderMark)); string(head) == byteOrderMark {
		_, _ = s.r.Discard(len(byteOrderMark))
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

// byteOrderMark is what some programs write in front of UTF-8.
const byteOrderMark = "\ufeff"

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

// Records yields the lines, each with Fields of its own, and closes the file at their end. An error ends them.
func (s *Source) Records() iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		defer s.Close()
		if s.format == "csv" {
			s.csv(yield)
			return
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
			if err := parse(rec, string(text)); err != nil {
				if s.options.SkipBad {
					s.skipped++
					continue
				}
				yield(nil, fmt.Errorf("%s:%d: %w", s.name, line, err))
				return
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

// Cell is what a cell of a CSV file says, without the spaces around it: a finite number, nothing when it is empty, else a text.
func Cell(s string) event.Value {
	v := CellOf(s)
	v.Str = strings.Clone(v.Str)
	return v
}

// CellOf is Cell; a text is s itself, or part of the same memory.
func CellOf(s string) event.Value {
	if s == "" {
		return event.Value{}
	}
	if f, ok := Number(s); ok {
		return event.Value{Kind: event.Number, Num: f}
	}
	if space(s[0]) || space(s[len(s)-1]) { // as "1, 2" leaves them
		return CellOf(strings.Trim(s, " \t"))
	}
	return event.Value{Kind: event.String, Str: strings.ToValidUTF8(s, "\ufffd")}
}

func space(c byte) bool { return c == ' ' || c == '\t' }

// Number reads a finite decimal number; words such as nan and inf, and hexadecimal ones, are none.
func Number(s string) (float64, bool) {
	if s == "" {
		return 0, false
	}
	if f, ok := short(s); ok {
		return f, true
	}
	if c := s[0]; (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' {
		return 0, false
	}
	for i := range len(s) {
		if c := s[i] | 0x20; c == 'x' || c == 'n' || c == 'p' || s[i] == '_' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && !math.IsInf(f, 0)
}

// short reads what most numbers are: at most fifteen digits, a point among them or not. Their whole and its power of ten are exact in floating point, so one
// division gives what strconv does (Clinger, How to Read Floating Point Numbers Accurately, 1990), in a third of the time.
func short(s string) (float64, bool) {
	digits, at := s, 0
	if s[0] == '-' {
		digits = s[1:]
	}
	if len(digits) > 16 {
		return 0, false
	}
	n, point := uint64(0), -1
	for ; at < len(digits); at++ {
		switch c := digits[at]; {
		case c-'0' <= 9:
			n = 10*n + uint64(c-'0')
		case c == '.' && point < 0:
			point = at
		default:
			return 0, false
		}
	}
	f := float64(n)
	switch {
	case point >= 0:
		if at == 1 {
			return 0, false // a point alone
		}
		f /= tens[at-1-point]
	case at == 0 || at > 15:
		return 0, false
	}
	if s[0] == '-' {
		f = -f
	}
	return f, true
}

var tens = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

func parseJSON(rec *Record, line string) error {
	err := rec.Fields.UnmarshalJSON([]byte(line))
	if err != nil && !strings.HasSuffix(strings.TrimSpace(line), "}") { // an array, or an object over several lines
		return fmt.Errorf("%w: want one whole object a line", err)
	}
	return err
}
