package fit

import (
	"fmt"

	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

// column is what becomes of a column's cells.
type column struct {
	role  role
	hash  uint64 // of its name
	memos []memo
	as    *table.Column
	leak  int // its number among those that are watched
}

// memo is a cell of an earlier row, and what it became. The cells of a column are often few, and in
// what comes in order of time one stays for long.
type memo struct {
	text []byte
	was  model.Feature
	good bool
}

const (
	memoCells   = 16
	memoBytes   = 256  // no longer cell is remembered
	memoColumns = 1000 // with more, a column remembers one cell
)

// memo is where a cell is remembered, if it is.
func (c *column) memo(cell string) *memo {
	n := len(cell)
	if n == 0 {
		return &c.memos[0]
	}
	return &c.memos[(n+3*int(cell[0])+5*int(cell[n-1])+7*int(cell[n/2]))&(len(c.memos)-1)]
}

type role int

const (
	input role = iota
	label
	dropped
)

// csv reads a CSV file with a named label straight from cells to features. Records through
// Files.example would give the same, and take three times as long.
func (r *reader) csv(src *table.Source, path string) error {
	f := r.files
	var columns []column
	var missing error
	rows, current := 0, 0
	place := func() string { return fmt.Sprintf("%s:%d", path, current) }
	var parts event.Fields
	header := func(names []string) error {
		found := false
		var inputs []string
		for _, name := range names {
			c := column{hash: model.FieldHash(name)}
			switch {
			case name == f.Label:
				c.role, found = label, true
			case f.dropped(name):
				c.role = dropped
			default:
				inputs = append(inputs, name)
				c.as = f.Columns.Column(name)
				c.leak = f.leaks.column(name)
				cells := memoCells
				if len(names) > memoColumns {
					cells = 1
				}
				c.memos = make([]memo, cells)
			}
			columns = append(columns, c)
		}
		if !found {
			missing = noLabel(f.Label, inputs)
		}
		return nil
	}
	err := src.Cells(header, func(line int, cells []string) error {
		rows++
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
			return fmt.Errorf("%s:%d: %w", path, line, err)
		}
		if len(f.classes) == 0 && !f.leaks.full() {
			f.leaks.cells(columns, b.slab[from:], y)
		}
		b.end(y, 1, line, r.row)
		return nil
	})
	if err == nil && missing != nil && rows == 0 && !f.SkipBad {
		return fmt.Errorf("%s:1: %w", path, missing)
	}
	return err
}

// cells appends a row's features to b, and returns its label. parts is room for those of a cell.
func (f *Files) cells(b *block, columns []column, cells []string, parts *event.Fields, place func() string) (y float64, err error) {
	for i, cell := range cells {
		switch c := &columns[i]; c.role {
		case label:
			if y, err = f.label(table.CellOf(cell)); err != nil {
				return 0, err
			}
		case input:
			if c.as.Expands() {
				*parts = c.as.Append((*parts)[:0], cell, place)
				b.slab = features.Encode(b.slab, *parts)
				continue
			}
			m := c.memo(cell)
			if m.good && string(m.text) == cell {
				b.slab = append(b.slab, m.was)
				continue
			}
			v := c.as.Value(cell, place)
			b.slab = features.EncodeValue(b.slab, c.hash, &v)
			if len(cell) <= memoBytes {
				m.text, m.was, m.good = append(m.text[:0], cell...), b.slab[len(b.slab)-1], true
			}
		}
	}
	return y, nil
}

// cells counts a row of CSV; of the features of a column it takes the first.
func (l *leaks) cells(columns []column, x []model.Feature, y float64) {
	for i := range columns {
		c := &columns[i]
		if c.role != input {
			continue
		}
		l.cell(c.leak, x[0], y)
		x = x[1:]
		if c.as.Expands() { // its parts follow, up to the next column
			for len(x) > 0 && (i+1 == len(columns) || !startsNext(columns[i+1:], x[0].Field)) {
				x = x[1:]
			}
		}
	}
	l.row(y)
}

// startsNext says whether a field is that of the first input of columns.
func startsNext(columns []column, field uint64) bool {
	for i := range columns {
		if columns[i].role == input {
			return columns[i].hash == field
		}
	}
	return false
}

func noLabel(label string, columns []string) error {
	fields := make(event.Fields, len(columns))
	for i, name := range columns {
		fields[i].Name = name
	}
	return fmt.Errorf("there is no column %q for the label, only %s", label, names(fields))
}
