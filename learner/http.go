package learner

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/web"
)

// Register adds /v1/learner and /v1/learner/snapshot to the calls of administrators.
func (l *Learner) Register(_, admin *http.ServeMux) {
	admin.HandleFunc("GET /v1/learner", func(w http.ResponseWriter, r *http.Request) { l.handle(w, r, untilCopied) })
	admin.HandleFunc("POST /v1/learner/snapshot", func(w http.ResponseWriter, r *http.Request) { l.handle(w, r, untilSnapshot) })
}

// handle passes a question to the loop of the network and waits for the answer. With
// learned=OFFSET, the answer comes after everything before that offset is learned.
func (l *Learner) handle(w http.ResponseWriter, r *http.Request, first stage) {
	query, err := inbound.Query(r, "objective", "network", "learned")
	if err != nil {
		web.Refuse(w, http.StatusBadRequest, "bad_request", err)
		return
	}
	key := event.NetworkKey(query.Get("objective"), query.Get("network"))
	o, ok := l.owners[key]
	if !ok {
		web.Refuse(w, http.StatusNotFound, "not_found", fmt.Errorf("no network %q is learned: give ?objective=NAME, and &network=NAME unless it is the default one", key))
		return
	}
	offset, err := strconv.ParseInt(cmp.Or(query.Get("learned"), "0"), 10, 64)
	if err != nil {
		web.Refuse(w, http.StatusBadRequest, "bad_request", fmt.Errorf("learned is %q, want an offset of the examples topic, such as learned=1500", query.Get("learned")))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	s, err := o.ask(ctx, first, offset)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		web.Refuse(w, http.StatusGatewayTimeout, "not_yet", fmt.Errorf("no answer within %v, since the learner is behind: ask again", askTimeout))
		return
	case err != nil:
		web.Refuse(w, http.StatusServiceUnavailable, "unavailable", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s) // a client that is gone cannot be told
}
