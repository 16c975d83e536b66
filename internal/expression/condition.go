package expression

import "strings"

// Condition returns the program of a text that is true or false. An error is an *Error.
func Condition(text string, names Names) (*Program, error) {
	tree, err := parse(text)
	if err != nil {
		return nil, err
	}
	c := compiler{names: names}
	root := c.want(tree, boolean)
	if c.err != nil {
		return nil, c.err
	}
	return &Program{text: strings.Clone(text), refs: c.refs, root: root}, nil
}
