package table

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// Reading is how the cells of a column become fields.
type Reading string

// Readings.
const (
	// a number or else a token, cell by cell; codes such as 01234 are tokens
	Plain   Reading = ""
	Numbers Reading = "number" // a number even if it looks like a code, or else a token
	Tokens  Reading = "token"  // the cell as it is written
	Texts   Reading = "text"   // a token, and a field of its words
	Dates   Reading = "date"   // as Plain, and fields of its calendar parts
)

// Columns holds how the columns of a run's files are read: as a setting says, else as the first
// rows suggest. A reading that was decided in one file holds for the files after it. Columns
// belongs to one goroutine.
type Columns struct {
	raw    map[string]bool // labels, times and whatever else is not an input
	list   []*Column       // in the order in which they were met
	byName map[string]*Column
}

// Column is an input column.
type Column struct {
	Name    string
	Reading Reading
	Form    string // of dates
	Given   bool   // a setting says the reading
	Why     string // the reason for a reading that was decided from the rows
	Met     bool   // a file had the column

	numbers   bool              // the sample had numbers
	partNames map[string]string // the full names of its parts, by their suffixes
	form      *dateForm         // the one named by Form
	oddCell   string            // a notice of the first cell that differs from the sample
}

// NewColumns returns Columns without any reading.
func NewColumns() *Columns {
	return &Columns{raw: map[string]bool{}, byName: map[string]*Column{}}
}

// Raw excludes columns from the inputs: labels, times and whatever else is read as written.
func (c *Columns) Raw(names ...string) {
	for _, name := range names {
		c.raw[name] = true
	}
}

// Set sets the reading of columns.
func (c *Columns) Set(r Reading, names ...string) error {
	for _, name := range names {
		was := c.byName[name]
		switch {
		case was != nil && was.Reading != r:
			return fmt.Errorf("column %q is to be read as %s and as %s: choose one", name, was.Reading, r)
		case c.raw[name]:
			return fmt.Errorf("column %q is to be read as %s, and it is no input: it is the label, is dropped, or is named by the recording", name, r)
		case was == nil:
			c.add(&Column{Name: name, Reading: r, Given: true})
		}
	}
	return nil
}

// Restore sets the reading that a column had in an earlier run.
func (c *Columns) Restore(name string, r Reading, form string) error {
	switch {
	case !slices.Contains([]Reading{Plain, Numbers, Tokens, Texts, Dates}, r):
		return fmt.Errorf("column %q is read as %q, which this version does not know", name, r)
	case form != "" && formOf(form) == nil:
		return fmt.Errorf("column %q has dates of the form %q, which this version does not know", name, form)
	}
	was := c.byName[name]
	switch {
	case was == nil && !c.raw[name]:
		c.add(&Column{Name: name, Reading: r, Form: form, form: formOf(form)})
	case was == nil:
	case was.Reading != r:
		return fmt.Errorf("column %q is to be read as %s, and the model was made with it read as %s: leave that out", name, was.Reading, cmp.Or(r, "numbers and tokens"))
	default:
		was.Form, was.form = form, formOf(form)
	}
	return nil
}

func (c *Columns) add(x *Column) {
	c.byName[x.Name] = x
	c.list = append(c.list, x)
}

// List returns the columns in the order in which they were met.
func (c *Columns) List() []*Column { return c.list }

// Column returns the input column of that name, or nil.
func (c *Columns) Column(name string) *Column { return c.byName[name] }

// Expands reports whether a column adds fields of its parts.
func (x *Column) Expands() bool { return x != nil && (x.Reading == Texts || x.Reading == Dates) }

// decide chooses the readings of a file's new columns. cells returns the i-th column's cells in the
// sample. typed means that the values have types of their own, as in JSON.
func (c *Columns) decide(names []string, typed bool, cells func(i int) []string) {
	taken := make(map[string]bool, len(names))
	for _, name := range names {
		taken[name] = true
	}
	for i, name := range names {
		if c.raw[name] {
			continue
		}
		x := c.byName[name]
		if x == nil {
			x = &Column{Name: name}
			c.add(x)
			x.judge(cells(i), typed)
		} else if x.Reading == Dates && x.form == nil {
			x.judgeDates(cells(i))
		}
		x.Met = true
		x.nameParts(taken)
	}
}

// nameParts names the parts. A part that has the name of another column is left out.
func (x *Column) nameParts(taken map[string]bool) {
	if x.partNames != nil || !x.Expands() {
		return
	}
	x.partNames = map[string]string{}
	for _, part := range append([]string{wordsPart}, dateParts...) {
		if !taken[x.Name+part] {
			x.partNames[part] = x.Name + part
		}
	}
}

// Append appends the fields of a cell to dst: the cell's own, and those of its parts. place names
// the cell in a notice.
func (x *Column) Append(dst event.Fields, cell string, place func() string) event.Fields {
	v := x.Value(cell, place)
	dst = append(dst, event.Field{Name: x.Name, Value: v})
	switch {
	case v.Kind == event.Null:
	case x.Reading == Texts:
		dst = appendWords(dst, x, v.Str)
	case x.Reading == Dates && x.form != nil:
		t, clock, ok := x.form.parse(strings.Trim(cell, " \t"))
		if ok {
			return appendParts(dst, x, t, clock)
		}
		x.noteOdd(cell, place)
	}
	return dst
}

// Value returns what a cell means without its parts. A text shares the cell's memory. A nil Column
// reads the cell as CellOf does.
func (x *Column) Value(cell string, place func() string) event.Value {
	switch {
	case x == nil || x.Reading == Numbers:
		return CellOf(cell)
	case x.Reading == Tokens || x.Reading == Texts:
		if text := strings.Trim(cell, " \t"); text != "" {
			return event.Value{Kind: event.String, Str: text}
		}
		return event.Value{}
	}
	v, coded := plainOf(cell)
	if coded && x.Reading == Plain {
		x.noteOdd(cell, place)
	}
	return v
}

// noteOdd notes the first cell that differs from the sample.
func (x *Column) noteOdd(cell string, place func() string) {
	if x.oddCell == "" && (x.numbers || x.Reading == Dates) {
		x.oddCell = fmt.Sprintf("%s: column %q is %.60q", place(), x.Name, cell)
	}
}

// Ages replaces the fields of days since 1970 in f by the dates' ages in days at the time now.
func (c *Columns) Ages(f event.Fields, now event.Time) {
	for i := range f {
		column, ok := strings.CutSuffix(f[i].Name, daysPart)
		if x := c.byName[column]; ok && x != nil && x.Reading == Dates && c.byName[f[i].Name] == nil && f[i].Value.Kind == event.Number {
			f[i].Name, f[i].Value.Num = x.partNames[agePart], float64(now)/millisADay-f[i].Value.Num
		}
	}
}

// Notices returns a line for every reading that was decided, and for every column with an odd cell.
func (c *Columns) Notices() (lines []string) {
	for _, x := range c.list {
		if x.Why != "" {
			lines = append(lines, fmt.Sprintf("column %q: %s", x.Name, x.Why))
		}
		switch {
		case x.oddCell == "":
		case x.Reading == Dates:
			lines = append(lines, x.oddCell+", which is no date as those before it: it and others like it are tokens alone")
		default:
			lines = append(lines, x.oddCell+", which a number would not keep as it is written: it and others like it are tokens, beside numbers: --token "+x.Name+" makes tokens of all, --number "+x.Name+" numbers")
		}
	}
	return lines
}
