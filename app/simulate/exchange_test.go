package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
)

// What becomes of bids is told by their own links, with macros replaced, in order of time, and the
// clock never overtakes it.
func TestTheBidderIsToldWhatBecameOfItsBids(t *testing.T) {
	d := newDouble(t)
	r := d.run(d.config())
	if len(r.Faults.Refused) > 0 || r.Faults.Notices > 0 || r.Faults.Unanswered > 0 || r.Faults.Rejected > 0 || d.disorder > 0 {
		t.Fatalf("%+v, %d out of order", r.Faults, d.disorder)
	}
	a := r.All
	if a.Requests < 50 || a.Bids < a.Requests/2 || a.Wins == 0 || a.Wins == a.Bids || a.Shown >= a.Wins || a.Clicks == 0 {
		t.Fatalf("%+v", a)
	}
	distinct := func(kind string) int64 {
		seen := map[string]bool{}
		for _, q := range d.calls[kind] {
			seen[q.Get("t")] = true
		}
		return int64(len(seen))
	}
	for kind, want := range map[string]int64{"win": a.Wins, "bill": a.Shown, "imp": a.Shown, "loss": a.Bids - a.Wins, "click": a.Clicks} {
		if got := distinct(kind); got != want {
			t.Errorf("%d bids have a notice of %s, want %d", got, kind, want)
		}
	}
	for _, q := range append(d.calls["loss"], d.calls["win"]...) {
		if strings.Contains(q.Encode(), "AUCTION") {
			t.Fatalf("a macro is left in %v", q)
		}
		least, err := strconv.ParseFloat(q.Get("m"), 64)
		won := q.Get("l") == "0"
		if err != nil || won != (q.Get("p") != "") || won != (least < d.price) {
			t.Fatalf("a notice says %v of a bid of %v", q, d.price)
		}
	}
	if d.agents["imp "+exchangeName]+d.agents["click "+exchangeName] > 0 || d.agents["bill "+exchangeName] == 0 {
		t.Errorf("agents: %v", d.agents)
	}
	spend := 0.0
	for _, q := range d.calls["bill"][:] {
		p, _ := strconv.ParseFloat(q.Get("p"), 64)
		spend += p / 1000
	}
	if spend < a.Spend*0.99 || spend > a.Spend*1.1 { // some notices come twice
		t.Errorf("the notices are of %v, and the report has %v", spend, a.Spend)
	}
}

// The same seed makes the same run, whatever the number of connections.
func TestASeedMakesARun(t *testing.T) {
	run := func(connections int, seed uint64) string {
		d := newDouble(t)
		cfg := d.config()
		cfg.Connections, cfg.Seed, cfg.At, cfg.Length = connections, seed, 0, 20*time.Minute
		r := d.run(cfg)
		r.Seconds = 0
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if one, many := run(1, 7), run(5, 7); one != many {
		t.Errorf("two runs of a seed differ:\n%s\n%s", one, many)
	}
	if run(1, 7) == run(1, 8) {
		t.Error("two seeds make one run")
	}
}

func TestBidsThatBreakTheRulesAreRefused(t *testing.T) {
	f := func(want string, alter func(r *bidResponse, b *bid)) {
		t.Helper()
		d := newDouble(t)
		d.alter = func(r *bidResponse) {
			if len(r.SeatBid[0].Bid) > 0 {
				alter(r, &r.SeatBid[0].Bid[0])
			}
		}
		cfg := d.config()
		cfg.Length, cfg.Campaigns = 5*time.Minute, nil
		r := d.run(cfg)
		if r.Faults.Refused[want] == 0 {
			t.Errorf("refused are %v, want some with %q", r.Faults.Refused, want)
		}
	}
	f("the answer has another id than the request", func(r *bidResponse, _ *bid) { r.ID = "x" })
	f("another currency than USD", func(r *bidResponse, _ *bid) { r.Cur = "EUR" })
	f("no slot of the request has its impid", func(_ *bidResponse, b *bid) { b.ImpID = "9" })
	f("no price above 0", func(_ *bidResponse, b *bid) { b.Price = 0 })
	f("no markup", func(_ *bidResponse, b *bid) { b.AdM = "" })
	f("a size that the slot does not have", func(_ *bidResponse, b *bid) { b.W = 7 })
	f("a format that the slot does not take", func(_ *bidResponse, b *bid) { b.MType = 3 })
	f("a blocked advertiser", func(_ *bidResponse, b *bid) { b.ADomain = []string{"Blocked.example"} })
	f("a blocked category", func(_ *bidResponse, b *bid) { b.Cat = []string{"IAB25-3"} })
}

// A bidder that answers wrongly, late or not at all is counted, and the run goes on.
func TestFaultsOfTheBidderAreCounted(t *testing.T) {
	d := newDouble(t)
	n := 0
	d.instead = func(w http.ResponseWriter, r *http.Request) bool {
		n++
		switch n % 5 {
		case 1:
			w.WriteHeader(http.StatusBadRequest)
		case 2:
			_, _ = w.Write([]byte("{"))
		case 3:
			w.WriteHeader(http.StatusNoContent)
		default:
			return false
		}
		return true
	}
	cfg := d.config()
	cfg.Connections, cfg.Pack, cfg.Length = 1, true, 20*time.Minute
	r := d.run(cfg)
	if r.Faults.Rejected == 0 || r.Faults.Unanswered == 0 || r.All.Wins == 0 || r.Faults.First == "" {
		t.Errorf("%+v", r.Faults)
	}
	var text bytes.Buffer
	if err := r.Print(&text); err != nil || !strings.Contains(text.String(), "auctions were refused") {
		t.Errorf("%v: %s", err, text.String())
	}
	d.instead = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusNotFound); return true }
	x, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d.clock = 0
	if _, err := x.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "section bidding") {
		t.Errorf("a process that does not bid: %v", err)
	}
}

// In real time auctions come at their rate, carry no time, and end with the notices of all of them.
func TestRealTimeNeedsNoClock(t *testing.T) {
	d := newDouble(t)
	d.mode = "wall"
	cfg := d.config()
	cfg.For, cfg.Rate = time.Second, 60
	r := d.run(cfg)
	if r.Recorded || r.All.Requests < 40 || r.All.Requests > 80 || r.All.Wins == 0 {
		t.Errorf("%+v", r.All)
	}
	for kind, calls := range d.calls {
		for _, q := range calls {
			if q.Has("time") {
				t.Fatalf("%s has the time %s", kind, q.Get("time"))
			}
		}
	}
	seen := map[string]bool{}
	for _, q := range append(slices.Clone(d.calls["win"]), d.calls["loss"]...) {
		seen[q.Get("t")] = true
	}
	if int64(len(seen)) != r.All.Bids {
		t.Errorf("%d of %d bids are settled", len(seen), r.All.Bids)
	}
}

// A run that is interrupted reports what there is.
func TestAnInterruptedRunReports(t *testing.T) {
	d := newDouble(t)
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	d.instead = func(http.ResponseWriter, *http.Request) bool {
		if n++; n == 50 {
			cancel()
		}
		return false
	}
	cfg := d.config()
	cfg.Connections = 1
	x, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := x.Run(ctx)
	if err != nil || r.All.Requests == 0 || r.All.Requests > 50 {
		t.Errorf("%+v, %v", r, err)
	}
	if p := x.Progress(); p.Requests != r.All.Requests || p.Share <= 0 || p.Share >= 1 || !strings.Contains(p.Line(), "auctions") {
		t.Errorf("%+v", p)
	}
}

// Time goes on where an earlier run has ended, and never back.
func TestTimeGoesOn(t *testing.T) {
	d := newDouble(t)
	d.clock = firstDay.Add(36*time.Hour + time.Minute)
	if r := d.run(d.config()); r.Start != "2026-06-03T00:00:00.000Z" {
		t.Errorf("it starts at %s", r.Start)
	}
	cfg := d.config()
	cfg.Start = firstDay
	x, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "goes on from there") {
		t.Errorf("a start in the past: %v", err)
	}
}

// Whoever refuses has no segments, and says so by the law of the country, in the form of the
// request's version.
func TestConsentIsTold(t *testing.T) {
	w := newWorld(3)
	refused, versions := map[string]int{}, map[string]int{}
	for n := range int64(400) {
		s := w.sale(n, firstDay, 0)
		var q bidRequest
		if err := json.Unmarshal(s.body(), &q); err != nil {
			t.Fatal(err)
		}
		old := s.version() == "2.5"
		versions[s.version()]++
		told := ""
		switch {
		case q.Regs == nil:
			told = "lmt" + strconv.Itoa(q.Device.Limited)
		case old:
			told = q.Regs.Ext.USPrivacy
			if q.User.Ext != nil {
				told = q.User.Ext.Consent
			}
		default:
			told = q.Regs.USPrivacy + q.User.Consent
		}
		want := map[law][2]string{gdpr: {tcfNothing, tcfAll}, usPrivacy: {notSold, sold}, none: {"lmt1", "lmt0"}}[s.visitor.country.law][number(s.visitor.consents)]
		if told != want || s.visitor.consents != (len(q.User.Data) == 1) {
			t.Fatalf("visitor %+v of %s tells %q, want %q", s.visitor, s.visitor.country.code, told, want)
		}
		if !s.visitor.consents {
			refused[want]++
		}
	}
	if len(refused) != 3 || len(versions) != 2 {
		t.Errorf("refused: %v, versions: %v", refused, versions)
	}
}

func TestConfigurationsAreChecked(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		cfg := Config{Bidder: "http://127.0.0.1:1", Admin: "http://127.0.0.1:2", Length: time.Hour, PerHour: 10, Outage: -1, Connections: 1, For: time.Second, Rate: 1}
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f("at is 3", func(c *Config) { c.At = 3 })
	f("hours is 0s", func(c *Config) { c.Length = 0 })
	f("per-hour is 0", func(c *Config) { c.PerHour = 0 })
	f("outage is 24", func(c *Config) { c.Outage = 24 })
	f("for is 0s", func(c *Config) { c.For = 0 })
	f("rate is 0", func(c *Config) { c.Rate = 0 })
	f("tick is 6m", func(c *Config) { c.Tick = 6 * time.Minute })
	f("connections is 0", func(c *Config) { c.Connections = 0 })
	f(`admin is ""`, func(c *Config) { c.Admin = "" })
	if err := (&Config{}).Validate(); err == nil {
		t.Error("an empty configuration is taken")
	}
}

// Conversions are told with the bid's id, and without a user who has refused.
func TestConversionsNameTheirBid(t *testing.T) {
	d := newDouble(t)
	cfg := d.config()
	cfg.PerHour, cfg.Length, cfg.Campaigns, d.price = 4000, 30*time.Minute, nil, 50
	r := d.run(cfg)
	if int64(len(d.events)) != r.All.Conversions || r.All.Conversions == 0 {
		t.Fatalf("%d events of %d conversions", len(d.events), r.All.Conversions)
	}
	for _, e := range d.events {
		auction, _, _ := strings.Cut(e.Prediction, ".")
		q, ok := d.sold[auction]
		if !ok || e.Type != event.TypeConversion || e.Value <= 0 || e.Campaign != "c1" || (e.User != "") != (len(q.User.Data) > 0) {
			t.Fatalf("%+v of %+v", e, q.User)
		}
	}
}
