package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/embedded"
	"github.com/clickloop/clickloop/internal/tlsfiles"
	"github.com/clickloop/clickloop/stream"
)

// exchange knows what was really bid, won and billed, and holds it against the budgets.
type exchange struct {
	w     *world
	mu    sync.Mutex
	bids  map[string]*realBid
	fault string
}

// realBid is a bid that was answered.
type realBid struct {
	event.BidStep
	by     *bidder
	over   bool  // it was lost, or will never be billed
	owed   int64 // while it is open: its price, and what is paid once the bill is on its way
	billed bool  // a bill was taken
	wanted int64 // what the bills make of it, without the late ones' bounds
}

// advance moves the clock. No answer is noted meanwhile.
func (x *exchange) advance(d time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.w.pass(d)
}

func (x *exchange) answered(by *bidder, s event.BidStep) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.bids[s.Bid] = &realBid{BidStep: s, by: by, owed: s.Price, wanted: s.Price}
}

func (x *exchange) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.bids)
}

func (x *exchange) change(bid string, f func(b *realBid)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	f(x.bids[bid])
}

// check adds up what is really owed now: the bills that were taken in time, and all bids that may
// still be billed in time.
func (x *exchange) check() {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.w.now()
	sums := map[string]int64{}
	for _, b := range x.bids {
		if !b.over && (b.billed || now < b.Expires) {
			sums[b.Campaign] += b.owed
			sums[b.Campaign+" "+b.Day] += b.owed
		}
	}
	for id, c := range x.w.campaigns {
		if sum := sums[id]; c.Budget.Total > 0 && sum > int64(c.Budget.Total) {
			x.fault = fmt.Sprintf("campaign %s really owes %d of %d", id, sum, c.Budget.Total)
		}
		for day := range 3 {
			name := dayOf(c, now.Add(time.Duration(day-2)*24*time.Hour))
			if sum := sums[id+" "+name]; c.Budget.Daily > 0 && sum > int64(c.Budget.Daily) {
				x.fault = fmt.Sprintf("campaign %s really owes %d of %d on %s", id, sum, c.Budget.Daily, name)
			}
		}
	}
}

// chaos is bidders, an exchange, and faults.
type chaos struct {
	size
	w        *world
	x        *exchange
	mu       sync.Mutex
	bidders  []*bidder
	kafka    *embedded.Services // nil: a real one, which goes on
	breaks   func(r *rand.Rand) // Redis
	notices  sync.WaitGroup
	over     context.Context
	verdicts [Unavailable + 1]int
	kills    int
}

// enough is how many bids a run makes at least, though it takes longer where the machine is busy.
const enough = 300

// size is how many bidders there are: processes, callers of each, and how often each sweeps.
type size struct {
	processes, callers int
	sweep              time.Duration
}

// all64 are 64 bidders at once.
var all64 = size{8, 8, 200 * time.Millisecond}

// few are as many as an embedded Redis serves under the race detector, which makes a call of the
// script take some 20 ms.
var few = size{3, 3, time.Second}

func (c *chaos) any(r *rand.Rand) *bidder {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.bidders[r.IntN(len(c.bidders))]
}

// bid makes bids until ctx ends.
func (c *chaos) bid(ctx context.Context, i int, r *rand.Rand) {
	names := []string{"total", "daily", "capped", "free"}
	for n := 0; ctx.Err() == nil; n++ {
		c.mu.Lock()
		b := c.bidders[i%c.processes]
		c.mu.Unlock()
		claims := make([][]Claim, 1+r.IntN(2))
		verdicts := make([][]Verdict, len(claims))
		for imp := range claims {
			claims[imp] = make([]Claim, 1+r.IntN(3))
			verdicts[imp] = make([]Verdict, len(claims[imp]))
			for j := range claims[imp] {
				id := names[r.IntN(len(names))]
				user := ""
				if r.IntN(4) > 0 {
					user = "u" + strconv.Itoa(r.IntN(6))
				}
				claim := c.w.claim(id, fmt.Sprintf("r%d-%d/%d%d", i, n, imp, j), auction.Micros(200+r.IntN(800)), user)
				claim.Step.Expires = claim.Step.Time.Add(time.Duration(1+r.IntN(300)) * time.Second)
				claims[imp][j] = claim
			}
		}
		if c.ask(ctx, b, r, claims, verdicts) {
			time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
		} else {
			time.Sleep(time.Duration(20+r.IntN(30)) * time.Millisecond)
		}
	}
}

// ask asks one bidder, and tells whether it could say anything.
func (c *chaos) ask(ctx context.Context, b *bidder, r *rand.Rand, claims [][]Claim, verdicts [][]Verdict) (some bool) {
	bounded, cancel := context.WithTimeout(ctx, []time.Duration{time.Millisecond, 5 * time.Millisecond, time.Second}[r.IntN(3)])
	defer cancel()
	if err := b.Reserve(bounded, claims, verdicts); err != nil {
		c.w.t.Errorf("reserve: %v", err)
	}
	for imp := range verdicts {
		for j, v := range verdicts[imp] {
			c.mu.Lock()
			c.verdicts[v]++
			c.mu.Unlock()
			if v == Reserved {
				c.x.answered(b, claims[imp][j].Step)
				c.resolve(claims[imp][j].Step, r)
			}
			some = some || v != Unavailable
		}
	}
	return some
}

// resolve lets the exchange decide about a bid: its notices come in any order, several times, late
// or never.
func (c *chaos) resolve(s event.BidStep, r *rand.Rand) {
	paid := int64(0)
	if r.IntN(4) > 0 {
		paid = s.Price - r.Int64N(s.Price/2)
	}
	switch outcome := r.IntN(10); {
	case outcome < 4: // lost
		c.send(s, r, true, Notice{Step: event.StepLoss, Reason: 102})
	case outcome < 8: // won and shown
		if r.IntN(2) == 0 {
			c.send(s, r, false, Notice{Step: event.StepWin, Paid: auction.Micros(paid)})
		}
		c.send(s, r, false, Notice{Step: event.StepBill, Paid: auction.Micros(paid)})
		if r.IntN(4) == 0 {
			c.send(s, r, false, Notice{Step: event.StepBill, Paid: auction.Micros(paid)})
		}
	}
}

// send gives a notice after a while, in a goroutine that c.notices waits for, and repeats it as
// senders do.
func (c *chaos) send(s event.BidStep, r *rand.Rand, lost bool, n Notice) {
	n.Bid, n.Campaign, n.Reserved, n.Expires = s.Bid, s.Campaign, auction.Micros(s.Price), s.Expires
	wait, seed := time.Duration(r.IntN(150))*time.Millisecond, r.Uint64()
	if r.IntN(10) == 0 {
		wait += time.Second // late, most likely
	}
	c.notices.Add(1)
	go func() {
		defer c.notices.Done()
		own := rand.New(rand.NewPCG(seed, 2))
		time.Sleep(wait)
		c.x.change(s.Bid, func(b *realBid) {
			switch {
			case lost:
				b.over = true
			case n.Step == event.StepBill && n.Paid > 0:
				b.owed, b.wanted = int64(n.Paid), int64(n.Paid)
			}
		})
		for attempt := 0; ; attempt++ {
			n.Time = c.w.now()
			ctx, cancel := context.WithTimeout(c.over, 2*time.Second)
			result, err := c.any(own).Notice(ctx, n)
			cancel()
			if err == nil {
				if n.Step == event.StepBill {
					c.x.change(s.Bid, func(b *realBid) {
						b.billed = true
						if result.Uncovered > 0 {
							b.owed -= int64(result.Uncovered)
						}
					})
				}
				return
			}
			if !errors.Is(err, ErrUnavailable) {
				c.w.t.Errorf("%s of %s: %v", n.Step, n.Bid, err)
				return
			}
			if attempt > 200 || c.over.Err() != nil {
				c.w.t.Errorf("%s of %s is never taken: %v", n.Step, n.Bid, err)
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
}

// kill ends a bidder in the middle of all, and starts another one.
func (c *chaos) kill(r *rand.Rand) {
	i := r.IntN(c.processes)
	c.mu.Lock()
	old := c.bidders[i]
	c.mu.Unlock()
	old.kill()
	next := c.w.start()
	c.mu.Lock()
	c.bidders[i] = next
	c.kills++
	c.mu.Unlock()
}

func chaosPlans() []*campaign.Campaign {
	zone := time.FixedZone("east", 3600)
	total, daily, capped := plan("total", 90_000, 0), plan("daily", 0, 60_000), plan("capped", 900_000, 500_000, campaign.Cap{Impressions: 2, Window: 2 * time.Minute}, campaign.Cap{Impressions: 5, Window: time.Hour})
	daily.Budget.Zone = zone
	return []*campaign.Campaign{total, daily, capped, plan("free", 0, 0)}
}

// runChaos bids for a while under faults, and checks all that the ledger promises.
func runChaos(t *testing.T, w *world, n size, kafka *embedded.Services, seed uint64, breaks func(*rand.Rand)) {
	t.Logf("seed %d", seed)
	w.cfg.Longest, w.cfg.Allowance, w.cfg.UnloggedLeast, w.cfg.Drain = 10*time.Minute, 5*time.Minute, 4000, 10*time.Second
	w.cfg.Call, w.cfg.Sweep = 300*time.Millisecond, n.sweep
	w.clock.Store(int64(mustTime("2026-11-29T22:50:00Z"))) // midnight comes, in two zones
	over, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	c := &chaos{size: n, w: w, x: &exchange{w: w, bids: map[string]*realBid{}}, kafka: kafka, breaks: breaks, over: over}
	for range n.processes {
		c.bidders = append(c.bidders, w.start())
	}
	r := rand.New(rand.NewPCG(seed, 0))
	bidding, done := context.WithCancel(over)
	defer done()
	var g sync.WaitGroup
	for i := range n.processes * n.callers {
		own := rand.New(rand.NewPCG(seed, uint64(i)+10))
		g.Go(func() { c.bid(bidding, i, own) })
	}
	g.Go(func() {
		for bidding.Err() == nil {
			time.Sleep(10 * time.Millisecond)
			c.x.advance(3 * time.Second)
			c.x.check()
		}
	})
	for began := time.Now(); time.Since(began) < chaosTime() || c.x.count() < enough && time.Since(began) < 8*chaosTime(); {
		c.fault(r)
	}
	done()
	g.Wait()
	c.notices.Wait()
	c.x.check()
	c.settle()
}

// fault kills, empties or restores, once there are some bids that this can hit.
func (c *chaos) fault(r *rand.Rand) {
	before := c.x.count()
	time.Sleep(time.Duration(200+r.IntN(600)) * time.Millisecond)
	for end := time.Now().Add(3 * time.Second); c.x.count() < before+30 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	switch r.IntN(5) {
	case 0:
		c.kill(r)
	case 1:
		c.breaks(r)
	case 2: // at the same moment
		var g sync.WaitGroup
		own := rand.New(rand.NewPCG(r.Uint64(), 1))
		g.Go(func() { c.breaks(own) })
		c.kill(r)
		g.Wait()
	case 3:
		c.kill(r)
		c.kill(r)
		c.breaks(r)
	case 4: // while steps wait for Kafka
		c.withoutKafka(func() {
			time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
			c.kill(r)
			c.breaks(r)
		})
	}
}

// withoutKafka runs do while Kafka is stopped.
func (c *chaos) withoutKafka(do func()) {
	if c.kafka == nil {
		do()
		return
	}
	c.kafka.StopKafka()
	do()
	if err := c.kafka.StartKafka(); err != nil {
		c.w.t.Errorf("cannot start Kafka: %v", err)
	}
}

func chaosTime() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("CLICKLOOP_LEDGER_TIME")); err == nil {
		return d
	}
	return 5 * time.Second
}

// settle waits until nothing is open, and compares the topic, Redis and the exchange.
func (c *chaos) settle() {
	t := c.w.t
	for _, b := range c.bidders {
		b.ready()
	}
	c.w.flush() // one more loss, with nothing unlogged: it costs nothing
	for _, b := range c.bidders {
		b.ready()
	}
	c.x.advance(c.w.cfg.Longest + c.w.cfg.Allowance + time.Minute)
	var o *oracle
	var differs string
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		o = replay(c.w.steps(), c.w.campaigns)
		differs = ""
		for id := range c.w.campaigns {
			if got, want := c.w.numbers(id), (numbers{spent: o.spent[id]}); got != want || o.reserved[id] != 0 {
				differs += fmt.Sprintf("campaign %s: Redis has %+v, the topic spent %d and reserved %d; ", id, got, o.spent[id], o.reserved[id])
			}
		}
		if differs == "" {
			break
		}
		if time.Now().After(end) {
			t.Errorf("not settled: %s", differs)
			break
		}
	}
	if c.x.fault != "" {
		t.Error(c.x.fault)
	}
	for i, f := range o.faults {
		if i < 10 {
			t.Error(f)
		}
	}
	c.compare(o)
	marks, late, uncovered := 0, 0, int64(0)
	for _, s := range c.w.steps() {
		if s.Step == event.StepEpoch {
			marks++
		}
	}
	for _, bills := range o.billed {
		for _, s := range bills {
			uncovered += s.Uncovered
			if s.Late {
				late++
			}
		}
	}
	t.Logf("%d bids, %d billed (%d late, %d micros uncovered), verdicts %v, %d kills, %d epochs, spent %v", len(c.x.bids), len(o.billed), late, uncovered, c.verdicts, c.kills, marks, o.spent)
}

// compare holds the exchange's bids against the topic: every bill that was taken is there once,
// with what was paid, and nothing else is.
func (c *chaos) compare(o *oracle) {
	t := c.w.t
	unlogged := 0
	for id, b := range c.x.bids {
		if !o.known[id] {
			unlogged++
			if !b.by.abrupt {
				t.Errorf("bid %s is not on the topic, and its bidder lives: %+v of\n%s", id, b.BidStep, c.history(id))
			}
		}
		charged := int64(0)
		for _, s := range o.billed[id] {
			charged += s.Spent + s.Uncovered
		}
		if b.billed != (len(o.billed[id]) > 0) {
			t.Errorf("bid %s: the exchange says billed %v, the topic has %d bills, of\n%s", id, b.billed, len(o.billed[id]), c.history(id))
		} else if b.billed && charged != b.wanted {
			t.Errorf("bid %s: %d is charged or owed, want %d", id, charged, b.wanted)
		}
	}
	for id := range o.billed {
		if c.x.bids[id] == nil {
			t.Errorf("bid %s was never answered, and is billed", id)
		}
	}
	t.Logf("%d answered bids died with their bidders, before their steps were on the topic", unlogged)
}

// history is all that the topic has of a bid, and the begins of epochs, for a message.
func (c *chaos) history(bid string) string {
	of := slices.DeleteFunc(c.w.steps(), func(s event.BidStep) bool { return s.Bid != bid && s.Step != event.StepEpoch })
	return brief(of)
}

// seeds are those of the runs: five, or as many as the variable says.
func seeds(t *testing.T) []uint64 {
	n := uint64(5)
	if text := os.Getenv("CLICKLOOP_LEDGER_SEEDS"); text != "" {
		var err error
		if n, err = strconv.ParseUint(text, 10, 32); err != nil {
			t.Fatalf("CLICKLOOP_LEDGER_SEEDS is %q, want a number of seeds", text)
		}
	}
	all := make([]uint64, n)
	for i := range all {
		all[i] = uint64(i) + 1
	}
	return all
}

func TestNoFaultOverspendsABudgetOrACap(t *testing.T) {
	n := all64
	if raceEnabled {
		n = few
	}
	for _, seed := range seeds(t) {
		t.Run("seed "+strconv.FormatUint(seed, 10), func(t *testing.T) {
			k := backend.Embedded(t)
			w := plainWorld(t, k.Kafka, k.Redis, chaosPlans()...)
			runChaos(t, w, n, k, seed, func(r *rand.Rand) {
				switch r.IntN(2) {
				case 0:
					w.admin.FlushAll(context.Background())
				case 1:
					k.StopRedis()
					time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
					if err := k.StartRedis(); err != nil {
						t.Errorf("cannot start Redis: %v", err)
					}
				}
			})
		})
	}
}

// A real Redis is killed, loses all, or comes back with an older copy of its file.
func TestNoKillOfRedisOverspendsABudgetOrACap(t *testing.T) {
	for _, seed := range seeds(t) {
		t.Run("seed "+strconv.FormatUint(seed, 10), func(t *testing.T) {
			dir := t.TempDir()
			data, saved := filepath.Join(dir, "appendonlydir"), filepath.Join(dir, "saved")
			s := backend.NewServer(t, nil, tlsfiles.Server{}, "--dir", dir)
			kafka, k := realKafka(t)
			w := serverWorld(t, kafka, s, chaosPlans()...)
			runChaos(t, w, all64, k, seed, func(r *rand.Rand) {
				restore := r.IntN(3)
				s.Kill(t)
				if _, err := os.Stat(saved); restore == 0 && err == nil {
					replaceDir(t, data, saved)
				} else if restore == 1 {
					os.RemoveAll(data)
				} else {
					replaceDir(t, saved, data) // for a later time
				}
				time.Sleep(time.Duration(r.IntN(100)) * time.Millisecond)
				s.Start(t)
			})
		})
	}
}

// realKafka is the real one of the tests, or else an embedded one of this test's own.
func realKafka(t *testing.T) (stream.Config, *embedded.Services) {
	if backend.Real() {
		return sharedKafka(t), nil
	}
	k := backend.Embedded(t)
	return stream.Config{Brokers: []string{k.Kafka}}, k
}

// replaceDir makes a folder a copy of another.
func replaceDir(t *testing.T, to, from string) {
	t.Helper()
	err := os.RemoveAll(to)
	if err == nil {
		err = os.CopyFS(to, os.DirFS(from))
	}
	if err != nil {
		t.Error(err)
	}
}
