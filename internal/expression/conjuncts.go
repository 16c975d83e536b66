package expression

import "github.com/expr-lang/expr/ast"

// Conjuncts returns the programs of the conditions that a text joins by and, at least one. All of
// them are true where the text is. A program's String is its condition in one form, so that two
// texts may share what was found for a condition; its columns are those of the text.
func Conjuncts(text string, names Names) ([]*Program, error) {
	whole, err := Compile(text, names)
	if err != nil {
		return nil, err
	}
	if whole.Numeric() {
		return nil, &Error{Column: 1, Reason: `is no condition; want one such as item.price < 20 or item.new == "true"`}
	}
	tree, err := parse(text)
	if err != nil {
		return nil, err
	}
	var all []*Program
	for _, n := range conjuncts(nil, tree) {
		c := compiler{names: names}
		root := c.want(n, boolean)
		if c.err != nil {
			return nil, c.err
		}
		all = append(all, &Program{text: n.String(), refs: c.refs, root: root})
	}
	return all, nil
}

// conjuncts appends the operands of n's conjunctions.
func conjuncts(dst []ast.Node, n ast.Node) []ast.Node {
	if b, ok := n.(*ast.BinaryNode); ok && (b.Operator == "and" || b.Operator == "&&") {
		return conjuncts(conjuncts(dst, b.Left), b.Right)
	}
	return append(dst, n)
}
