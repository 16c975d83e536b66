package ledger

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
)

// scripted is the script alone, without the topic.
type scripted struct {
	t   testing.TB
	st  *store
	cfg Config
	sha string
	now event.Time
}

func newScripted(t testing.TB) *scripted {
	t.Helper()
	s := &scripted{t: t, cfg: Defaults(), now: noon}
	s.cfg.Prefix = backend.Prefix(t)
	client := backend.RedisClient(t)
	s.st = &store{client: client, pipeline: newPipeline(client, time.Second), cfg: &s.cfg}
	go func() { _ = s.st.pipeline.run(t.Context()) }() // until the test ends
	var err error
	if s.sha, err = s.st.client.ScriptLoad(t.Context(), sourceOf(1, "test")).Result(); err != nil {
		t.Fatal(err)
	}
	s.call("begin", "test")
	s.call("finish", 0)
	return s
}

func (s *scripted) call(op string, args ...any) []string {
	s.t.Helper()
	answer, err := s.st.call(s.t.Context(), s.sha, 1, 0, s.now, op, args)
	if err != nil {
		s.t.Fatalf("%s %v: %v", op, args, err)
	}
	return answer
}

// plainLedger is the ledger in the plainest way: every question is answered by a look at all bids.
type plainLedger struct {
	plans map[string]*campaign.Campaign
	bids  map[string]*plainBid
}

type plainBid struct {
	campaign, day, user string
	price, charged      int64
	expires             event.Time
	settled             event.Time // when it was shown
	state               string
	pending             int64 // not released yet
	waits               bool  // for its confirmation
	paid                int64
	uncovered           int64
}

// sum is what a campaign has spent, reserved and held back, in total or on a day.
func (p *plainLedger) sum(id, day string) (spent, reserved, pending int64) {
	for _, b := range p.bids {
		if b.campaign == id && (day == "" || b.day == day) {
			spent += b.charged
			pending += b.pending
			if b.state == "R" {
				reserved += b.price
			}
		}
	}
	return spent, reserved, pending
}

func (p *plainLedger) room(id, day string) (total, daily int64) {
	c := p.plans[id]
	total, daily = maxMicros, maxMicros
	if c.Budget.Total > 0 {
		s, r, pending := p.sum(id, "")
		total = int64(c.Budget.Total) - s - r - pending
	}
	if c.Budget.Daily > 0 {
		s, r, pending := p.sum(id, day)
		daily = int64(c.Budget.Daily) - s - r - pending
	}
	return total, daily
}

func (p *plainLedger) capped(id, user string, now event.Time) bool {
	for _, limit := range p.plans[id].Caps {
		n := 0
		for _, b := range p.bids {
			if b.campaign == id && b.user == user && (b.state == "R" || b.settled > now.Add(-limit.Window)) {
				n++
			}
		}
		if n >= limit.Impressions {
			return true
		}
	}
	return false
}

func (p *plainLedger) verdict(id, bid, day, user string, price int64, now event.Time) string {
	total, daily := p.room(id, day)
	switch {
	case p.bids[bid] != nil:
		return "P"
	case price > total:
		return "T"
	case price > daily:
		return "D"
	case len(p.plans[id].Caps) > 0 && p.capped(id, user, now):
		return "C"
	}
	return "R"
}

func (p *plainLedger) bill(b *plainBid, paid int64, now event.Time) {
	charge := b.price
	if paid > 0 {
		charge = min(paid, b.price)
	}
	b.paid = paid
	if b.state == "R" {
		b.pending = b.price - charge
	} else {
		total, daily := p.room(b.campaign, b.day)
		covered := max(0, min(total, daily, charge))
		b.uncovered, charge = charge-covered, covered
	}
	b.charged, b.state, b.settled, b.waits = charge, "B", now, true
}

// Any order of claims, notices, sweeps and confirmations gives the numbers of the plain ledger.
func TestTheScriptIsThePlainLedger(t *testing.T) {
	for seed := range uint64(3) {
		s, r := newScripted(t), rand.New(rand.NewPCG(seed, 6))
		p := &plainLedger{bids: map[string]*plainBid{}, plans: map[string]*campaign.Campaign{
			"t": plan("t", 3000, 0), "d": plan("d", 0, 900), "c": plan("c", 0, 2000, campaign.Cap{Impressions: 2, Window: 3 * time.Minute}, campaign.Cap{Impressions: 4, Window: 20 * time.Minute}),
		}}
		for step := range 300 {
			s.randomStep(r, p, step)
			for id := range p.plans {
				answer := s.call("read", id, s.day())
				spent, reserved, pending := p.sum(id, "")
				daySpent, dayReserved, dayPending := p.sum(id, s.day())
				if got, want := fmt.Sprint(answer[:4]), fmt.Sprint([]int64{spent, reserved + pending, daySpent, dayReserved + dayPending}); got != want {
					t.Fatalf("seed %d, step %d: %s has %s, want %s", seed, step, id, got, want)
				}
			}
		}
	}
}

func (s *scripted) day() string { return s.now.Std().Format(time.DateOnly) }

func (s *scripted) randomStep(r *rand.Rand, p *plainLedger, step int) {
	s.now = s.now.Add(time.Duration(r.IntN(60)) * time.Second)
	s.sweep(p)
	ids := []string{"t", "d", "c"}
	switch r.IntN(4) {
	case 0, 1:
		s.reserve(r, p, ids[r.IntN(3)], fmt.Sprintf("b%d", r.IntN(step+1)), "u"+strconv.Itoa(r.IntN(2)))
	case 2:
		s.notice(r, p, fmt.Sprintf("b%d", r.IntN(step+1)))
	case 3:
		s.confirm(r, p)
	}
}

func (s *scripted) reserve(r *rand.Rand, p *plainLedger, id, bid, user string) {
	price, expires, c := 1+r.Int64N(400), s.now.Add(time.Duration(1+r.IntN(600))*time.Second), p.plans[id]
	want := p.verdict(id, bid, s.day(), user, price, s.now)
	args := []any{"call", int64(s.now), 1, 0, bid, id, price, int64(expires), s.day(), int64(c.Budget.Total), int64(c.Budget.Daily), user}
	if got := s.call("reserve", appendCaps(args, c.Caps)...)[0]; got != want {
		s.t.Fatalf("bid %s of %s at %d: %s, want %s", bid, id, price, got, want)
	}
	if want == "R" {
		if len(c.Caps) == 0 {
			user = ""
		}
		p.bids[bid] = &plainBid{campaign: id, day: s.day(), user: user, price: price, expires: expires, state: "R"}
	}
}

func (s *scripted) notice(r *rand.Rand, p *plainLedger, bid string) {
	b := p.bids[bid]
	if b == nil {
		return
	}
	kind, paid := []string{"bill", "loss"}[r.IntN(2)], []int64{0, 1 + r.Int64N(500)}[r.IntN(2)]
	c := p.plans[b.campaign]
	want := "none"
	switch {
	case kind == "bill" && b.state != "B" && b.waits:
		want = "busy"
	case kind == "bill" && b.state != "B":
		want = "new"
		p.bill(b, paid, s.now)
	case kind == "bill" && paid > 0 && b.paid == 0 && b.uncovered == 0 && b.waits:
		want = "busy"
	case kind == "bill" && paid > 0 && b.paid == 0 && b.uncovered == 0 && paid < b.charged:
		want = "new"
		b.pending, b.charged, b.paid, b.waits = b.charged-paid, paid, paid, true
	case kind == "bill" && paid > 0 && b.paid == 0 && b.uncovered == 0:
	case kind == "bill" && b.waits, kind == "loss" && b.state == "L" && b.waits:
		want = "again"
	case kind == "loss" && b.state == "R":
		want = "new"
		b.state, b.pending, b.waits = "L", b.price, true
	case kind == "loss" && b.state == "X" && !b.waits:
		want = "new"
		b.state, b.waits = "L", true
	}
	args := []any{kind, bid, b.campaign, b.price, paid, int64(b.expires), b.day, s.cfg.Late.Milliseconds(), recoverAfter.Milliseconds(), int64(c.Budget.Total), int64(c.Budget.Daily)}
	if got := s.call("notice", appendCaps(args, c.Caps)...)[0]; got != want {
		s.t.Fatalf("%s of %s (%+v), paid %d: %s, want %s", kind, bid, b, paid, got, want)
	}
}

func (s *scripted) sweep(p *plainLedger) {
	for _, b := range p.bids {
		if b.state == "R" && b.expires <= s.now {
			b.state, b.pending, b.waits = "X", b.price, true
		}
	}
	s.call("sweep", 1000, recoverAfter.Milliseconds(), s.cfg.Sum.Milliseconds())
	for id, b := range p.bids { // what is forgotten may come again
		if !b.waits && (b.state == "X" || b.state == "L") && s.st.client.Exists(s.t.Context(), s.cfg.Prefix+"ledger:1:b:"+id).Val() == 0 {
			delete(p.bids, id)
		}
	}
}

// confirm confirms some of the ends that wait.
func (s *scripted) confirm(r *rand.Rand, p *plainLedger) {
	args := []any{s.cfg.Late.Milliseconds(), s.cfg.Remember.Milliseconds()}
	for id, b := range p.bids {
		if !b.waits || r.IntN(2) == 0 {
			continue
		}
		rec, err := parseRecord(s.st.client.Get(s.t.Context(), s.cfg.Prefix+"ledger:1:b:"+id).Val())
		if err != nil {
			s.t.Fatal(err)
		}
		args = append(args, id, rec[recEnd])
		b.waits, b.pending = false, 0
	}
	s.call("confirm", args...)
}
