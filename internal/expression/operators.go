package expression

import (
	"math"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/expr-lang/expr/ast"
)

func (c *compiler) unary(n *ast.UnaryNode) node {
	switch n.Operator {
	case "-":
		f := c.want(n.Node, numeric).number
		return number(column(n), func(r *Run) float64 { return -f(r) })
	case "+":
		return c.want(n.Node, numeric)
	case "not", "!":
		f := c.want(n.Node, boolean).truth
		return truth(column(n), func(r *Run) bool { return !f(r) })
	}
	return c.fail(n, "%s is not part of the language", n.Operator)
}

func (c *compiler) binary(n *ast.BinaryNode) node {
	switch n.Operator {
	case "+", "-", "*", "/", "%", "**", "^":
		return c.arithmetic(n)
	case "<", "<=", ">", ">=":
		return c.order(n)
	case "and", "&&", "or", "||":
		a, b := c.want(n.Left, boolean).truth, c.want(n.Right, boolean).truth
		if n.Operator == "and" || n.Operator == "&&" {
			return truth(column(n), func(r *Run) bool { return a(r) && b(r) })
		}
		return truth(column(n), func(r *Run) bool { return a(r) || b(r) })
	case "==", "!=":
		return c.equality(n)
	case "in":
		return c.membership(n)
	case "??":
		return c.fallback(n)
	}
	return c.fail(n, "%s is not part of the language", n.Operator)
}

func (c *compiler) arithmetic(n *ast.BinaryNode) node {
	a, b, at := c.want(n.Left, numeric).number, c.want(n.Right, numeric).number, column(n)
	switch n.Operator {
	case "+":
		return number(at, func(r *Run) float64 { return a(r) + b(r) })
	case "-":
		return number(at, func(r *Run) float64 { return a(r) - b(r) })
	case "*":
		return number(at, func(r *Run) float64 { return a(r) * b(r) })
	case "/":
		return number(at, func(r *Run) float64 { return a(r) / r.divisor(b(r), at) })
	case "%":
		return number(at, func(r *Run) float64 { return math.Mod(a(r), r.divisor(b(r), at)) })
	}
	return number(at, func(r *Run) float64 { return r.finite(math.Pow(a(r), b(r)), at, noPower) })
}

// divisor returns f, or fails where it is 0.
func (r *Run) divisor(f float64, column int) float64 {
	if f == 0 {
		r.fail(column, -1, byZero)
		return 1
	}
	return f
}

func (c *compiler) order(n *ast.BinaryNode) node {
	left, right, at := c.compile(n.Left), c.compile(n.Right), column(n)
	if texts(&left, &right) {
		return textOrder(n.Operator, at, left.text, right.text)
	}
	a, b := c.expect(n.Left, left, numeric).number, c.expect(n.Right, right, numeric).number
	switch n.Operator {
	case "<":
		return truth(at, func(r *Run) bool { return a(r) < b(r) })
	case "<=":
		return truth(at, func(r *Run) bool { return a(r) <= b(r) })
	case ">":
		return truth(at, func(r *Run) bool { return a(r) > b(r) })
	}
	return truth(at, func(r *Run) bool { return a(r) >= b(r) })
}

// texts says whether two operands are ordered as texts: one is a text, and the other may be.
func texts(a, b *node) bool {
	x, y := a.is(), b.is()
	return (x == textual || y == textual) && (x == textual || x == open) && (y == textual || y == open)
}

// textOrder orders texts by their bytes.
func textOrder(operator string, at int, a, b func(*Run) string) node {
	switch operator {
	case "<":
		return truth(at, func(r *Run) bool { return a(r) < b(r) })
	case "<=":
		return truth(at, func(r *Run) bool { return a(r) <= b(r) })
	case ">":
		return truth(at, func(r *Run) bool { return a(r) > b(r) })
	}
	return truth(at, func(r *Run) bool { return a(r) >= b(r) })
}

// equality compares two of a kind. A field that holds another kind than a constant differs from it.
func (c *compiler) equality(n *ast.BinaryNode) node {
	var f func(*Run) bool
	if _, isNil := n.Right.(*ast.NilNode); isNil {
		left := c.compile(n.Left)
		if left.kind != open {
			return c.fail(n, "only a field may be compared with nil")
		}
		f = func(r *Run) bool { return left.value(r).Kind == event.Null }
	} else {
		a, b := c.compile(n.Left), c.compile(n.Right)
		if x, y := a.is(), b.is(); x != y && x != open && y != open {
			return c.fail(n, "compares %s with %s", x, y)
		}
		f = equal(a, b)
	}
	if n.Operator == "!=" {
		return truth(column(n), func(r *Run) bool { return !f(r) })
	}
	return truth(column(n), f)
}

func equal(a, b node) func(*Run) bool {
	if a.kind != open && b.kind == open {
		a, b = b, a
	}
	switch {
	case a.kind == open && b.kind == open:
		return func(r *Run) bool { return same(r.given(&a), r.given(&b)) }
	case a.kind == open && b.kind == numeric:
		return func(r *Run) bool { v := r.given(&a); return v.Kind == event.Number && v.Num == b.number(r) }
	case a.kind == open && b.kind == textual:
		return func(r *Run) bool {
			v := r.given(&a)
			return (v.Kind == event.String || v.Kind == event.Number && v.Str != "") && v.Str == b.text(r)
		}
	case b.kind == numeric:
		return func(r *Run) bool { return a.number(r) == b.number(r) }
	case b.kind == textual:
		return func(r *Run) bool { return a.text(r) == b.text(r) }
	}
	return func(r *Run) bool { return a.truth(r) == b.truth(r) }
}

// given returns the value of an open node, or fails where it is missing.
func (r *Run) given(n *node) *event.Value {
	v := n.value(r)
	if v.Kind == event.Null {
		r.fail(n.column, n.ref, missing)
	}
	return v
}

func same(a, b *event.Value) bool {
	return a.Kind == b.Kind && a.Str == b.Str && a.Num == b.Num &&
		slices.EqualFunc(a.List, b.List, func(x, y event.WeightedToken) bool { return x == y })
}

// fallback is the field to the left, or the right where the field is missing.
func (c *compiler) fallback(n *ast.BinaryNode) node {
	left, right := c.compile(n.Left), c.compile(n.Right)
	if left.kind != open {
		return c.fail(n, "only a field has a default behind ??")
	}
	if c.err != nil {
		return left
	}
	return either(left.column, left.ref, left, right, func(r *Run) bool { return left.value(r).Kind != event.Null })
}

// membership looks for the left in a list of constants, or in a field.
func (c *compiler) membership(n *ast.BinaryNode) node {
	left := c.compile(n.Left)
	if list, ok := n.Right.(*ast.ArrayNode); ok {
		return c.inConstants(n, left, list)
	}
	right := c.compile(n.Right)
	if right.kind != open {
		return c.fail(n.Right, "is %s, want a list such as [1, 2], or a field", right.kind)
	}
	if left.kind != open && left.kind != textual {
		return c.fail(n.Left, "is %s, want a text to look for in a field", left.kind)
	}
	return truth(column(n), func(r *Run) bool {
		text, v := left.text(r), r.given(&right)
		if v.Kind == event.Number {
			r.fail(right.column, right.ref, noList)
		}
		return v.Kind == event.String && v.Str == text || v.Kind == event.List && holds(v.List, text)
	})
}

func holds(list []event.WeightedToken, token string) bool {
	for i := range list {
		if list[i].Token == token {
			return true
		}
	}
	return false
}

func (c *compiler) inConstants(n *ast.BinaryNode, left node, list *ast.ArrayNode) node {
	var numbers []float64
	var texts []string
	for _, element := range list.Nodes {
		e := c.compile(element)
		switch {
		case c.err != nil:
			return e
		case !isConstant(element):
			return c.fail(element, "the elements of a list are numbers or texts")
		case left.is() != open && e.kind != left.is():
			return c.fail(element, "is %s, and what is looked for is %s", e.kind, left.is())
		case e.kind == numeric:
			numbers = append(numbers, e.number(nil))
		default:
			texts = append(texts, e.text(nil))
		}
	}
	at := column(n)
	switch left.kind {
	case numeric:
		return truth(at, func(r *Run) bool { return slices.Contains(numbers, left.number(r)) })
	case textual:
		return truth(at, func(r *Run) bool { return slices.Contains(texts, left.text(r)) })
	case open:
		return truth(at, func(r *Run) bool {
			v := r.given(&left)
			return v.Kind == event.Number && slices.Contains(numbers, v.Num) || v.Kind == event.String && slices.Contains(texts, v.Str)
		})
	}
	return c.fail(n, "a boolean is not in a list")
}

// isConstant says whether an element of a list is a number, with or without a sign, or a text.
func isConstant(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.StringNode:
		return true
	case *ast.UnaryNode:
		switch n.Node.(type) {
		case *ast.IntegerNode, *ast.FloatNode:
			return n.Operator != "not" && n.Operator != "!"
		}
	}
	return false
}
