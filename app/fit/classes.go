package fit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/event"
)

const (
	maxClasses  = 1024    // of a network
	sampledRows = 100_000 // from which FindClasses takes the classes
)

// classList is the classes of a softmax in the order of their numbers. Without classes the label
// means yes or no.
type classList struct {
	names []string
	index map[string]int
}

// SetClasses makes the label the name of a class instead of yes or no. Classes are numbered in the
// order of names.
func (f *Files) SetClasses(names []string) error {
	if len(names) < 2 || len(names) > maxClasses {
		return fmt.Errorf("there are %d classes (%s), want 2 to %d", len(names), enumerate(names, 10), maxClasses)
	}
	index := make(map[string]int, len(names))
	for i, name := range names {
		if name == "" {
			return fmt.Errorf("class %d of %s is empty, want the value of a label", i+1, enumerate(names, 10))
		}
		if _, twice := index[name]; twice {
			return fmt.Errorf("class %q is named twice", name)
		}
		index[name] = i
	}
	f.classes = classList{slices.Clone(names), index}
	return nil
}

// ClassName returns the name of the class of a label. A number has one name, however it is written.
func ClassName(text string) string {
	v := table.Cell(text)
	return v.Text()
}

// class returns the number of the class that v names.
func (f *Files) class(v event.Value) (float64, error) {
	text, err := f.classText(v)
	if err != nil {
		return 0, err
	}
	i, ok := f.classes.index[text]
	if !ok {
		i, ok = f.classes.index[ClassName(text)]
	}
	if !ok {
		return 0, fmt.Errorf("the label%s is %.60q, want one of the classes %s: name them all with --classes when the model is made, or pass over others with --on-error skip", f.column(), text, enumerate(f.classes.names, 10))
	}
	return float64(i), nil
}

// classText returns the text of a label, which must not be empty.
func (f *Files) classText(v event.Value) (string, error) {
	text := v.Text()
	if text == "" {
		return "", errors.New("the label" + f.column() + " is empty, want its class")
	}
	return text, nil
}

// column names the label's column in an error.
func (f *Files) column() string {
	if f.Label == "" {
		return ""
	}
	return fmt.Sprintf(" %q", f.Label)
}

// FindClasses returns the label's values in the first rows of files, in order, numbers first.
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
		if err := f.collectClasses(ctx, path, found, &rows); err != nil {
			return nil, err
		}
		if rows >= sampledRows {
			break
		}
	}
	names := slices.SortedFunc(maps.Keys(found), byNumber)
	if len(names) < 2 {
		return nil, fmt.Errorf("the label%s has only the values %q in the first %d rows, want 2 to %d: name them all with --classes", f.column(), names, rows, maxClasses)
	}
	return names, nil
}

// collectClasses adds the classes of a file to found.
func (f *Files) collectClasses(ctx context.Context, path string, found map[string]bool, rows *int) error {
	options := f.options()
	options.Columns, options.Counter = nil, nil // they belong to the pass that learns
	src, err := table.Open(path, options)
	if err != nil {
		return err
	}
	for row, err := range src.Rows() {
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
		if *rows >= sampledRows {
			return nil
		}
		*rows++
		text := ""
		v, err := f.labelOf(row, src.Format())
		if err == nil {
			text, err = f.classText(v)
		}
		if err == nil {
			found[ClassName(text)] = true
		} else if !f.SkipBad {
			return fmt.Errorf("%s: %w", row.Place(), err)
		}
		if len(found) > maxClasses {
			return fmt.Errorf("%s: the label%s has more than %d values up to here: is it a class? name those to learn with --classes, and pass over others with --on-error skip", row.Place(), f.column(), maxClasses)
		}
	}
	return nil
}

// labelOf returns a row's label as it is written.
func (f *Files) labelOf(row *table.Row, format string) (event.Value, error) {
	switch {
	case format == "vw" && !row.HasY:
		return event.Value{}, errNoLabel
	case format == "vw":
		return event.Value{Kind: event.Number, Num: row.Label}, nil
	case f.Label == "":
		return topicValue(row.Fields, "class", "y")
	}
	v, ok := row.Fields.Lookup(f.Label)
	if !ok {
		return v, f.noLabel(row.Fields)
	}
	return v, nil
}

// topicValue returns the first of the named fields that an example of a topic has.
func topicValue(fields event.Fields, labels ...string) (event.Value, error) {
	for _, label := range labels {
		if v, ok := fields.Lookup(label); ok {
			return v, nil
		}
	}
	return event.Value{}, fmt.Errorf("name the label's column with --label; there are %s", names(fields))
}

// byNumber orders names that are numbers by their value, before all others.
func byNumber(a, b string) int {
	x, y := table.Cell(a), table.Cell(b)
	switch {
	case x.Kind == y.Kind:
		return cmp.Or(cmp.Compare(x.Num, y.Num), cmp.Compare(a, b))
	case x.Kind == event.Number:
		return -1
	}
	return 1
}
