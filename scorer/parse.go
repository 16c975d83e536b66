package scorer

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/web"
)

// exchange is a body of /v1/score and its answer. Exchanges are pooled.
type exchange struct {
	call    Call
	lines   []line
	ndjson  bool
	unknown int     // unknown fields of all requests
	places  []int32 // memory of warnOfRepeats
	out     []byte
}

// line is one request of a body, as it was read.
type line struct {
	request  int   // its index in the call
	err      error // why it is refused; when it could not be read, it is not part of the call
	warnings []warning
	unnamed  int // unknown fields beyond maxWarnings
	notes    []web.Warning
}

// parse reads the requests of a body. Their strings are parts of it, so it must not change. The
// error is about the body as a whole.
func (x *exchange) parse(body []byte, ndjson bool, cfg *Config) error {
	x.lines, x.ndjson, x.unknown = x.lines[:0], ndjson, 0
	text := unsafe.String(unsafe.SliceData(body), len(body))
	if !ndjson {
		x.add(text, cfg)
		return nil
	}
	candidates := 0
	for text := range strings.Lines(text) {
		if strings.TrimSpace(text) == "" {
			continue
		}
		x.add(text, cfg)
		if n := len(x.call.Requests); n > x.lines[len(x.lines)-1].request {
			candidates += len(x.call.Requests[n-1].Candidates)
		}
		if limit := cfg.maxParts(); max(len(x.lines), candidates) > limit {
			return &tooManyParts{limit}
		}
	}
	return nil
}

func (x *exchange) add(text string, cfg *Config) {
	n := len(x.lines)
	x.lines = slices.Grow(x.lines, 1)[:n+1]
	l := &x.lines[n]
	*l = line{request: len(x.call.Requests), warnings: l.warnings[:0], notes: l.notes[:0]}
	q := x.call.Add()
	if l.err = l.parse(text, q, cfg); l.err != nil {
		x.call.Requests = x.call.Requests[:l.request]
	} else {
		x.warnOfRepeats(l, q)
		l.warnOfCaps(q)
	}
	x.unknown += l.unnamed
	for i := range l.warnings {
		x.unknown += l.warnings[i].times
	}
}

// parse reads a request from JSON into q.
func (l *line) parse(text string, q *Request, cfg *Config) error {
	var r event.Reader
	r.Reset(text, event.Limits{Bytes: cfg.MaxBody, Depth: 16, Fields: cfg.maxFields()})
	if r.Kind() == strictjson.KindNull {
		return &event.Error{Reason: "is null, want an object"}
	}
	given := false
	for r.Object(); r.Key(); {
		switch r.Name() {
		case "request":
			if q.ID = r.Text(); event.CheckRequestID(q.ID) != nil {
				r.Fail(event.CheckRequestID(q.ID).(*event.Error).Reason)
			}
		case "user":
			q.User = id(&r)
		case "anonymous":
			q.Anonymous = id(&r)
		case "source":
			q.Source = id(&r)
		case "time":
			q.Time = r.Time()
		case "row":
			q.Row = r.Integer()
		case "w":
			q.Weight = r.Weight()
		case "context":
			q.Context = r.Fields(q.Context)
		case "policy":
			if q.Policy = r.Text(); q.Policy == "" {
				r.Fail("is empty, want " + policyForms)
			} else if _, err := parsePolicy(q.Policy); err != nil {
				r.Fail(err.(*event.Error).Reason)
			}
		case "tmax_ms":
			q.TMax = readTMax(&r)
		case "choose":
			q.Choose = int(r.Integer())
		case "objectives":
			parseObjectives(&r, q)
		case "value":
			parseValue(&r, q)
		case "exclude":
			parseExclude(&r, q)
		case "cap":
			l.parseCaps(&r, q)
		case "explain":
			q.Explain = int(r.Integer())
		case "log":
			q.Log = logMode(&r)
		case "candidates":
			given = true
			if r.Kind() == strictjson.KindObject {
				l.parseRetrieval(&r, q, cfg)
			} else {
				l.parseCandidates(&r, q, cfg.MaxCandidates)
			}
		default:
			l.warn(&r, requestFields)
		}
	}
	if err := r.End(); err != nil {
		return err
	}
	switch {
	case !given:
		return &event.Error{Field: "candidates", Reason: "is missing, want an array of at least one object with an ad, or an object with a catalogue"}
	case len(q.Candidates) == 0 && q.Retrieval.Catalogue == "":
		return &event.Error{Field: "candidates", Reason: "is empty, want at least one object with an ad"}
	case q.Choose < 0:
		return &event.Error{Field: "choose", Reason: "is negative"}
	}
	if err := checkExplain(q.Explain); err != nil {
		return err
	}
	return q.checkFields(cfg)
}

// readTMax reads how many milliseconds a request waits for its profiles.
func readTMax(r *event.Reader) time.Duration {
	ms := r.Number()
	if most := maxTMax.Seconds() * 1000; !(ms > 0 && ms <= most) {
		r.Fail(fmt.Sprintf("is %v, want milliseconds above 0 and up to %v", ms, most))
		return 0
	}
	return max(time.Duration(ms*float64(time.Millisecond)), 1)
}

// maxFields is how many fields and elements of lists a candidate may have together with its
// request's. One of more makes
// too long a prediction in any case.
const maxFields = 4000

// checkFields bounds the work and the memory for a request. Every candidate has the fields of the
// context besides its own, so a short body can ask for very many.
func (q *Request) checkFields(cfg *Config) error {
	context, all, limit := width(q.Context), 0, cfg.maxFields()
	for i := range q.Candidates {
		n := context + width(q.Candidates[i].Context)
		if all += n; n > maxFields {
			return &event.Error{Field: "context", Reason: fmt.Sprintf("has %d fields with those of candidate %d, at most %d are allowed", n, i, maxFields)}
		}
	}
	if q.fields = all; all > limit {
		return &event.Error{Field: "context", Reason: fmt.Sprintf("makes %d fields of all %d candidates, at most %d are allowed: send fewer fields or fewer candidates", all, len(q.Candidates), limit)}
	}
	return nil
}

// width counts fields, and each element of a list as one.
func width(f event.Fields) int {
	n := len(f)
	for i := range f {
		n += len(f[i].Value.List)
	}
	return n
}

// maxFields is how many fields the candidates of a request may have, each with those of its
// request.
func (c *Config) maxFields() int { return maxFields + 200*c.MaxCandidates }

// id reads a text that is used as an id: the collector must take events that name it.
func id(r *event.Reader) string {
	s := r.Text()
	if err := event.CheckID("", s); err != nil {
		r.Fail(err.(*event.Error).Reason)
	}
	return s
}

// logMode reads a name of logModes.
func logMode(r *event.Reader) LogMode {
	name := r.Text()
	mode := slices.Index(logModes, name)
	if mode < 0 {
		r.Fail(fmt.Sprintf("is %.40q, want %s", name, strings.Join(logModes, ", ")))
		return LogQueued
	}
	return LogMode(mode)
}

func (l *line) parseCandidates(r *event.Reader, q *Request, limit int) {
	for r.Array(); r.Element(); {
		if len(q.Candidates) == limit {
			r.Fail(fmt.Sprintf("is one candidate too many: at most %d are allowed", limit))
			return
		}
		c := q.Add()
		for r.Object(); r.Key(); {
			switch r.Name() {
			case "ad":
				c.Ad = id(r)
				if c.Ad == "" {
					r.Fail("is empty")
				}
			case "campaign":
				c.Campaign = id(r)
			case "value":
				if c.Value = r.Number(); c.Value < 0 {
					r.Fail("is negative")
				}
			case "context":
				c.Context = r.Fields(c.Context)
			default:
				l.warn(r, candidateFields)
			}
		}
		if c.Ad == "" {
			r.Fail("has no ad")
		}
	}
}

// maxObjectives is how many objectives a request may name.
const maxObjectives = 64

func parseObjectives(r *event.Reader, q *Request) {
	if r.Null() {
		return
	}
	for r.Array(); r.Element(); {
		if len(q.Objectives) == maxObjectives {
			r.Fail(fmt.Sprintf("is one name too many: at most %d are allowed", maxObjectives))
			return
		}
		q.Objectives = append(q.Objectives, r.Text())
	}
	if len(q.Objectives) == 0 {
		r.FailField("objectives", "is empty, want names of objectives; leave it out for all")
	}
}

// parseValue reads a value expression. The engine compiles it.
func parseValue(r *event.Reader, q *Request) {
	if r.Null() {
		return
	}
	if q.Value = r.Text(); q.Value == "" {
		r.Fail("is empty, want an expression such as p.click * candidate.value")
	}
}

func parseExclude(r *event.Reader, q *Request) {
	for r.Array(); r.Element(); {
		if len(q.Exclude) == maxExclude {
			r.Fail(fmt.Sprintf("is one ad too many: at most %d are allowed", maxExclude))
			return
		}
		if q.Exclude = append(q.Exclude, id(r)); q.Exclude[len(q.Exclude)-1] == "" {
			r.Fail("is empty, want an ad")
		}
	}
}

// parseCaps reads one cap, or an array of them.
func (l *line) parseCaps(r *event.Reader, q *Request) {
	if r.Kind() == strictjson.KindObject {
		l.parseCap(r, q)
		return
	}
	for r.Array(); r.Element(); {
		if len(q.Caps) == maxCaps {
			r.Fail(fmt.Sprintf("is one cap too many: at most %d are allowed", maxCaps))
			return
		}
		l.parseCap(r, q)
	}
}

func (l *line) parseCap(r *event.Reader, q *Request) {
	var limit Cap
	most := int64(0)
	for r.Object(); r.Key(); {
		switch r.Name() {
		case "field":
			if limit.Field = r.Text(); len(limit.Field) > event.MaxIDBytes {
				r.Fail(fmt.Sprintf("has %d bytes, at most %d are allowed", len(limit.Field), event.MaxIDBytes))
			}
		case "most":
			if most = r.Integer(); most < 1 {
				r.Fail(fmt.Sprintf("is %d, want at least 1: exclude takes ads that are never wanted", most))
			}
		default:
			l.warn(r, capFields)
		}
	}
	switch {
	case limit.Field == "":
		r.Fail(`has no field, want the name of one, as in {"field":"campaign","most":2}`)
	case most == 0:
		r.Fail(`has no most, want how many are allowed, as in {"field":"campaign","most":2}`)
	}
	limit.Most = int(min(most, math.MaxInt32))
	q.Caps = append(q.Caps, limit)
}
