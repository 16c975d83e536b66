package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// condition is one --where: a member by its dotted path, an operator and a value.
type condition struct {
	path, operator, value string
}

// parseCondition reads PATH OP VALUE, where OP is =, !=, <, <=, > or >=.
func parseCondition(s string) (condition, error) {
	at := strings.IndexAny(s, "=!<>")
	if at <= 0 {
		return condition{}, fmt.Errorf("%q: want a member, one of = != < <= > >=, and a value, such as user=u1", s)
	}
	for _, op := range []string{"!=", "<=", ">=", "=", "<", ">"} {
		if value, ok := strings.CutPrefix(s[at:], op); ok {
			return condition{s[:at], op, value}, nil
		}
	}
	return condition{}, fmt.Errorf("%q: want != where ! stands", s)
}

// holds says whether message, a JSON object, meets every condition; what is not JSON meets none.
func holds(conditions []condition, message []byte) bool {
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(message))
	d.UseNumber() // ids may be numbers that float64 would round
	if d.Decode(&object) != nil || d.Decode(new(any)) != io.EOF {
		return false
	}
	for _, c := range conditions {
		if !c.holds(lookup(object, c.path)) {
			return false
		}
	}
	return true
}

// lookup finds a member whose name is path, or whose object is named by a beginning of it.
func lookup(object map[string]any, path string) any {
	if v, ok := object[path]; ok {
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

// holds compares numbers as numbers, to the last digit, and also texts that are whole numbers, as ids
// beyond 2^53 are kept; anything else as text.
func (c condition) holds(v any) bool {
	text := ""
	switch v := v.(type) {
	case nil:
	case json.Number:
		text = v.String()
		if number(text) && number(c.value) {
			return compare(c.operator, compareNumbers(text, c.value), 0)
		}
	case string:
		if text = v; whole(text) && whole(c.value) {
			return compare(c.operator, compareNumbers(text, c.value), 0)
		}
	default:
		text = fmt.Sprint(v)
	}
	return compare(c.operator, strings.Compare(text, c.value), 0)
}

// number says whether s is what ParseFloat takes for a number, infinities and NaN excepted.
func number(s string) bool {
	f, err := strconv.ParseFloat(s, 64)
	return err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// whole says whether s is a whole number as it is written everywhere, so that equal numbers are equal
// texts.
func whole(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == "" && (digits[0] != '0' || s == "0")
}

// compareNumbers is negative, 0 or positive as a is below, at or above b. Whole numbers are compared by
// their digits, however many they are.
func compareNumbers(a, b string) int {
	if whole(a) && whole(b) {
		x, _ := new(big.Int).SetString(a, 10)
		y, _ := new(big.Int).SetString(b, 10)
		return x.Cmp(y)
	}
	x, _ := strconv.ParseFloat(a, 64)
	y, _ := strconv.ParseFloat(b, 64)
	return cmp.Compare(x, y)
}

func compare(operator string, a, b int) bool {
	switch operator {
	case "=":
		return a == b
	case "!=":
		return a != b
	case "<":
		return a < b
	case "<=":
		return a <= b
	case ">":
		return a > b
	}
	return a >= b
}
