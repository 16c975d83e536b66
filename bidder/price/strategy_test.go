package price

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
)

var objectives = []string{"click", "conversion"}

func TestWorthFollowsTheStrategy(t *testing.T) {
	f := func(b campaign.Bid, control, want float64) {
		t.Helper()
		s, err := Compile(b, objectives)
		if err != nil {
			t.Fatal(err)
		}
		var run Run
		got, err := s.Worth(&run, []float64{0.01, 0.001}, control)
		if err != nil || math.Abs(got-want) > 1e-6*want {
			t.Errorf("%+v: %v (%v), want %v", b, got, err, want)
		}
		p := []float64{0.01, 0.001}
		if n := testing.AllocsPerRun(100, func() { _, _ = s.Worth(&run, p, control) }); n != 0 {
			t.Errorf("%+v: %v allocations", b, n)
		}
	}
	f(campaign.Bid{Strategy: "cpm", CPM: 2.5}, 0, 2500)
	f(campaign.Bid{Strategy: "cpm", CPM: 2.5, MaxCPM: 2}, 0, 2000)
	f(campaign.Bid{Strategy: "value", Value: "p.click * 0.40 + p.conversion * 12"}, 0, 16_000)
	f(campaign.Bid{Strategy: "value", Value: "p.click - 1"}, 0, 0)
	f(campaign.Bid{Strategy: "cpa", Objective: "conversion", Target: 8}, 1, 8000)
	f(campaign.Bid{Strategy: "cpa", Objective: "conversion", Target: 8}, 0.5, 4000)
	f(campaign.Bid{Strategy: "roas", Target: 4, Value: "p.conversion * 12"}, 1, 3000)
	f(campaign.Bid{Strategy: "spend", Objective: "click"}, 300_000, 3000)
}

func TestABidThatIsWrongIsRefusedByItsField(t *testing.T) {
	f := func(b campaign.Bid, want string) {
		t.Helper()
		if _, err := Compile(b, objectives); err == nil || err.Error() != want {
			t.Errorf("%+v: %v, want %q", b, err, want)
		}
	}
	f(campaign.Bid{Strategy: "cpx"}, `strategy is "cpx", want one of cpm, value, cpa, roas, spend`)
	f(campaign.Bid{Strategy: "cpm"}, "cpm is 0, want a number above 0")
	f(campaign.Bid{Strategy: "cpm", CPM: math.Inf(1)}, "cpm is +Inf, want a number above 0")
	f(campaign.Bid{Strategy: "cpm", CPM: 1, MaxCPM: -1}, "max_cpm is -1, want a number above 0, or 0 for no bound")
	f(campaign.Bid{Strategy: "cpa", Objective: "click"}, "target is 0, want a number above 0")
	f(campaign.Bid{Strategy: "cpa", Objective: "clock", Target: 1}, "objective "+event.UnknownName("clock", objectives))
	f(campaign.Bid{Strategy: "value"}, "value is empty, want an expression over p.OBJECTIVE, such as p.click * 0.40")
	f(campaign.Bid{Strategy: "value", Value: "p.click > 1"}, "value is a boolean, want a number, such as CONDITION ? 1 : 0")
}

func TestAValueWithoutResultIsAnError(t *testing.T) {
	s, err := Compile(campaign.Bid{Strategy: "value", Value: "1 / p.click"}, objectives)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Worth(&Run{}, []float64{0, 0}, 0); err == nil {
		t.Error("1/0 has a worth")
	}
}

// A network that expects too much must not make positives dearer than the target.
func TestTheCostOfAPositiveStaysAtItsTarget(t *testing.T) {
	const target = 5e6
	f := func(calibration, share float64) {
		t.Helper()
		s, err := Compile(campaign.Bid{Strategy: "cpa", Objective: "click", Target: target / 1e6}, objectives)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, 2))
		feedback := NewFeedback(s.Unit(&Run{}, len(objectives)))
		var paid, positives float64
		for i := range 400_000 {
			p := []float64{0.02 * r.Float64(), 0}
			worth, _ := s.Worth(&Run{}, p, feedback.Factor())
			label := truth(r.Float64() < p[0]*calibration)
			expected, _ := s.Promise(&Run{}, p)
			realized, _ := s.Promise(&Run{}, []float64{label, 0})
			feedback.Add(worth*share, expected, realized, event.Time(i*100))
			paid, positives = paid+worth*share, positives+label
		}
		cost := paid / positives / target
		t.Logf("expected %.1f times too much, paid %.1f of the worth: a positive costs %.3f of the target, factor %.3f", 1/calibration, share, cost, feedback.Factor())
		if cost > 1.03 {
			t.Errorf("a positive costs %.3f of the target", cost)
		}
	}
	f(1, 1)
	f(0.5, 1)
	f(0.25, 0.6)
	f(2, 0.6)
}
