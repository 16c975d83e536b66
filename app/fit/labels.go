package fit

import (
	"fmt"
	"strings"

	"github.com/clickloop/clickloop/app/table"
	"github.com/clickloop/clickloop/event"
)

// negatives notes which numbers a file has had so far as labels that may mean no.
type negatives struct{ zero, minus bool }

// ambiguous notes 0, or -1 if minus is true. It returns true once the file has had both.
func (n *negatives) ambiguous(minus bool) bool {
	n.zero, n.minus = n.zero || !minus, n.minus || minus
	return n.zero && n.minus
}

// label returns 1 for a label that means yes and 0 for one that means no, with classes the number
// of the class. It refuses values that may mean either, and quantities: to learn them as yes would
// spoil the network.
func (f *Files) label(v event.Value) (float64, error) {
	if len(f.classes.names) > 0 {
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

// number returns the label of a number, if no setting says which numbers mean yes.
func (f *Files) number(y float64) (float64, error) {
	switch {
	case y == 1:
		return 1, nil
	case y != 0 && y != -1:
		return 0, fmt.Errorf("the label%s is %v, want 0 or 1, or -1 or 1: say which numbers mean yes, such as --positive '>0' or --positive 2, or learn each as a class with --output softmax; numbers as targets are not supported", f.column(), y)
	case f.negatives.ambiguous(y == -1):
		return 0, fmt.Errorf("the label%s is %v, and rows above have 0 as well as -1 or 1: say with --positive which mean yes, or learn each as a class with --output softmax", f.column(), y)
	}
	return 0, nil
}
