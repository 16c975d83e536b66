// Package ledger keeps what campaigns have spent and reserved, and how often users have seen them,
// so that no budget and no cap is ever exceeded: not by many bidders at once, not by notices that
// come twice, late or never, and not by processes or a Redis that are killed.
//
// The numbers are in Redis, and change by Lua scripts, each as a whole. Every change is a step on
// the topic bids (event.BidStep), from which the numbers are made again when Redis has lost them.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/retry"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

// Claim asks to reserve the price of one bid.
type Claim struct {
	Campaign *campaign.Campaign // its Budget and Caps bound the claim
	// Step is the bid's. Its Bid, Price, User and Expires are what is reserved; the ledger sets
	// Step, Epoch, Seq, Reserved and Spent.
	Step event.BidStep
}

// Verdict is what becomes of a claim.
type Verdict uint8

const (
	Refused     Verdict = iota // of no bid: an earlier claim of its imp was taken
	Reserved                   // the bid may be made
	Repeated                   // the bid was reserved before: it must not be made again with another price
	NoBudget                   // the total budget has no room for it
	NoDaily                    // the day's budget has none
	Capped                     // the user has seen the campaign as often as the caps allow
	Unavailable                // the ledger does not answer in time, or is being made again
)

// Notice tells what became of a bid.
type Notice struct {
	Step     string // event.StepWin, StepBill or StepLoss
	Bid      string
	Campaign string
	// Reserved and Expires are the price of the bid and the end of its reservation, as its signed
	// token has them: for a bid that the ledger does not know any more. Expires 0: not told; the
	// caller then vouches that the bid is younger than Config.Late.
	Reserved auction.Micros
	Expires  event.Time
	Paid     auction.Micros // 0: not told; the bid's price is taken
	MinToWin auction.Micros // 0: not told
	Reason   int64
	Time     event.Time
}

// Result is what a notice changed.
type Result struct {
	Repeated  bool           // the step was taken before: nothing changed
	Late      bool           // the reservation had ended
	User      string         // of the bid, while it is known
	Uncovered auction.Micros // of a late bill: owed, for the budget has no room for it
	Charged   auction.Micros // what the step adds to the campaign's spend
}

// Standing is a campaign's numbers.
type Standing struct {
	Spent, Reserved           auction.Micros
	SpentToday, ReservedToday auction.Micros // in the budget's zone
	Day                       string         // the day of these, such as 2026-11-29
	At                        event.Time     // when they were read
}

// Ledger is one bidder's access to the ledger. It is safe for concurrent use.
type Ledger struct {
	cfg      Config
	bidder   string
	kafka    *stream.Client
	redis    *features.RedisClient
	rights   *features.Rights
	campaign func(string) *campaign.Campaign
	now      func() event.Time
	logger   *slog.Logger
	metrics  *instruments

	store      *store
	batcher    *stream.Batcher
	journal    *journal
	tail       *tail
	allowances *allowances
	confirms   confirms
	undos      undos
	standings  *standings
	sessions   sessions
	calls      atomic.Uint64
	open       atomic.Int64 // reservations of all bidders
	faults     faults
	finishing  int64 // the last epoch whose numbers this bidder may have finished; of manage
	lost       int64 // the last epoch that Redis has lost, whatever it says now; of manage
	abrupt     bool  // of tests: the process dies at the end of Run
}

// ErrUnavailable is wrapped by errors of Notice after which the sender should repeat the notice:
// the ledger does not answer in time, or is being made again.
var ErrUnavailable = errors.New("the ledger is not available")

// ErrTooLate is returned by Notice for a bill of a bid whose reservation ended more than
// Config.Late ago, or for another notice of it. Nothing is charged.
var ErrTooLate = errors.New("the notice comes too late")

// New returns a ledger. It connects to nothing before Run.
func New(cfg Config, d Deps) (*Ledger, error) {
	if err := cfg.Validate(); err != nil {
		return nil, field.Within("ledger", err)
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Campaign == nil {
		d.Campaign = func(string) *campaign.Campaign { return nil }
	}
	l := &Ledger{cfg: cfg, bidder: newName(), kafka: d.Kafka, redis: d.Redis, rights: features.LedgerRights(cfg.Prefix), campaign: d.Campaign, now: d.Now, logger: d.Logger}
	l.store = &store{client: d.Redis.Commands(), pipeline: newPipeline(d.Redis.Commands(), cfg.Call), cfg: &l.cfg}
	// twice the bound: what was reserved below the bound always finds a place
	l.batcher = stream.NewBatcher(d.Kafka, event.TopicBids, 2*cfg.MaxWaiting).Insist().Linger(cfg.Linger)
	l.journal = newJournal(l.bidder, d.Kafka, l.batcher)
	l.tail = &tail{client: d.Kafka, journal: l.journal, logger: d.Logger, begun: l.sessions.end}
	l.allowances = newAllowances(&l.cfg)
	l.standings = newStandings()
	l.metrics = newInstruments(d.Registerer, l)
	return l, nil
}

// Ready returns nil while bids can be reserved, or what is awaited.
func (l *Ledger) Ready(context.Context) error {
	if l.sessions.current() == nil {
		return fmt.Errorf("%w: Redis or Kafka cannot be reached, or the ledger is being made again", ErrUnavailable)
	}
	return nil
}

// Run serves until ctx ends. It then takes no more bids, and waits for Kafka up to Config.Drain, so
// that nothing has to be held back for this process when Redis is lost later.
func (l *Ledger) Run(ctx context.Context) error {
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var ground errgroup.Group // what writes and reads the topic: it ends last
	ground.Go(func() error { return l.batcher.Run(inner) })
	ground.Go(func() error { return l.store.pipeline.run(inner) })
	ground.Go(func() error { return l.follow(inner) })
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return l.manage(running) })
	g.Go(func() error { return l.sweepAll(running) })
	g.Go(func() error { return l.refresh(running) })
	confirming, stopConfirming := context.WithCancel(inner)
	var late errgroup.Group // what a drain needs, too
	late.Go(func() error { return l.confirmAll(confirming) })
	late.Go(func() error { return l.undoAll(confirming) })
	err := g.Wait()
	if !l.abrupt {
		l.drain(inner)
	}
	l.sessions.close()
	stopConfirming()
	_ = late.Wait() // it ends with its context
	stop()
	_ = ground.Wait() // likewise
	l.journal.close()
	return err
}

// follow follows the topic, and begins anew where its reader gives up.
func (l *Ledger) follow(ctx context.Context) error {
	for {
		err := l.tail.run(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.logger.Error("cannot follow the topic, beginning anew", "topic", event.TopicBids, "err", err)
		retry.Sleep(ctx, time.Second)
	}
}

// drain waits until all steps are on the topic, and then says so there.
func (l *Ledger) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.Drain)
	defer cancel()
	s := l.sessions.current()
	if s == nil {
		return
	}
	l.sessions.withdraw(s)
	for !l.journal.idle() || l.undos.waiting() {
		if !retry.Sleep(ctx, 5*time.Millisecond) {
			l.logger.Error("Kafka did not acknowledge all steps before the process had to end", "topic", event.TopicBids, "drain", l.cfg.Drain)
			return
		}
	}
	if err := l.leave(ctx, s.epoch); err != nil {
		l.logger.Warn("cannot say on the topic that this bidder leaves", "topic", event.TopicBids, "err", err)
	}
}

// leave says on the topic that all bids of this bidder are there.
func (l *Ledger) leave(ctx context.Context, epoch int64) error {
	done := make(chan error, 1)
	e := &entry{step: event.BidStep{Step: event.StepLeave, Epoch: epoch, Time: l.now()}, done: func(err error) { done <- err }}
	if err := l.journal.write(e); err != nil {
		return err
	}
	select {
	case err := <-done:
		if err == nil {
			l.allowances.left()
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// call runs an operation in a session.
func (l *Ledger) call(ctx context.Context, s *session, now event.Time, op string, args []any) ([]string, error) {
	answer, err := l.store.call(ctx, s.sha, s.epoch, s.seen.Load(), now, op, args)
	return answer, l.judge(s, err)
}

// judge explains the error of a call in a session, which is over when Redis has lost it.
func (l *Ledger) judge(s *session, err error) error {
	if errors.Is(err, errLost) {
		s.lose()
	} else if err != nil {
		err = l.redis.Explain(err, l.rights)
	}
	return err
}
