package dashboard

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

var began = time.Unix(1_700_000_000, 0)

func at(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }

func TestRatesAndTimesOfRecordsComeFromOffsets(t *testing.T) {
	var p pace
	if p.perSecond() != nil {
		t.Error("there is a rate of nothing")
	}
	for s := range 20 { // 100 a second in one partition, 10 in the other
		p.add(at(s), []stream.Range{{End: int64(100 * s)}, {First: 5, End: int64(10 * s)}})
	}
	if r := p.perSecond(); r == nil || math.Abs(*r-110) > 1e-9 {
		t.Errorf("the rate is %v, want 110", r)
	}
	f := func(partition int, offset int64, want time.Time, known bool) {
		t.Helper()
		got, ok := p.written(partition, offset)
		if d := got.Sub(want); ok != known || ok && (d < -20*time.Millisecond || d > 120*time.Millisecond) {
			t.Errorf("offset %d of partition %d: %v %v, want %v %v", offset, partition, got, ok, want, known)
		}
	}
	f(0, 250, at(2).Add(500*time.Millisecond), true)
	f(0, 1899, at(19), true)
	f(0, 1900, time.Time{}, false) // not written yet
	f(1, 5, began.Add(500*time.Millisecond), true)
	f(7, 0, time.Time{}, false)
	p.add(at(20), []stream.Range{{End: 3}}) // created again
	if p.perSecond() != nil {
		t.Error("a topic that was created again has a rate across")
	}
}

// What is remembered is bounded, fine where it is new, and reaches back.
func TestAPaceReachesBackAndIsBounded(t *testing.T) {
	var p pace
	for s := range 100_000 {
		p.add(at(s), []stream.Range{{End: int64(s)}})
		if len(p.moments) > mostMoments {
			t.Fatalf("it remembers %d moments", len(p.moments))
		}
	}
	for _, ago := range []int{3, 30} {
		got, ok := p.written(0, int64(99_999-ago))
		if want := at(99_999 - ago + 1); !ok || got.Sub(want).Abs() > time.Second {
			t.Errorf("%d seconds ago: %v %v, want %v", ago, got, ok, want)
		}
	}
	if !p.moments[0].at.Equal(began) {
		t.Errorf("it reaches back to %v", p.moments[0].at)
	}
}

func TestLatenciesAreThoseOfTheLastStates(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "clickloop_scorer_call_seconds", Buckets: []float64{0.001, 0.002, 0.004}})
	other := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "clickloop_bidder_price_cpm"})
	reg.MustRegister(h, other)
	l := newLatencies(reg)
	var s State
	turn := func(second int, values ...float64) *LatencyInfo {
		for _, v := range values {
			h.Observe(v)
		}
		if err := l.update(at(second), &s); err != nil || len(s.Latency) != 1 {
			t.Fatalf("%v: %+v", err, s.Latency)
		}
		return &s.Latency[0]
	}
	if got := turn(0, 9, 9, 9); got.Stage != "scorer" || got.Name != "call" || got.P50 != nil || got.PerSecond != 0 {
		t.Errorf("what was before anybody watched counts: %+v", got)
	}
	got := turn(1, 0.0015, 0.0015, 0.0015, 0.003)
	if got.PerSecond != 4 || math.Abs(*got.P50-1.6666667) > 1e-6 || math.Abs(*got.P99-3.92) > 1e-9 {
		t.Errorf("four calls: %v, p50 %v ms, p99 %v ms", got.PerSecond, *got.P50, *got.P99)
	}
	for n := 2; n < 3+latencyTurns; n++ {
		got = turn(n)
	}
	if got.PerSecond != 0 || got.P50 != nil {
		t.Errorf("old calls still count: %+v", got)
	}
	if got = turn(20, 7); *got.P50 != 4 {
		t.Errorf("beyond the last edge p50 is %v ms, want that edge", *got.P50)
	}
}

func TestReasonsThatDifferByAValueAreOne(t *testing.T) {
	f := func(reason, want string) {
		t.Helper()
		if got := plainReason(reason); got != want {
			t.Errorf("%q is %q, want %q", reason, got, want)
		}
	}
	f("time is not RFC 3339", "time is not RFC 3339")
	f(`time is "x\"y", which is not RFC 3339`, `time is "…", which is not RFC 3339`)
	f(`a "b" c "d`, `a "…" c "…"`)
	long := plainReason(strings.Repeat("ä", 300))
	if !utf8.ValidString(long) || len(long) > reasonShown {
		t.Errorf("a long reason is %d bytes: %q", len(long), long)
	}
	l := newLetters()
	for i := range 3 * mostReasons {
		for range 1 + i%2 {
			l.add(&event.DeadLetter{Stage: "ingest", Reason: fmt.Sprintf("reason %d \"%d\"", i, rand.Uint64()), Offset: int64(i)})
		}
	}
	got := l.describe(1000)
	sum := got.Others
	for _, r := range got.Reasons {
		sum += r.Count
	}
	if len(got.Reasons) != letterReasons || sum != got.Read || got.Read != 450 || got.Total != 1000 || got.Reasons[0].Count != 2 {
		t.Errorf("%d reasons with %d of %d letters: %+v", len(got.Reasons), sum, got.Read, got.Reasons[0])
	}
}

// drawn is a sample of n examples.
func drawn(rng *rand.Rand, n int, shift float64, missing float64, devices ...string) *sample {
	s := newSample()
	for range n {
		x := event.Example{P: rng.Float64(), Features: event.Fields{
			{Name: "age", Value: event.Value{Kind: event.Number, Num: rng.NormFloat64() + shift}},
			{Name: "device", Value: event.Value{Kind: event.String, Str: devices[rng.IntN(len(devices))]}},
			{Name: "plan", Value: event.Value{Kind: event.Number, Num: float64(rng.IntN(2))}},
		}}
		if rng.Float64() < missing {
			x.Features = x.Features[:2]
		}
		s.add(&x)
	}
	return s
}

// Two samples of one distribution exceed the limit once in a hundred times, as it says.
func TestTheLimitOfDriftIsThatOfChance(t *testing.T) {
	const seeds = 400
	beyond := map[string]int{}
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 9))
		r := drawn(rng, 2000, 0, 0, "a", "b", "c", "d").reference()
		for _, d := range r.compare("click", drawn(rng, 2000, 0, 0, "a", "b", "c", "d")) {
			if d.PSI > d.Limit {
				beyond[d.Feature]++
			}
		}
	}
	for _, feature := range []string{"age", "device", "plan", scoreFeature} {
		if share := float64(beyond[feature]) / seeds; share > 0.03 {
			t.Errorf("%s: %.3f of the samples of one distribution are beyond the limit", feature, share)
		}
	}
	if len(beyond) == 0 {
		t.Error("no sample is beyond the limit: it is no limit of one in a hundred")
	}
}

func TestDriftIsFoundAndSorted(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 9))
	r := drawn(rng, 2000, 0, 0, "a", "b", "c").reference()
	got := r.compare("click", drawn(rng, 2000, 0.3, 0.25, "a", "b", "c"))
	of := map[string]DriftInfo{}
	for _, d := range got {
		of[d.Feature] = d
	}
	if d := of["age"]; d.PSI < 2*d.Limit || d.Examples != 2000 || d.Reference != 2000 {
		t.Errorf("a shift of 0.3 deviations: %+v", d)
	}
	if d := of["plan"]; math.Abs(d.Missing-0.25) > 0.04 || d.MissingBefore != 0 || got[0].Feature != "plan" {
		t.Errorf("a quarter is missing: %+v; the worst is %s", d, got[0].Feature)
	}
	if d := of["device"]; d.PSI > d.Limit {
		t.Errorf("nothing changed: %+v", d)
	}
	gone := r.compare("click", drawn(rng, 500, 0, 1, "new"))
	for _, d := range gone {
		if d.Feature == "plan" && (d.Missing != 1 || d.PSI != 0) || d.Feature == "device" && d.PSI < 3 || math.IsNaN(d.PSI) || math.IsInf(d.PSI, 0) {
			t.Errorf("what is gone or new: %+v", d)
		}
	}
}

func TestAFeatureWithNumbersAndTextsIsAText(t *testing.T) {
	s := newSample()
	for i := range 200 {
		v := event.Value{Kind: event.Number, Num: float64(i % 3)}
		if i%2 == 0 {
			v = event.Value{Kind: event.String, Str: "unknown"}
		}
		s.add(&event.Example{P: 0.5, Features: event.Fields{{Name: "x", Value: v}, {Name: "y", Value: event.Value{}}}})
	}
	r := s.reference()
	if b := r.bins["x"]; b.index == nil || len(b.index) != 4 {
		t.Errorf("its bins are %+v", b)
	}
	if r.bins["y"] != nil {
		t.Error("a feature that is null everywhere has values")
	}
	if d := r.compare("click", s); d[0].PSI != 0 {
		t.Errorf("a sample differs from itself: %+v", d[0])
	}
}

func TestBlocksOfTheReferenceLieEvenlyBeforeTheNewest(t *testing.T) {
	f := func(from, to int64, n int) {
		t.Helper()
		all := blocks(from, to)
		if len(all) != n || all[0] != from || all[len(all)-1] >= to {
			t.Errorf("%d to %d: %v", from, to, all)
		}
	}
	f(1000, 101_000, referenceBlocks)
	f(0, 200, 4)
	f(7, 20, 1)
}

func TestBidsAreCountedAndMoneyIsThatOfTheLedger(t *testing.T) {
	b := newBidding()
	steps := []event.BidStep{
		{Step: event.StepSum, Campaign: "c1", SpentTotal: 5_000_000},
		{Step: event.StepAllow, Campaign: "c1", BudgetTotal: 10_000_000, BudgetDaily: 2_000_000},
		{Step: event.StepBid, Campaign: "c1", Reserved: 3000, Time: t0},
		{Step: event.StepBid, Campaign: "c1", Reserved: 2000, Time: t0},
		{Step: event.StepWin, Campaign: "c1", Time: t0},
		{Step: event.StepBill, Campaign: "c1", Reserved: -3000, Spent: 2500, Time: t0 + 2*minute},
		{Step: event.StepBid, Campaign: "c2", Reserved: 1000, Time: t0},
		{Step: event.StepEpoch, Bidder: "b"},
	}
	for i := range steps {
		b.add(&steps[i])
	}
	got := b.describe()
	one, two := got.Campaigns[0], got.Campaigns[1]
	if one.Spent != 5.0025 || one.Budget != 10 || one.Daily != 2 || one.Reserved != 0.002 || one.Bids != 2 || one.Wins != 1 || *one.WinRate != 0.5 || one.Estimated {
		t.Errorf("%+v", one)
	}
	if two.Bids != 1 || !two.Estimated {
		t.Errorf("a campaign whose sum was not read: %+v", two)
	}
	if len(got.SpentPerMinute) != 1 || got.SpentPerMinute[0].Spent != 0.0025 || got.SpentPerMinute[0].Start != (t0+2*minute)/minute*minute {
		t.Errorf("%+v", got.SpentPerMinute)
	}
	share := 0.5
	merged := merge(got.Campaigns, []CampaignInfo{{ID: "c1", Spent: 6, Pacing: &share}, {ID: "c3", Budget: 1}})
	if len(merged) != 3 || merged[0].Spent != 6 || merged[0].Bids != 2 || *merged[0].Pacing != 0.5 || merged[2].ID != "c3" {
		t.Errorf("with the bidder's own: %+v", merged)
	}
	for i := range event.Time(1000) {
		b.spend(t0+i*minute, 1)
	}
	if len(b.minutes) != mostMinutes {
		t.Errorf("%d minutes are kept", len(b.minutes))
	}
	if from := b.from(stream.Range{First: 0, End: 1_000_000}); from != 1_000_000-bidsFirst {
		t.Errorf("it begins at %d", from)
	}
	b.next = 10
	if from := b.from(stream.Range{First: 0, End: 1_000_000}); from != 1_000_000-bidsFirst || b.skipped != 1_000_000-bidsFirst-10 || b.campaigns["c1"].exact {
		t.Errorf("behind by a million it goes on at %d, having passed over %d", from, b.skipped)
	}
}
