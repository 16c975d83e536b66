package simulate

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/event/objective"
	"github.com/clickloop/clickloop/internal/retry"
	"golang.org/x/sync/errgroup"
)

// pass lets time pass to at: what is due before is sent. In recorded time the bidder's clock is
// moved, and now and then the labels that are due are waited for; in real time pass waits.
func (x *Exchange) pass(ctx context.Context, at event.Time) error {
	if !x.client.recorded && !retry.Sleep(ctx, time.Until(at.Std())) {
		return ctx.Err()
	}
	var events []event.Event
	var calls []due
	for _, d := range x.queue.before(at) {
		if d.event != nil {
			events = append(events, *d.event)
		} else {
			calls = append(calls, d)
		}
	}
	if err := x.notify(ctx, calls); err != nil {
		return err
	}
	clock := event.Time(0)
	if x.client.recorded {
		clock = at
	}
	if clock != 0 || len(events) > 0 {
		if err := x.client.events(ctx, events, clock); err != nil {
			return err
		}
	}
	if x.labels == nil {
		return ctx.Err()
	}
	return x.settle(ctx, at, false)
}

// notify makes calls, several at once; those of one bid go out one after the other. A call that is
// not taken in the end is counted.
func (x *Exchange) notify(ctx context.Context, calls []due) error {
	workers := make([][]*due, x.cfg.Connections)
	for i := range calls {
		w := hash(calls[i].bid, 0) % uint64(len(workers))
		workers[w] = append(workers[w], &calls[i])
	}
	g, gctx := errgroup.WithContext(ctx)
	for _, own := range workers {
		g.Go(func() error {
			for _, d := range own {
				if err := x.client.notify(gctx, d); err != nil && gctx.Err() == nil {
					x.mu.Lock()
					x.faults.Notices++
					x.fault(err)
					x.mu.Unlock()
				}
			}
			return gctx.Err()
		})
	}
	return g.Wait()
}

// labels counts the examples that the bidder's learner gets.
type labels struct {
	objective event.Objective
	kind      *objective.Kind
	base      int64        // examples before the run
	waiting   []event.Time // when labels are due, in order
	due       int64
	// as of the last wait
	waited   int64
	waitedAt event.Time
}

// awaitLabels prepares to wait for the labels of the objective of clicks, if the bidder has it.
func (x *Exchange) awaitLabels(ctx context.Context) error {
	o, ok := x.cfg.objective()
	if !ok {
		return nil
	}
	x.labels = &labels{objective: o, kind: objective.KindOf(o)}
	var err error
	x.labels.base, err = x.examples(ctx, 0, 0)
	x.labels.base = max(x.labels.base, 0)
	return err
}

// add counts what happened to a prediction that was made at a time, if that makes it an example. It
// does nothing where labels are not waited for.
func (l *labels) add(happened string, predicted event.Time) {
	if l != nil && l.kind.Trigger == happened {
		l.waiting = append(l.waiting, l.kind.Due(predicted))
	}
}

// before is how many examples are due by a time.
func (l *labels) before(at event.Time) int64 {
	i := 0
	for i < len(l.waiting) && l.waiting[i] <= at {
		i++
	}
	l.due += int64(i)
	l.waiting = append(l.waiting[:0], l.waiting[i:]...)
	return l.due
}

const (
	settleExamples = 200
	settleEvery    = 5 * time.Minute
	patience       = 10 * time.Second
)

// settle waits until the bidder's profiles know all that was sent, and its scorer serves the
// weights of every label that is due: where all is over, else when there are enough of them.
func (x *Exchange) settle(ctx context.Context, at event.Time, last bool) error {
	l := x.labels
	due := l.before(at)
	if !last && (due == l.waited || due-l.waited < settleExamples && at.Sub(l.waitedAt) < settleEvery) {
		return nil
	}
	if err := x.awaitFold(ctx, at); err != nil {
		return err
	}
	got, err := x.examples(ctx, l.base+due, patience)
	if err != nil {
		return err
	}
	if missing := l.base + due - got; missing > 0 {
		// not every impression made an example, such as one whose notice was lost: wait for the
		// others only
		x.cfg.Logger.Warn("the learner has fewer examples than there were impressions", "missing", missing, "time", at.String())
		l.base -= missing
	}
	l.waited, l.waitedAt = due, at
	return x.mark(ctx, at)
}

// awaitFold waits until profiles hold every event before at.
func (x *Exchange) awaitFold(ctx context.Context, at event.Time) error {
	for {
		var clock struct{ Folded string }
		if err := x.client.ask(ctx, "/v1/clock", url.Values{"folded": {at.String()}, "wait": {"20s"}}, &clock); err != nil {
			return err
		}
		if folded, err := event.ParseTime(clock.Folded); err == nil && folded >= at {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// examples is how many examples the served weights have learned. It waits, up to wait, until they
// are least.
func (x *Exchange) examples(ctx context.Context, least int64, wait time.Duration) (int64, error) {
	var answer struct{ Examples int64 }
	query := url.Values{"objective": {x.labels.objective.Name}}
	if wait > 0 {
		query.Set("at_least", strconv.FormatInt(least, 10))
		query.Set("wait", wait.String())
	}
	err := x.client.ask(ctx, "/v1/model", query, &answer)
	return answer.Examples, err
}

// mark is how good the bidder's predictions have been until a time, by its own evaluation.
type mark struct {
	at      event.Time
	weight  float64 // sum of the weights of labels
	logLoss float64 // sum
}

// mark keeps the bidder's evaluation.
func (x *Exchange) mark(ctx context.Context, at event.Time) error {
	var e event.Evaluation
	err := x.client.ask(ctx, "/v1/evaluation", url.Values{"objective": {x.labels.objective.Name}}, &e)
	var no *status
	if errors.As(err, &no) {
		return nil // nothing is evaluated yet, or it runs elsewhere
	}
	if err != nil {
		return err
	}
	if e.Weight != nil && e.LogLossSum != nil {
		x.mu.Lock()
		x.marks = append(x.marks, mark{at, *e.Weight, *e.LogLossSum})
		x.mu.Unlock()
	}
	return nil
}

// finish sends what is due after the last auction. In recorded time it goes on until all is sent
// and labelled; in real time only what the exchange itself tells is sent, at once.
func (x *Exchange) finish(ctx context.Context, end event.Time, tick time.Duration) error {
	if !x.client.recorded {
		return x.notify(ctx, x.exchangeOwn())
	}
	until := end.Add(mostDelay + 10*showDelay)
	if x.labels != nil {
		until = max(until, end.Add(x.labels.objective.Window))
	}
	for at := end; at < until; at = at.Add(tick) {
		if err := x.pass(ctx, at); err != nil {
			return err
		}
	}
	for n := len(x.queue.waiting); n > 0; n = len(x.queue.waiting) { // conversions
		until = max(until, x.queue.waiting[0].at.Add(settleEvery))
		if err := x.pass(ctx, until); err != nil {
			return err
		}
	}
	if err := x.pass(ctx, until.Add(time.Second)); err != nil {
		return err
	}
	if x.labels == nil {
		return nil
	}
	return x.settle(ctx, until.Add(time.Second), true)
}

// exchangeOwn takes the notices that are still to be sent by the exchange.
func (x *Exchange) exchangeOwn() (own []due) {
	for _, d := range x.queue.waiting {
		if d.agent == exchangeName {
			own = append(own, d)
		}
	}
	x.queue.waiting = nil
	return own
}
