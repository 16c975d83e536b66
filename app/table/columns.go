package table

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// Reading is how the cells of a column are read.
type Reading string

// Readings.
const (
	// a number, or else a token, cell by cell; codes such as 01234 are tokens
	Plain   Reading = ""
	Numbers Reading = "number" // a number whatever it looks like, or else a token
	Tokens  Reading = "token"  // the cell as it is written
	Texts   Reading = "text"   // a token, and its words beside it
	Dates   Reading = "date"   // as Plain, and its calendar parts beside it
)

// Columns says how the columns of a run's files are read: as somebody said, else as their first
// rows look. A column that was met in one file is read alike in the next. It belongs to one
// goroutine.
type Columns struct {
	raw  map[string]bool
	list []*Column
	by   map[string]*Column
}

// Column is a column of a Columns.
type Column struct {
	Name    string
	Reading Reading
	Form    string // of dates
	Given   bool   // somebody said how it is read
	Why     string // it is read so, where that was found out
	Met     bool   // a file had it

	numbers bool              // the first rows had numbers
	parts   map[string]string // names of its parts, by what stands behind the column's own
	form    *dateForm
	odd     string // the first cell that is otherwise than the rows before it
}

// NewColumns returns a Columns of which nothing is known.
func NewColumns() *Columns {
	return &Columns{raw: map[string]bool{}, by: map[string]*Column{}}
}

// Raw makes columns stay as Cell reads them: labels, times and whatever is no input.
func (c *Columns) Raw(names ...string) {
	for _, name := range names {
		c.raw[name] = true
	}
}

// Set says how columns are read.
func (c *Columns) Set(r Reading, names ...string) error {
	for _, name := range names {
		was := c.by[name]
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

// Restore makes a column be read as it was in an earlier run, in which it was found out or said.
func (c *Columns) Restore(name string, r Reading, form string) error {
	switch {
	case !slices.Contains([]Reading{Plain, Numbers, Tokens, Texts, Dates}, r):
		return fmt.Errorf("column %q is read as %q, which this version does not know", name, r)
	case form != "" && formOf(form) == nil:
		return fmt.Errorf("column %q has dates of the form %q, which this version does not know", name, form)
	}
	if was := c.by[name]; was != nil {
		if was.Reading != r {
			return fmt.Errorf("column %q is to be read as %s, and the model was made with it read as %s: leave that out", name, was.Reading, cmpText(r))
		}
		was.Form, was.form = form, formOf(form)
		return nil
	}
	if !c.raw[name] {
		c.add(&Column{Name: name, Reading: r, Form: form, form: formOf(form)})
	}
	return nil
}

func cmpText(r Reading) string {
	if r == Plain {
		return "numbers and tokens"
	}
	return string(r)
}

func (c *Columns) add(x *Column) {
	c.by[x.Name] = x
	c.list = append(c.list, x)
}

// List are the columns that are known, in the order in which they were met.
func (c *Columns) List() []*Column { return c.list }

// Column is how the column of that name is read; nil: it is none of the inputs.
func (c *Columns) Column(name string) *Column { return c.by[name] }

// Expands says whether a column has parts beside it.
func (x *Column) Expands() bool { return x != nil && (x.Reading == Texts || x.Reading == Dates) }

// decide says how the columns of a file are read that were not met before, from the cells of its
// first rows.
func (c *Columns) decide(names []string, typed bool, cells func(i int) []string) {
	taken := make(map[string]bool, len(names))
	for _, name := range names {
		taken[name] = true
	}
	for i, name := range names {
		if c.raw[name] {
			continue
		}
		x := c.by[name]
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

// nameParts gives the parts their names; a part whose name another column has is left out.
func (x *Column) nameParts(taken map[string]bool) {
	if x.parts != nil || !x.Expands() {
		return
	}
	x.parts = map[string]string{}
	for _, part := range append([]string{wordsPart}, dateParts...) {
		if !taken[x.Name+part] {
			x.parts[part] = x.Name + part
		}
	}
}

// Append appends what a cell says to dst: the cell itself, and its parts. place names it for a
// notice.
func (x *Column) Append(dst event.Fields, cell string, place func() string) event.Fields {
	switch x.Reading {
	case Numbers:
		return append(dst, event.Field{Name: x.Name, Value: CellOf(cell)})
	case Tokens, Texts:
		text := strings.Trim(cell, " \t")
		if text == "" {
			return append(dst, event.Field{Name: x.Name})
		}
		dst = append(dst, event.Field{Name: x.Name, Value: event.Value{Kind: event.String, Str: text}})
		if x.Reading == Texts {
			dst = appendWords(dst, x, text)
		}
		return dst
	case Dates:
		v, _ := plainOf(cell)
		dst = append(dst, event.Field{Name: x.Name, Value: v})
		if x.form == nil || v.Kind == event.Null {
			return dst
		}
		t, clock, ok := x.form.parse(strings.Trim(cell, " \t"))
		if !ok {
			x.strange(cell, place)
			return dst
		}
		return appendParts(dst, x, t, clock)
	}
	v, coded := plainOf(cell)
	if coded {
		x.strange(cell, place)
	}
	return append(dst, event.Field{Name: x.Name, Value: v})
}

// Value is Append for a column without parts.
func (x *Column) Value(cell string, place func() string) event.Value {
	if x.Reading == Plain {
		v, coded := plainOf(cell)
		if coded {
			x.strange(cell, place)
		}
		return v
	}
	var one [1]event.Field
	return x.Append(one[:0], cell, place)[0].Value
}

// strange keeps the first cell that is otherwise than the rows before it.
func (x *Column) strange(cell string, place func() string) {
	if x.odd == "" && (x.numbers || x.Reading == Dates) {
		x.odd = fmt.Sprintf("%s: column %q is %.60q", place(), x.Name, cell)
	}
}

// Ages turns the days of dates among f into their age at the time now.
func (c *Columns) Ages(f event.Fields, now event.Time) {
	for i := range f {
		column, ok := strings.CutSuffix(f[i].Name, daysPart)
		if x := c.by[column]; ok && x != nil && x.Reading == Dates && c.by[f[i].Name] == nil && f[i].Value.Kind == event.Number {
			f[i].Name, f[i].Value.Num = x.parts[agePart], float64(now)/millisADay-f[i].Value.Num
		}
	}
}

// Notices say what was found out about columns, and what was strange, a line each.
func (c *Columns) Notices() (lines []string) {
	for _, x := range c.list {
		if x.Why != "" {
			lines = append(lines, fmt.Sprintf("column %q: %s", x.Name, x.Why))
		}
		switch {
		case x.odd == "":
		case x.Reading == Dates:
			lines = append(lines, x.odd+", which is no date as those before it: it and others like it are tokens alone")
		default:
			lines = append(lines, x.odd+", which a number would not keep as it is written: it and others like it are tokens, beside numbers: --token "+x.Name+" makes tokens of all, --number "+x.Name+" numbers")
		}
	}
	return lines
}
