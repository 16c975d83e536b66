package strictjson

import (
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/internal/field"
)

// Error says which field of a text is wrong, and why.
type Error = field.Error

// Quote quotes s for an error message, cut to a length that a log can bear.
func Quote(s string) string {
	const limit = 40
	if len(s) > limit {
		return strconv.Quote(strings.ToValidUTF8(s[:limit], "\ufffd")) + "..."
	}
	return strconv.Quote(s)
}
