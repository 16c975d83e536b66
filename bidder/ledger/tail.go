package ledger

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/notify"
	"github.com/clickloop/clickloop/stream"
)

// mark is the begin of an epoch on the topic: the first step epoch of its number.
type mark struct {
	epoch  int64
	by     string // the bidder that makes it; empty: the step is too far back to have been read
	offset int64
	time   event.Time
}

// lookBack is how many records before the topic's end a bidder reads when it starts, to find the
// epoch. Records of an epoch that has ended can stand behind the begin of the next one, but only as
// many as its bidders had in flight.
const lookBack = 50_000

// tail follows the topic. It finds the begins of epochs, and tells the journal which of its records
// are on the topic.
type tail struct {
	client  *stream.Client
	journal *journal
	logger  *slog.Logger
	begun   func(epoch int64) // called when an epoch begins

	mu      sync.Mutex
	latest  mark
	offset  int64 // read up to here
	changed notify.Broadcast
}

// run follows the topic until ctx ends.
func (t *tail) run(ctx context.Context) error {
	ranges, err := t.client.Offsets(ctx, event.TopicBids)
	if err != nil {
		return err
	}
	r := t.client.NewReader(event.TopicBids, 0, max(ranges[0].First, ranges[0].End-lookBack)).As("ledger").Paced()
	defer r.Close()
	t.advance(r.Offset())
	for {
		records, err := r.Next(ctx)
		switch {
		case errors.Is(err, stream.ErrTrimmed):
			continue
		case err != nil:
			return err
		}
		for i := range records {
			t.read(&records[i])
		}
		t.advance(r.Offset())
	}
}

func (t *tail) advance(offset int64) {
	t.mu.Lock()
	t.offset = offset
	t.mu.Unlock()
	t.changed.Fire()
}

func (t *tail) read(r *stream.Record) {
	var bidder string
	var number uint64
	var epoch int64
	for _, h := range r.Headers {
		switch h.Key {
		case headerBidder:
			bidder = string(h.Value)
		case headerNumber:
			number, _ = strconv.ParseUint(string(h.Value), 10, 64) // 0: of nobody
		case headerEpoch:
			epoch, _ = strconv.ParseInt(string(h.Value), 10, 64) // 0: of no epoch
		}
	}
	if epoch > t.mark().epoch {
		t.begin(r, epoch)
	}
	if bidder == t.journal.bidder {
		t.journal.readBack(number)
	}
}

// begin notes a record of a higher epoch than any before.
func (t *tail) begin(r *stream.Record, epoch int64) {
	m := mark{epoch: epoch, offset: -1}
	if step, err := event.ParseBidStep(r.Value); err != nil {
		t.logger.Warn("a step on the topic cannot be read", "topic", event.TopicBids, "offset", r.Offset, "err", err)
	} else if step.Step == event.StepEpoch {
		m.by, m.offset, m.time = step.Bidder, r.Offset, step.Time
	}
	t.set(m)
}

func (t *tail) set(m mark) {
	t.mu.Lock()
	t.latest = m
	t.mu.Unlock()
	t.journal.turn(m.epoch)
	t.begun(m.epoch)
	t.changed.Fire()
}

func (t *tail) mark() mark {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.latest
}

// catchUp waits until all is read that stands on the topic now.
func (t *tail) catchUp(ctx context.Context) error {
	ranges, err := t.client.Offsets(ctx, event.TopicBids)
	if err != nil {
		return err
	}
	return t.await(ctx, func() bool { return t.offset >= ranges[0].End })
}

// await waits for a condition, which is asked under the lock.
func (t *tail) await(ctx context.Context, holds func() bool) error {
	for {
		changed := t.changed.Wait()
		t.mu.Lock()
		ok := holds()
		t.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
