package tail

import (
	"regexp"
	"strings"

	"github.com/clickloop/clickloop/internal/expression"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// jqFilter returns the conditions as a filter of what kcat -J prints: it gives true or false, or
// nothing for a message that is no object. leftOut names conditions that jq cannot have.
func jqFilter(texts []string, names expression.Names) (filter string, leftOut []string) {
	var parts []string
	message, record := false, false
	for _, text := range texts {
		part, err := expression.JQ(text, names, func(r expression.Ref) string {
			if r.Group == groupRecord || r.Group == groupHeader {
				record = true
			} else {
				message = true
			}
			return jqField(r)
		})
		if err != nil {
			leftOut = append(leftOut, "the condition "+text+": "+err.Error())
			continue
		}
		if longDigits.MatchString(text) {
			leftOut = append(leftOut, "whole numbers beyond 2^53, which jq rounds")
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "", leftOut
	}
	filter = strings.Join(parts, " and ")
	if message {
		filter = "(.payload|fromjson?|objects)|" + filter
	}
	if record {
		filter = ". as $r|" + filter
	}
	return filter, leftOut
}

// longDigits matches a text of digits that may stand for a number on the topic.
var longDigits = regexp.MustCompile(`["']-?[0-9]{16,}["']`)

// jqField returns jq's filter of a field; $r is the record as kcat -J prints it.
func jqField(r expression.Ref) string {
	switch {
	case r.Group == groupHeader:
		// [name, value, name, value]; the last one of a name counts
		name := jqText(r.Field)
		return "([$r.headers//[]|. as $h|range(0;length;2)|select($h[.] == " + name + ")|$h[.+1]|values]|last)"
	case r.Group == groupRecord:
		return map[string]string{"key": "$r.key", "partition": "$r.partition", "offset": "$r.offset", "time_ms": "$r.ts"}[r.Field]
	case r.Field == "":
		return jqMember(r.Group)
	}
	var ways []string
	for _, names := range waysToRead(r.Field) {
		path := jqMember(r.Group)
		for _, name := range names {
			member := jqMember(name)
			if member[1] == '[' {
				member = member[1:]
			}
			path += member
		}
		ways = append(ways, path)
	}
	if len(ways) == 1 {
		return ways[0]
	}
	return "([" + strings.Join(ways, ",") + "]|map(values)|.[0])"
}

// jqText returns s as a text of jq, which is one of JSON.
func jqText(s string) string {
	return string(strictjson.AppendString(nil, s))
}

// jqName matches names that jq takes after a dot, without quotes.
var jqName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// jqMember returns jq's access to one member. Its ? makes other values than objects give nothing.
func jqMember(name string) string {
	if jqName.MatchString(name) {
		return "." + name + "?"
	}
	return ".[" + jqText(name) + "]?"
}
