package feedback

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/clickloop/clickloop/event"
)

// Register adds /v1/evaluation and /v1/feedback/release.
func (f *Feedback) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/evaluation", f.handleEvaluation)
	mux.HandleFunc("POST /v1/feedback/release", f.handleRelease)
}

// handleEvaluation answers with an objective's metrics since the start, as in the topic; with ?segments=1 its segments' follow, one a line. The objective may be
// left out when there is only one.
func (f *Feedback) handleEvaluation(w http.ResponseWriter, r *http.Request) {
	i, err := f.objective(r)
	if err != nil {
		refuse(w, http.StatusNotFound, "not_found", err)
		return
	}
	all := f.evaluators[i].current()
	if r.URL.Query().Get("segments") == "" {
		all = all[:1]
	}
	var b []byte
	for i := range all {
		if i > 0 {
			b = append(b, '\n')
		}
		b = all[i].AppendJSON(b)
	}
	writeJSON(w, http.StatusOK, b)
}

// handleRelease lets an objective's labels go on although its alarm stands. It is for the labelers of this process.
func (f *Feedback) handleRelease(w http.ResponseWriter, r *http.Request) {
	i, err := f.objective(r)
	if err != nil {
		refuse(w, http.StatusNotFound, "not_found", err)
		return
	}
	f.labelers[i].guard.release()
	writeJSON(w, http.StatusOK, []byte(`{"released":true}`))
}

// objective is the index of the one that a request names.
func (f *Feedback) objective(r *http.Request) (int, error) {
	name := r.URL.Query().Get("objective")
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

func refuse(w http.ResponseWriter, status int, code string, err error) {
	b := append([]byte(`{"error":{"code":"`), code...)
	b = append(b, `","message":`...)
	b = event.AppendString(b, err.Error())
	writeJSON(w, status, append(b, `,"field":"objective"}}`...))
}

func writeJSON(w http.ResponseWriter, status int, b []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	_, _ = w.Write(b) // a client that is gone cannot be told
}
