package features

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// source is where an event has the value that a sum or last keeps. The zero source is none.
type source struct {
	from string // value, ad, campaign, channel, source, context or properties
	path string
}

func newSource(s string) (source, error) {
	from, path, dotted := strings.Cut(s, ".")
	switch {
	case dotted && path != "" && (from == "context" || from == "properties"):
		return source{from, path}, nil
	case !dotted && (from == "value" || from == "ad" || from == "campaign" || from == "channel" || from == "source"):
		return source{from: from}, nil
	}
	return source{}, fmt.Errorf("is %q; expected value, ad, campaign, channel, source, context.NAME or properties.NAME", s)
}

// of returns the value, Null when the event has none.
func (s source) of(e *event.Event) event.Value {
	switch s.from {
	case "value":
		return event.Value{Kind: event.Number, Num: e.Value}
	case "ad":
		return text(e.Ad)
	case "campaign":
		return text(e.Campaign)
	case "channel":
		return text(e.Channel)
	case "source":
		return text(e.Source)
	case "context":
		v, _ := e.Context.Lookup(s.path)
		return v
	case "properties":
		v, _ := e.Properties.Lookup(s.path)
		return v
	}
	return event.Value{}
}

func text(s string) event.Value {
	if s == "" {
		return event.Value{}
	}
	return event.Value{Kind: event.String, Str: s}
}

// micro is the unit in which sums are kept.
const micro = 1e6

// toMicro rounds x to millionths; false for what cannot be summed. Amounts beyond event.MaxValue
// count as that much.
func toMicro(x float64) (int64, bool) {
	if math.IsNaN(x) {
		return 0, false
	}
	x = min(max(x, -event.MaxValue), event.MaxValue)
	return int64(math.Round(x * micro)), true
}

// maxLastBytes bounds what a profile keeps of a string.
const maxLastBytes = 256

// encodeLast writes a value for a profile: a letter for its kind and its text. Empty when v is
// nothing that last keeps.
func encodeLast(v event.Value) string {
	switch v.Kind {
	case event.String:
		s := v.Str
		if len(s) > maxLastBytes {
			s = s[:maxLastBytes]
			for !utf8.ValidString(s) && len(s) > maxLastBytes-utf8.UTFMax {
				s = s[:len(s)-1]
			}
		}
		return "s" + s
	case event.Number:
		if !math.IsNaN(v.Num) && !math.IsInf(v.Num, 0) {
			return "n" + string(strictjson.AppendNumber(nil, v.Num))
		}
	}
	return ""
}

// decodeLast is the inverse of encodeLast.
func decodeLast(s string) event.Value {
	if s == "" {
		return event.Value{}
	}
	if s[0] == 's' {
		return event.Value{Kind: event.String, Str: s[1:]}
	}
	f, err := strconv.ParseFloat(s[1:], 64)
	if s[0] != 'n' || err != nil {
		return event.Value{}
	}
	return event.Value{Kind: event.Number, Num: f}
}
