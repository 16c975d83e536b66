package scorer

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

// LogMode is what a request wants of the log of its predictions. In recorded mode every call waits
// until Kafka has acknowledged them.
type LogMode uint8

const (
	LogQueued       LogMode = iota // they have a place in the queue, or the request is refused
	LogAcknowledged                // likewise, and the answer waits for Kafka up to Config.PublishWait
	LogBestEffort                  // without a place in the queue the request is answered all the same
)

// logModes are the values of a request's field log.
var logModes = []string{"queued", "acknowledged", "best_effort"}

// predictionLog writes the predictions of calls to their topic, in order. They wait for Kafka in a
// queue, and on disk where there is a spool.
type predictionLog struct {
	batcher *stream.Batcher
	client  *stream.Client
	spool   *predictionSpool // nil for none
	headers []stream.Header
	drain   time.Duration
	logger  *slog.Logger
	metrics *instruments
}

// linger is how long predictions wait for others of the same write, while no answer waits for them.
const linger = 20 * time.Millisecond

// newPredictionLog returns a log, and the predictions that an earlier process left in the spool:
// they are the first that are written.
func newPredictionLog(cfg *Config, client *stream.Client, logger *slog.Logger, metrics *instruments) (l *predictionLog, left []stream.Record, err error) {
	l = &predictionLog{
		batcher: stream.NewBatcher(client, event.TopicPredictions, cfg.MaxWaiting), headers: client.MessageHeaders(event.SchemaPrediction),
		client: client, drain: cfg.Drain, logger: logger, metrics: metrics,
	}
	l.batcher.Drain(cfg.Drain, l.lose).Insist().Linger(linger).Count(func(n int) { metrics.acknowledged.Add(float64(n)) })
	if cfg.Spool != "" {
		if l.spool, left, err = openSpool(cfg.Spool, l); err != nil {
			return nil, nil, err
		}
		l.batcher.Keep(l.spool, left)
	}
	metrics.observeQueue(l.batcher)
	return l, left, nil
}

// run writes predictions until ctx ends, and then what is left for the time of drain.
func (l *predictionLog) run(ctx context.Context) error {
	defer l.spool.close()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.batcher.Run(ctx) })
	g.Go(func() error {
		// what the topic does not take is refused before it is promised
		_ = l.client.LearnLimit(ctx, event.TopicPredictions) // ctx has ended
		return nil
	})
	return g.Wait()
}

// errQueueFull refuses a request whose predictions find no place in the queue.
var errQueueFull = unavailable("too many predictions wait for Kafka (scorer.max_waiting)")

// errSpool refuses a request whose predictions cannot be kept on disk.
var errSpool = unavailable("predictions cannot be kept: the spool cannot be written")

// hasRoom returns false when the queue takes no prediction now. A call that would be refused for it
// then costs no scoring.
func (l *predictionLog) hasRoom() bool { return l.batcher.Room(maxPrediction) }

// enqueue gives the predictions of c's open requests a place in the queue. Without one, requests
// are refused, or, where they want it so, answered without being logged.
func (l *predictionLog) enqueue(c *Call) (stream.Ticket, bool) {
	ticket, err := l.batcher.Enqueue(c.records)
	for i := range c.Requests {
		q := &c.Requests[i]
		if !q.open() {
			continue
		}
		switch n := q.claim.records.to - q.claim.records.from; {
		case err == nil || n == 0:
			q.Answer.Logged = true
			q.claim.ticket = ticket.Part(q.claim.records.from, q.claim.records.to)
		case q.Log == LogBestEffort:
			l.metrics.countPredictions("unlogged", n)
		default:
			q.Answer.Err = reasonOf(err)
		}
	}
	return ticket, err == nil
}

// reasonOf is what a client reads about an error of the queue.
func reasonOf(err error) error {
	switch {
	case errors.Is(err, stream.ErrFull):
		return errQueueFull
	case errors.Is(err, stream.ErrEnded):
		return unavailable("this process is stopping")
	}
	return errSpool
}

// await waits until Kafka has acknowledged the predictions of c, up to wait, and says so in the
// answers that are open. It refuses requests whose predictions are too large for the topic.
func (l *predictionLog) await(ctx context.Context, c *Call, t stream.Ticket, wait time.Duration) (acknowledged bool) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err := l.batcher.Await(ctx, t)
	var large *stream.TooLargeError
	if errors.As(err, &large) {
		c.refuse(large) // all others were written
		err = nil
	}
	for i := range c.Requests {
		if q := &c.Requests[i]; q.open() {
			q.Answer.Acknowledged = err == nil
		}
	}
	return err == nil
}

// standing says what has become of predictions that were logged once: whether they are still
// logged, and whether Kafka has acknowledged them, for which it waits up to wait.
func (l *predictionLog) standing(ctx context.Context, t stream.Ticket, wait time.Duration) (logged, acknowledged bool) {
	if wait > 0 {
		bounded, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		_ = l.batcher.Await(bounded, t) // Result tells
	}
	settled, err := l.batcher.Result(t)
	return !settled || err == nil, settled && err == nil
}

// lose counts and logs predictions that are not on the topic: those that are too large for it, and
// those that Kafka had not acknowledged when the process had to end.
func (l *predictionLog) lose(n int, err error) {
	var large *stream.TooLargeError
	switch {
	case errors.As(err, &large):
		l.metrics.countPredictions("refused", n)
		l.logger.Error("predictions were not written: they are larger than the topic takes", "count", n, "err", err)
	case l.spool != nil:
		l.metrics.countPredictions("spooled", n)
		l.logger.Warn("predictions are left in the spool: Kafka did not acknowledge them before the process had to end (scorer.drain); the next start writes them", "count", n, "spool", l.spool.dir, "drain", l.drain, "err", err)
	default:
		l.metrics.countPredictions("lost", n)
		l.logger.Error("predictions were not written: Kafka did not acknowledge them before the process had to end (scorer.drain)", "count", n, "drain", l.drain, "err", err)
	}
}

// span is the records from <= i < to of a call.
type span struct{ from, to int }

// refuse refuses the requests that have a prediction which is too large for the topic.
func (c *Call) refuse(large *stream.TooLargeError) {
	for _, i := range large.Records {
		for j := range c.Requests {
			if q := &c.Requests[j]; q.open() && i >= q.claim.records.from && i < q.claim.records.to {
				q.Answer.Err = large
			}
		}
	}
}
