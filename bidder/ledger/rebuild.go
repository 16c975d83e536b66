package ledger

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/retry"
	"github.com/clickloop/clickloop/stream"
)

// lease is how long, in real time, others wait for a sign of life of the bidder that makes the
// ledger again. It decides nothing but who tries: the topic decides who makes an epoch.
const lease = 5 * time.Second

// installArgs bounds the values of one call of install.
const installArgs = 2000

// serve makes the latest epoch be served by Redis, and returns its session. It makes the ledger
// again when Redis has lost it. nil without an error: the situation has changed, look again.
func (l *Ledger) serve(ctx context.Context) (*session, error) {
	m := l.tail.mark()
	redis, err := l.store.standing(ctx)
	if err != nil {
		return nil, err
	}
	if redis.epoch > m.epoch {
		// Either the topic was not read to its end yet, or it has lost its end or all of its
		// records: then Redis alone knows the epoch.
		if err := l.tail.catchUp(ctx); err != nil {
			return nil, err
		}
		if m = l.tail.mark(); redis.epoch > m.epoch {
			l.logger.Warn("the topic has no record of the ledger's epoch", "topic", event.TopicBids, "epoch", redis.epoch)
			l.tail.set(mark{epoch: redis.epoch, by: redis.by, offset: -1})
			m = l.tail.mark()
		}
	}
	if m.epoch > l.lost && redis.epoch == m.epoch {
		s, err := l.attach(ctx, redis)
		if !errors.Is(err, errLost) {
			return s, err
		}
	}
	if m.epoch > 0 && m.by == l.bidder && l.finishing < m.epoch {
		return nil, l.build(ctx, m)
	}
	return nil, l.apply(ctx, m, redis)
}

// attach returns a session of an epoch that Redis serves.
func (l *Ledger) attach(ctx context.Context, redis standing) (*session, error) {
	s := newSession(redis.epoch, redis.by)
	if _, err := l.call(ctx, s, l.now(), "hello", nil); err != nil {
		return nil, err
	}
	return s, nil
}

// apply asks to make the ledger again, unless another bidder is at it. The first step epoch of a
// number on the topic decides.
func (l *Ledger) apply(ctx context.Context, known mark, before standing) error {
	retry.Sleep(ctx, time.Duration(rand.Int64N(int64(20*time.Millisecond)))) // others have seen it, too
	free, err := l.store.client.SetNX(ctx, l.store.leaseKey(), l.bidder, lease).Result()
	if err != nil {
		return err
	}
	if !free {
		retry.Sleep(ctx, 20*time.Millisecond)
		return nil
	}
	if err := l.tail.catchUp(ctx); err != nil {
		return err
	}
	redis, err := l.store.standing(ctx)
	if err != nil || l.tail.mark() != known || redis != before { // another one was faster
		l.store.client.Del(ctx, l.store.leaseKey())
		return err
	}
	epoch := max(known.epoch, redis.epoch, redis.building) + 1
	l.logger.Warn("Redis does not have the ledger: it is made again from the topic", "epoch", epoch)
	if err := l.journal.write(&entry{step: event.BidStep{Step: event.StepEpoch, Epoch: epoch, Time: l.now()}}); err != nil {
		return err
	}
	return l.tail.await(ctx, func() bool { return l.tail.latest.epoch >= epoch })
}

// build makes the numbers of an epoch that this bidder has begun on the topic. After an error it
// may be called again, up to its last call of Redis: once the epoch may be served it is never built
// again.
func (l *Ledger) build(ctx context.Context, m mark) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	renewed := make(chan struct{})
	go func() {
		defer close(renewed)
		for l.store.client.Set(ctx, l.store.leaseKey(), l.bidder, lease); retry.Sleep(ctx, lease/3); {
			l.store.client.Set(ctx, l.store.leaseKey(), l.bidder, lease)
		}
	}()
	defer func() {
		cancel()
		<-renewed
		l.store.client.Del(context.WithoutCancel(ctx), l.store.leaseKey())
	}()
	began := time.Now()
	f, records, err := l.foldTo(ctx, m.offset)
	if err != nil {
		return err
	}
	items, open := itemsOf(f, &l.cfg, l.now())
	if err := l.install(ctx, m, items, open); err != nil {
		if errors.Is(err, errDeposed) || errors.Is(err, errLost) {
			l.finishing = m.epoch // given up
		}
		return err
	}
	l.metrics.rebuilds.Inc()
	l.logger.Info("the ledger is made again", "epoch", m.epoch, "records", records, "campaigns", len(f.campaigns), "bids", len(f.bids), "void", f.void, "took", time.Since(began))
	return nil
}

// install writes items to Redis in bounded calls, and then serves the epoch. The script is loaded
// once, so that a Redis that starts again meanwhile, without some of the items, is noticed.
func (l *Ledger) install(ctx context.Context, m mark, items [][]any, open int) error {
	sha, err := l.store.client.ScriptLoad(ctx, sourceOf(m.epoch, m.by)).Result()
	if err != nil {
		return err
	}
	call := func(op string, args []any) error {
		if l.tail.mark() != m {
			return errDeposed
		}
		_, err := l.store.call(ctx, sha, m.epoch, 0, l.now(), op, args)
		return err
	}
	if err := call("begin", []any{m.by}); err != nil {
		return err
	}
	var args []any
	for i, item := range items {
		args = append(args, item...)
		if len(args) >= installArgs || i == len(items)-1 {
			if err := call("install", args); err != nil {
				return err
			}
			args = args[:0]
		}
	}
	l.finishing = m.epoch
	return call("finish", []any{open})
}

// foldTo folds the topic up to an offset.
func (l *Ledger) foldTo(ctx context.Context, to int64) (*fold, int64, error) {
	from, whole, err := l.firstToRead(ctx)
	if err != nil {
		return nil, 0, err
	}
	f := newFold(whole)
	records := int64(0)
	var step event.BidStep
	err = l.kafka.ReadRange(ctx, event.TopicBids, 0, from, to, func(r *stream.Record) error {
		records++
		if err := step.UnmarshalJSON(r.Value); err != nil {
			l.logger.Warn("a step on the topic cannot be read", "topic", event.TopicBids, "offset", r.Offset, "err", err)
			return nil
		}
		s := step
		s.Market, s.SpentDays = nil, step.SpentDays // the fold keeps no others
		f.add(&s)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	f.end()
	return f, records, nil
}

// firstToRead is the offset at which a fold begins, and whether that is the topic's first step.
func (l *Ledger) firstToRead(ctx context.Context) (from int64, whole bool, err error) {
	ranges, err := l.kafka.Offsets(ctx, event.TopicBids)
	if err != nil {
		return 0, false, err
	}
	all := ranges[0]
	if l.cfg.ReadBack == 0 || all.First == all.End {
		return all.First, all.First == 0, nil
	}
	last, err := l.lastTime(ctx, all)
	if err != nil || last.IsZero() {
		return all.First, all.First == 0, err
	}
	offsets, err := l.kafka.OffsetsAt(ctx, event.TopicBids, last.Add(-l.cfg.ReadBack))
	if err != nil {
		return 0, false, err
	}
	from = max(offsets[0], all.First)
	return from, from == 0, nil
}

// lastTime is when the last steps of the topic were written; zero where none is found. Steps that
// begin an epoch do not count: they may come long after all bidders have stopped.
func (l *Ledger) lastTime(ctx context.Context, all stream.Range) (time.Time, error) {
	last := time.Time{}
	var step event.BidStep
	err := l.kafka.ReadRange(ctx, event.TopicBids, 0, max(all.First, all.End-1000), all.End, func(r *stream.Record) error {
		if step.UnmarshalJSON(r.Value) == nil && step.Step != event.StepEpoch && last.Before(r.Time) {
			last = r.Time
		}
		return nil
	})
	return last, err
}
