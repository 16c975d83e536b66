package price

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
)

// market is a simulated first-price market.
type market struct {
	name string
	draw func(x []int) prices // of an auction with the features x
}

// prices is the distribution of the least winning price, in micros.
type prices struct {
	floor  float64
	sample func(r *rand.Rand) float64
	cdf    func(b float64) float64
}

// different is how many values each of the ten features has.
var different = []int{20, 3, 3, 10, 24, 5, 4, 50, 7, 2}

// effects are numbers by feature and value, of which a sum is normal with the scale as deviation.
type effects [][]float64

func newEffects(r *rand.Rand, scale float64) effects {
	e := make(effects, len(different))
	for f := range e {
		for range different[f] {
			e[f] = append(e[f], scale*r.NormFloat64()/math.Sqrt(float64(len(different))/3))
		}
	}
	return e
}

func (e effects) sum(x []int) float64 {
	s := 0.0
	for f := range x {
		s += e[f][x[f]]
	}
	return s
}

func logNormal(mean, deviation, floor float64) prices {
	return prices{floor, func(r *rand.Rand) float64 { return math.Exp(mean + deviation*r.NormFloat64()) },
		func(b float64) float64 { return 0.5 * math.Erfc((mean-math.Log(b))/deviation/math.Sqrt2) }}
}

// markets are of six shapes. The first three are those of the bar; uniform prices have a reserve,
// and the last two know no features, or have a competitor that bids one price.
func markets(seed uint64) []market {
	r := rand.New(rand.NewPCG(seed, 77))
	move, part, shape := newEffects(r, .5), newEffects(r, 1), newEffects(r, .3)
	level := 500 + 3000*r.Float64()
	likely := func(x []int) float64 { return 1 / (1 + math.Exp(-part.sum(x))) }
	return []market{
		{"log-normal", func(x []int) prices { return logNormal(math.Log(level)+move.sum(x), .5, 0.2*level) }},
		{"two modes", func(x []int) prices { // a strong competitor takes part in some auctions
			q, mean := likely(x), math.Log(level)+0.8*move.sum(x)
			weak, strong := logNormal(mean-.9, .35, 0), logNormal(mean+.4, .15, 0)
			return prices{0.1 * level, func(r *rand.Rand) float64 {
				y := weak.sample(r)
				if r.Float64() < q {
					y = max(y, strong.sample(r))
				}
				return y
			}, func(b float64) float64 { return weak.cdf(b) * (1 - q + q*strong.cdf(b)) }}
		}},
		{"heavy tail", func(x []int) prices {
			least, a := 0.4*level*math.Exp(move.sum(x)), 1.5*math.Exp(shape.sum(x))
			return prices{0, func(r *rand.Rand) float64 { return least * math.Pow(1-r.Float64(), -1/a) },
				func(b float64) float64 { return 1 - math.Pow(max(b/least, 1), -a) }}
		}},
		{"uniform", func(x []int) prices {
			most := 2 * level * math.Exp(0.5*move.sum(x))
			return prices{0.3 * level, func(r *rand.Rand) float64 { return most * r.Float64() },
				func(b float64) float64 { return min(b/most, 1) }}
		}},
		{"three exponentials", func([]int) prices {
			mean := 0.5 * level
			return prices{0.1 * level, func(r *rand.Rand) float64 { return mean * max(r.ExpFloat64(), r.ExpFloat64(), r.ExpFloat64()) },
				func(b float64) float64 { return math.Pow(1-math.Exp(-b/mean), 3) }}
		}},
		{"fixed price", func(x []int) prices {
			low, high, q := 0.5*level, 1.2*level, likely(x)
			return prices{0.1 * level, func(r *rand.Rand) float64 {
				if r.Float64() < q {
					return high
				}
				return low * (.2 + .8*r.Float64())
			}, func(b float64) float64 {
				return (1-q)*min(max((b/low-.2)/.8, 0), 1) + q*truth(b >= high)
			}}
		}},
	}
}

// told says what an exchange tells.
type told struct {
	minToWin, losses bool
	expires          event.Time // after which a bid without notice is lost, in ms
	spread           float64    // deviation of the log of values
}

// simulation plays auctions of a market, 100 ms apart.
type simulation struct {
	market    market
	told      told
	r         *rand.Rand
	landscape *Landscape
	now       event.Time
	notices   []event.BidStep // by time, of bids whose outcome was not told yet
	median    float64
	sample    []float64 // of least winning prices, sorted
	past      []past
}

type past struct{ value, floor, least, model, formula, full float64 }

const interval event.Time = 100

func newSimulation(m market, seed uint64, t told) *simulation {
	s := &simulation{market: m, told: t, r: rand.New(rand.NewPCG(seed, 5)), landscape: NewLandscape(), now: 1_800_000_000_000}
	for range 20_000 {
		s.sample = append(s.sample, m.draw(s.features()).sample(s.r))
	}
	slices.Sort(s.sample)
	s.median = s.sample[len(s.sample)/2]
	return s
}

func (s *simulation) features() []int {
	x := make([]int, len(different))
	for f := range x {
		x[f] = s.r.IntN(different[f])
	}
	return x
}

func fieldsOf(x []int) event.Fields {
	var f event.Fields
	for i, v := range x {
		f = append(f, event.Field{Name: "field" + strconv.Itoa(i), Value: event.Value{Kind: event.String, Str: strconv.Itoa(v)}})
	}
	return f
}

// auction plays one.
func (s *simulation) auction(oracles bool) {
	s.now += interval
	s.deliver()
	x := s.features()
	p := s.market.draw(x)
	value := math.Round(1.5 * s.median * math.Exp(s.told.spread*s.r.NormFloat64()))
	a := past{value: value, floor: math.Ceil(p.floor), least: p.sample(s.r)}
	q := Quote{Value: auction.Micros(value), Floor: auction.Micros(a.floor), FirstPrice: true, Market: fieldsOf(x), Draw: s.r.Float64()}
	if o := s.landscape.Offer(&q); o.Price > 0 {
		s.bid(&a, &q, o)
	}
	if oracles && value > a.floor {
		a.full = a.gain(best(p.cdf, value, a.floor))
		a.formula = a.gain(best(s.anywhere, value, a.floor))
	}
	s.past = append(s.past, a)
}

// bid makes the steps of a bid.
func (s *simulation) bid(a *past, q *Quote, o Offer) {
	id := "b" + strconv.Itoa(len(s.past))
	a.model = a.gain(float64(o.Price))
	s.landscape.Learn(&event.BidStep{Step: event.StepBid, Bid: id, Time: s.now, Price: int64(o.Price), Value: int64(q.Value), Floor: int64(q.Floor),
		PWin: o.PWin, FirstPrice: true, Expires: s.now + s.told.expires, Market: q.Market})
	n := event.BidStep{Step: event.StepWin, Bid: id, Time: s.now + 1000}
	if s.told.minToWin {
		n.MinToWin = int64(math.Ceil(max(a.least, a.floor)))
	}
	if float64(o.Price) < a.least {
		if n.Step = event.StepLoss; !s.told.losses {
			n.Step, n.Time, n.MinToWin = event.StepExpire, s.now+s.told.expires, 0
		}
	}
	at, _ := slices.BinarySearchFunc(s.notices, n.Time+1, func(n event.BidStep, t event.Time) int { return int(n.Time - t) })
	s.notices = slices.Insert(s.notices, at, n)
}

func (s *simulation) deliver() {
	for len(s.notices) > 0 && s.notices[0].Time <= s.now {
		s.landscape.Learn(&s.notices[0])
		s.notices = s.notices[1:]
	}
}

// gain is the surplus of a price.
func (a *past) gain(price float64) float64 {
	if price >= a.least && price >= a.floor {
		return a.value - price
	}
	return 0
}

// anywhere is P(win) over all auctions of the market: what somebody knows that sees no features.
func (s *simulation) anywhere(b float64) float64 {
	i, _ := slices.BinarySearch(s.sample, b)
	return float64(i) / float64(len(s.sample))
}

// best is the price that maximizes the expected surplus.
func best(cdf func(float64) float64, value, floor float64) float64 {
	at, most := value, 0.0
	for b := max(floor, value/20); b <= value; b *= 1.03 {
		if s := (value - b) * cdf(b); s > most {
			at, most = b, s
		}
	}
	return at
}

// sums adds up the auctions from to to. The share is the best in hindsight.
func (s *simulation) sums(from, to int) (model, unshaded, share, formula, full float64) {
	var shares [50]float64
	for i := range s.past[from:to] {
		a := &s.past[from+i]
		model, formula, full = model+a.model, formula+a.formula, full+a.full
		unshaded += a.gain(a.value)
		for k := range shares {
			if b := max(a.floor, a.value*float64(k+1)/50); b < a.value {
				shares[k] += a.gain(b)
			}
		}
	}
	return model, unshaded, slices.Max(shares[:]), formula, full
}
