package price

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
)

// variable is a number that an environment variable may replace.
func variable(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// sequential skips a long simulation of one goroutine where races are looked for.
func sequential(t *testing.T) {
	if raced {
		t.Skip("it has one goroutine")
	}
}

// A fixed formula knows the market, but no features: it bids the best share of the value, or what
// the distribution of all prices says. The model must get nine tenths of its surplus over the first
// 20,000 auctions, while it learns.
func TestShadingGetsTheSurplusOfTheBestFormula(t *testing.T) {
	sequential(t)
	seeds, auctions := variable("CLICKLOOP_TEST_MARKETS", 1), variable("CLICKLOOP_TEST_AUCTIONS", 20_000)
	for i, m := range markets(0) {
		for _, tell := range []told{
			{minToWin: true, losses: true, expires: 60_000, spread: 0.5},
			{losses: true, expires: 60_000, spread: 0.5},
			{expires: 60_000, spread: 0.5},
			{losses: true, expires: 60_000},
		} {
			if seeds == 1 && i > 0 && tell.spread == 0 {
				continue // seconds are few
			}
			name := fmt.Sprintf("%s/minToWin=%v losses=%v spread=%v", m.name, tell.minToWin, tell.losses, tell.spread)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var early, late, full []float64
				for seed := range uint64(seeds) {
					s := newSimulation(markets(seed)[i], seed, tell)
					for range auctions {
						s.auction(true)
					}
					half := min(20_000, auctions)
					model, unshaded, share, formula, most := s.sums(0, half)
					early = append(early, model/max(share, formula))
					line := fmt.Sprintf("seed %d: first %d: unshaded %.3f, share %.3f, formula %.3f, model %.3f of the full-knowledge surplus", seed, half, unshaded/most, share/most, formula/most, model/most)
					from := auctions - auctions/5
					model, _, share, formula, most = s.sums(from, auctions)
					late, full = append(late, model/max(share, formula)), append(full, model/most)
					t.Logf("%s; last fifth: share %.3f, formula %.3f, model %.3f", line, share/most, formula/most, model/most)
				}
				slices.Sort(early)
				slices.Sort(late)
				slices.Sort(full)
				n := len(early)
				t.Logf("of the formula's: first median %.3f worst %.3f, last fifth median %.3f worst %.3f; of full knowledge: median %.3f worst %.3f",
					early[n/2], early[0], late[n/2], late[0], full[n/2], full[0])
				// who has no features to tell auctions apart has no more than the formula
				if hard := i >= 4; !hard && early[0] < 0.9 || hard && early[0] < 0.8 {
					t.Errorf("the surplus of the first auctions is %.3f of the formula's", early[0])
				}
			})
		}
	}
}

// play learns n auctions of a market, and gives the steps of the topic in between.
func play(t testing.TB, m market, tell told, n int) *simulation {
	t.Helper()
	s := newSimulation(m, 1, tell)
	for range n {
		s.auction(false)
	}
	return s
}

func TestTheSameStepsGiveTheSameModel(t *testing.T) {
	tell := told{losses: true, expires: 60_000, spread: 0.5}
	a, b := play(t, markets(1)[1], tell, 3000), play(t, markets(1)[1], tell, 3000)
	a.landscape.publish()
	b.landscape.publish()
	if x, y := a.landscape.current.Load(), b.landscape.current.Load(); !reflect.DeepEqual(x, y) || x.count < 2900 {
		t.Errorf("the models differ, after %d and %d outcomes", x.count, y.count)
	}
}

func TestAnOfferAllocatesNothingAndKeepsItsBounds(t *testing.T) {
	s := play(t, markets(1)[0], told{losses: true, expires: 60_000, spread: 0.5}, 3000)
	market := fieldsOf(s.features())
	market = append(market, event.Field{Name: "hour", Value: event.Value{Kind: event.Number, Num: 21}},
		event.Field{Name: "deals", Value: event.Value{Kind: event.List, List: []event.WeightedToken{{Token: "a", Weight: 1}, {Token: "b", Weight: 1}}}})
	q := Quote{Value: 3000, Floor: 400, FirstPrice: true, Market: market}
	if n := testing.AllocsPerRun(100, func() { s.landscape.Offer(&q) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for _, l := range []*Landscape{NewLandscape(), s.landscape} {
		for i := range 1000 {
			q.Draw = float64(i) / 1000
			q.Value, q.Floor = auction.Micros(s.r.Int64N(1<<(i%40)+1)), auction.Micros(s.r.Int64N(1<<(i%37)+1))
			o := l.Offer(&q)
			if q.Value <= 0 || q.Value < q.Floor {
				if o != (Offer{}) {
					t.Fatalf("%+v: %+v, want none", q, o)
				}
			} else if o.Price < q.Floor || o.Price > q.Value || o.PWin < 0 || o.PWin > 1 {
				t.Fatalf("%+v: %+v", q, o)
			}
		}
	}
	if o := s.landscape.Offer(&Quote{Value: 3000, Floor: 10, Market: market}); o.Price != 3000 || o.PWin == 0 {
		t.Errorf("a second price: %+v, want the value", o)
	}
}

// A dearer bid never wins less.
func TestTheProbabilityToWinRisesWithThePrice(t *testing.T) {
	s := play(t, markets(1)[1], told{minToWin: true, losses: true, expires: 60_000, spread: 0.5}, 5000)
	var at [maxTokens]uint32
	var c curve
	for range 100 {
		n := tokensOf(&at, fieldsOf(s.features()))
		m := s.landscape.current.Load()
		m.open(&c, m.center, at[:n], math.Log(1e8))
		before := 0.0
		for u := 0.0; u < math.Log(1e8); u += 0.01 {
			if p := c.win(u); !(p >= before && p <= 1) {
				t.Fatalf("P(win) is %v at %v, and %v below", p, u, before)
			} else {
				before = p
			}
		}
	}
}

func TestThePredictedWinRateIsCalibrated(t *testing.T) {
	sequential(t)
	s := play(t, markets(2)[0], told{expires: 60_000, spread: 0.5}, 12_000)
	i := s.landscape.Describe()
	t.Logf("%+v", i)
	if i.Learned < 11_000 || math.Abs(i.WinRate/i.Expected-1) > 0.05 || i.Delay < 50_000_000_000 {
		t.Errorf("%+v", i)
	}
	for _, c := range i.Calibration {
		if c.Bids > 500 && math.Abs(c.Won-c.Expected) > 0.07 {
			t.Errorf("bids of %.1f to %.1f: %.3f won, %.3f expected", c.From, c.To, c.Won, c.Expected)
		}
	}
}

// Prices fall to a half. The model must follow within some thousand auctions.
func TestAMarketThatChangesIsFollowed(t *testing.T) {
	sequential(t)
	s := newSimulation(markets(3)[0], 3, told{losses: true, expires: 60_000, spread: 0.5})
	dear := s.market.draw
	for range 20_000 {
		s.auction(false)
	}
	s.market.draw = func(x []int) prices {
		p := dear(x)
		return prices{p.floor / 2, func(r *rand.Rand) float64 { return p.sample(r) / 2 }, func(b float64) float64 { return p.cdf(2 * b) }}
	}
	for range 8000 {
		s.auction(true)
	}
	model, _, _, _, full := s.sums(24_000, 28_000)
	if t.Logf("%.3f of the full-knowledge surplus", model/full); model < 0.95*full {
		t.Errorf("%.3f of the full-knowledge surplus after a change", model/full)
	}
}

// An exchange that tells wins at once and losses never must not look like one where all bids win.
func TestWinsThatAreToldEarlyDoNotPassForAll(t *testing.T) {
	sequential(t)
	s := newSimulation(markets(1)[0], 1, told{expires: 600_000, spread: 0.5})
	for range 5000 { // 500 seconds: no loss is known
		s.auction(false)
	}
	if n := s.landscape.learner.count; n != 0 {
		t.Errorf("%d outcomes are learned before any loss can be known", n)
	}
	for range 10_000 {
		s.auction(false)
	}
	s.landscape.publish()
	won := 0.0
	for i := range s.past[9000:] {
		won += truth(s.past[9000+i].model > 0)
	}
	i := s.landscape.Describe()
	if t.Logf("%+v", i); i.Learned < 8000 || i.Expected == 0 {
		t.Errorf("%+v", i)
	}
}

func TestNoticesThatSayNothingOfPricesAreNotLearned(t *testing.T) {
	l := NewLandscape()
	step := func(s event.BidStep) { l.Learn(&s) }
	bid := func(id string, at event.Time) {
		step(event.BidStep{Step: event.StepBid, Bid: id, Time: at, Price: 1000, Value: 2000, FirstPrice: true, Expires: at + 1000})
	}
	f := func(name string, want int64) {
		t.Helper()
		if got := l.learner.count; got != want {
			t.Errorf("%s: %d outcomes, want %d", name, got, want)
		}
	}
	bid("refused", 1000)
	step(event.BidStep{Step: event.StepLoss, Bid: "refused", Time: 1100, Reason: 202})
	step(event.BidStep{Step: event.StepWin, Bid: "unknown", Time: 2500})
	f("a creative was refused, or the bid is unknown", 0)
	bid("won", 3000)
	bid("won", 3001)
	step(event.BidStep{Step: event.StepWin, Bid: "won", Time: 3100})
	step(event.BidStep{Step: event.StepBill, Bid: "won", Time: 3200, MinToWin: 400})
	step(event.BidStep{Step: event.StepExpire, Bid: "other", Time: 4100})
	f("a win, told twice, is learned at the age of its expiry", 1)
	if o := l.learner.ring[0]; math.Abs(o.low-math.Log(400)) > step0 || math.Abs(o.high-math.Log(400)) > step0 {
		t.Errorf("%+v, want the price of the later notice", o)
	}
	bid("lost", 5000)
	step(event.BidStep{Step: event.StepExpire, Bid: "lost", Time: 7000})
	f("a loss", 2)
	if l.Describe().Open != 0 {
		t.Errorf("%+v", l.Describe())
	}
}

const step0 = 0.1

func TestASecondPriceTellsTheLeastPriceThatWins(t *testing.T) {
	b := openBid{price: 1000, floor: 100, value: 1000, secondPrice: true}
	f := func(s event.BidStep, state bidState, want int64) {
		t.Helper()
		if got := leastOf(&b, &s, state); got != want {
			t.Errorf("%+v: %d, want %d", s, got, want)
		}
	}
	f(event.BidStep{Paid: 400}, bidWon, 400)
	f(event.BidStep{Paid: 1000}, bidWon, 0)
	f(event.BidStep{Paid: 400, MinToWin: 401}, bidWon, 401)
	f(event.BidStep{MinToWin: 1500}, bidLost, 1500)
	f(event.BidStep{MinToWin: 900}, bidLost, 0) // it would have won
	f(event.BidStep{MinToWin: 1100}, bidWon, 0)
	b.secondPrice = false
	f(event.BidStep{Paid: 400}, bidWon, 0)
}

// More bids are open than the table holds. Wins are told at once, losses late: dropped ones must be
// of both.
func TestATableThatIsFullIsThinnedWithoutRegardToOutcomes(t *testing.T) {
	sequential(t)
	l := NewLandscape()
	l.open = newTable(1000)
	r := rand.New(rand.NewPCG(1, 1))
	var ends []event.BidStep
	for i := range 60_000 {
		now := event.Time(i + 1)
		id := strconv.Itoa(i)
		l.Learn(&event.BidStep{Step: event.StepBid, Bid: id, Time: now, Price: 1000, Value: 2000, PWin: 0.3, FirstPrice: true, Expires: now + 10_000})
		if len(l.open.byID) > 1000 {
			t.Fatalf("%d bids are open", len(l.open.byID))
		}
		end := event.BidStep{Step: event.StepExpire, Bid: id, Time: now + 10_000}
		if r.Float64() < 0.3 {
			l.Learn(&event.BidStep{Step: event.StepWin, Bid: id, Time: now})
		} else {
			ends = append(ends, end)
		}
		for len(ends) > 0 && ends[0].Time <= now {
			l.Learn(&ends[0])
			ends = ends[1:]
		}
	}
	l.publish()
	i := l.Describe()
	if t.Logf("%+v", i); i.Learned < 1500 || i.WinRate < 0.26 || i.WinRate > 0.34 || i.Sampled > 0.2 {
		t.Errorf("%+v, want a win rate of 0.3", i)
	}
}

// Readers get whole models while the model learns.
func TestOffersAreMadeWhileTheModelLearns(t *testing.T) {
	s := newSimulation(markets(1)[0], 1, told{minToWin: true, losses: true, expires: 5000, spread: 0.5})
	q := Quote{Value: 3000, Floor: 10, FirstPrice: true, Market: fieldsOf(s.features())}
	done := make(chan struct{})
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if o := s.landscape.Offer(&q); o.Price < 10 || o.Price > 3000 {
					t.Errorf("%+v", o)
				}
				s.landscape.Describe()
			}
		})
	}
	for range 2000 {
		s.auction(false)
	}
	close(done)
	wait.Wait()
}

// Steps come from a topic that others can write to.
func FuzzLearn(f *testing.F) {
	f.Add(int64(1000), int64(2000), int64(10), int64(500), int64(400), int64(5), int64(100), uint8(0))
	f.Add(int64(math.MaxInt64), int64(-1), int64(math.MinInt64), int64(1), int64(math.MaxInt64), int64(-5), int64(math.MaxInt64), uint8(7))
	f.Fuzz(func(t *testing.T, price, value, floor, least, paid, at, expires int64, kind uint8) {
		l := NewLandscape()
		steps := []string{event.StepWin, event.StepBill, event.StepLoss, event.StepExpire}
		for i := range 4 {
			id := strconv.Itoa(i)
			l.Learn(&event.BidStep{Step: event.StepBid, Bid: id, Time: event.Time(at), Price: price, Value: value, Floor: floor, PWin: float64(least),
				FirstPrice: kind&8 != 0, Expires: event.Time(expires), Market: fieldsOf([]int{i})})
			l.Learn(&event.BidStep{Step: steps[(int(kind)+i)%4], Bid: id, Time: event.Time(at + expires), MinToWin: least, Paid: paid, Reason: int64(kind)})
		}
		l.publish()
		w := l.current.Load()
		for _, g := range append(w.fine[:], w.broad[:]...) {
			if math.IsNaN(float64(g)) || math.IsInf(float64(g), 0) {
				t.Fatalf("a weight is %v", g)
			}
		}
		if o := l.Offer(&Quote{Value: 1000, Floor: 1, FirstPrice: true}); o.Price < 1 || o.Price > 1000 || math.IsNaN(o.PWin) {
			t.Fatalf("%+v", o)
		}
	})
}

func BenchmarkOffer(b *testing.B) {
	s := play(b, markets(1)[0], told{losses: true, expires: 60_000, spread: 0.5}, 3000)
	q := Quote{Value: auction.Micros(2 * s.median), Floor: 100, FirstPrice: true, Market: fieldsOf(s.features()), Draw: 0.5}
	b.ReportAllocs()
	for b.Loop() {
		s.landscape.Offer(&q)
	}
}

func BenchmarkLearn(b *testing.B) {
	s := play(b, markets(1)[0], told{losses: true, expires: 60_000, spread: 0.5}, 20_000)
	o := s.landscape.learner.ring[7]
	b.ReportAllocs()
	for b.Loop() {
		s.landscape.learner.learn(&o)
	}
}
