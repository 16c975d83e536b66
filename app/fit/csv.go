package fit

import (
	"fmt"

	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

// column is a column of a CSV file.
type column struct {
	role  role
	hash  uint64 // of its name
	memos []memo
	as    *table.Column // how an input is read
	leak  int           // its index in leaks
	first int           // where its features of the present row begin in the block's slab
}

type role int

const (
	input role = iota
	label
	dropped
)

// memo is a cell of an earlier row and its feature. A column often has few distinct cells, and in
// data ordered by time a cell stays the same for long.
type memo struct {
	text  []byte
	x     model.Feature
	valid bool
}

const (
	memoCells   = 16
	memoBytes   = 256  // length of the longest cell that is remembered
	memoColumns = 1000 // a file with more columns remembers one cell of each
)

// memo returns the place of a cell among those that are remembered.
func (c *column) memo(cell string) *memo {
	n := len(cell)
	if n == 0 {
		return &c.memos[0]
	}
	return &c.memos[(n+3*int(cell[0])+5*int(cell[n-1])+7*int(cell[n/2]))&(len(c.memos)-1)]
}

// csvColumns returns the columns of a header. missing is the error of every row if none of them is
// the label.
func (f *Files) csvColumns(names []string) (columns []column, missing error) {
	var inputs event.Fields
	missing = f.noLabel(nil)
	for _, name := range names {
		c := column{hash: model.FieldHash(name)}
		switch {
		case name == f.Label:
			c.role, missing = label, nil
		case f.dropped(name):
			c.role = dropped
		default:
			inputs = append(inputs, event.Field{Name: name})
			c.as, c.leak = f.Columns.Column(name), f.leaks.column(name)
			c.memos = make([]memo, memoCells)
			if len(names) > memoColumns {
				c.memos = c.memos[:1]
			}
		}
		columns = append(columns, c)
	}
	if missing != nil {
		missing = f.noLabel(inputs)
	}
	return columns, missing
}

// csv reads a CSV file with a named label, straight from cells to features. Files.example would
// give the same features in three times the time.
func (r *reader) csv(src *table.Source, path string) error {
	f := r.files
	var columns []column
	var missing error
	var parts event.Fields
	current := 0
	place := func() string { return fmt.Sprintf("%s:%d", path, current) }
	header := func(names []string) error {
		columns, missing = f.csvColumns(names)
		return nil
	}
	err := src.Cells(header, func(line int, cells []string) error {
		current = line
		r.row++
		b, err := r.room(path)
		if err != nil {
			return err
		}
		from, y := len(b.slab), 0.0
		if err = missing; err == nil {
			y, err = f.cells(b, columns, cells, &parts, place)
		}
		if err != nil {
			b.slab = b.slab[:from]
			if f.SkipBad {
				r.skipped++
				return nil
			}
			return fmt.Errorf("%s: %w", place(), err)
		}
		if len(f.classes.names) == 0 && !f.leaks.full() {
			f.leaks.cells(columns, b.slab, y)
		}
		b.end(y, 1, line, r.row)
		return nil
	})
	if err == nil && missing != nil && r.row == 0 && !f.SkipBad {
		return fmt.Errorf("%s:1: %w", path, missing)
	}
	return err
}

// cells appends the features of a row to b and returns the row's label. parts is memory for the
// fields of one cell.
func (f *Files) cells(b *block, columns []column, cells []string, parts *event.Fields, place func() string) (y float64, err error) {
	for i, cell := range cells {
		switch c := &columns[i]; c.role {
		case label:
			if y, err = f.label(table.CellOf(cell)); err != nil {
				return 0, err
			}
		case input:
			c.first = len(b.slab)
			if c.as.Expands() {
				*parts = c.as.Append((*parts)[:0], cell, place)
				b.slab = features.Encode(b.slab, *parts)
				continue
			}
			m := c.memo(cell)
			if m.valid && string(m.text) == cell {
				b.slab = append(b.slab, m.x)
				continue
			}
			v := c.as.Value(cell, place)
			b.slab = features.EncodeValue(b.slab, c.hash, &v)
			if len(cell) <= memoBytes {
				*m = memo{append(m.text[:0], cell...), b.slab[len(b.slab)-1], true}
			}
		}
	}
	return y, nil
}
