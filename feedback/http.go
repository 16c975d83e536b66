package feedback

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/web"
)

// Register adds /v1/evaluation, /v1/networks and /v1/feedback/release to the calls of
// administrators.
func (f *Feedback) Register(_, admin *http.ServeMux) {
	admin.HandleFunc("GET /v1/evaluation", f.handleEvaluation)
	admin.HandleFunc("GET /v1/networks", f.handleNetworks)
	admin.HandleFunc("POST /v1/feedback/release", f.handleRelease)
}

// handleEvaluation answers with an objective's metrics, as in the topic: since the start, or with
// ?window= those of the newest window of that name that has passed. ?segments=1 adds its segments,
// one a line. ?segment=NAME and ?segment=NAME=VALUE give those segments alone. The objective may be
// left out when there is only one.
func (f *Feedback) handleEvaluation(w http.ResponseWriter, r *http.Request) {
	query, err := inbound.Query(r, "objective", "window", "segment", "segments")
	i, ok := f.find(w, query, err)
	if !ok {
		return
	}
	all, err := f.evaluators[i].newest(query.Get("window"))
	if err == nil {
		all, err = chosen(all, query.Get("segment"), query.Get("segments"))
	}
	if err != nil {
		web.Refuse(w, http.StatusBadRequest, "bad_request", err)
		return
	}
	web.WriteJSON(w, http.StatusOK, lines(all))
}

// handleNetworks answers with the comparisons of an objective's networks, as in the topic: one line
// for each pair.
func (f *Feedback) handleNetworks(w http.ResponseWriter, r *http.Request) {
	query, err := inbound.Query(r, "objective")
	i, ok := f.find(w, query, err)
	if !ok {
		return
	}
	c := f.comparers[i]
	if c == nil {
		web.Refuse(w, http.StatusNotFound, "not_found", fmt.Errorf("objective %s has one network: name several in its setting networks to compare them", f.labelers[i].objective.Name))
		return
	}
	web.WriteJSON(w, http.StatusOK, lines(c.newest()))
}

// lines are evaluations as JSON, one a line.
func lines(all []event.Evaluation) []byte {
	var b []byte
	for i := range all {
		if i > 0 {
			b = append(b, '\n')
		}
		b = all[i].AppendJSON(b)
	}
	return b
}

// chosen returns what a request asks for of a window's evaluations, of which the whole is the
// first.
func chosen(all []event.Evaluation, segment, segments string) ([]event.Evaluation, error) {
	switch {
	case segment != "" && segments != "":
		return nil, field.Wrong("segment", "is given beside segments, which gives all of them: give one")
	case segment == "" && (segments == "" || segments == "0" || segments == "false"):
		return all[:1], nil
	case segment == "":
		if segments != "1" && segments != "true" {
			return nil, field.Wrong("segments", "is %.40q, want 1 or 0; segment=NAME gives one", segments)
		}
		return all, nil
	}
	name, value, valued := strings.Cut(segment, "=")
	var found []event.Evaluation
	for _, e := range all[1:] {
		if s := e.Segment[0]; s.Name == name && (!valued || s.Value.Text() == value) {
			found = append(found, e)
		}
	}
	if len(found) == 0 {
		return nil, field.Wrong("segment", "is %.80q, which no example of the window had, or which is none of the objective's segments", segment)
	}
	return found, nil
}

// handleRelease lets this process's labelers go on with an objective although its alarm stands.
func (f *Feedback) handleRelease(w http.ResponseWriter, r *http.Request) {
	query, err := inbound.Query(r, "objective")
	i, ok := f.find(w, query, err)
	if !ok {
		return
	}
	f.labelers[i].guard.release()
	web.WriteJSON(w, http.StatusOK, []byte(`{"released":true}`))
}

// find returns the index of the objective that a request names, whose query was read with err. If
// it finds none it refuses the request, and ok is false.
func (f *Feedback) find(w http.ResponseWriter, query url.Values, err error) (i int, ok bool) {
	if err != nil {
		web.Refuse(w, http.StatusBadRequest, "bad_request", err)
		return 0, false
	}
	if i, err = f.objective(query.Get("objective")); err != nil {
		web.Refuse(w, http.StatusNotFound, "not_found", err)
	}
	return i, err == nil
}

// objective returns the index of the objective that a request names.
func (f *Feedback) objective(name string) (int, error) {
	if name == "" && len(f.labelers) == 1 {
		return 0, nil
	}
	names := ""
	for i, l := range f.labelers {
		if l.objective.Name == name {
			return i, nil
		}
		names += " " + l.objective.Name
	}
	if name == "" {
		return 0, field.Wrong("objective", "is missing: give ?objective= with one of%s", names)
	}
	return 0, field.Wrong("objective", "is %.80q, want one of%s", name, names)
}
