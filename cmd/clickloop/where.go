package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/internal/strictjson"
)

// condition is one --where: the dotted path of a member, an operator and a value.
type condition struct {
	path, operator, value string
	kind                  valueKind
}

// valueKind is how the value of a condition was written.
type valueKind int

const (
	plainText  valueKind = iota // u1: a text
	quotedText                  // "17": a text, even if it looks like something else
	numeral                     // 17: a number, or a text that is spelt so
	// true, false or null, or a text that is spelt so; null also matches a missing member
	constant
)

// errShell explains what a shell does to a condition without quotes.
var errShell = errors.New("a shell takes < > and ! for itself: put the condition in single quotes, such as --where 'p.click>0.1'")

// numeralForm matches numbers of JSON, and numbers that people write: .5, +1, 1.
var numeralForm = regexp.MustCompile(`^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?$`)

// conditionForm has the path, the operator and the value of a condition.
var conditionForm = regexp.MustCompile(`(?s)^([^=!<>]*)(==|!=|<=|>=|=|<|>)?(.*)$`)

// parseCondition parses PATH OP VALUE, where OP is = (or ==), !=, <, <=, > or >=.
func parseCondition(s string) (condition, error) {
	parts := conditionForm.FindStringSubmatch(s)
	c := condition{path: strings.TrimSpace(parts[1]), operator: parts[2]}
	rest := parts[3]
	switch {
	case c.operator == "" && rest == "":
		return condition{}, fmt.Errorf("%q has no operator, want a member, one of = != < <= > >=, and a value, such as user=u1; %w", s, errShell)
	case c.path == "":
		return c, fmt.Errorf("%q names no member, want a member, one of = != < <= > >=, and a value, such as user=u1", s)
	case c.operator == "":
		return c, fmt.Errorf("%q: want != where ! stands", s)
	case c.operator == "==":
		c.operator = "="
	}
	if rest != "" && strings.ContainsRune("=<>!", rune(rest[0])) {
		return c, fmt.Errorf("%q: there is no operator %q, want one of = != < <= > >= (a value that begins with %q goes in double quotes)", s, c.operator+rest[:1], rest[:1])
	}
	return c, c.setValue(s, strings.TrimSpace(rest))
}

// setValue parses the value. whole is the condition as it was given, for errors.
func (c *condition) setValue(whole, text string) error {
	ordered := c.operator[0] == '<' || c.operator[0] == '>'
	switch {
	case text == "" && ordered:
		return fmt.Errorf("%q has no value; %w", whole, errShell)
	case strings.HasPrefix(text, `"`):
		if json.Unmarshal([]byte(text), &c.value) != nil {
			return fmt.Errorf("%q: %s is no text in double quotes", whole, text)
		}
		c.kind = quotedText
		return nil
	case numeralForm.MatchString(text):
		c.kind = numeral
	case text == "true" || text == "false" || text == "null":
		if c.kind = constant; ordered {
			return fmt.Errorf("%q: %s comes before or after nothing, want = or !=", whole, text)
		}
	}
	c.value = text
	return nil
}

// holds tells whether message, a JSON object, meets every condition. Other text meets none.
func holds(conditions []condition, message []byte) bool {
	d := json.NewDecoder(bytes.NewReader(message))
	d.UseNumber() // keeps whole numbers beyond 2^53
	var object map[string]any
	if d.Decode(&object) != nil || object == nil {
		return false
	}
	for _, c := range conditions {
		if !c.holds(lookup(object, c.path)) {
			return false
		}
	}
	return true
}

// lookup finds the member at a dotted path. Names may contain dots themselves, so it tries every
// way to read them. It returns nil for a missing or null member.
func lookup(object map[string]any, path string) any {
	if v := object[path]; v != nil {
		return v
	}
	for i := range path {
		if path[i] != '.' {
			continue
		}
		if inner, ok := object[path[:i]].(map[string]any); ok {
			if v := lookup(inner, path[i+1:]); v != nil {
				return v
			}
		}
	}
	return nil
}

// holds compares numbers with numbers and texts with texts. A topic keeps numbers of many digits as
// text, and these count as numbers, too. A missing value, or one of another kind, satisfies !=
// alone.
func (c condition) holds(v any) bool {
	switch c.operator {
	case "=":
		return c.equals(v)
	case "!=":
		return !c.equals(v)
	}
	order := 0
	switch got := v.(type) {
	case json.Number:
		if c.kind != numeral {
			return false
		}
		order = compareNumbers(got.String(), c.value)
	case string:
		switch {
		case c.kind != numeral:
			order = strings.Compare(got, c.value)
		case strictjson.Rounded(got): // a number with more digits than a float64 holds
			order = compareNumbers(got, c.value)
		default:
			return false
		}
	default:
		return false
	}
	is := func(sign string) bool { return strings.Contains(c.operator, sign) }
	return order < 0 && is("<") || order > 0 && is(">") || order == 0 && is("=")
}

// equals tells whether v has the value of the condition, by the rules of holds.
func (c condition) equals(v any) bool {
	switch got := v.(type) {
	case nil:
		return c.kind == constant && c.value == "null"
	case bool:
		return c.kind == constant && c.value == strconv.FormatBool(got)
	case json.Number:
		return c.kind == numeral && compareNumbers(got.String(), c.value) == 0
	case string:
		return got == c.value
	}
	return false
}

// compareNumbers compares exactly within the range of a float64.
func compareNumbers(a, b string) int {
	x, _ := strconv.ParseFloat(a, 64) // out of range: infinite, or 0
	y, _ := strconv.ParseFloat(b, 64)
	if order := cmp.Compare(x, y); order != 0 {
		return order
	}
	p, ok := new(big.Rat).SetString(a)
	q, fine := new(big.Rat).SetString(b)
	// the fraction of so small or large a number would not fit memory
	if x-x != 0 || x == 0 || !ok || !fine {
		return 0
	}
	return p.Cmp(q)
}
