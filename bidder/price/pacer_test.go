package price

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
)

// traffic is a day's auctions by hour: a night, a morning, a peak at 20:00, and a drop after 22:00.
var traffic = [24]float64{30, 20, 15, 12, 12, 20, 40, 70, 90, 95, 90, 95, 110, 100, 90, 90, 100, 120, 160, 220, 260, 200, 80, 45}

// world is campaigns' money and auctions in virtual time.
type world struct {
	campaign *campaign.Campaign
	pacers   []*Pacer
	r        *rand.Rand
	now      event.Time
	rate     float64                          // auctions a minute at traffic 100
	curve    func(hour int) float64           // by day and hour since the start
	wins     func(t event.Time) float64       // win rate
	worth    func(multiplier float64) float64 // price of the strategy spend; nil for others
	release  event.Time                       // after which a lost bid's money is free, in ms

	spent, reserved, today, reservedToday float64
	day                                   event.Time
	ends                                  []bidEnd
	seen                                  Standing  // as of the last second
	hourly                                []float64 // spent for bids of each hour since the start
	came                                  []float64
	start                                 event.Time
}

type bidEnd struct {
	at, day event.Time
	hour    int
	price   float64
	won     bool
}

func (w *world) settle() {
	for len(w.ends) > 0 && w.ends[0].at <= w.now {
		e := w.ends[0]
		w.ends = w.ends[1:]
		w.reserved -= e.price
		if e.day == w.day {
			w.reservedToday -= e.price
		}
		s := event.BidStep{Step: event.StepLoss, Campaign: "c", Reserved: -int64(e.price)}
		if e.won {
			s.Step, s.Spent = event.StepBill, int64(e.price)
			w.spent += e.price
			if e.day == w.day {
				w.today += e.price
			}
			w.hourly[e.hour] += e.price
		}
		for _, p := range w.pacers {
			p.Learn(&s)
		}
	}
}

// second plays one.
func (w *world) second() {
	w.now += 1000
	if from, _ := day(w.now, w.campaign.Budget.Zone); from != w.day {
		w.day, w.today, w.reservedToday = from, 0, 0
	}
	w.settle()
	w.seen = Standing{auction.Micros(w.spent), auction.Micros(w.reserved), auction.Micros(w.today), auction.Micros(w.reservedToday)}
	hour := int((w.now - w.start) / hourMs)
	for len(w.hourly) <= hour {
		w.hourly, w.came = append(w.hourly, 0), append(w.came, 0)
	}
	mean := w.rate * w.curve(hour) / 100 / 60
	for n := mean; n > 0; n-- {
		if n >= 1 || w.r.Float64() < n {
			w.came[hour]++
			w.auction(hour)
		}
	}
}

func (w *world) auction(hour int) {
	plan := w.pacers[w.r.IntN(len(w.pacers))].Plan(w.campaign, w.seen, w.now)
	if w.now < w.campaign.Start || w.r.Float64() >= plan.Share {
		return
	}
	price := 1000 * math.Exp(0.3*w.r.NormFloat64())
	chance := w.wins(w.now)
	if w.worth != nil {
		price = w.worth(plan.Multiplier) * math.Exp(0.3*w.r.NormFloat64())
		chance *= price / (price + 1000)
	}
	b := &w.campaign.Budget
	if b.Daily > 0 && w.today+w.reservedToday+price > float64(b.Daily) || b.Total > 0 && w.spent+w.reserved+price > float64(b.Total) {
		return // the ledger refuses it
	}
	price = math.Floor(price)
	w.reserved, w.reservedToday = w.reserved+price, w.reservedToday+price
	e := bidEnd{at: w.now + w.release, day: w.day, hour: hour, price: price}
	if w.r.Float64() < chance {
		e.won, e.at = true, w.now+10_000
	}
	at, _ := slices.BinarySearchFunc(w.ends, e.at+1, func(e bidEnd, t event.Time) int { return int(e.at - t) })
	w.ends = slices.Insert(w.ends, at, e)
}

func newWorld(pacers int) *world {
	start := event.TimeOf(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC))
	w := &world{r: rand.New(rand.NewPCG(1, 9)), start: start, now: start - 1000, rate: 300, release: 30_000,
		curve: func(hour int) float64 { return traffic[hour%24] }, wins: func(event.Time) float64 { return 0.4 }}
	w.campaign = &campaign.Campaign{ID: "c", Budget: campaign.Budget{Daily: 30_000_000, Pacing: "even"}, Bid: campaign.Bid{Strategy: "cpm", CPM: 1}}
	for range pacers {
		w.pacers = append(w.pacers, NewPacer())
	}
	return w
}

func (w *world) hours(n int) {
	for range n * 3600 {
		w.second()
	}
}

// errors compare what was spent in the hours from to to with a budget in proportion to the
// auctions.
func (w *world) errors(from, to int, budget float64) (spent, mean, worst, flat float64) {
	auctions := 0.0
	for h := from; h < to; h++ {
		auctions += w.came[h]
		spent += w.hourly[h]
	}
	for h := from; h < to; h++ {
		ideal := budget * w.came[h] / auctions
		off := math.Abs(w.hourly[h] - ideal)
		mean += off / budget
		worst = max(worst, off/ideal)
		flat += math.Abs(w.hourly[h]-budget/float64(to-from)) / budget
	}
	return spent / budget, mean, worst, flat
}

func (w *world) report(t *testing.T, name string, from, to int, budget, mostMean float64) {
	t.Helper()
	spent, mean, worst, flat := w.errors(from, to, budget)
	t.Logf("%s: spent %.4f, hourly error mean %.3f worst %.3f (to an even spending %.3f)", name, spent, mean, worst, flat)
	if spent < 0.98 || spent > 1 || mean > mostMean {
		t.Errorf("%s: spent %.4f of the budget, want 0.98 to 1; hourly error %.3f, want %.2f", name, spent, mean, mostMean)
	}
}

func TestADaysBudgetFollowsTheTraffic(t *testing.T) {
	sequential(t)
	f := func(name string, pacers int, first float64, change func(w *world)) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(pacers)
			if change != nil {
				change(w)
			}
			w.hours(49)
			w.report(t, "first day", 0, 24, 30e6, first)
			w.report(t, "second day", 24, 48, 30e6, 0.1)
		})
	}
	f("one bidder", 1, 1, nil)
	f("four bidders", 4, 1, nil)
	f("win rate changes", 1, 1, func(w *world) {
		w.wins = func(t event.Time) float64 { return 0.35 + 0.15*math.Sin(float64(t/60_000)/1440*2*math.Pi*2) }
	})
	f("losses are not told", 1, 1, func(w *world) { w.release = 300_000 })
	f("spend", 1, 1, func(w *world) {
		w.campaign.Bid = campaign.Bid{Strategy: "spend", Objective: "click"}
		w.worth = func(m float64) float64 { return min(0.01*m, 1e5) }
	})
	f("spend by four bidders", 4, 1, func(w *world) {
		w.campaign.Bid = campaign.Bid{Strategy: "spend", Objective: "click"}
		w.worth = func(m float64) float64 { return min(0.01*m, 1e5) }
	})
}

// A campaign that is new to a bidder that knows its traffic needs no day of its own.
func TestANewCampaignIsPacedByTheTrafficOfOthers(t *testing.T) {
	sequential(t)
	w := newWorld(1)
	w.hours(24)
	w.campaign = &campaign.Campaign{ID: "new", Budget: w.campaign.Budget, Bid: w.campaign.Bid}
	w.hours(25)
	w.report(t, "first day", 24, 48, 30e6, 0.1)
}

func TestARestartedBidderGoesOnByItsState(t *testing.T) {
	sequential(t)
	w := newWorld(1)
	w.hours(33)
	next := NewPacer()
	if err := next.Restore(w.pacers[0].State()); err != nil {
		t.Fatal(err)
	}
	w.pacers[0] = next
	w.hours(16)
	w.report(t, "day of the restart", 24, 48, 30e6, 0.1)

	w = newWorld(1)
	w.hours(33)
	w.pacers[0] = NewPacer()
	w.hours(16)
	w.report(t, "without its state", 24, 48, 30e6, 0.6)
}

func TestTheFirstDayMayBeginAtNoon(t *testing.T) {
	sequential(t)
	w := newWorld(1)
	w.hours(24)
	w.campaign.ID = "noon"
	w.campaign.Start = w.start.Add(36 * time.Hour)
	w.hours(12)
	w.hours(13)
	w.report(t, "from noon", 36, 48, 30e6, 0.1)
}

func TestATotalBudgetIsSpreadOverItsDays(t *testing.T) {
	sequential(t)
	f := func(name string, daily auction.Micros, most float64, change func(w *world)) {
		t.Helper()
		w := newWorld(1)
		w.hours(24)
		w.spent, w.reserved, w.today, w.reservedToday, w.ends = 0, 0, 0, 0, nil
		w.campaign.ID = "days"
		w.campaign.End = w.start.Add(96 * time.Hour)
		w.campaign.Budget.Total, w.campaign.Budget.Daily = 90_000_000, daily
		if change != nil {
			change(w)
		}
		w.hours(73)
		w.report(t, name, 24, 96, 90e6, most)
	}
	f("total", 0, 0.1, nil)
	f("total and daily", 40_000_000, 0.1, nil)
	// the middle day has half of the auctions, which nothing tells before
	f("a day that is weaker", 40_000_000, 0.35, func(w *world) {
		w.curve = func(hour int) float64 {
			if hour/24 == 2 {
				return traffic[hour%24] / 2
			}
			return traffic[hour%24]
		}
	})
}

// A forecast that is wrong by hours is corrected as the day goes. What cannot be mended is a day
// that runs backwards: when its end brings the few auctions of a night, it is too late.
func TestAWrongForecastIsCorrectedByWhatIsLeft(t *testing.T) {
	sequential(t)
	f := func(name string, least float64, second func(hour int) float64) {
		t.Helper()
		w := newWorld(1)
		w.curve = func(hour int) float64 {
			if hour >= 24 {
				return second(hour % 24)
			}
			return traffic[hour]
		}
		w.hours(49)
		spent, mean, worst, _ := w.errors(24, 48, 30e6)
		t.Logf("%s: spent %.4f, hourly error mean %.3f worst %.3f", name, spent, mean, worst)
		if spent < least || spent > 1 {
			t.Errorf("%s: spent %.4f of the budget, want %.2f to 1", name, spent, least)
		}
	}
	f("peak three hours early", 0.95, func(h int) float64 { return traffic[(h+3)%24] })
	f("peak three hours late", 0.98, func(h int) float64 { return traffic[(h+21)%24] })
	f("half of the auctions", 0.98, func(h int) float64 { return traffic[h] / 2 })
	f("twice the auctions", 0.98, func(h int) float64 { return traffic[h] * 2 })
	f("backwards", 0.8, func(h int) float64 { return traffic[23-h] })
}

func TestTheBudgetsDayIsThatOfItsZone(t *testing.T) {
	sequential(t)
	zone := time.FixedZone("east", 9*3600)
	w := newWorld(1)
	w.campaign.Budget.Zone = zone
	w.hours(64)
	w.report(t, "day in the zone", 39, 63, 30e6, 0.1)
}

func TestPacingKnowsItsBounds(t *testing.T) {
	p := NewPacer()
	now := event.TimeOf(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	f := func(name string, b campaign.Budget, s Standing, want float64) {
		t.Helper()
		c := &campaign.Campaign{ID: name, Budget: b}
		p.Plan(c, s, now)
		if got := p.Plan(c, s, now.Add(tick)).Share; got != want {
			t.Errorf("%s: share %v, want %v", name, got, want)
		}
	}
	f("asap", campaign.Budget{Daily: 100, Pacing: "asap"}, Standing{}, 1)
	f("no budget", campaign.Budget{}, Standing{}, 1)
	f("no end", campaign.Budget{Total: 100}, Standing{}, 1)
	f("slow start", campaign.Budget{Daily: 100}, Standing{}, 0.2)
	f("spent", campaign.Budget{Daily: 100}, Standing{Spent: 100, SpentToday: 100}, 0)
	c := &campaign.Campaign{ID: "allocations", Budget: campaign.Budget{Daily: 1e6}}
	p.Plan(c, Standing{}, now)
	if n := testing.AllocsPerRun(100, func() { p.Plan(c, Standing{}, now) }); n != 0 {
		t.Errorf("%v allocations a plan", n)
	}
	if i, ok := p.Describe("spent"); !ok || i.SpentToday != 0.0001 || i.Share != 0 {
		t.Errorf("%+v (%v)", i, ok)
	}
}

func TestCampaignsThatArePacedAreBounded(t *testing.T) {
	sequential(t)
	p := NewPacer()
	for i := range maxPaces + 10 {
		p.Plan(&campaign.Campaign{ID: strconv.Itoa(i)}, Standing{}, event.Time(i+1))
	}
	if _, ok := p.Describe("9"); ok || len(p.paces) != maxPaces {
		t.Errorf("%d campaigns, the oldest is there: %v", len(p.paces), ok)
	}
}

// Requests are answered by many goroutines, and notices come meanwhile.
func TestPlansAreMadeAtOnce(t *testing.T) {
	p := NewPacer()
	var wait sync.WaitGroup
	for g := range 4 {
		wait.Go(func() {
			for i := range 2000 {
				id := strconv.Itoa(i % 7)
				c := &campaign.Campaign{ID: id, Budget: campaign.Budget{Daily: 1_000_000}}
				plan := p.Plan(c, Standing{Spent: auction.Micros(i)}, event.Time(i+1)*100)
				if plan.Share < 0 || plan.Share > 1 {
					t.Errorf("%+v", plan)
				}
				p.Learn(&event.BidStep{Step: event.StepBill, Campaign: id, Reserved: -10, Spent: 10})
				if i%500 == g {
					p.State()
					p.Describe(id)
				}
			}
		})
	}
	wait.Wait()
}

func FuzzRestore(f *testing.F) {
	p := NewPacer()
	p.Plan(&campaign.Campaign{ID: "c"}, Standing{}, 1)
	f.Add(p.State())
	f.Add([]byte(`{"version":1,"campaigns":{"c":{"share":2}}}`))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := NewPacer()
		if p.Restore(b) != nil {
			return
		}
		c := &campaign.Campaign{ID: "c", Budget: campaign.Budget{Daily: 1e6}}
		for i := range 5 {
			if s := p.Plan(c, Standing{}, event.Time(i)*60_000).Share; !(s >= 0 && s <= 1) {
				t.Fatalf("share %v", s)
			}
		}
	})
}
