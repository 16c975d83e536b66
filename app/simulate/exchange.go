package simulate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"golang.org/x/sync/errgroup"
)

// Exchange sells the traffic of one run.
type Exchange struct {
	cfg     Config
	world   *world
	rule    rule
	traffic *traffic
	client  client
	queue   queue
	labels  *labels // nil where none are waited for

	mu      sync.Mutex // guards what Progress reads
	now     event.Time
	tallies series
	faults  Faults
	marks   []mark
	oracle  *oracle // nil without campaigns
}

// Faults counts what went wrong.
type Faults struct {
	Unanswered int64            `json:"unanswered"` // auctions: a timeout, no connection, or 5xx
	Rejected   int64            `json:"rejected"`   // auctions that were answered 4xx
	Refused    map[string]int64 `json:"refused"`    // bids that break the rules, by reason
	Notices    int64            `json:"notices"`    // that were not taken
	First      string           `json:"first,omitempty"`
}

// New checks cfg and returns an Exchange.
func New(cfg Config) (*Exchange, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	x := &Exchange{cfg: cfg, world: newWorld(cfg.Seed), rule: newRule(cfg.Seed), client: newClient(&cfg)}
	// whoever is reached by http has its notices there: no ad of it may be on a page of https
	x.world.secure = strings.HasPrefix(cfg.Bidder, "https:")
	x.faults.Refused = map[string]int64{}
	return x, nil
}

// Run sells until the time is over or ctx ends; then it reports what there is. In recorded time it
// returns once the labels of all impressions are learned.
func (x *Exchange) Run(ctx context.Context) (*Report, error) {
	start, err := x.begin(ctx)
	if err != nil {
		return nil, err
	}
	began, end := time.Now(), start.Add(x.cfg.Length)
	tick, n, carry := x.cfg.tick(x.client.recorded), int64(0), 0.0
	for at := start; at < end && err == nil; at = min(at.Add(tick), end) {
		if err = x.pass(ctx, at); err != nil {
			break
		}
		next := min(at.Add(tick), end)
		carry += x.traffic.between(at, next)
		sales := x.sales(at, next, n, int(carry))
		n += int64(len(sales))
		carry -= float64(len(sales))
		err = x.sell(ctx, sales)
	}
	if err == nil {
		err = x.finish(ctx, end, tick)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return nil, err
	}
	return x.report(time.Since(began)), nil
}

// begin asks the bidder for its clock, and sets the start.
func (x *Exchange) begin(ctx context.Context) (event.Time, error) {
	var clock struct{ Mode, Folded string }
	if err := x.client.ask(ctx, "/v1/clock", nil, &clock); err != nil {
		return 0, fmt.Errorf("the bidder's admin port does not answer: %w (give its addresses with --bidder and --admin)", err)
	}
	start := event.TimeOf(time.Now())
	x.client.recorded = clock.Mode == "recorded"
	if !x.client.recorded {
		x.cfg.Length, x.cfg.PerHour, x.cfg.Flat = x.cfg.For, x.cfg.Rate*3600, true
	}
	x.traffic = newTraffic(traffic{perHour: x.cfg.PerHour, flat: x.cfg.Flat, outage: x.cfg.Outage})
	if x.client.recorded {
		folded, _ := event.ParseTime(clock.Folded) // none: nothing is folded yet
		if start = x.cfg.Start; start == 0 {
			start = startAfter(folded)
		}
		if start < folded {
			return 0, fmt.Errorf("the start is %v, and the bidder has seen events until %v: simulated time goes on from there", start, folded)
		}
		if err := x.awaitLabels(ctx); err != nil {
			return 0, err
		}
	}
	x.tallies.start = start
	if len(x.cfg.Campaigns) > 0 {
		var err error
		x.oracle, err = newOracle(x.world, x.traffic, x.cfg.Campaigns, x.cfg.Objectives, start)
		if err != nil {
			return 0, err
		}
	}
	return start, nil
}

// firstDay is where simulated time begins with a bidder that has seen nothing: a Monday.
const firstDay event.Time = 1780272000000

// startAfter is the midnight after what a bidder has seen.
func startAfter(folded event.Time) event.Time {
	const day = event.Time(24 * time.Hour / time.Millisecond)
	if folded < firstDay {
		return firstDay
	}
	return (folded/day + 1) * day
}

// sales makes count sales between two times, in order of time, numbered from n.
func (x *Exchange) sales(from, to event.Time, n int64, count int) []*sale {
	rng := stream(x.cfg.Seed, "times", int64(from-x.tallies.start))
	at := make([]event.Time, count)
	for i := range at {
		at[i] = from + event.Time(rng.Int64N(int64(to-from)))
	}
	slices.Sort(at)
	all := make([]*sale, count)
	for i := range all {
		all[i] = x.world.sale(n+int64(i), at[i], x.cfg.At)
	}
	return all
}

// answer is what the bidder says to a sale.
type answer struct {
	best    []*bid // by slot
	refused []string
	err     error
}

// sell asks the bidder about all sales, several at once, and counts the answers in the order of the
// sales.
func (x *Exchange) sell(ctx context.Context, sales []*sale) error {
	answers := make([]answer, len(sales))
	g, gctx := errgroup.WithContext(ctx)
	workers := min(x.cfg.Connections, len(sales))
	for w := range workers {
		g.Go(func() error {
			for i := w; i < len(sales) && gctx.Err() == nil; i += workers {
				answers[i] = x.ask(gctx, sales[i])
			}
			return gctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for i, s := range sales {
		if err := x.count(s, &answers[i]); err != nil {
			return err
		}
	}
	return nil
}

func (x *Exchange) ask(ctx context.Context, s *sale) (a answer) {
	body, err := x.client.sell(ctx, s)
	if err != nil || len(body) == 0 {
		return answer{err: err}
	}
	a.best, a.refused, a.err = readBids(s, body)
	return a
}

// hopeless is how many auctions without any answer show that nobody bids.
const hopeless = 100

// count counts one answer, and has the oracle bid in the same auction.
func (x *Exchange) count(s *sale, a *answer) error {
	x.now = s.time
	t := x.tallies.at(s.time, "")
	t.Requests++
	t.Slots += int64(len(s.imps))
	if x.oracle != nil {
		x.oracle.play(s)
	}
	for _, why := range a.refused {
		x.faults.Refused[why]++
		x.fault(errors.New("a bid is refused: " + why))
	}
	var no *status
	switch {
	case errors.As(a.err, &no) && no.code == http.StatusNotFound:
		return fmt.Errorf("%w: does the bidder's configuration have a section bidding?", a.err)
	case errors.As(a.err, &no) && !no.passing():
		x.faults.Rejected++
	case a.err != nil:
		if x.faults.Unanswered++; x.faults.Unanswered == hopeless && x.faults.Unanswered == s.n+1 {
			return fmt.Errorf("none of %d auctions was answered: %w", hopeless, a.err)
		}
	}
	x.fault(a.err)
	for i, b := range a.best {
		if b != nil {
			x.judge(s, &s.imps[i], b)
		}
	}
	return nil
}

// fault keeps the first error, for the report.
func (x *Exchange) fault(err error) {
	if err != nil && x.faults.First == "" {
		x.faults.First = err.Error()
	}
}
