package feedback

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/web"
)

// Register adds /v1/evaluation and /v1/feedback/release.
func (f *Feedback) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/evaluation", f.handleEvaluation)
	mux.HandleFunc("POST /v1/feedback/release", f.handleRelease)
}

// handleEvaluation answers with an objective's metrics, as in the topic: since the start, or with
// ?window= those of the newest window of that name that has passed. ?segments=1 adds its segments,
// one a line. ?segment=NAME and ?segment=NAME=VALUE give those segments alone. The objective may be
// left out when there is only one.
func (f *Feedback) handleEvaluation(w http.ResponseWriter, r *http.Request) {
	query, i, ok := f.query(w, r, "objective", "window", "segment", "segments")
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
	var b []byte
	for i := range all {
		if i > 0 {
			b = append(b, '\n')
		}
		b = all[i].AppendJSON(b)
	}
	web.WriteJSON(w, http.StatusOK, b)
}

// chosen returns what a request asks for of a window's evaluations, of which the whole is the
// first.
func chosen(all []event.Evaluation, segment, segments string) ([]event.Evaluation, error) {
	switch {
	case segment != "" && segments != "":
		return nil, &event.Error{Field: "segment", Reason: "is given beside segments, which gives all of them: give one"}
	case segment == "" && (segments == "" || segments == "0" || segments == "false"):
		return all[:1], nil
	case segment == "":
		if segments != "1" && segments != "true" {
			return nil, &event.Error{Field: "segments", Reason: fmt.Sprintf("is %.40q, want 1 or 0; segment=NAME gives one", segments)}
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
		return nil, &event.Error{Field: "segment", Reason: fmt.Sprintf("is %.80q, which no example of the window had, or which is none of the objective's segments", segment)}
	}
	return found, nil
}

// handleRelease lets this process's labelers go on with an objective although its alarm stands.
func (f *Feedback) handleRelease(w http.ResponseWriter, r *http.Request) {
	_, i, ok := f.query(w, r, "objective")
	if !ok {
		return
	}
	f.labelers[i].guard.release()
	web.WriteJSON(w, http.StatusOK, []byte(`{"released":true}`))
}

// query reads the parameters of a request and finds the index of the objective that it names. When
// ok is false it has refused the request.
func (f *Feedback) query(w http.ResponseWriter, r *http.Request, parameters ...string) (query url.Values, i int, ok bool) {
	query, err := inbound.Query(r, parameters...)
	if err != nil {
		web.Refuse(w, http.StatusBadRequest, "bad_request", err)
		return nil, 0, false
	}
	if i, err = f.objective(query.Get("objective")); err != nil {
		web.Refuse(w, http.StatusNotFound, "not_found", err)
		return nil, 0, false
	}
	return query, i, true
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
		return 0, &event.Error{Field: "objective", Reason: "is missing: give ?objective= with one of" + names}
	}
	return 0, &event.Error{Field: "objective", Reason: fmt.Sprintf("is %.80q, want one of%s", name, names)}
}
