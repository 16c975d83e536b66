package tail

import (
	"regexp"
	"strings"

	"github.com/clickloop/clickloop/internal/expression"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// The form of conditions before they became expressions: user=u1.
var (
	formerForm  = regexp.MustCompile(`(?s)^\s*([A-Za-z_][A-Za-z0-9_.]*)\s*(==|!=|<=|>=|=|<|>)\s*(.*?)\s*$`)
	numeralForm = regexp.MustCompile(`^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?$`)
)

// rewritten says how a condition is written that is in the former form, or that a shell has cut.
func rewritten(text string, names expression.Names) string {
	m := formerForm.FindStringSubmatch(text)
	if m == nil || m[3] == "" {
		if !strings.ContainsAny(text, "<>!=") {
			return "; " + errShell
		}
		return ""
	}
	value := m[3]
	switch {
	case value == "null":
		value = "nil"
	case value == "true", value == "false", numeralForm.MatchString(value), strings.HasPrefix(value, `"`):
	default:
		value = string(strictjson.AppendString(nil, value))
	}
	operator := m[2]
	if operator == "=" {
		operator = "=="
	}
	for _, v := range []string{value, string(strictjson.AppendString(nil, m[3]))} {
		now := m[1] + " " + operator + " " + v
		if _, err := expression.Condition(now, names); err == nil && now != text {
			return "; write " + now
		}
	}
	return ""
}
