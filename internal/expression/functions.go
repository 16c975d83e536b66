package expression

import (
	"maps"
	"math"
	"slices"

	"github.com/expr-lang/expr/file"
)

// function is a function of numbers. Its result is checked to be finite where it can fail.
type function struct {
	least, most int // arguments; the last one may be repeated when most is 0
	one         func(float64) float64
	fold        func(a, b float64) float64 // of two and more
	fails       string                     // the reason when the result is not finite; "" when it always is
}

var functions = map[string]function{
	"abs":   {least: 1, most: 1, one: math.Abs},
	"ceil":  {least: 1, most: 1, one: math.Ceil},
	"exp":   {least: 1, most: 1, one: math.Exp, fails: overflowed},
	"floor": {least: 1, most: 1, one: math.Floor},
	"log":   {least: 1, most: 1, one: math.Log, fails: noLog},
	"max":   {least: 1, fold: func(a, b float64) float64 { return max(a, b) }},
	"min":   {least: 1, fold: func(a, b float64) float64 { return min(a, b) }},
	"round": {least: 1, most: 1, one: math.Round},
	"sqrt":  {least: 1, most: 1, one: math.Sqrt, fails: noRoot},
}

var functionNames = slices.Sorted(maps.Keys(functions))

// call returns the node of a call of f.
func (f function) call(where file.Location, arguments []node) node {
	column := where.From + 1
	if f.fold != nil {
		return number(column, func(r *Run) float64 {
			result := arguments[0].number(r)
			for i := range arguments[1:] {
				result = f.fold(result, arguments[i+1].number(r))
			}
			return result
		})
	}
	argument, one := arguments[0].number, f.one
	if f.fails == "" {
		return number(column, func(r *Run) float64 { return one(argument(r)) })
	}
	return number(column, func(r *Run) float64 { return r.finite(one(argument(r)), column, f.fails) })
}

// finite returns f, or fails.
func (r *Run) finite(f float64, column int, reason string) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		r.fail(column, -1, reason)
		return 0
	}
	return f
}
