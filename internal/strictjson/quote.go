package strictjson

import (
	"strconv"
	"strings"
)

// Quote quotes s for an error message, and cuts it to a length that suits a log.
func Quote(s string) string {
	const limit = 40
	if len(s) > limit {
		return strconv.Quote(strings.ToValidUTF8(s[:limit], "\ufffd")) + "..."
	}
	return strconv.Quote(s)
}
