package event

import (
	"slices"
	"strings"
)

// aliases are the names of other systems, folded as fold does, with the names that the loop has for
// the same thing, the most likely one first. The first known one is proposed.
var aliases = map[string][]string{
	"timestamp": {"time"}, "ts": {"time"}, "datetime": {"time"}, "date": {"time"}, "at": {"time"}, "eventtime": {"time"}, "createdat": {"time"},
	"originaltimestamp": {"time"}, "occurredat": {"time"},
	"uid": {"user"}, "customer": {"user"}, "customerid": {"user"}, "distinctid": {"user"}, "visitor": {"anonymous", "user"},
	"visitorid": {"anonymous", "user"}, "deviceid": {"anonymous", "user"}, "cookie": {"anonymous", "user"}, "cookieid": {"anonymous", "user"},
	"event": {"type"}, "name": {"type"}, "eventname": {"type"}, "action": {"type"}, "kind": {"type"}, "verb": {"type"},
	"eventid": {"id"}, "messageid": {"id", "request"}, "uuid": {"id", "request"}, "insertid": {"id"}, "key": {"id"},
	"revenue": {"value"}, "amount": {"value"}, "price": {"value"}, "total": {"value"}, "money": {"value"}, "bid": {"value"},
	"props": {"properties"}, "params": {"properties", "context"}, "data": {"properties", "context"}, "traits": {"properties", "context"},
	"attributes": {"properties", "context"}, "payload": {"properties", "context"}, "metadata": {"properties", "context"}, "features": {"context", "properties"},
	"creative": {"ad"}, "creativeid": {"ad"}, "item": {"ad"}, "itemid": {"ad"}, "banner": {"ad"}, "impid": {"prediction", "request"},
	"site": {"source"}, "app": {"source"}, "origin": {"source"},
	"id": {"request"}, "trace": {"request"}, "traceid": {"request"},
	"ads": {"candidates"}, "items": {"candidates"}, "imp": {"candidates"}, "imps": {"candidates"}, "n": {"choose"}, "k": {"choose"}, "top": {"choose"},
	"topk": {"choose"}, "limit": {"choose"}, "count": {"choose"}, "weight": {"w"}, "model": {"objective"},
}

// Nearest returns the known name that an unknown name most likely means, or "" when none is near.
// The unknown name may be another spelling (userId for user_id), contain the known one
// (predictionId for prediction), come from another system (timestamp for time), be an abbreviation
// (prop for properties), or a typing error (campain).
func Nearest(name string, known []string) string {
	// bytes: a longer name is no typing error, and distances take quadratic time
	const longest = 64
	if len(name) > longest {
		return ""
	}
	folded := fold(name)
	if folded == "" {
		return ""
	}
	for _, k := range known {
		if fold(k) == folded {
			return k
		}
	}
	for _, meant := range aliases[folded] {
		if slices.Contains(known, meant) {
			return meant
		}
	}
	if k := byWord(words(name), known); k != "" {
		return k
	}
	const short = 3 // letters that make an abbreviation
	for _, k := range known {
		if len(folded) >= short && strings.HasPrefix(fold(k), folded) {
			return k
		}
	}
	best, least := "", max(1, len(folded)/4)+1
	for _, k := range known {
		if len(k) < 2 { // w is one letter away from any other
			continue
		}
		if d := distance(folded, fold(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// byWord finds the known name that is a word of a name, the first word first. The word id is too
// common to mean anything.
func byWord(words, known []string) string {
	for _, w := range words {
		if len(w) < 2 || w == "id" {
			continue
		}
		for _, k := range known {
			if w == fold(k) || w == fold(k)+"s" {
				return k
			}
		}
	}
	return ""
}

// fold leaves the letters and digits of a name, in lower case.
func fold(name string) string { return strings.Join(words(name), "") }

// words cuts a name where the case changes and at characters that are neither letters nor digits:
// userId and user_id are both user, id.
func words(name string) []string {
	var all []string
	start := -1
	for i := 0; i <= len(name); i++ {
		var c, before byte
		if i < len(name) {
			c = name[i]
		}
		if i > 0 {
			before = name[i-1]
		}
		inside := isLower(c) || isUpper(c) || c-'0' <= 9 || c >= 0x80
		if start >= 0 && (!inside || isUpper(c) && !isUpper(before)) {
			all = append(all, strings.ToLower(name[start:i]))
			start = -1
		}
		if inside && start < 0 {
			start = i
		}
	}
	return all
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// distance counts the letters to insert, delete, replace or swap with their neighbour to turn a
// into b.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			d := last[j]
			if a[i] != b[j] {
				d = min(d, last[j+1], row[j]) + 1
			}
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, before[j-1]+1)
			}
			row[j+1] = d
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

// UnknownName says which known name an unknown one may mean, or else which names are known. It is
// the Reason of an Error or of a warning about the name.
func UnknownName(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return "is not known; did you mean " + near + "?"
	}
	return "is not known; known are " + strings.Join(known, ", ")
}
