package story

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/inbound"
	"github.com/clickloop/clickloop/internal/web"
	"golang.org/x/sync/errgroup"
)

// Stories serves stories over HTTP, with an index of the newest records. The index begins with the
// first question: a process that nobody asks reads nothing.
type Stories struct {
	finder *Finder
	logger *slog.Logger
	asked  chan struct{}
	once   sync.Once
	turns  chan struct{}
}

// Bounds of questions.
const (
	maxAtOnce = 2 // questions; others wait for their turn
	maxWait   = 5 * time.Second
	maxSearch = 30 * time.Second
)

// New returns Stories that f tells. They answer without Run, too, but search the topics then.
func New(f Finder, logger *slog.Logger) *Stories {
	f.index = newIndex()
	return &Stories{finder: &f, logger: logger, asked: make(chan struct{}), turns: make(chan struct{}, maxAtOnce)}
}

// Register adds GET /v1/predictions/{id...} to the calls of administrators.
func (s *Stories) Register(_, admin *http.ServeMux) {
	admin.HandleFunc("GET /v1/predictions/{id...}", s.handle)
}

// Run keeps the index from the first question on, until ctx ends.
func (s *Stories) Run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-s.asked:
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.finder.index.follow(ctx, s.finder.Client, event.TopicPredictions, keyOf) })
	g.Go(func() error { return s.finder.index.follow(ctx, s.finder.Client, event.TopicEvents, eventPrediction) })
	err := g.Wait()
	if ctx.Err() == nil && err != nil {
		// stories are told all the same
		s.logger.Warn("predictions are not indexed any more: stories take longer", "err", err)
	}
	return nil
}

// handle answers with a story. ?at= is about when the prediction was written, ?brief=1 leaves out
// what the weights say.
func (s *Stories) handle(w http.ResponseWriter, r *http.Request) {
	q, err := question(r)
	if err != nil {
		web.Refuse(w, http.StatusBadRequest, "bad_request", err)
		return
	}
	s.once.Do(func() { close(s.asked) })
	ctx, cancel := context.WithTimeout(r.Context(), maxWait+maxSearch)
	defer cancel()
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	case <-time.After(maxWait):
		web.Refuse(w, http.StatusServiceUnavailable, "unavailable", fmt.Errorf("%d other predictions are searched for: ask again", maxAtOnce))
		return
	case <-ctx.Done():
		return
	}
	story, err := s.finder.Tell(ctx, q)
	var wrong *event.Error
	switch {
	case errors.As(err, &wrong):
		web.Refuse(w, http.StatusBadRequest, "bad_request", err)
	case errors.Is(err, context.DeadlineExceeded):
		web.Refuse(w, http.StatusGatewayTimeout, "not_yet", fmt.Errorf("the search took longer than %s: give at=TIME, when the prediction was made", maxSearch))
	case err != nil:
		web.Refuse(w, http.StatusServiceUnavailable, "unavailable", err)
	case !story.Found():
		web.Refuse(w, http.StatusNotFound, "not_found", story.Missing())
	default:
		b, err := json.Marshal(story)
		if err != nil {
			web.Refuse(w, http.StatusInternalServerError, "internal", err)
			return
		}
		web.WriteJSON(w, http.StatusOK, b)
	}
}

func question(r *http.Request) (q Question, err error) {
	query, err := inbound.Query(r, "at", "brief")
	if err != nil {
		return q, err
	}
	q.ID, q.Brief = r.PathValue("id"), query.Get("brief") == "1" || query.Get("brief") == "true"
	if at := query.Get("at"); at != "" {
		q.At, err = ParseAt(at)
	}
	return q, err
}

// ParseAt parses about when a prediction was made, in RFC 3339.
func ParseAt(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, &event.Error{Field: "at", Reason: fmt.Sprintf("is %.40q, want a time in RFC 3339, such as 2026-11-25T09:00:00Z", text)}
	}
	return t, nil
}

// Missing is the error of a prediction that is nowhere: it says what was searched.
func (s *Story) Missing() error {
	var where []string
	for _, x := range s.Searched {
		text := fmt.Sprintf("%s (%d records", x.Topic, x.Records)
		if x.Part != "" {
			text += ", " + x.Part
		}
		where = append(where, text+")")
	}
	return fmt.Errorf("there is no prediction %.200s; searched were %s; an id is that of a request, a dot and the number of a candidate, such as r1.0", s.ID, strings.Join(where, ", "))
}
