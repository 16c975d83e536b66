package access

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// maxKey is the most bytes of a key.
const maxKey = 512

// credential returns the key that a request's header Authorization brings, and whether it has that
// header. The key is empty when the header has another form. Basic is for the scope Events: SDKs
// send a write key as the user, and no password.
func credential(r *http.Request, s Scope) (key string, has bool) {
	lines := r.Header["Authorization"]
	if len(lines) == 0 {
		return "", false
	}
	scheme, rest, _ := strings.Cut(lines[0], " ")
	rest = strings.Trim(rest, " ")
	switch {
	case len(lines) > 1:
	case strings.EqualFold(scheme, "Bearer"):
		return rest, true
	case strings.EqualFold(scheme, "Basic") && s == Events && len(rest) <= 2*maxKey:
		b, err := base64.StdEncoding.DecodeString(rest)
		if err != nil { // some senders leave the padding out
			b, err = base64.RawStdEncoding.DecodeString(rest)
		}
		if err == nil {
			user, _, _ := strings.Cut(string(b), ":")
			return user, true
		}
	}
	return "", true
}
