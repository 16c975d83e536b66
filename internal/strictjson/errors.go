package strictjson

import (
	"strconv"
	"strings"
)

// Error says why a text is wrong. Field is the path of the wrong value, such as "candidates[3].ad",
// and is empty when the whole text is wrong. Reason continues it: "is a number, expected a string".
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

// Quote quotes s for an error message, and cuts it to a length that suits a log.
func Quote(s string) string {
	const limit = 40
	if len(s) > limit {
		return strconv.Quote(strings.ToValidUTF8(s[:limit], "\ufffd")) + "..."
	}
	return strconv.Quote(s)
}
