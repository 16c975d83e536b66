package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/prometheus/client_golang/prometheus"
)

func plan(id string, total, daily auction.Micros, caps ...campaign.Cap) *campaign.Campaign {
	return &campaign.Campaign{ID: id, Caps: caps, Budget: campaign.Budget{Total: total, Daily: daily}}
}

func TestABidIsReservedThenSpentOrReleased(t *testing.T) {
	w := newWorld(t, plan("c", 10_000, 0))
	b := w.start().ready()
	first := b.reserve(w.claim("c", "r1/0", 4000, ""), Reserved)
	second := b.reserve(w.claim("c", "r2/0", 4000, ""), Reserved)
	b.reserve(w.claim("c", "r3/0", 4000, ""), NoBudget)
	b.reserve(w.claim("c", "r1/0", 4000, ""), Repeated)
	w.settles("c", 0, 8000)
	b.tell(event.StepWin, first, 3000)
	w.settles("c", 0, 8000)
	if r := b.tell(event.StepBill, first, 3000); r.Charged != 3000 || r.Repeated || r.Late {
		t.Errorf("%+v", r)
	}
	if r := b.tell(event.StepBill, first, 3500); !r.Repeated {
		t.Errorf("%+v", r)
	}
	if r := b.tell(event.StepLoss, first, 0); !r.Repeated {
		t.Errorf("a loss of a bid that was billed: %+v", r)
	}
	b.tell(event.StepLoss, second, 0)
	w.settles("c", 3000, 0)
	third := b.reserve(w.claim("c", "r4/0", 7000, ""), Reserved)
	w.pass(6 * time.Minute)
	w.settles("c", 3000, 0)
	b.reserve(w.claim("c", "r5/0", 7000, ""), Reserved)
	if r := b.tell(event.StepBill, third, 0); !r.Late || r.Uncovered != 7000 || r.Charged != 0 {
		t.Errorf("%+v", r)
	}
	b.end()
	o := replay(w.steps(), w.campaigns)
	if len(o.faults) > 0 || o.spent["c"] != 3000 || o.reserved["c"] != 7000 {
		t.Errorf("%v, spent %v, reserved %v, of\n%s", o.faults, o.spent, o.reserved, brief(w.steps()))
	}
}

func TestWhatANoticeCharges(t *testing.T) {
	w := newWorld(t, plan("c", 0, 0))
	b := w.start().ready()
	n := 0
	type notice struct {
		step string
		paid auction.Micros
	}
	f := func(want auction.Micros, notices ...notice) {
		t.Helper()
		n++
		w.campaigns[fmt.Sprint(n)] = plan(fmt.Sprint(n), 100_000, 0)
		bid := b.reserve(w.claim(fmt.Sprint(n), fmt.Sprintf("r%d/0", n), 1000, ""), Reserved)
		for _, one := range notices {
			b.tell(one.step, bid, one.paid)
		}
		w.settles(bid.Campaign, int64(want), 0)
	}
	win, bill, loss := event.StepWin, event.StepBill, event.StepLoss
	f(700, notice{bill, 700})
	f(1000, notice{bill, 0})
	f(1000, notice{bill, 1700})                  // never more than was reserved
	f(700, notice{bill, 0}, notice{bill, 700})   // the first to tell a price lowers it
	f(1000, notice{bill, 0}, notice{bill, 1200}) // and never raises it
	f(700, notice{bill, 700}, notice{bill, 600}) // the first counts
	f(600, notice{win, 600}, notice{bill, 600})  // in this order
	f(600, notice{bill, 600}, notice{win, 600})  // and in the other
	f(0, notice{loss, 0}, notice{loss, 0})       // twice
	f(500, notice{loss, 0}, notice{bill, 500})   // contradictory: what is billed was shown
	f(500, notice{win, 500}, notice{loss, 0}, notice{bill, 500})
}

func TestALateBillTakesWhatRoomThereIs(t *testing.T) {
	w := newWorld(t, plan("c", 10_000, 0), plan("d", 0, 10_000))
	b := w.start().ready()
	for _, id := range []string{"c", "d"} {
		first := b.reserve(w.claim(id, id+"1/0", 6000, ""), Reserved)
		w.pass(6 * time.Minute)
		w.settles(id, 0, 0)
		second := b.reserve(w.claim(id, id+"2/0", 6000, ""), Reserved)
		r := b.tell(event.StepBill, first, 5000)
		if !r.Late || r.Charged != 4000 || r.Uncovered != 1000 {
			t.Errorf("%s: %+v", id, r)
		}
		if again := b.tell(event.StepBill, first, 5000); !again.Repeated {
			t.Errorf("%s: %+v", id, again)
		}
		b.tell(event.StepBill, second, 0)
		w.settles(id, 10_000, 0)
	}
	old := b.reserve(w.claim("d", "d3/0", 1, ""), NoDaily)
	old.Expires = w.now()
	w.pass(w.cfg.Late + time.Second)
	_, err := b.Notice(t.Context(), Notice{Step: event.StepBill, Bid: "d3/0", Campaign: "d", Reserved: 1, Expires: old.Expires, Time: w.now()})
	if !errors.Is(err, ErrTooLate) {
		t.Errorf("a bill after %v: %v", w.cfg.Late, err)
	}
	// a bid that nobody knows any more is charged where its sender vouches for its age
	r, err := b.Notice(t.Context(), Notice{Step: event.StepBill, Bid: "old/0", Campaign: "d", Reserved: 70, Paid: 50, Time: w.now()})
	if err != nil || r.Charged != 50 || r.User != "" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestABidCountsToTheDayOnWhichItWasMade(t *testing.T) {
	c := plan("c", 0, 10_000)
	c.Budget.Zone = time.FixedZone("west", -5*3600)
	w := newWorld(t, c)
	w.clock.Store(int64(mustTime("2026-11-30T04:58:00Z"))) // two minutes before midnight there
	b := w.start().ready()
	first := b.reserve(w.claim("c", "r1/0", 8000, ""), Reserved)
	b.reserve(w.claim("c", "r2/0", 3000, ""), NoDaily)
	w.pass(3 * time.Minute)
	second := b.reserve(w.claim("c", "r3/0", 9000, ""), Reserved)
	b.tell(event.StepBill, first, 0)
	w.await("the standing of a new day", func() bool {
		s, ok := b.Standing("c")
		return ok && s.Day == "2026-11-30" && s.Spent == 8000 && s.SpentToday == 0 && s.ReservedToday == 9000 && s.Reserved == 9000
	})
	if first.Day != "2026-11-29" || second.Day != "2026-11-30" {
		t.Errorf("days %s and %s", first.Day, second.Day)
	}
}

func TestOneCallReservesTheFirstThatFitsOfEachImp(t *testing.T) {
	w := newWorld(t, plan("small", 1000, 0), plan("large", 1_000_000, 0), plan("capped", 1_000_000, 0, campaign.Cap{Impressions: 1, Window: time.Hour}))
	b := w.start().ready()
	f := func(claims [][]Claim, want ...[]Verdict) {
		t.Helper()
		verdicts := make([][]Verdict, len(claims))
		for i := range claims {
			verdicts[i] = make([]Verdict, len(claims[i]))
		}
		if err := b.Reserve(t.Context(), claims, verdicts); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(verdicts) != fmt.Sprint(want) {
			t.Errorf("verdicts %v, want %v", verdicts, want)
		}
	}
	for _, id := range []string{"small", "large", "capped"} { // so that allowances are there
		s := b.reserve(w.claim(id, "first-"+id, 1, "u0"), Reserved)
		b.tell(event.StepLoss, s, 0)
		w.settles(id, 0, 0)
	}
	f([][]Claim{
		{w.claim("small", "a/0", 600, "u"), w.claim("large", "a/1", 600, "u")},
		{w.claim("small", "a/2", 600, "u"), w.claim("large", "a/3", 600, "u"), w.claim("large", "a/4", 600, "u")},
		{w.claim("small", "a/5", 300, "u")},
	}, []Verdict{Reserved, Refused}, []Verdict{NoBudget, Reserved, Refused}, []Verdict{Reserved})
	f([][]Claim{
		{w.claim("capped", "b/0", 10, "u")},
		{w.claim("capped", "b/1", 10, "u"), w.claim("large", "b/2", 10, "u")},
		{w.claim("capped", "b/3", 10, ""), w.claim("capped", "b/4", 10, "v")},
	}, []Verdict{Reserved}, []Verdict{Capped, Reserved}, []Verdict{Capped, Reserved})
	f([][]Claim{{w.claim("large", "a/1", 5, ""), w.claim("large", "a/3", 5, "")}}, []Verdict{Reserved, Refused})
	f([][]Claim{{w.claim("large", "a/3", 5, ""), w.claim("large", "c/0", 5, "")}}, []Verdict{Repeated, Refused})
	w.settles("small", 0, 900)
	w.settles("large", 0, 615)
}

func TestCapsCountWhatIsOpenAndWhatWasShown(t *testing.T) {
	w := newWorld(t, plan("c", 0, 0, campaign.Cap{Impressions: 2, Window: 10 * time.Minute}, campaign.Cap{Impressions: 3, Window: time.Hour}))
	b := w.start().ready()
	n := 0
	reserve := func(want Verdict) event.BidStep {
		t.Helper()
		n++
		return b.reserve(w.claim("c", fmt.Sprintf("r%d/0", n), 10, "ann\n:{x}"), want)
	}
	first, second := reserve(Reserved), reserve(Reserved)
	reserve(Capped)
	b.tell(event.StepLoss, second, 0) // released at once
	second = reserve(Reserved)
	b.tell(event.StepBill, first, 0)
	reserve(Capped)
	w.pass(2 * time.Minute)
	b.tell(event.StepBill, second, 0)
	w.pass(8*time.Minute - time.Second)
	reserve(Capped) // the first was shown 10 minutes ago, less a second
	w.pass(time.Second)
	third := reserve(Reserved)
	w.pass(6 * time.Minute) // it expires
	w.settles("c", 20, 0)
	fourth := reserve(Reserved)
	if r := b.tell(event.StepBill, fourth, 0); r.User != "ann\n:{x}" {
		t.Errorf("%+v", r)
	}
	reserve(Capped) // three within the hour
	if r := b.tell(event.StepBill, third, 0); !r.Late || r.Charged != 10 {
		t.Errorf("%+v", r)
	}
	b.end()
	over := 0
	for _, s := range w.steps() {
		if s.Overcap {
			over++
		}
	}
	if o := replay(w.steps(), w.campaigns); over != 1 || len(o.faults) > 0 {
		t.Errorf("%d bills above a cap, want 1; %v", over, o.faults)
	}
}

func TestWrongClaimsAndNoticesAreNamed(t *testing.T) {
	w := newWorld(t, plan("c", 1000, 0))
	b := w.start().ready()
	f := func(want string, change func(*Claim)) {
		t.Helper()
		c := w.claim("c", "r/0", 1, "")
		change(&c)
		err := b.Reserve(t.Context(), [][]Claim{{c}}, [][]Verdict{{0}})
		var wrong *field.Error
		if !errors.As(err, &wrong) || !strings.HasPrefix(err.Error(), "claims[0][0]."+want) {
			t.Errorf("%v, want an error about %s", err, want)
		}
	}
	f("campaign", func(c *Claim) { c.Campaign = nil })
	f("bid", func(c *Claim) { c.Step.Bid = "" })
	f("bid", func(c *Claim) { c.Step.Bid = "a\nb" })
	f("bid", func(c *Claim) { c.Step.Bid = strings.Repeat("x", 600) })
	f("price", func(c *Claim) { c.Step.Price = 0 })
	f("price", func(c *Claim) { c.Step.Price = maxMicros + 1 })
	f("expires", func(c *Claim) { c.Step.Expires = c.Step.Time })
	f("expires", func(c *Claim) { c.Step.Expires = c.Step.Time.Add(2 * time.Hour) })
	f("campaign.budget", func(c *Claim) { c.Campaign = plan("c", -1, 0) })
	f("campaign.caps", func(c *Claim) { c.Campaign = plan("c", 0, 0, make([]campaign.Cap, 17)...) })
	if err := b.Reserve(t.Context(), make([][]Claim, 2), nil); err == nil {
		t.Error("verdicts of another form are taken")
	}
	for _, n := range []Notice{{}, {Step: "bid", Bid: "b", Campaign: "c", Time: 1}, {Step: event.StepWin, Campaign: "c", Time: 1}, {Step: event.StepWin, Bid: "b", Time: 1}, {Step: event.StepWin, Bid: "b", Campaign: "c"},
		{Step: event.StepBill, Bid: "b", Campaign: "c", Time: 1, Paid: -1}, {Step: event.StepBill, Bid: "b", Campaign: "c", Time: 1, Reserved: -1}} {
		if _, err := b.Notice(t.Context(), n); !errors.As(err, new(*field.Error)) {
			t.Errorf("%+v: %v", n, err)
		}
	}
}

func TestWrongSettingsAreNamed(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		c := Defaults()
		change(&c)
		if err := c.Validate(); (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want+" ") {
			t.Errorf("%v, want an error about %q", err, want)
		}
	}
	f("", func(*Config) {})
	f("", func(c *Config) { c.ReadBack = 0 })
	f("longest", func(c *Config) { c.Longest = 0 })
	f("late", func(c *Config) { c.Late = 31 * 24 * time.Hour })
	f("unlogged", func(c *Config) { c.Unlogged = 0 })
	f("unlogged", func(c *Config) { c.Unlogged = 1.5 })
	f("unlogged_least", func(c *Config) { c.UnloggedLeast = 0 })
	f("max_waiting", func(c *Config) { c.MaxWaiting = 1 })
	f("read_back", func(c *Config) { c.ReadBack = time.Hour })
	f("prefix", func(c *Config) { c.Prefix = "a{b}" })
	if _, err := New(Config{}, Deps{}); err == nil {
		t.Error("a ledger without settings is made")
	}
}

func TestStandingsAndMetricsTellOfTheLedger(t *testing.T) {
	w := newWorld(t, plan("c", 10_000, 5000))
	w.registry = prometheus.NewRegistry()
	b := w.start().ready()
	if _, ok := b.Standing("unknown"); ok {
		t.Error("a campaign that is not there has a standing")
	}
	if _, ok := b.Standing("c"); ok {
		t.Error("a standing is known before it was read")
	}
	bid := b.reserve(w.claim("c", "r1/0", 3000, ""), Reserved)
	b.tell(event.StepBill, bid, 4000)
	b.reserve(w.claim("c", "r2/0", 1500, ""), Reserved)
	w.await("a standing", func() bool {
		s, ok := b.Standing("c")
		return ok && s.Spent == 3000 && s.Reserved == 1500 && s.SpentToday == 3000 && s.ReservedToday == 1500 && s.Day == "2026-11-29" && s.At == w.now()
	})
	found := map[string]float64{}
	families, err := w.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			name := strings.TrimPrefix(f.GetName(), "clickloop_bidder_ledger_")
			for _, label := range m.Label {
				name += " " + label.GetValue()
			}
			found[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{"claims_total reserved": 2, "notices_total new bill": 1, "overpaid_total": 1, "rebuilds_total": 1, "unlogged_money": 0, "ready": 1, "reserved_money": 0.0015, "open_reservations": 1} {
		if got, ok := found[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v: %v", name, got, want, found)
		}
	}
}

func TestTheEndOfABidderLeavesNothingOpen(t *testing.T) {
	w := newWorld(t, plan("c", 10_000, 0))
	b := w.start().ready()
	for i := range 20 {
		b.reserve(w.claim("c", fmt.Sprintf("r%d/0", i), 100, ""), Reserved)
	}
	b.end()
	w.flush()
	next := w.start().ready()
	w.settles("c", 0, 2000) // and nothing is held back
	if err := next.Ready(context.Background()); err != nil {
		t.Error(err)
	}
	next.end()
	if next.Ready(context.Background()) == nil {
		t.Error("a ledger that has ended is ready")
	}
	verdicts := [][]Verdict{{0}}
	if err := next.Reserve(t.Context(), [][]Claim{{w.claim("c", "late/0", 1, "")}}, verdicts); err != nil || verdicts[0][0] != Unavailable {
		t.Errorf("%v, %v", verdicts, err)
	}
	if _, err := next.Notice(t.Context(), Notice{Step: event.StepBill, Bid: "r1/0", Campaign: "c", Time: w.now()}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v", err)
	}
}
