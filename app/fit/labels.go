package fit

import (
	"fmt"
	"strings"

	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/event"
)

// labels are the numbers that mean no, as far as a file was read.
type labels struct{ zero, minus bool }

// ambiguous notes a number that means no, and says whether the file has both of those that may.
func (l *labels) ambiguous(minus bool) bool {
	l.zero, l.minus = l.zero || !minus, l.minus || minus
	return l.zero && l.minus
}

// label is 1 for a label that means yes and 0 for one that means no; with classes it is a class's
// number. What may mean either, or a quantity, is refused: learned as yes it would spoil the
// network.
func (f *Files) label(v event.Value) (float64, error) {
	if len(f.classes) > 0 {
		return f.class(v)
	}
	switch {
	case v.Kind == event.Null:
		return 0, fmt.Errorf("the label%s is empty", f.column())
	case len(f.Positive) > 0:
		if table.Means(f.Positive, v) {
			return 1, nil
		}
		return 0, nil
	case v.Kind == event.Number:
		return f.number(v.Num)
	}
	switch text := v.Text(); strings.ToLower(text) {
	case "yes", "true", "y", "t":
		return 1, nil
	case "no", "false", "n", "f":
		return 0, nil
	default:
		return 0, fmt.Errorf("the label%s is %.60q: say with --positive which value means yes", f.column(), text)
	}
}

// number is the label that a number is, where nobody said which means yes.
func (f *Files) number(y float64) (float64, error) {
	switch {
	case y == 1:
		return 1, nil
	case y != 0 && y != -1:
		return 0, fmt.Errorf("the label%s is %v, want 0 or 1, or -1 or 1: say which numbers mean yes, such as --positive '>0' or --positive 2, or learn each as a class with --output softmax; numbers as targets are not supported", f.column(), y)
	case f.labels.ambiguous(y == -1):
		return 0, fmt.Errorf("the label%s is %v, and rows above have 0 as well as -1 or 1: say with --positive which mean yes, or learn each as a class with --output softmax", f.column(), y)
	}
	return 0, nil
}
