package table

import (
	"slices"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// Means reports whether a label is among the values that mean yes. Numbers are compared as numbers,
// however they are written. A value such as >0 or <=2.5 stands for all numbers for which it is
// true.
func Means(values []string, label event.Value) bool {
	if slices.Contains(values, label.Text()) {
		return true
	}
	return label.Kind == event.Number && slices.ContainsFunc(values, func(value string) bool {
		sign := value[:len(value)-len(strings.TrimLeft(value, "<>="))]
		n, ok := Number(strings.TrimSpace(value[len(sign):]))
		switch {
		case !ok:
			return false
		case sign == ">":
			return label.Num > n
		case sign == ">=":
			return label.Num >= n
		case sign == "<":
			return label.Num < n
		case sign == "<=":
			return label.Num <= n
		}
		return sign == "" && label.Num == n
	})
}
