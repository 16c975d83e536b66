package scorer

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/clickloop/clickloop/stream"
)

// span are the records from <= i < to of a call.
type span struct{ from, to int }

// refuse gives each request its error that has a prediction which the topic does not take, and
// returns how many predictions these are. The others of the call are written.
func (w *work) refuse(large *stream.TooLargeError) int {
	for _, i := range large.Records {
		for j := range w.requests {
			if q := &w.requests[j]; q.open() && i >= q.records.from && i < q.records.to {
				q.err = large
			}
		}
	}
	return len(large.Records)
}

// errorStatus is the status that a request's error is answered with.
func errorStatus(err error) int {
	var large *stream.TooLargeError
	switch {
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errConflict):
		return http.StatusConflict
	}
	return http.StatusBadRequest
}

func errorCode(err error) string {
	var large *stream.TooLargeError
	switch {
	case errors.As(err, &large):
		return "too_large"
	case errors.Is(err, errConflict):
		return "conflict"
	}
	return ""
}

// unwritten counts and tells predictions that the topic has not got: too large ones, and those that
// Kafka had not acknowledged when the process had to end. Many of the latter were answered
// "published":false.
func (s *Scorer) unwritten(logger *slog.Logger, n int, err error) {
	var large *stream.TooLargeError
	if errors.As(err, &large) {
		s.metrics.predictions.WithLabelValues("refused").Add(float64(n))
		logger.Error("predictions were not written: they are larger than the topic takes", "count", n, "err", err)
		return
	}
	s.metrics.predictions.WithLabelValues("lost").Add(float64(n))
	logger.Error("predictions were not written: Kafka did not acknowledge them before the process had to end (scorer.drain)", "count", n, "drain", s.cfg.Drain, "err", err)
}
