package fit

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
)

// Files says how files without a recording.yaml are read. One goroutine reads at a time.
type Files struct {
	Format string
	Label  string // column; empty: the examples are of a topic and have y, or of vw
	// values of the label that mean yes; without any, numbers above 0 and words such as yes and
	// true do
	Positive []string
	Drop     []string
	Left     []string       // columns that were left out when the network was made
	Encoding string         // of the text; empty: UTF-8
	Columns  *table.Columns // how columns are read; nil: as their first rows suggest
	SkipBad  bool
	Holdout  int // every Holdout-th example is predicted and not learned; 0 for none

	classes   classList
	rows      int          // of a block; 0: blockRows
	bytes     atomic.Int64 // read so far, of all files
	met       []bool       // the names in Drop that a file had, by index
	negatives negatives    // of the file that is read
	leaks     leaks        // of the input columns
}

// dropped reports whether a column is left out, and notes that a file has it.
func (f *Files) dropped(name string) bool {
	i := slices.Index(f.Drop, name)
	if i < 0 {
		return slices.Contains(f.Left, name)
	}
	if len(f.met) < len(f.Drop) {
		f.met = make([]bool, len(f.Drop))
	}
	f.met[i] = true
	return true
}

// Unmet returns the names in Drop that no column had so far. A misspelt name leaves its column in.
func (f *Files) Unmet() (names []string) {
	for i, name := range f.Drop {
		if i >= len(f.met) || !f.met[i] {
			names = append(names, name)
		}
	}
	return names
}

// Bytes returns the number of bytes that were read so far, before decompression.
func (f *Files) Bytes() int64 { return f.bytes.Load() }

// options returns how a file is opened.
func (f *Files) options() table.Options {
	o := table.Options{Format: f.Format, SkipBad: f.SkipBad, Encoding: f.Encoding, Counter: &f.bytes}
	if f.Label != "" { // the features of a topic have their readings already
		if f.Columns == nil {
			f.Columns = table.NewColumns()
		}
		f.Columns.Raw(f.Label)
		f.Columns.Raw(f.Drop...)
		f.Columns.Raw(f.Left...)
		o.Columns = f.Columns
	}
	return o
}

// file reads one file into blocks.
func (r *reader) file(path string) error {
	f := r.files
	f.negatives, r.row = negatives{}, 0
	src, err := table.Open(path, f.options())
	if err != nil {
		return err
	}
	if src.Format() == "vw" {
		return r.vw(src, path)
	}
	defer func() { r.skipped += src.Skipped() }()
	if src.Format() == "csv" && f.Label != "" {
		return r.csv(src, path)
	}
	var e example
	for row, err := range src.Rows() {
		if err != nil {
			return err
		}
		b, err := r.room(path)
		if err != nil {
			return err
		}
		r.row++
		e.x = b.slab
		switch err := f.example(&e, row); {
		case err == nil:
			b.slab = e.x
			b.end(e.y, e.w, row.Line, r.row)
		case f.SkipBad:
			r.skipped++
		default:
			return fmt.Errorf("%s: %w", row.Place(), err)
		}
	}
	return nil
}

// example makes e of a row. It appends the features to e.x.
func (f *Files) example(e *example, row *table.Row) error {
	e.w = row.Weight
	fields := row.Fields
	if f.Label == "" {
		return f.topicExample(e, fields)
	}
	kept := fields[:0]
	found := false
	for _, x := range fields {
		switch {
		case x.Name == f.Label:
			y, err := f.label(x.Value)
			if err != nil {
				return err
			}
			e.y, found = y, true
		case !f.dropped(x.Name):
			kept = append(kept, x)
		}
	}
	if !found {
		return f.noLabel(kept)
	}
	if e.x = features.Encode(e.x, kept); len(f.classes.names) == 0 {
		f.leaks.fields(kept, e.y)
	}
	return nil
}

// Suspects returns the columns that are probably known only after the outcome, by the first rows.
func (f *Files) Suspects() []Suspect { return f.leaks.suspects() }

// topicExample makes e of an example of the examples topic: y, w and features.
func (f *Files) topicExample(e *example, fields event.Fields) error {
	var err error
	if e.y, err = f.topicLabel(fields); err != nil {
		return err
	}
	if w, ok := fields.Lookup("w"); ok {
		if e.w = w.Num; w.Kind != event.Number {
			return fmt.Errorf("w is %.60q, want a number: it is the example's weight", w.Text())
		} else if math.Abs(e.w) > event.MaxWeight {
			return fmt.Errorf("w is %v, want a weight of at most %v", e.w, event.MaxWeight)
		}
	}
	if !topicLike(fields) { // other data with a y: silently, nothing would be learned
		return fmt.Errorf("there are no features: name the label's column with --label; there are %s", names(fields))
	}
	e.x = features.Encode(e.x, f.topicInputs(fields))
	return nil
}

const featurePrefix = "features."

// topicLike reports whether fields are an example of a topic. Such an example may have no features.
func topicLike(fields event.Fields) bool {
	return slices.ContainsFunc(fields, func(x event.Field) bool {
		return x.Name == "prediction" || strings.HasPrefix(x.Name, featurePrefix)
	})
}

// topicInputs returns the features of an example of a topic.
func (f *Files) topicInputs(fields event.Fields) (inputs event.Fields) {
	for _, x := range fields {
		if name, ok := strings.CutPrefix(x.Name, featurePrefix); ok && !f.dropped(name) {
			inputs = append(inputs, event.Field{Name: name, Value: x.Value})
		}
	}
	return inputs
}

// topicLabel returns the label of an example of a topic, with classes the number of its class.
func (f *Files) topicLabel(fields event.Fields) (float64, error) {
	if len(f.classes.names) > 0 {
		class, err := topicValue(fields, "class", "y")
		if err != nil {
			return 0, err
		}
		return f.class(class)
	}
	y, err := topicValue(fields, "y")
	switch {
	case err != nil:
	case y.Kind != event.Number:
		err = fmt.Errorf("y is %.60q, want 0 or 1, or name the label's column with --label; there are %s", y.Text(), names(fields))
	case y.Num != 0 && y.Num != 1:
		err = fmt.Errorf("y is %v, want 0 or 1: labels between them and other numbers are not supported", y.Num)
	}
	return y.Num, err
}

// names lists the fields' names for an error.
func names(fields event.Fields) string {
	all := make([]string, len(fields))
	for i := range fields {
		all[i] = fields[i].Name
	}
	return enumerate(all, 30)
}

// enumerate lists the first names.
func enumerate(names []string, most int) string {
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", ..."
	}
	return strings.Join(names, ", ")
}

// noLabel is the error of a row without the label's column.
func (f *Files) noLabel(columns event.Fields) error {
	return fmt.Errorf("there is no column %q for the label, only %s", f.Label, names(columns))
}
