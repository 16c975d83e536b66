package ledger

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/internal/notify"
	"github.com/clickloop/clickloop/internal/retry"
)

// session is the time for which this bidder works in one epoch.
type session struct {
	epoch int64
	sha   string
	seen  atomic.Int64 // the highest seq that this bidder knows of
	calls sync.WaitGroup
	lost  context.Context // ends when Redis has lost the epoch
	lose  context.CancelFunc
}

func newSession(epoch int64, by string) *session {
	s := &session{epoch: epoch, sha: shaOf(epoch, by)}
	s.lost, s.lose = context.WithCancel(context.Background())
	return s
}

// saw notes a seq that the script has given.
func (s *session) saw(text string) int64 {
	seq, _ := strconv.ParseInt(text, 10, 64) // the script writes whole numbers
	for seen := s.seen.Load(); seq > seen && !s.seen.CompareAndSwap(seen, seq); seen = s.seen.Load() {
	}
	return seq
}

// sessions holds the present session, if there is one.
type sessions struct {
	mu      sync.Mutex
	open    *session
	closed  bool
	changed notify.Broadcast
}

func (s *sessions) current() *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open
}

// enter returns the present session, or nil. The caller calls calls.Done of it.
func (s *sessions) enter() *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open == nil || s.open.lost.Err() != nil {
		return nil
	}
	s.open.calls.Add(1)
	return s.open
}

// end lets nobody enter a session of an epoch before another one.
func (s *sessions) end(epoch int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open != nil && s.open.epoch < epoch {
		s.open = nil
	}
}

// await is enter, and waits for a session until ctx ends.
func (s *sessions) await(ctx context.Context) (*session, error) {
	for {
		changed := s.changed.Wait()
		if open := s.enter(); open != nil {
			return open, nil
		}
		s.mu.Lock()
		closed := s.closed
		s.mu.Unlock()
		if closed {
			return nil, context.Canceled
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (s *sessions) publish(open *session) {
	s.mu.Lock()
	s.open = open
	s.mu.Unlock()
	s.changed.Fire()
}

// withdraw ends a session, and waits for its calls. Each is bounded by Config.Call.
func (s *sessions) withdraw(old *session) {
	s.mu.Lock()
	if s.open == old {
		s.open = nil
	}
	s.mu.Unlock()
	old.calls.Wait()
}

// close lets nobody wait any more.
func (s *sessions) close() {
	s.mu.Lock()
	s.closed = true
	s.open = nil
	s.mu.Unlock()
	s.changed.Fire()
}

// manage has one session after the other, until ctx ends. The last one is open then.
func (l *Ledger) manage(ctx context.Context) error {
	backoff := retry.Backoff{Min: 10 * time.Millisecond, Max: 500 * time.Millisecond}
	if err := l.tail.catchUp(ctx); err != nil {
		return err
	}
	for ctx.Err() == nil {
		s, err := l.serve(ctx)
		if err == nil && s != nil {
			err = l.enter(ctx, s)
		}
		if s != nil && s.lost.Err() != nil {
			l.lost = s.epoch
		}
		if err != nil && ctx.Err() == nil {
			if backoff.ShouldLog() {
				l.logger.Warn("the ledger is not available, repeating", "err", l.redis.Explain(err, l.rights))
			}
			backoff.Pause(ctx)
			continue
		}
		backoff.Reset()
		if s == nil || ctx.Err() != nil {
			continue
		}
		l.sessions.publish(s)
		l.stay(ctx, s)
		if s.lost.Err() != nil {
			l.lost = s.epoch
		}
		if ctx.Err() == nil {
			l.sessions.withdraw(s)
		}
	}
	return ctx.Err()
}

// stay returns when the session's epoch is over.
func (l *Ledger) stay(ctx context.Context, s *session) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.lost, cancel)()
	_ = l.tail.await(ctx, func() bool { return l.tail.latest.epoch != s.epoch }) // either is the end
}

// adoptBids bounds the bids of one call of adopt.
const adoptBids = 100

// enter brings this bidder into an epoch: bids whose steps are void are reserved in it, and when
// their steps are on the topic, nothing is held back for this bidder any more. Until then it makes
// no other bids.
func (l *Ledger) enter(ctx context.Context, s *session) error {
	campaigns := l.allowances.renounce()
	orphans := l.journal.takeOrphans()
	for len(orphans) > 0 {
		n := min(len(orphans), adoptBids)
		if err := l.adopt(ctx, s, orphans[:n]); err != nil {
			l.journal.putOrphans(orphans)
			return err
		}
		orphans = orphans[n:]
	}
	if len(campaigns) == 0 {
		return nil
	}
	if err := l.leave(ctx, s.epoch); err != nil {
		return err
	}
	args := make([]any, 0, 1+len(campaigns))
	args = append(args, l.bidder)
	for _, id := range campaigns {
		args = append(args, escape(id))
	}
	_, err := l.call(ctx, s, l.now(), "leave", args)
	if err != nil {
		l.allowances.rejoin(campaigns) // so that it is said again
	}
	return err
}

// adopt reserves bids that were made in an epoch before.
func (l *Ledger) adopt(ctx context.Context, s *session, bids []*entry) error {
	args := make([]any, 0, 1+9*len(bids))
	args = append(args, l.bidder)
	for _, e := range bids {
		b := &e.step
		args = append(args, b.Bid, escape(b.Campaign), b.Price, int64(b.Time), int64(b.Expires), b.Day, escape(b.User), b.CapMs, e.call)
	}
	answer, err := l.call(ctx, s, l.now(), "adopt", args)
	if err != nil {
		return err
	}
	var again []*entry
	for i, e := range bids {
		seq := int64(0)
		if i < len(answer) {
			seq = s.saw(answer[i])
		}
		next := *e
		next.step.Epoch, next.step.Seq = s.epoch, seq
		if seq == 0 { // a notice came first: the step tells what is known of the bid, and changes nothing
			next.step.Reserved = 0
		}
		again = append(again, &next)
	}
	return l.journal.write(again...)
}
