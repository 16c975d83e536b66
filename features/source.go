package features

import (
	"fmt"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// source is the place in an event from which an aggregate takes a value. The zero source has no
// value.
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

// of returns the value; null when there is none.
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

// text is a string as a value; an empty one is null.
func text(s string) event.Value {
	if s == "" {
		return event.Value{}
	}
	return event.Value{Kind: event.String, Str: s}
}
