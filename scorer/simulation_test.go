package scorer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

// market is a simulated one: live ads, of which the oldest one goes and a new one comes every
// few requests. What makes a user click is hidden in it.
type market struct {
	random     *rand.Rand // of ads and users, the same for every policy
	live       []simulatedAd
	made       int
	categories [categories]float64
	segments   [segments]float64
}

// simulatedAd has the logit of its clicks beyond that of its category, and what it has beyond that
// in each segment of users.
type simulatedAd struct {
	name     string
	category int
	effect   float64
	with     [segments]float64
}

const (
	liveAds    = 20
	everyAd    = 250 // requests from one new ad to the next
	categories = 5
	segments   = 4
	clickLogit = -2.7
	settled    = 2000 // requests after which the network knows what moves all ads alike
)

func newMarket(seed uint64) *market {
	c := &market{random: rand.New(rand.NewPCG(seed, 21))}
	for i := range c.categories {
		c.categories[i] = 0.4 * c.random.NormFloat64()
	}
	for i := range c.segments {
		c.segments[i] = 0.4 * c.random.NormFloat64()
	}
	for range liveAds {
		c.add()
	}
	return c
}

func (c *market) add() {
	a := simulatedAd{name: "ad" + strconv.Itoa(c.made), category: c.made % categories, effect: 0.8 * c.random.NormFloat64()}
	for i := range a.with {
		a.with[i] = 0.2 * c.random.NormFloat64()
	}
	c.made++
	if c.live = append(c.live, a); len(c.live) > liveAds {
		c.live = c.live[1:]
	}
}

func (c *market) logit(ad, segment int) float64 {
	a := &c.live[ad]
	return clickLogit + c.categories[a.category] + c.segments[segment] + a.effect + a.with[segment]
}

func (c *market) rate(ad, segment int) float64 { return 1 / (1 + math.Exp(-c.logit(ad, segment))) }

// simulation is a policy in the loop: an engine scores and chooses, the user clicks or not, a
// network learns it, and its messages go to the engine's replicas.
type simulation struct {
	*market
	t      *testing.T
	s      *Scorer
	src    *source
	call   Call
	clicks *rand.Rand
	regret float64
	// how far the truth lies from predictions, in their deviations: sum of squares, number, and how
	// many beyond two
	squares, seen, far [4]float64 // by the spread, in quarters
}

func simulate(t *testing.T, policy string, seed uint64, requests int) *simulation {
	s := newScorer(t, func(u *setup) { u.config.Policy, u.config.Seed, u.features = policy, seed, features.Config{} })
	m := &simulation{market: newMarket(seed), t: t, s: s, clicks: rand.New(rand.NewPCG(seed, 22)), src: newSource(t, seed, model.DefaultConfig())}
	m.src.part = 900_000
	for i := range requests {
		if i%everyAd == everyAd-1 {
			m.add()
		}
		if i%20 == 0 {
			m.publish(i == 0)
		}
		m.request(i)
	}
	return m
}

func (m *simulation) publish(first bool) {
	kind := "delta"
	if first {
		kind = "snapshot"
	}
	if err := m.s.followers[0].acceptAll(m.src.message(kind)); err != nil {
		m.t.Fatal(err)
	}
}

// request has the policy choose an ad for a user, and learns what the user does.
func (m *simulation) request(i int) {
	segment, c := m.random.IntN(segments), &m.call
	c.Reset()
	q := c.Add()
	q.ID = "r" + strconv.Itoa(i)
	q.Context = append(q.Context, event.Field{Name: "segment", Value: event.Value{Kind: event.String, Str: "s" + strconv.Itoa(segment)}})
	best := 0.0
	for j := range m.live {
		a := q.Add()
		a.Ad = m.live[j].name
		a.Context = append(a.Context, event.Field{Name: "category", Value: event.Value{Kind: event.String, Str: "c" + strconv.Itoa(m.live[j].category)}})
		best = max(best, m.rate(j, segment))
	}
	c.begin(m.s.Engine)
	m.s.score(m.t.Context(), c, false)
	chosen := q.Chosen()[0].Index
	rate := m.rate(chosen, segment)
	m.regret += best - rate
	if i%10 == 5 && i > settled && q.Answer.Ranked[0].Spread > 0 {
		m.compare(q, segment)
	}
	y := 0.0
	if m.clicks.Float64() < rate {
		y = 1
	}
	m.src.learnOf(m.s, q, chosen, y)
}

// compare compares the truth with what is predicted. Rates are small, so the spread of a score is
// nearly the deviation of its logit.
func (m *simulation) compare(q *Request, segment int) {
	for i := range q.Answer.Ranked {
		s := &q.Answer.Ranked[i]
		z := (m.logit(s.Index, segment) - math.Log(s.P[0]/(1-s.P[0]))) / (s.Spread / (1 - s.P[0]))
		kind := int(min(s.Spread/0.25, 3))
		m.squares[kind] += z * z
		m.seen[kind]++
		if math.Abs(z) > 2 {
			m.far[kind]++
		}
	}
}

// Where new ads arrive, Thompson sampling loses less than the greedy policy, which shows a new ad
// only if it looks better than all others before it was ever shown. Its idea of how uncertain it is
// agrees with the truth.
func TestThompsonFindsNewAds(t *testing.T) {
	seeds, requests, texts := uint64(2), 10_000, []string{"greedy", "thompson"}
	if text := os.Getenv("CLICKLOOP_TEST_SEEDS"); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		seeds, requests, texts = n, 20_000, []string{"greedy", "epsilon:0.1", "softmax:0.2", "softmax:0.05", "thompson", "thompson:1", "thompson:0.25"}
	}
	sums := map[string]float64{}
	var squares, seen, far [4]float64
	for seed := range seeds {
		line := fmt.Sprintf("seed %d:", seed+1)
		for _, text := range texts {
			m := simulate(t, text, seed+1, requests)
			sums[text] += m.regret
			line += fmt.Sprintf(" %s %.1f", text, m.regret)
			for i := range seen {
				squares[i], seen[i], far[i] = squares[i]+m.squares[i], seen[i]+m.seen[i], far[i]+m.far[i]
			}
		}
		t.Log(line)
	}
	for _, text := range texts {
		t.Logf("%s: mean regret %.1f, %.3f of greedy's", text, sums[text]/float64(seeds), sums[text]/sums["greedy"])
	}
	for i := range seen {
		z := math.Sqrt(squares[i] / seen[i])
		t.Logf("spread from %.2f: %.0f, truth in deviations: root mean square %.2f, beyond two %.3f", float64(i)/4, seen[i], z, far[i]/seen[i])
		// what is best known has the largest part of what tokens do together
		if most := 3 - float64(min(i, 1)); z < 0.5 || z > most {
			t.Errorf("where the spread is at least %.2f, the truth lies %.2f deviations away", float64(i)/4, z)
		}
	}
	if sums["thompson"] > 0.8*sums["greedy"] {
		t.Errorf("Thompson's regret is %.1f, greedy's %.1f", sums["thompson"], sums["greedy"])
	}
}
