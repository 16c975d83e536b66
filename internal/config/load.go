package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Load reads the file at path over the defaults and checks it. An empty path gives the defaults.
func Load(path string) (Config, error) {
	c := Default()
	if path == "" {
		return c, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("cannot read the configuration: %w", err)
	}
	return Parse(path, b)
}

// Parse reads a configuration's text over the defaults and checks it; name is what errors call it.
func Parse(name string, b []byte) (Config, error) {
	c := Default()
	if len(bytes.TrimSpace(b)) == 0 {
		return c, nil
	}
	c.Model.Prior, c.Scorer.Prior = unset, unset
	if err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(&c); err != nil {
		return c, decodeError(name, err)
	}
	if err := c.settlePriors(); err != nil {
		return c, locate(name, b, err)
	}
	if err := c.Validate(); err != nil {
		return c, locate(name, b, err)
	}
	return c, nil
}

// decodeError says file, line and column of what YAML or its types refuse, with the place as it looks.
func decodeError(name string, err error) error {
	var syntax yaml.Error
	if !errors.As(err, &syntax) || syntax.GetToken() == nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	at := syntax.GetToken().Position
	hint := ""
	if strings.HasPrefix(syntax.GetMessage(), "unknown field") {
		hint = " (the configuration reference in README.md lists the fields)"
	}
	return fmt.Errorf("%s:%d:%d: %s%s\n%s", name, at.Line, at.Column, syntax.GetMessage(), hint, syntax.FormatError(false, true))
}

// locate puts file and line before an error that names a field.
func locate(name string, b []byte, err error) error {
	var wrong *event.Error
	if !errors.As(err, &wrong) {
		return fmt.Errorf("%s: %w", name, err)
	}
	if line := lineOf(b, wrong.Field); line > 0 {
		return fmt.Errorf("%s:%d: %w", name, line, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// lineOf finds the line of a field such as objectives[1].window, or of the nearest enclosing one that is in the file.
func lineOf(b []byte, field string) int {
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return 0
	}
	for field != "" {
		if path, err := yaml.PathString("$." + field); err == nil {
			if node, err := path.FilterFile(file); err == nil && node != nil {
				return firstLine(node)
			}
		}
		cut := strings.LastIndexAny(field, ".[")
		field = field[:max(cut, 0)]
	}
	return 0
}

func firstLine(node ast.Node) int {
	if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 {
		node = m.Values[0].Key
	}
	if s, ok := node.(*ast.SequenceNode); ok && len(s.Values) > 0 {
		node = s.Values[0]
	}
	return node.GetToken().Position.Line
}
