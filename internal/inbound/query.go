// Package inbound reads the bodies and the query parameters of HTTP requests, for every stage
// alike. Bodies are read within bounds, whatever their encoding; no parameter is ignored in
// silence.
package inbound

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// Query returns a request's parameters. An unknown one is an *event.Error that names it, and so is
// one that is given twice, and a query that cannot be read.
func Query(r *http.Request, known ...string) (url.Values, error) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &event.Error{Field: "query", Reason: "cannot be read: " + err.Error()}
	}
	if unknown := Unknown(values, known...); len(unknown) > 0 {
		return nil, unknown[0]
	}
	for _, name := range known {
		if len(values[name]) > 1 {
			return nil, &event.Error{Field: name, Reason: "is given twice"}
		}
	}
	return values, nil
}

// Unknown returns an error for each of values that is not known, in the order of their names.
func Unknown(values url.Values, known ...string) []*event.Error {
	var unknown []*event.Error
	for name := range values {
		if !slices.Contains(known, name) {
			reason := "is not known here: no parameters are"
			if len(known) > 0 {
				reason = event.UnknownName(name, known)
			}
			unknown = append(unknown, &event.Error{Field: shown(name), Reason: reason})
		}
	}
	slices.SortFunc(unknown, func(a, b *event.Error) int { return strings.Compare(a.Field, b.Field) })
	return unknown
}

// shown cuts a name to a length that an answer can bear.
func shown(name string) string {
	const limit = 64
	if name == "" {
		return `""`
	}
	if len(name) > limit {
		return name[:limit] + "..."
	}
	return name
}
