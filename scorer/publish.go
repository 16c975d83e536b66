package scorer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// predictionLog writes the predictions of calls to their topic, in order.
type predictionLog struct {
	batcher *stream.Batcher
	headers []stream.Header
	drain   time.Duration
	logger  *slog.Logger
	metrics *instruments
}

func newPredictionLog(cfg *Config, client *stream.Client, logger *slog.Logger, metrics *instruments) *predictionLog {
	l := &predictionLog{
		batcher: stream.NewBatcher(client, event.TopicPredictions, cfg.MaxWaiting), headers: client.MessageHeaders(event.SchemaPrediction),
		drain: cfg.Drain, logger: logger, metrics: metrics,
	}
	l.batcher.Drain(cfg.Drain, l.lose)
	return l
}

// publish writes the predictions of c and says whether Kafka has acknowledged them within wait. If
// not, they are written as soon as Kafka takes them, and the delivery says when. Without a delivery
// they found no room to wait: they are lost, and counted.
func (l *predictionLog) publish(ctx context.Context, c *Call, wait time.Duration) (published bool, late *delivery) {
	if len(c.records) == 0 {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	done, err := l.batcher.Enqueue(c.records)
	if err == nil {
		select {
		case err = <-done:
		case <-ctx.Done():
			l.metrics.countPredictions("late", len(c.records))
			return false, newDelivery(done)
		}
	}
	refused := 0
	var large *stream.TooLargeError
	switch {
	case errors.As(err, &large):
		refused = c.refuse(large) // lose counts them; all others were written
	case err != nil:
		l.metrics.countPredictions("lost", len(c.records))
		return false, nil
	}
	l.metrics.countPredictions("acknowledged", len(c.records)-refused)
	return true, nil
}

// lose counts and logs predictions that are not on the topic: those that are too large for it, and
// those that Kafka had not acknowledged when the process had to end. Most of the latter were
// answered as not published.
func (l *predictionLog) lose(n int, err error) {
	var large *stream.TooLargeError
	if errors.As(err, &large) {
		l.metrics.countPredictions("refused", n)
		l.logger.Error("predictions were not written: they are larger than the topic takes", "count", n, "err", err)
		return
	}
	l.metrics.countPredictions("lost", n)
	l.logger.Error("predictions were not written: Kafka did not acknowledge them before the process had to end (scorer.drain)", "count", n, "drain", l.drain, "err", err)
}

// span is the records from <= i < to of a call.
type span struct{ from, to int }

// refuse refuses the requests that have a prediction which is too large for the topic, and returns
// how many predictions these are.
func (c *Call) refuse(large *stream.TooLargeError) int {
	for _, i := range large.Records {
		for j := range c.Requests {
			if q := &c.Requests[j]; q.open() && i >= q.claim.records.from && i < q.claim.records.to {
				q.Answer.Err = large
			}
		}
	}
	return len(large.Records)
}

// delivery is what becomes of predictions that Kafka had not acknowledged when their request was
// answered.
type delivery struct {
	done <-chan error // has one value at most

	once    sync.Once
	settled chan struct{}
	err     error // valid when settled is closed
}

func newDelivery(done <-chan error) *delivery {
	return &delivery{done: done, settled: make(chan struct{})}
}

// acknowledged waits for Kafka until ctx ends and says whether it has acknowledged. Any number of
// calls may wait.
func (d *delivery) acknowledged(ctx context.Context) bool {
	select {
	case err := <-d.done:
		d.once.Do(func() { d.err = err; close(d.settled) })
	case <-d.settled:
	case <-ctx.Done():
		return false
	}
	return d.err == nil
}
