package main

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/internal/strictjson"
)

// jqFilter returns the conditions as jq's filter of a message's text. leftOut names the cases in
// which jq decides differently.
func jqFilter(conditions []condition) (filter string, leftOut []string) {
	parts := make([]string, 0, len(conditions))
	for _, c := range conditions {
		path, ok := jqPath(c.path)
		if !ok {
			leftOut = append(leftOut, "--where on "+c.path+", whose dots can be read in too many ways")
			continue
		}
		if c.kind == numeral && beyondFloat(c.value) {
			leftOut = append(leftOut, "the last digits of "+c.value+", which jq rounds")
		}
		parts = append(parts, c.jq(path))
	}
	return strings.Join(parts, " and "), leftOut
}

// beyondFloat tells whether jq, whose numbers are float64, would round a number.
func beyondFloat(number string) bool {
	x, err := strconv.ParseFloat(number, 64)
	return err != nil || compareNumbers(strconv.FormatFloat(x, 'f', -1, 64), number) != 0 || x > 1<<53 || x < -1<<53
}

// jq returns the condition in jq's language, by the rules of holds.
func (c condition) jq(path string) string {
	text := jqText(c.value)
	literal := c.value
	if c.kind == numeral {
		literal = strings.TrimPrefix(literal, "+")
		// such as .5
		if x, err := strconv.ParseFloat(literal, 64); err == nil && !json.Valid([]byte(literal)) {
			literal = strconv.FormatFloat(x, 'f', -1, 64)
		}
	}
	switch {
	case c.operator == "=" || c.operator == "!=":
		e := path + " == " + text
		if c.kind == numeral || c.kind == constant {
			e = path + "|. == " + literal + " or . == " + text
		}
		if c.operator == "!=" {
			return "(" + e + "|not)"
		}
		return "(" + e + ")"
	case c.kind == numeral:
		return "(" + path + "|type == \"number\" and . " + c.operator + " " + literal + ")"
	}
	return "(" + path + "|type == \"string\" and . " + c.operator + " " + text + ")"
}

// jqText returns s as a text of jq, which is one of JSON.
func jqText(s string) string {
	return string(strictjson.AppendString(nil, s))
}

// jqName matches names that jq takes after a dot, without quotes.
var jqName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// jqPath returns jq's expression for lookup: it tries every way to read the dots, in lookup's
// order, and takes the first member that exists.
func jqPath(path string) (string, bool) {
	ways := jqWays(path)
	for i, w := range ways {
		if w[0] == '[' {
			ways[i] = "." + w
		}
	}
	if len(ways) > 8 {
		return "", false
	}
	if len(ways) == 1 {
		return ways[0], true
	}
	return "([" + strings.Join(ways, ",") + "]|map(values)[0])", true
}

// jqWays returns jq's paths for every way to read the dots, at most about eight: their number
// doubles with each dot.
func jqWays(path string) []string {
	ways := []string{jqMember(path)}
	for i := range path {
		if path[i] == '.' && len(ways) <= 8 {
			for _, rest := range jqWays(path[i+1:]) {
				ways = append(ways, jqMember(path[:i])+rest)
			}
		}
	}
	return ways
}

// jqMember returns jq's access to one member. Its ? makes other values than objects give nothing.
func jqMember(name string) string {
	if jqName.MatchString(name) {
		return "." + name + "?"
	}
	return "[" + jqText(name) + "]?"
}
