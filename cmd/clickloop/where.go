package main

import (
	"encoding/json"
	"fmt"
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
	if json.Unmarshal(message, &object) != nil {
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

func (c condition) holds(v any) bool {
	if want, err := strconv.ParseFloat(c.value, 64); err == nil {
		if got, ok := v.(float64); ok {
			return compare(c.operator, got, want)
		}
	}
	text := ""
	if v != nil {
		text = fmt.Sprint(v)
	}
	return compare(c.operator, text, c.value)
}

func compare[T float64 | string](operator string, a, b T) bool {
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
