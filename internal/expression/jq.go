package expression

import (
	"errors"
	"strings"

	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/expr-lang/expr/ast"
)

// maxJQ bounds the bytes of a filter of jq: a default (??) repeats its field.
const maxJQ = 16 << 10

// ErrNotJQ is returned by JQ for a text whose filter would be too long for a shell's line.
var ErrNotJQ = errors.New("its filter of jq is too long")

// JQ returns a filter of jq 1.6 that gives true where the condition text does, and false where the
// condition is false or has no result; it may also give nothing. field returns the filter of a
// field, which gives null or nothing where it is missing. Both are evaluated with the message as
// jq's input.
//
// jq rounds whole numbers beyond 2^53, which are texts of their digits here.
func JQ(text string, names Names, field func(Ref) string) (string, error) {
	if _, err := Condition(text, names); err != nil {
		return "", err
	}
	tree, err := parse(text)
	if err != nil {
		return "", err
	}
	t := translator{compiler: compiler{names: names}, field: field}
	var parts []string
	length := 0
	for _, n := range conjuncts(nil, tree) {
		part, ok := t.short(n)
		if !ok {
			part = "(try " + t.truth(t.translate(n)) + " catch false)"
		}
		parts = append(parts, part)
		length += len(part)
	}
	switch {
	case t.err != nil:
		return "", t.err
	case t.tooLong || length > maxJQ:
		return "", ErrNotJQ
	}
	return strings.Join(parts, " and "), nil
}

// short returns a filter that people can read for the usual condition: a field compared with a
// constant. Nothing around it but and may need to know that the field is missing.
func (t *translator) short(n ast.Node) (filter string, ok bool) {
	b, ok := n.(*ast.BinaryNode)
	if !ok || b.Operator != "==" && b.Operator != "<" && b.Operator != "<=" && b.Operator != ">" && b.Operator != ">=" || !isConstant(b.Right) {
		return "", false
	}
	left, right := t.translate(b.Left), t.translate(b.Right)
	switch {
	case left.kind != open || !isName(b.Left):
	case b.Operator != "==" && right.kind == numeric:
		return "(" + left.filter + `|type == "number" and . ` + b.Operator + " " + right.filter + ")", true
	case b.Operator == "==" && right.filter != `"true"` && right.filter != `"false"`: // which booleans are, too
		return "(" + left.filter + " == " + right.filter + ")", true
	}
	return "", false
}

func isName(n ast.Node) bool {
	switch n.(type) {
	case *ast.IdentifierNode, *ast.MemberNode:
		return true
	}
	return false
}

// translator makes filters of jq of a syntax tree that compiles.
type translator struct {
	compiler
	field   func(Ref) string
	tooLong bool
}

// jq is a part of a filter. That of a field gives its value, or null; that of another kind gives
// that kind.
type jq struct {
	kind   kind
	filter string
}

const (
	jqFail   = `error("x")`
	jqFinite = "|if isnan or isinfinite then " + jqFail + " else . end)"
)

func (t *translator) translate(n ast.Node) jq {
	j := t.node(n)
	if len(j.filter) > maxJQ { // nested defaults double it
		j.filter, t.tooLong = "null", true
	}
	return j
}

// compiled returns the node of n, which compiles: its kind decides the form of the filter.
func (t *translator) compiled(n ast.Node) node {
	t.nodes = 0
	return t.compile(n)
}

func (t *translator) node(n ast.Node) jq {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return jq{numeric, string(strictjson.AppendNumber(nil, float64(n.Value)))}
	case *ast.FloatNode:
		return jq{numeric, string(strictjson.AppendNumber(nil, n.Value))}
	case *ast.BoolNode:
		return jq{boolean, map[bool]string{true: "true", false: "false"}[n.Value]}
	case *ast.StringNode:
		return jq{textual, string(strictjson.AppendString(nil, n.Value))}
	case *ast.IdentifierNode, *ast.MemberNode:
		found := t.compiled(n)
		return jq{open, t.field(t.refs[found.ref])}
	case *ast.UnaryNode:
		return t.unaryFilter(n)
	case *ast.BinaryNode:
		return t.binaryFilter(n)
	case *ast.ConditionalNode:
		return t.either("if "+t.truth(t.translate(n.Cond))+" then ", t.translate(n.Exp1), t.translate(n.Exp2))
	case *ast.BuiltinNode:
		return t.callFilter(n.Name, n.Arguments)
	case *ast.CallNode:
		return t.callFilter(n.Callee.(*ast.IdentifierNode).Value, n.Arguments)
	}
	panic("BUG: a tree that compiles has no other nodes")
}

// either gives one of two; condition is jq's if and then.
func (t *translator) either(condition string, yes, no jq) jq {
	kind := max(yes.kind, no.kind)
	return jq{kind, "(" + condition + t.as(kind, yes) + " else " + t.as(kind, no) + " end)"}
}

// as returns the filter of j as a kind.
func (t *translator) as(want kind, j jq) string {
	if j.kind != open {
		return j.filter
	}
	switch want {
	case numeric:
		return "(" + j.filter + `|if type == "number" then . else ` + jqFail + " end)"
	case boolean:
		return "(" + j.filter + `|if . == true or . == "true" then true elif . == false or . == "false" then false else ` + jqFail + " end)"
	case textual:
		return "(" + j.filter + `|if type == "string" then . elif type == "boolean" then tostring else ` + jqFail + " end)"
	}
	return j.filter
}

func (t *translator) number(j jq) string { return t.as(numeric, j) }
func (t *translator) truth(j jq) string  { return t.as(boolean, j) }
func (t *translator) text(j jq) string   { return t.as(textual, j) }

// given returns the value of a field, which must not be missing.
func given(j jq) string {
	return "(" + j.filter + "|if . == null then " + jqFail + ` elif type == "boolean" then tostring else . end)`
}

// orNull returns the value of a field, null where its filter gives nothing.
func orNull(j jq) string { return "([" + j.filter + "]|.[0])" }

func (t *translator) unaryFilter(n *ast.UnaryNode) jq {
	operand := t.translate(n.Node)
	switch n.Operator {
	case "-":
		return jq{numeric, "(0 - " + t.number(operand) + ")"}
	case "+":
		return jq{numeric, t.number(operand)}
	}
	return jq{boolean, "(" + t.truth(operand) + "|not)"}
}

func (t *translator) binaryFilter(n *ast.BinaryNode) jq {
	left := t.translate(n.Left)
	switch n.Operator {
	case "==", "!=":
		return t.equalityFilter(n, left)
	case "in":
		return t.membershipFilter(n, left)
	}
	right := t.translate(n.Right)
	switch n.Operator {
	case "+", "-", "*":
		return jq{numeric, "(" + t.number(left) + " " + n.Operator + " " + t.number(right) + ")"}
	case "/":
		return jq{numeric, "([" + t.number(left) + "," + t.number(right) + "]|if .[1] == 0 then " + jqFail + " else .[0] / .[1] end)"}
	case "%":
		return jq{numeric, "([" + t.number(left) + "," + t.number(right) + "]|if .[1] == 0 then " + jqFail + " else fmod(.[0]; .[1]) end)"}
	case "**", "^":
		return jq{numeric, "(pow(" + t.number(left) + "; " + t.number(right) + ")" + jqFinite}
	case "and", "&&":
		return jq{boolean, "(" + t.truth(left) + " and " + t.truth(right) + ")"}
	case "or", "||":
		return jq{boolean, "(" + t.truth(left) + " or " + t.truth(right) + ")"}
	case "??":
		return t.either("if "+orNull(left)+" != null then ", left, right)
	}
	a, b := t.compiled(n.Left), t.compiled(n.Right)
	kind := numeric
	if texts(&a, &b) {
		kind = textual
	}
	return jq{boolean, "(" + t.as(kind, left) + " " + n.Operator + " " + t.as(kind, right) + ")"}
}

func (t *translator) equalityFilter(n *ast.BinaryNode, left jq) jq {
	filter := ""
	if _, isNil := n.Right.(*ast.NilNode); isNil {
		filter = "(" + orNull(left) + " == null)"
	} else {
		filter = "(" + t.compared(left, n.Left, n.Right) + " == " + t.compared(t.translate(n.Right), n.Right, n.Left) + ")"
	}
	if n.Operator == "!=" {
		filter = "(" + filter + "|not)"
	}
	return jq{boolean, filter}
}

// compared returns the filter of an operand of == whose other operand is other.
func (t *translator) compared(j jq, n, other ast.Node) string {
	if j.kind == open {
		if with := t.compiled(other); with.kind == boolean {
			return t.truth(j)
		}
		return given(j)
	}
	return j.filter
}

func (t *translator) membershipFilter(n *ast.BinaryNode, left jq) jq {
	if list, ok := n.Right.(*ast.ArrayNode); ok {
		var elements []string
		for _, element := range list.Nodes {
			elements = append(elements, t.translate(element).filter)
		}
		value := left.filter
		if left.kind == open {
			value = given(left)
		}
		return jq{boolean, "(" + value + " as $x|[" + strings.Join(elements, ",") + "]|any(. == $x))"}
	}
	return jq{boolean, "([" + t.text(left) + "," + given(t.translate(n.Right)) + `]|.[0] as $x|.[1]|if type == "number" then ` + jqFail +
		` elif type == "array" then any((if type == "array" then .[0] elif type == "string" then . else tostring end) == $x) else . == $x end)`}
}

func (t *translator) callFilter(name string, arguments []ast.Node) jq {
	parts := make([]string, len(arguments))
	for i := range arguments {
		parts[i] = t.number(t.translate(arguments[i]))
	}
	switch f := functions[name]; {
	case f.fold != nil:
		return jq{numeric, "([" + strings.Join(parts, ",") + "]|" + name + ")"}
	case name == "abs":
		return jq{numeric, "(" + parts[0] + "|fabs)"}
	case f.fails != "":
		return jq{numeric, "(" + parts[0] + "|" + name + jqFinite}
	}
	return jq{numeric, "(" + parts[0] + "|" + name + ")"}
}
