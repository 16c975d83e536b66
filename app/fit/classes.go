package fit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/event"
)

const (
	maxClasses = 1024    // of a network
	lookRows   = 100_000 // of the files, in which classes are looked for
)

// SetClasses makes the label one of names, which are numbered in their order, instead of yes or no.
func (f *Files) SetClasses(names []string) error {
	if len(names) < 2 || len(names) > maxClasses {
		return fmt.Errorf("there are %d classes (%s), want 2 to %d", len(names), few(names), maxClasses)
	}
	index := make(map[string]int, len(names))
	for i, name := range names {
		if name == "" {
			return fmt.Errorf("class %d of %s is empty, want the value of a label", i+1, few(names))
		}
		if _, twice := index[name]; twice {
			return fmt.Errorf("class %q is named twice", name)
		}
		index[name] = i
	}
	f.classes, f.index = slices.Clone(names), index
	return nil
}

// ClassName is how a class with the value text is named: a number has one name, however it is
// written.
func ClassName(text string) string {
	v := table.Cell(text)
	return v.Text()
}

// class is the number of the class that v names.
func (f *Files) class(v event.Value) (float64, error) {
	text := v.Text()
	if text == "" {
		return 0, errors.New("the label" + f.column() + " is empty, want its class")
	}
	i, ok := f.index[text]
	if !ok {
		i, ok = f.index[ClassName(text)]
	}
	if !ok {
		return 0, fmt.Errorf("the label%s is %.60q, want one of the classes %s: name them all with --classes when the model is made, or pass over others with --on-error skip", f.column(), text, few(f.classes))
	}
	return float64(i), nil
}

// column names the label's column in an error.
func (f *Files) column() string {
	if f.Label == "" {
		return ""
	}
	return fmt.Sprintf(" %q", f.Label)
}

// few lists the first of names.
func few(names []string) string {
	if len(names) > 10 {
		return strings.Join(names[:10], ", ") + ", ..."
	}
	return strings.Join(names, ", ")
}

// FindClasses looks for the label's values in the first rows of files, and returns them in order,
// numbers first.
func (f *Files) FindClasses(ctx context.Context, paths []string) ([]string, error) {
	found := map[string]bool{}
	rows := 0
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case path == "-" || err == nil && !info.Mode().IsRegular():
			return nil, fmt.Errorf("%s can be read only once: name the label's values, such as --classes a,b,c", path)
		case err != nil:
			return nil, fmt.Errorf("cannot read examples: %w", err)
		}
		if err := f.look(ctx, path, found, &rows); err != nil {
			return nil, err
		}
		if rows >= lookRows {
			break
		}
	}
	names := slices.SortedFunc(maps.Keys(found), byNumber)
	if len(names) < 2 {
		return nil, fmt.Errorf("the label%s has only the values %q in the first %d rows, want 2 to %d: name them all with --classes", f.column(), names, rows, maxClasses)
	}
	return names, nil
}

// look adds the classes of a file to found.
func (f *Files) look(ctx context.Context, path string, found map[string]bool, rows *int) error {
	options := f.options()
	options.Columns, options.Counter = nil, nil // they are of the pass that learns
	src, err := table.Open(path, options)
	if err != nil {
		return err
	}
	for rec, err := range src.Rows() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if *rows >= lookRows {
			return nil
		}
		*rows++
		v, err := f.labelOf(rec, src.Format())
		if err == nil && v.Text() == "" {
			err = errors.New("the label" + f.column() + " is empty, want its class")
		}
		if err == nil {
			found[ClassName(v.Text())] = true
		} else if !f.SkipBad {
			return fmt.Errorf("%s: %w", rec.Place(), err)
		}
		if len(found) > maxClasses {
			return fmt.Errorf("%s: the label%s has more than %d values up to here: is it a class? name those to learn with --classes, and pass over others with --on-error skip", rec.Place(), f.column(), maxClasses)
		}
	}
	return nil
}

// labelOf is a record's label.
func (f *Files) labelOf(rec *table.Row, format string) (event.Value, error) {
	if format == "vw" {
		if !rec.HasY {
			return event.Value{}, errNoLabel
		}
		return event.Value{Kind: event.Number, Num: rec.Label}, nil
	}
	if f.Label == "" {
		return topicClass(rec.Fields)
	}
	v, ok := rec.Fields.Lookup(f.Label)
	if !ok {
		return v, fmt.Errorf("there is no column %q for the label, only %s", f.Label, names(rec.Fields))
	}
	return v, nil
}

// topicClass is the class of an example of a topic, or else its y.
func topicClass(fields event.Fields) (event.Value, error) {
	if class, ok := fields.Lookup("class"); ok {
		return class, nil
	}
	return topicLabel(fields)
}

// topicLabel is the y of an example of a topic.
func topicLabel(fields event.Fields) (event.Value, error) {
	y, ok := fields.Lookup("y")
	if !ok {
		return y, fmt.Errorf("name the label's column with --label; there are %s", names(fields))
	}
	return y, nil
}

// byNumber orders names of numbers by their numbers, before all others.
func byNumber(a, b string) int {
	x, y := table.Cell(a), table.Cell(b)
	if x.Kind != y.Kind {
		return cmp.Compare(kindOrder(x), kindOrder(y))
	}
	return cmp.Or(cmp.Compare(x.Num, y.Num), cmp.Compare(a, b))
}

func kindOrder(v event.Value) int {
	if v.Kind == event.Number {
		return 0
	}
	return 1
}
