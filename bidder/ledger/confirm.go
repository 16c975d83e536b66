package ledger

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/retry"
)

// recoverAfter is how long, by the ledger's clock, the end of a bid may wait for its confirmation,
// before another bidder writes its step again.
const recoverAfter = 30 * time.Second

// confirmBids bounds the bids of one call of confirm.
const confirmBids = 200

// confirms are bids whose ends are on the topic: what they release can be used now.
type confirms struct {
	mu    sync.Mutex
	queue []confirmed
	wake  chan struct{}
	once  sync.Once
}

type confirmed struct {
	bid string
	at  place
}

func (c *confirms) signal() chan struct{} {
	c.once.Do(func() { c.wake = make(chan struct{}, 1) })
	return c.wake
}

func (c *confirms) add(one confirmed) {
	c.mu.Lock()
	c.queue = append(c.queue, one)
	c.mu.Unlock()
	select {
	case c.signal() <- struct{}{}:
	default: // a signal waits there already
	}
}

// take returns the oldest, all of one epoch.
func (c *confirms) take() []confirmed {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for n < len(c.queue) && n < confirmBids && c.queue[n].at.epoch == c.queue[0].at.epoch {
		n++
	}
	taken := c.queue[:n:n]
	c.queue = c.queue[n:]
	return taken
}

// endEntry is the end of a bid on its way to the topic.
func (l *Ledger) endEntry(s event.BidStep) *entry {
	return &entry{step: s, done: func(err error) {
		if err == nil {
			l.confirms.add(confirmed{s.Bid, place{s.Epoch, s.Seq}})
		}
	}}
}

// confirmAll confirms until ctx ends. What is not confirmed then, another bidder's sweep finds.
func (l *Ledger) confirmAll(ctx context.Context) error {
	backoff := retry.Backoff{Min: 10 * time.Millisecond, Max: 500 * time.Millisecond}
	for {
		taken := l.confirms.take()
		if len(taken) == 0 {
			select {
			case <-l.confirms.signal():
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		for err := l.confirm(ctx, taken); err != nil; err = l.confirm(ctx, taken) {
			l.logFault(err)
			if !backoff.Pause(ctx) {
				return ctx.Err()
			}
		}
		backoff.Reset()
	}
}

// confirm confirms bids of one epoch. What is not in the present session is of no use any more.
func (l *Ledger) confirm(ctx context.Context, bids []confirmed) error {
	s := l.sessions.current()
	if s == nil || s.epoch != bids[0].at.epoch {
		return nil
	}
	args := append(make([]any, 0, 2+2*len(bids)), l.cfg.Late.Milliseconds(), l.cfg.Remember.Milliseconds())
	for _, b := range bids {
		args = append(args, b.bid, b.at.seq)
	}
	_, err := l.call(ctx, s, l.now(), "confirm", args)
	if errors.Is(err, errLost) {
		return nil
	}
	return err
}
