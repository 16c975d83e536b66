package strictjson

import (
	"strconv"
	"strings"
)

// Error says why a text is not what it should be. Field is the path of what is wrong, such as
// "candidates[3].ad", and is empty when it is the whole; Reason goes on from it: "is a number,
// expected a string".
type Error struct {
	Field  string
	Reason string
}

// Error joins Field and Reason to a sentence.
func (e *Error) Error() string {
	if e.Field == "" {
		return "the value " + e.Reason
	}
	return e.Field + " " + e.Reason
}

// Quote quotes s for an error message, cut to a length that a log can bear.
func Quote(s string) string {
	const limit = 40
	if len(s) > limit {
		return strconv.Quote(strings.ToValidUTF8(s[:limit], "\ufffd")) + "..."
	}
	return strconv.Quote(s)
}
