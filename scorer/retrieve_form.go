package scorer

import (
	"fmt"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/web"
)

// parseRetrieval reads candidates that are an object: from a catalogue.
func (l *line) parseRetrieval(r *event.Reader, q *Request, cfg *Config) {
	for r.Object(); r.Key(); {
		switch r.Name() {
		case "catalogue":
			if q.Retrieval.Catalogue = r.Text(); q.Retrieval.Catalogue == "" {
				r.Fail("is empty")
			}
		case "filter":
			q.Retrieval.Filter = r.Text()
		case "limit":
			if q.Retrieval.Limit = int(r.Integer()); q.Retrieval.Limit < 1 || q.Retrieval.Limit > cfg.MaxCandidates {
				r.Fail(fmt.Sprintf("is %d, want 1 to %d", q.Retrieval.Limit, cfg.MaxCandidates))
			}
		default:
			l.warn(r, retrievalFields)
		}
	}
	if q.Retrieval.Catalogue == "" {
		r.Fail("has no catalogue; want an array of objects with an ad, or an object with a catalogue")
	}
}

// appendWarnings says what a filter could not look at.
func (r *Retrieved) appendWarnings(all []web.Warning) []web.Warning {
	const at = "candidates.filter"
	if r.Unknown != "" {
		all = append(all, web.Warning{Field: at, Message: fmt.Sprintf("%s: no item of the catalogue has the field %.100s.", at, r.Unknown), Nearest: r.Nearest})
	}
	if r.Failed > 0 {
		all = append(all, web.Warning{Field: at, Message: fmt.Sprintf("%s has no result for %d items, which are left out: %v.", at, r.Failed, r.Err)})
	}
	return all
}
