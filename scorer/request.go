package scorer

import (
	"fmt"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// request is a question with its candidates.
type request struct {
	id        string
	user      string
	anonymous string
	source    string
	time      event.Time
	row       int64
	w         *float64 // weight of what is learned from it, nil for 1
	context   event.Fields
	choose    int64
	chosen    bool // choose was given

	candidates []candidate
	policy     string
	records    span  // of its predictions, in work.records
	err        error // why it is refused

	warnings      []warning // of fields that nobody knows
	unnamed       int       // of them, beyond maxWarnings
	unknownFields int

	progress progress
	claimed  bool        // its id is this call's
	hash     uint64      // of the id
	content  fingerprint // of what is asked to choose from
	facts    fingerprint // of the rest of the request
	changed  bool        // it came before with other facts, and gets the answer to these
	past     *past       // the choice that was made before, nil for none
	wait     chan struct{}
	twin     int    // index in the call of the request that it repeats
	from, to int    // of its answer in work.cores
	answer   []byte // the one that was given before
	fate     fate
	late     *delivery // of its predictions, while Kafka has not acknowledged them
}

// candidate is one ad that may be chosen.
type candidate struct {
	ad       string
	campaign string
	context  event.Fields
	value    float64 // of a positive, for the order; 1 when not given

	index      int          // in the request
	used       event.Fields // features
	p          []float64    // by objective
	score      float64
	propensity float64 // probability of being among the chosen
}

// parse reads a request from JSON into q, whose slices are used again.
func (q *request) parse(text string, cfg *Config) error {
	var r event.Reader
	r.Reset(text, event.Limits{Bytes: cfg.MaxBody, Depth: 16, Fields: 4000 + 200*cfg.MaxCandidates})
	*q = request{context: q.context[:0], candidates: q.candidates[:0], warnings: q.warnings[:0]}
	if r.Kind() == strictjson.KindNull {
		return &event.Error{Reason: "is null, want an object"}
	}
	given := false
	for r.Object(); r.Key(); {
		switch r.Name() {
		case "request":
			if q.id = r.Text(); event.CheckRequestID(q.id) != nil {
				r.Fail(event.CheckRequestID(q.id).(*event.Error).Reason)
			}
		case "user":
			q.user = id(&r)
		case "anonymous":
			q.anonymous = id(&r)
		case "source":
			q.source = id(&r)
		case "time":
			q.time = r.Time()
		case "row":
			q.row = r.Integer()
		case "w":
			q.w = r.Weight()
		case "context":
			q.context = r.Fields(q.context)
		case "choose":
			q.choose, q.chosen = r.Integer(), true
		case "candidates":
			given = true
			q.parseCandidates(&r, cfg)
		default:
			q.unknown(&r, false)
		}
	}
	if err := r.End(); err != nil {
		return err
	}
	return q.check(given)
}

// id takes a text that is used as an id: events that name it must be taken by the collector.
func id(r *event.Reader) string {
	s := r.Text()
	if err := event.CheckID("", s); err != nil {
		r.Fail(err.(*event.Error).Reason)
	}
	return s
}

func (q *request) parseCandidates(r *event.Reader, cfg *Config) {
	for r.Array(); r.Element(); {
		if len(q.candidates) == cfg.MaxCandidates {
			r.Fail(fmt.Sprintf("is one candidate too many: at most %d are allowed", cfg.MaxCandidates))
			return
		}
		c := q.nextCandidate()
		for r.Object(); r.Key(); {
			switch r.Name() {
			case "ad":
				c.ad = id(r)
				if c.ad == "" {
					r.Fail("is empty")
				}
			case "campaign":
				c.campaign = id(r)
			case "value":
				if c.value = r.Number(); c.value < 0 {
					r.Fail("is negative")
				}
			case "context":
				c.context = r.Fields(c.context)
			default:
				q.unknown(r, true)
			}
		}
		if c.ad == "" {
			r.Fail("has no ad")
		}
	}
}

// nextCandidate returns a cleared candidate at the end, its slices kept.
func (q *request) nextCandidate() *candidate {
	n := len(q.candidates)
	if n < cap(q.candidates) {
		q.candidates = q.candidates[:n+1]
	} else {
		q.candidates = append(q.candidates, candidate{})
	}
	c := &q.candidates[n]
	*c = candidate{context: c.context[:0], p: c.p[:0], used: c.used[:0], value: 1, index: n}
	return c
}

func (q *request) check(given bool) error {
	switch {
	case !given:
		return &event.Error{Field: "candidates", Reason: "is missing, want an array of at least one object with an ad"}
	case len(q.candidates) == 0:
		return &event.Error{Field: "candidates", Reason: "is empty, want at least one object with an ad"}
	case q.chosen && q.choose < 0:
		return &event.Error{Field: "choose", Reason: "is negative"}
	case !q.chosen:
		q.choose = 1
	}
	q.choose = min(q.choose, int64(len(q.candidates)))
	return nil
}
