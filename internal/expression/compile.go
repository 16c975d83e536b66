package expression

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/expr-lang/expr/ast"
)

// kind is the type of a node as far as it is known before evaluation.
type kind uint8

const (
	open kind = iota // a field: what it holds shows at evaluation
	numeric
	boolean
	textual
)

func (k kind) String() string { return [...]string{"a field", "a number", "a boolean", "a text"}[k] }

// node is a compiled part of a text. It has the closure of its kind. An open node has all of them;
// those but value fail where the field holds something else.
type node struct {
	kind   kind
	holds  kind // what an open node holds if it is not missing; open: that shows at evaluation
	column int
	ref    int // of a field; -1 for other nodes
	number func(*Run) float64
	truth  func(*Run) bool
	text   func(*Run) string
	value  func(*Run) *event.Value
}

// compiler makes nodes of a syntax tree. It keeps the first error.
type compiler struct {
	names Names
	refs  []Ref
	nodes int
	err   error
}

// Compile returns the program of a text that gives a number or a boolean. An error is an *Error.
func Compile(text string, names Names) (*Program, error) {
	tree, err := parse(text)
	if err != nil {
		return nil, err
	}
	c := compiler{names: names}
	root := c.compile(tree)
	if c.err == nil && root.kind == textual {
		c.fail(tree, "is a text, want a number or a boolean")
	}
	if c.err != nil {
		return nil, c.err
	}
	return &Program{text: strings.Clone(text), refs: c.refs, root: root}, nil
}

func (c *compiler) fail(n ast.Node, format string, args ...any) node {
	if c.err == nil {
		c.err = &Error{Column: column(n), Reason: fmt.Sprintf(format, args...)}
	}
	return node{kind: open, ref: -1}
}

// compile counts nodes as it visits them: expr shares some subtrees, as b in a < b < c, so the tree
// may have many more paths than the text has bytes.
func (c *compiler) compile(n ast.Node) node {
	if c.nodes++; c.nodes > MaxNodes {
		return c.fail(n, "has more than %d operands and operators", MaxNodes)
	}
	if c.err != nil {
		return node{ref: -1}
	}
	switch n := n.(type) {
	case *ast.IntegerNode:
		if foreign := c.names.Any || c.names.Members != nil; foreign && (n.Value > 1<<53 || n.Value < -1<<53) {
			return c.fail(n, "has more digits than a number holds: compare it as a text, \"%d\", or write it with an exponent", n.Value)
		}
		return constant(column(n), float64(n.Value))
	case *ast.FloatNode:
		return constant(column(n), n.Value)
	case *ast.BoolNode:
		return truth(column(n), func(*Run) bool { return n.Value })
	case *ast.StringNode:
		text := strings.Clone(n.Value)
		return node{kind: textual, column: column(n), ref: -1, text: func(*Run) string { return text }}
	case *ast.IdentifierNode:
		return c.bareName(n)
	case *ast.MemberNode:
		return c.field(n)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		return c.conditional(n)
	case *ast.BuiltinNode:
		return c.call(n, n.Name, n.Arguments)
	case *ast.CallNode:
		if callee, ok := n.Callee.(*ast.IdentifierNode); ok {
			return c.call(n, callee.Value, n.Arguments)
		}
		return c.fail(n, "methods are not part of the language")
	case *ast.ArrayNode:
		return c.fail(n, "a list is allowed behind in only")
	case *ast.NilNode:
		return c.fail(n, "nil is allowed behind == and != only")
	}
	return c.fail(n, "is not part of the language")
}

// column is where n is looked for: the start of a field or of a condition, else its operator.
func column(n ast.Node) int {
	switch n := n.(type) {
	case *ast.MemberNode:
		return column(n.Node)
	case *ast.ConditionalNode:
		return column(n.Cond)
	}
	return n.Location().From + 1
}

func number(column int, f func(*Run) float64) node {
	return node{kind: numeric, column: column, ref: -1, number: f}
}

func truth(column int, f func(*Run) bool) node {
	return node{kind: boolean, column: column, ref: -1, truth: f}
}

func constant(column int, f float64) node { return number(column, func(*Run) float64 { return f }) }

// bareName refuses a name without a group, and says which it may be.
func (c *compiler) bareName(n *ast.IdentifierNode) node {
	if holds, ok := c.names.Members[n.Value]; ok {
		return c.member(n, "", holds)
	}
	groups := c.groups()
	if slices.Contains(groups, n.Value) {
		return c.fail(n, "%s stands for a group of fields: write %s.NAME", n.Value, n.Value)
	}
	for group, known := range c.names.Numbers {
		if slices.Contains(known, n.Value) {
			return c.fail(n, "%s is not known by itself; did you mean %s.%s?", n.Value, group, n.Value)
		}
	}
	if c.names.Any {
		return c.member(n, "", Anything)
	}
	if len(c.names.Members) > 0 {
		return c.fail(n, "%s %s", clip(n.Value), event.UnknownName(n.Value, c.bare()))
	}
	return c.fail(n, "the name %s is not known; names begin with %s", clip(n.Value), strings.Join(groups, ".NAME, ")+".NAME")
}

// bare returns what a name by itself may be, and groups as they are written.
func (c *compiler) bare() (names []string) {
	for name := range c.names.Members {
		if !strings.Contains(name, ".") {
			names = append(names, name)
		}
	}
	for _, group := range c.groups() {
		names = append(names, group+".NAME")
	}
	slices.Sort(names)
	return names
}

// member returns the node of a field that may be missing, and that holds what is known beforehand.
func (c *compiler) member(group *ast.IdentifierNode, field string, holds Kind) node {
	of := c.refer(group, field)
	n := dynamic(column(group), of, func(r *Run) *event.Value { return &r.Values[of] })
	n.holds = kind(holds)
	return n
}

// clip shortens a name from outside for a message.
func clip(name string) string {
	const most = 40
	if len(name) > most {
		return strings.ToValidUTF8(name[:most], "") + "..."
	}
	return name
}

func (c *compiler) groups() []string {
	groups := append(slices.Sorted(maps.Keys(c.names.Numbers)), c.names.Fields...)
	for name := range c.names.Members {
		if group, _, ok := strings.Cut(name, "."); ok && !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	return groups
}

// known returns the fields that Members gives a group.
func (c *compiler) known(group string) (fields []string) {
	for name := range c.names.Members {
		if field, ok := strings.CutPrefix(name, group+"."); ok {
			fields = append(fields, field)
		}
	}
	slices.Sort(fields)
	return fields
}

// field returns the node of a member, such as candidate.margin or context.geo.country.
func (c *compiler) field(n *ast.MemberNode) node {
	var path []string
	var at ast.Node = n
	for {
		member, ok := at.(*ast.MemberNode)
		if !ok {
			break
		}
		name, ok := member.Property.(*ast.StringNode)
		if !ok {
			return c.fail(member.Property, `the name of a field is expected here, as in candidate.margin or candidate["margin"]`)
		}
		path, at = append(path, name.Value), member.Node
	}
	group, ok := at.(*ast.IdentifierNode)
	if !ok {
		return c.fail(at, "only a group of fields has members")
	}
	slices.Reverse(path)
	name := strings.Join(path, ".")
	if known, closed := c.names.Numbers[group.Value]; closed {
		if !slices.Contains(known, name) {
			return c.fail(group, "%s.%s %s", group.Value, clip(name), event.UnknownName(name, known))
		}
		of := c.refer(group, name)
		return number(column(group), func(r *Run) float64 { return r.Values[of].Num })
	}
	if holds, ok := c.names.Members[group.Value+"."+name]; ok {
		return c.member(group, name, holds)
	}
	known := c.known(group.Value)
	switch {
	case slices.Contains(c.names.Fields, group.Value), c.names.Any && len(known) == 0:
		return c.member(group, name, c.names.Holds[group.Value])
	case len(known) > 0:
		return c.fail(group, "%s.%s %s", group.Value, clip(name), event.UnknownName(name, known))
	}
	if _, bare := c.names.Members[group.Value]; bare {
		return c.fail(group, "%s is no group of fields, and has no %s", group.Value, clip(name))
	}
	return c.fail(group, "the group %s %s", clip(group.Value), event.UnknownName(group.Value, c.groups()))
}

// refer returns the index of the field in refs.
func (c *compiler) refer(group *ast.IdentifierNode, name string) int {
	for i := range c.refs {
		if c.refs[i].Group == group.Value && c.refs[i].Field == name {
			return i
		}
	}
	c.refs = append(c.refs, Ref{Group: strings.Clone(group.Value), Field: strings.Clone(name), Column: column(group)})
	return len(c.refs) - 1
}

// dynamic returns an open node. JSON's booleans are the texts true and false in an event.Value.
func dynamic(column, ref int, value func(*Run) *event.Value) node {
	fail := func(r *Run, v *event.Value, reason string) {
		if v.Kind == event.Null {
			reason = missing
		}
		r.fail(column, ref, reason)
	}
	return node{
		kind: open, column: column, ref: ref, value: value,
		number: func(r *Run) float64 {
			v := value(r)
			if v.Kind != event.Number {
				fail(r, v, noNumber)
				return 0
			}
			return v.Num
		},
		truth: func(r *Run) bool {
			v := value(r)
			yes := v.Kind == event.String && v.Str == "true"
			if !yes && (v.Kind != event.String || v.Str != "false") {
				fail(r, v, noBoolean)
			}
			return yes
		},
		text: func(r *Run) string {
			v := value(r)
			if v.Kind != event.String {
				fail(r, v, noText)
				return ""
			}
			return v.Str
		},
	}
}

func (c *compiler) conditional(n *ast.ConditionalNode) node {
	if n.Cond == n.Exp1 {
		return c.fail(n, "?: is not part of the language: write c ? a : b, or a ?? b for a field that may be missing")
	}
	cond := c.want(n.Cond, boolean).truth
	yes, no := c.compile(n.Exp1), c.compile(n.Exp2)
	if yes.kind != no.kind && yes.kind != open && no.kind != open {
		return c.fail(n.Exp2, "is %s, and %s without the condition: want the same of both", no.kind, yes.kind)
	}
	if c.err != nil {
		return yes
	}
	return either(column(n), -1, yes, no, cond)
}

// either is yes or no, by cond. Failures name the field ref.
func either(column, ref int, yes, no node, cond func(*Run) bool) node {
	switch max(yes.kind, no.kind) { // open is the least
	case numeric:
		a, b := yes.number, no.number
		return number(column, func(r *Run) float64 {
			if cond(r) {
				return a(r)
			}
			return b(r)
		})
	case boolean:
		a, b := yes.truth, no.truth
		return truth(column, func(r *Run) bool {
			if cond(r) {
				return a(r)
			}
			return b(r)
		})
	case textual:
		a, b := yes.text, no.text
		return node{kind: textual, column: column, ref: -1, text: func(r *Run) string {
			if cond(r) {
				return a(r)
			}
			return b(r)
		}}
	}
	a, b := yes.value, no.value
	return dynamic(column, ref, func(r *Run) *event.Value {
		if cond(r) {
			return a(r)
		}
		return b(r)
	})
}

func (c *compiler) call(n ast.Node, name string, arguments []ast.Node) node {
	f, ok := functions[name]
	if !ok {
		return c.fail(n, "the function %s %s", clip(name), event.UnknownName(name, functionNames))
	}
	if len(arguments) < f.least || f.most > 0 && len(arguments) > f.most {
		want := "1 argument"
		if f.most == 0 {
			want = "at least 1 argument"
		}
		return c.fail(n, "%s has %d arguments, want %s", name, len(arguments), want)
	}
	nodes := make([]node, len(arguments))
	for i := range arguments {
		nodes[i] = c.want(arguments[i], numeric)
	}
	return f.call(n.Location(), nodes)
}

// want compiles n, which must be of a kind, or a field that may be.
func (c *compiler) want(n ast.Node, want kind) node { return c.expect(n, c.compile(n), want) }

// expect is want for what is compiled already.
func (c *compiler) expect(n ast.Node, got node, want kind) node {
	if is := got.is(); is != want && is != open {
		return c.fail(n, "is %s, want %s", is, want)
	}
	return got
}

// is returns what n gives as far as that is known; open: anything.
func (n *node) is() kind { return max(n.kind, n.holds) }
