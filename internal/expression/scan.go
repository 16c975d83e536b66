package expression

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/clickloop/clickloop/event"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/parser/lexer"
)

// parse returns the syntax tree of a text. It looks at the tokens first, so that the parser, which
// is recursive, gets only what the language has, within the bounds.
func parse(text string) (ast.Node, error) {
	switch {
	case len(text) > MaxText:
		return nil, &Error{Reason: fmt.Sprintf("has %d bytes, at most %d are allowed", len(text), MaxText)}
	case !utf8.ValidString(text):
		return nil, &Error{Reason: "is not UTF-8"}
	case strings.TrimSpace(text) == "":
		return nil, &Error{Reason: "is empty"}
	}
	tokens, err := lexer.Lex(file.NewSource(text))
	if err != nil {
		return nil, explain(err, nil)
	}
	if err := scan(tokens); err != nil {
		return nil, err
	}
	tree, err := parser.ParseWithConfig(text, &conf.Config{MaxNodes: 4 * MaxNodes, DisableIfOperator: true})
	if err != nil {
		return nil, explain(err, tokens)
	}
	return tree.Node, nil
}

// refused are tokens of expr that stand for what the language does not have.
var refused = map[string]string{
	"|": "pipes", ";": "sequences", "let": "variables", "{": "maps and blocks", "#": "closures", "..": "ranges", "?.": "optional members",
	"matches": "regular expressions", "contains": "searches in texts", "startsWith": "searches in texts", "endsWith": "searches in texts",
	"=": "assignments", "::": "built-in names", "&": "bitwise operators",
}

// scan refuses tokens that the language does not have, and brackets that are nested too deeply.
func scan(tokens []lexer.Token) error {
	depth := 0
	for i := range tokens {
		t := &tokens[i]
		switch reason, bad := refused[t.Value]; {
		case t.Kind == lexer.Bytes:
			return at(t.Location, "byte strings are not part of the language")
		case t.Kind == lexer.Number:
			if err := checkNumber(t); err != nil {
				return err
			}
		case t.Kind == lexer.Identifier && i+1 < len(tokens) && tokens[i+1].Is(lexer.Bracket, "("):
			if _, known := functions[t.Value]; !known {
				return at(t.Location, "the function "+t.Value+" "+event.UnknownName(t.Value, functionNames))
			}
		case (t.Kind == lexer.Operator || t.Kind == lexer.Bracket) && bad:
			return at(t.Location, fmt.Sprintf("%q: %s are not part of the language", t.Value, reason))
		case t.Is(lexer.Bracket, "(", "["):
			if depth++; depth > MaxDepth {
				return at(t.Location, fmt.Sprintf("has more than %d brackets in one another", MaxDepth))
			}
		case t.Is(lexer.Bracket, ")", "]"):
			depth--
		}
	}
	return nil
}

func checkNumber(t *lexer.Token) error {
	digits := strings.ReplaceAll(t.Value, "_", "")
	if _, err := strconv.ParseInt(digits, 0, 64); err == nil {
		return nil
	}
	_, err := strconv.ParseFloat(digits, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return at(t.Location, "the number "+t.Value+" is too large")
	case err != nil:
		return at(t.Location, t.Value+" is not a number")
	case !strings.ContainsAny(digits, ".eE"):
		return at(t.Location, "the whole number "+t.Value+" is too large: write it with an exponent")
	}
	return nil
}

func at(where file.Location, reason string) error {
	return &Error{Column: where.From + 1, Reason: reason}
}

// explain says in plain words what the lexer or the parser found.
func explain(err error, tokens []lexer.Token) error {
	var wrong *file.Error
	if !errors.As(err, &wrong) {
		return &Error{Reason: err.Error()}
	}
	for i := range tokens {
		switch t := &tokens[i]; {
		case !strings.HasPrefix(wrong.Message, "unexpected token") || t.From != wrong.From:
		case strings.HasSuffix(wrong.Message, "EOF"):
			return &Error{Column: t.To + 1, Reason: "is not complete: more is expected here"}
		default:
			return at(t.Location, fmt.Sprintf("%q is not expected here", t.Value))
		}
	}
	return at(wrong.Location, wrong.Message)
}
