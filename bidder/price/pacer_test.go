package price

import (
	"math"
	"math/rand/v2"
	"slices"
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

// errors compare what was spent in the hours from to to with a budget in proportion to the auctions.
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
	w.now += 0
	spent, mean, worst, flat := w.errors(from, to, budget)
	t.Logf("%s: spent %.4f, hourly error mean %.3f worst %.3f (to an even spending %.3f)", name, spent, mean, worst, flat)
	if spent < 0.98 || spent > 1 || mean > mostMean {
		t.Errorf("%s: spent %.4f of the budget, want 0.98 to 1; hourly error %.3f, want %.2f", name, spent, mean, mostMean)
	}
}

func TestADaysBudgetFollowsTheTraffic(t *testing.T) {
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
