package simulate

import (
	"math"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
)

// day has an oracle bid for a day, and returns it.
func day(t *testing.T, campaigns ...*campaign.Campaign) *oracle {
	t.Helper()
	w, tr := newWorld(5), newTraffic(traffic{perHour: 1500, outage: 14})
	x, err := newOracle(w, tr, campaigns, testObjectives, firstDay)
	if err != nil {
		t.Fatal(err)
	}
	n, carry := int64(0), 0.0
	for at := firstDay; at < firstDay.Add(24*time.Hour); at = at.Add(time.Minute) {
		for carry += tr.between(at, at.Add(time.Minute)); carry >= 1; carry-- {
			x.play(w.sale(n, at, secondPrice))
			n++
		}
	}
	return x
}

// A daily budget lasts the day, in proportion to the traffic, and is not exceeded.
func TestTheOraclePacesABudget(t *testing.T) {
	for _, strategy := range []string{"value", "spend"} {
		c := testCampaigns()[0]
		c.Bid = campaign.Bid{Strategy: strategy, Value: "p.click * 0.3", Objective: "click"}
		c.Budget.Daily = auction.OfUnits(8)
		x := day(t, c)
		all := x.tallies.sum(0, 24*60, nil)
		if all.Spend < 7.7 || all.Spend > 8.02 {
			t.Errorf("%s: %.2f of 8 are spent", strategy, all.Spend)
		}
		off := 0.0
		for h := range 24 {
			at := firstDay.Add(time.Duration(h) * time.Hour)
			ideal := 8 * x.plans[0].pace.traffic.between(at, at.Add(time.Hour)) / (1500 * 24)
			off += math.Abs(x.tallies.sum(h*60, h*60+60, nil).Spend-ideal) / 8
		}
		if off > 0.3 {
			t.Errorf("%s: hours are off by %.2f of the budget", strategy, off)
		}
	}
}

// A cap holds in every window, and whoever refuses to be counted is shown nothing.
func TestTheOracleKeepsCaps(t *testing.T) {
	c := testCampaigns()[0]
	c.Caps = []campaign.Cap{{Impressions: 2, Window: 6 * time.Hour}}
	x := day(t, c)
	seen := x.plans[0].seen
	if len(seen) < 100 {
		t.Fatalf("%d visitors have seen it", len(seen))
	}
	for id, times := range seen {
		for i := 2; i < len(times); i++ {
			if times[i].Sub(times[i-2]) < 6*time.Hour {
				t.Fatalf("%s saw it three times in %v", id, times[i].Sub(times[i-2]))
			}
		}
	}
	for i := range x.world.visitors {
		if v := &x.world.visitors[i]; !v.consents && seen[v.id] != nil {
			t.Fatalf("%s refuses, and is counted", v.id)
		}
	}
}

func TestWorthFollowsTheStrategy(t *testing.T) {
	f := func(b campaign.Bid, want float64) {
		t.Helper()
		c := testCampaigns()[0]
		c.Bid = b
		x, err := newOracle(newWorld(1), newTraffic(traffic{perHour: 1}), []*campaign.Campaign{c}, testObjectives, firstDay)
		if err != nil {
			t.Fatal(err)
		}
		if got := x.plans[0].worth(0.02, 0.003); math.Abs(got-want) > 1e-12 {
			t.Errorf("%+v: %v, want %v", b, got, want)
		}
	}
	f(campaign.Bid{Strategy: "cpm", CPM: 2}, 0.002)
	f(campaign.Bid{Strategy: "value", Value: "p.click * 0.5 + p.conversion * 10"}, 0.04)
	f(campaign.Bid{Strategy: "value", Value: "p.click", MaxCPM: 5}, 0.005)
	f(campaign.Bid{Strategy: "cpa", Objective: "conversion", Target: 4}, 0.012)
	f(campaign.Bid{Strategy: "roas", Value: "p.conversion * 10", Target: 2}, 0.015)
	f(campaign.Bid{Strategy: "spend", Objective: "click"}, 0.02*firstEach)
	c := testCampaigns()[0]
	c.Bid.Value = "candidate.margin"
	if _, err := newOracle(newWorld(1), newTraffic(traffic{perHour: 1}), []*campaign.Campaign{c}, testObjectives, firstDay); err == nil {
		t.Error("a value is taken that the oracle cannot know")
	}
}

func TestTargetingIsKept(t *testing.T) {
	w := newWorld(2)
	f := func(what string, set func(*campaign.Targeting), want func(*sale, *offered) bool) {
		t.Helper()
		var target campaign.Targeting
		set(&target)
		yes := 0
		for n := range int64(300) {
			s := w.sale(n, firstDay.Add(time.Duration(n)*13*time.Minute), 0)
			got := reaches(&target, s, &s.imps[0])
			if got != want(s, &s.imps[0]) {
				t.Fatalf("%s: %v for %+v on %s", what, got, s.visitor, s.place.domain)
			}
			yes += number(got)
		}
		if yes == 0 || yes == 300 {
			t.Errorf("%s: %d of 300 are reached", what, yes)
		}
	}
	f("countries", func(t *campaign.Targeting) { t.Countries.Allow = []string{"nld", "DEU"} }, func(s *sale, _ *offered) bool {
		return s.visitor.country.code == "NLD" || s.visitor.country.code == "DEU"
	})
	f("blocked", func(t *campaign.Targeting) { t.Countries.Block = []string{"NLD"} }, func(s *sale, _ *offered) bool { return s.visitor.country.code != "NLD" })
	f("sites", func(t *campaign.Targeting) { t.Sites.Allow = []string{"kickoff.example"} }, func(s *sale, _ *offered) bool { return s.place.domain == "kickoff.example" })
	f("apps", func(t *campaign.Targeting) { t.Apps.Allow = []string{"com.example.table"} }, func(s *sale, _ *offered) bool { return s.place.domain == "com.example.table" })
	f("categories", func(t *campaign.Targeting) { t.Categories.Allow = []string{"IAB9"} }, func(s *sale, _ *offered) bool { return s.place.domain == "com.example.puzzlepark" })
	f("segments", func(t *campaign.Targeting) { t.Segments.Allow = []string{"travel"} }, func(s *sale, _ *offered) bool {
		return s.visitor.consents && topics[s.visitor.interest].name == "travel"
	})
	f("devices", func(t *campaign.Targeting) { t.DeviceTypes.Allow = []int{2} }, func(s *sale, _ *offered) bool { return devices[s.visitor.device].kind == 2 })
	f("positions", func(t *campaign.Targeting) { t.Positions.Block = []int{3} }, func(_ *sale, o *offered) bool { return o.slot.position != 3 })
	f("hours", func(t *campaign.Targeting) { t.Hours = []campaign.Hours{{Days: []int{1}, From: 8, To: 20}} }, func(s *sale, _ *offered) bool {
		local := s.time.Std().Add(time.Duration(s.visitor.country.offset) * time.Minute)
		return local.Weekday() == time.Monday && local.Hour() >= 8 && local.Hour() < 20
	})
}
