package ledger

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/tlsfiles"
)

// A bidder dies with bids that are on no topic, and Redis loses all: what they may owe is held back
// until the last of them can have been billed.
func TestWhatDiesWithABidderIsHeldBack(t *testing.T) {
	k := backend.Embedded(t)
	w := plainWorld(t, k.Kafka, k.Redis, plan("c", 10_000, 0), plan("capped", 10_000, 0, campaign.Cap{Impressions: 1, Window: time.Hour}), plan("day", 0, 10_000))
	w.cfg.UnloggedLeast = 4000
	b, other := w.start().ready(), w.start().ready()
	for _, id := range []string{"c", "capped", "day"} {
		b.reserve(w.claim(id, "logged-"+id, 1000, "u"), Reserved)
	}
	w.await("all on the topic", func() bool { return b.journal.idle() })
	k.StopKafka()
	lost := b.reserve(w.claim("c", "lost/0", 3000, "u"), Reserved)
	b.kill()
	w.flush()
	if err := k.StartKafka(); err != nil {
		t.Fatal(err)
	}
	other.ready()
	w.await("a ledger that is made again", func() bool { return other.Ready(t.Context()) == nil && w.numbers("c").reserved == 1000 })
	if n := w.numbers("c"); n.held != 4000 {
		t.Fatalf("%+v, want 4000 held back", n)
	}
	other.reserve(w.claim("c", "r1/0", 5001, ""), NoBudget)
	other.reserve(w.claim("day", "r1/1", 5001, ""), NoDaily)
	other.reserve(w.claim("c", "r1/0", 5000, ""), Reserved)
	verdicts := [][]Verdict{{0}}
	for range 20 { // nobody knows how many of its users saw what
		if err := other.Reserve(t.Context(), [][]Claim{{w.claim("capped", "r2/0", 1, "v")}}, verdicts); err != nil || verdicts[0][0] != Unavailable {
			t.Fatalf("%v, %v", verdicts, err)
		}
	}
	if r := other.tell(event.StepBill, lost, 2500); r.Late || r.Charged != 2500 {
		t.Errorf("the bill of a bid that is on no topic: %+v", r)
	}
	w.await("its charge", func() bool { return w.numbers("c") == numbers{2500, 6000, 0, 1500} })
	w.pass(w.cfg.Longest + w.cfg.Allowance + time.Second)
	w.settles("c", 2500, 0)
	other.reserve(w.claim("capped", "r3/0", 1, "v"), Reserved)
	other.end()
	if o := replay(w.steps(), w.campaigns); len(o.faults) > 0 {
		t.Error(o.faults)
	}
}

// A bidder that lives brings its bids into the ledger that is made again: nothing is held back.
func TestBidsOfALivingBidderOutliveRedis(t *testing.T) {
	k := backend.Embedded(t)
	w := plainWorld(t, k.Kafka, k.Redis, plan("c", 10_000, 0))
	w.cfg.UnloggedLeast = 5000
	b := w.start().ready()
	first := b.reserve(w.claim("c", "r1/0", 1000, ""), Reserved)
	w.await("all on the topic", func() bool { return b.journal.idle() })
	k.StopKafka()
	second := b.reserve(w.claim("c", "r2/0", 2000, ""), Reserved)
	b.reserve(w.claim("c", "r3/0", 3000, ""), Reserved)
	verdicts := [][]Verdict{{0}}
	if err := b.Reserve(t.Context(), [][]Claim{{w.claim("c", "r4/0", 1, "")}}, verdicts); err != nil || verdicts[0][0] != Unavailable {
		t.Errorf("%v, %v: want no bid beyond what may be unlogged", verdicts, err)
	}
	w.flush()
	if err := k.StartKafka(); err != nil {
		t.Fatal(err)
	}
	w.settles("c", 0, 6000)
	b.ready().tell(event.StepBill, first, 0)
	b.tell(event.StepBill, second, 0)
	w.settles("c", 3000, 3000)
	if o := replay(w.steps(), w.campaigns); len(o.faults) > 0 || o.spent["c"] != 3000 {
		t.Errorf("%v of\n%s", o.faults, brief(w.steps()))
	}
}

// A notice is taken when its step is on the topic, in whichever epoch that is.
func TestANoticeIsNotForgottenWithRedis(t *testing.T) {
	k := backend.Embedded(t)
	w := plainWorld(t, k.Kafka, k.Redis, plan("c", 10_000, 0))
	b := w.start().ready()
	bid := b.reserve(w.claim("c", "r1/0", 1000, ""), Reserved)
	w.await("all on the topic", func() bool { return b.journal.idle() })
	k.StopKafka()
	bounded, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	n := Notice{Step: event.StepBill, Bid: bid.Bid, Campaign: "c", Reserved: 1000, Expires: bid.Expires, Time: w.now()}
	if _, err := b.Notice(bounded, n); err == nil {
		t.Error("a notice is taken that is on no topic")
	}
	w.flush()
	taken := make(chan error, 1)
	go func() { _, err := b.Notice(t.Context(), n); taken <- err }()
	if err := k.StartKafka(); err != nil {
		t.Fatal(err)
	}
	if err := <-taken; err != nil {
		t.Fatal(err)
	}
	w.settles("c", 1000, 0)
}

// The end of a bid whose bidder died before it was on the topic is written by another one.
func TestAnEndThatWasStampedReachesTheTopic(t *testing.T) {
	k := backend.Embedded(t)
	w := plainWorld(t, k.Kafka, k.Redis, plan("c", 10_000, 0))
	b, other := w.start().ready(), w.start().ready()
	bid := b.reserve(w.claim("c", "r1/0", 1000, ""), Reserved)
	w.await("all on the topic", func() bool { return b.journal.idle() })
	k.StopKafka()
	bounded, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := b.Notice(bounded, Notice{Step: event.StepBill, Bid: bid.Bid, Campaign: "c", Reserved: 1000, Paid: 400, Time: w.now()}); err == nil {
		t.Error("a notice is taken that is on no topic")
	}
	b.kill()
	if err := k.StartKafka(); err != nil {
		t.Fatal(err)
	}
	if n := w.numbers("c"); n != (numbers{400, 0, 600, 0}) {
		t.Errorf("%+v: what is released must wait for the topic", n)
	}
	w.pass(recoverAfter + time.Second)
	w.settles("c", 400, 0)
	other.end()
	if o := replay(w.steps(), w.campaigns); o.spent["c"] != 400 {
		t.Errorf("the topic has %v", o.spent)
	}
}

// Redis comes back with older numbers, and nobody has noticed its end.
func TestNumbersThatGoBackAreNoticed(t *testing.T) {
	w := newWorld(t, plan("c", 10_000, 0))
	b := w.start().ready()
	b.reserve(w.claim("c", "r1/0", 4000, ""), Reserved)
	b.reserve(w.claim("c", "r2/0", 4000, ""), Reserved)
	w.await("all on the topic", func() bool { return b.journal.idle() })
	ctx, state := t.Context(), w.cfg.Prefix+"ledger:state"
	epoch := w.admin.HGet(ctx, state, "epoch").Val()
	campaign := w.cfg.Prefix + "ledger:" + epoch + ":c:c"
	w.admin.HSet(ctx, campaign, "r", "4000", "r/2026-11-29", "4000")
	w.admin.HSet(ctx, state, "seq", "1")
	b.reserve(w.claim("c", "r3/0", 4000, ""), NoBudget)
	w.settles("c", 0, 8000)
	// or it deletes some of them
	epoch = w.admin.HGet(ctx, state, "epoch").Val()
	w.admin.Del(ctx, w.cfg.Prefix+"ledger:"+epoch+":c:c")
	b.reserve(w.claim("c", "r4/0", 4000, ""), NoBudget)
	w.settles("c", 0, 8000)
	w.await("the keys of old epochs deleted", func() bool {
		return !slices.ContainsFunc(w.admin.Keys(ctx, w.cfg.Prefix+"*").Val(), func(key string) bool { return strings.HasPrefix(key, w.cfg.Prefix+"ledger:"+epoch+":") })
	})
}

// A bidder starts beside others, or after all, without making the ledger again.
func TestABidderThatStartsFindsTheEpoch(t *testing.T) {
	w := newWorld(t, plan("c", 10_000, 0))
	first := w.start().ready()
	first.reserve(w.claim("c", "r1/0", 4000, ""), Reserved)
	w.start().ready().end()
	first.end()
	last := w.start().ready()
	last.reserve(w.claim("c", "r2/0", 7000, ""), NoBudget)
	last.end()
	epochs := 0
	for _, s := range w.steps() {
		if s.Step == event.StepEpoch {
			epochs++
		}
	}
	if epochs != 1 {
		t.Errorf("%d epochs, want 1", epochs)
	}
}

// What the topic has lost by its retention, later steps tell.
func TestTheSpendOutlivesTheTopicsRetention(t *testing.T) {
	if backend.Real() {
		t.Skip("the test deletes records, which takes its time on a real broker")
	}
	w := newWorld(t, plan("c", 10_000, 0))
	w.cfg.Sum = time.Hour
	b := w.start().ready()
	b.tell(event.StepBill, b.reserve(w.claim("c", "r1/0", 4000, ""), Reserved), 0)
	w.settles("c", 4000, 0)
	w.pass(2 * time.Hour)
	count := func() (n int) {
		for _, s := range w.steps() {
			if s.Step == event.StepSum && s.SpentTotal == 4000 {
				n++
			}
		}
		return n
	}
	w.await("a sum", func() bool { return count() > 0 })
	b.tell(event.StepBill, b.reserve(w.claim("c", "r2/0", 500, ""), Reserved), 0)
	open := b.reserve(w.claim("c", "r3/0", 300, ""), Reserved)
	w.await("all on the topic", func() bool { return b.journal.idle() })
	all := w.steps()
	sum := slices.IndexFunc(all, func(s event.BidStep) bool { return s.Step == event.StepSum && s.SpentTotal == 4000 })
	backend.DeleteRecords(t, w.kafka.Brokers[0], w.cfg.Prefix+event.TopicBids, 0, int64(sum))
	w.flush()
	w.settles("c", 4500, 300)
	b.ready().tell(event.StepBill, open, 0)
	w.settles("c", 4800, 0)
	b.reserve(w.claim("c", "r4/0", 5201, ""), NoBudget)
}

// Redis hangs: a bid waits no longer than it may, and what Redis reserves when it goes on is
// undone.
func TestAHangingRedisRefusesBidsInTime(t *testing.T) {
	s := backend.NewServer(t, nil, tlsfiles.Server{})
	w := serverWorld(t, sharedKafka(t), s, plan("c", 10_000, 0))
	b := w.start().ready()
	b.tell(event.StepLoss, b.reserve(w.claim("c", "r1/0", 100, ""), Reserved), 0)
	w.settles("c", 0, 0)
	s.Signal(t, syscall.SIGSTOP)
	for i := range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		verdicts := [][]Verdict{{0}}
		began := time.Now()
		err := b.Reserve(ctx, [][]Claim{{w.claim("c", fmt.Sprintf("h%d/0", i), 100, "")}}, verdicts)
		if took := time.Since(began); err != nil || verdicts[0][0] != Unavailable || took > time.Second {
			t.Errorf("%v, %v after %v", verdicts, err, took)
		}
		cancel()
	}
	s.Signal(t, syscall.SIGCONT)
	w.await("all undone", func() bool { return !b.undos.waiting() && b.journal.idle() })
	w.settles("c", 0, 0)
	if used := b.allowances.sum(); used != 0 {
		t.Errorf("%d micros are thought to be reserved", used)
	}
	b.reserve(w.claim("c", "h3/0", 100, ""), Repeated) // it may still be on its way
	b.reserve(w.claim("c", "r2/0", 10_000, ""), Reserved)
	b.end()
	if o := replay(w.steps(), w.campaigns); len(o.faults) > 0 || o.reserved["c"] != 10_000 {
		t.Errorf("%v, %v", o.faults, o.reserved)
	}
}

// A user of Redis with the ledger's rights and no others can do all.
func TestTheLedgerNeedsItsRightsAlone(t *testing.T) {
	s := backend.NewServer(t, nil, tlsfiles.Server{})
	w := serverWorld(t, sharedKafka(t), s, plan("c", 10_000, 0, campaign.Cap{Impressions: 5, Window: time.Hour}))
	rights := features.LedgerRights(w.cfg.Prefix)
	s.Do(t, append([]string{"ACL", "SETUSER", "bidder", "reset", "on", ">word"}, strings.Fields(rights.String())...)...)
	w.redis.Address = "redis://bidder:word@" + s.Address
	w.cfg.Sum, w.cfg.Remember, w.cfg.Late = time.Minute, time.Minute, time.Minute
	b := w.start().ready()
	first := b.reserve(w.claim("c", "r1/0", 100, "u"), Reserved)
	b.reserve(w.claim("c", "r2/0", 100, "u"), Reserved)
	b.tell(event.StepWin, first, 0)
	b.tell(event.StepBill, first, 0)
	b.tell(event.StepLoss, b.reserve(w.claim("c", "r3/0", 100, "u"), Reserved), 0)
	w.await("a standing", func() bool { s, ok := b.Standing("c"); return ok && s.Spent == 100 })
	w.pass(10 * time.Minute)
	w.settles("c", 100, 0)
	w.pass(2 * time.Hour) // all is forgotten
	w.await("nothing but the campaign kept", func() bool {
		return len(w.admin.Keys(t.Context(), w.cfg.Prefix+"*").Val()) == 3 // c, sums, state
	})
	s.Do(t, "FLUSHALL")
	w.settles("c", 100, 0)
	s.Do(t, "SCRIPT", "FLUSH") // as after a restart
	b.reserve(w.claim("c", "r4/0", 100, "u"), Reserved)
	s.Do(t, "ACL", "SETUSER", "bidder", "-zadd")
	w.await("a fault", func() bool {
		verdicts := [][]Verdict{{0}}
		_ = b.Reserve(t.Context(), [][]Claim{{w.claim("c", "r5/0", 100, "u")}}, verdicts)
		return verdicts[0][0] == Unavailable
	})
	_, err := b.Notice(t.Context(), Notice{Step: event.StepBill, Bid: "r4/0", Campaign: "c", Time: w.now()})
	if err == nil || !strings.Contains(err.Error(), "ACL SETUSER bidder ") {
		t.Errorf("without a right: %v", err)
	}
	s.Do(t, "ACL", "SETUSER", "bidder", "+zadd")
	b.reserve(w.claim("c", "r6/0", 100, "u"), Reserved)
}

// The commands of the script are those of the rights.
func TestTheRightsHaveEveryCommandOfTheScript(t *testing.T) {
	found := []string{"evalsha", "script|load", "info", "ping"}
	for _, m := range regexp.MustCompile(`redis\.call\('([A-Z]+)'`).FindAllStringSubmatch(source, -1) {
		found = append(found, strings.ToLower(m[1]))
	}
	slices.Sort(found)
	if want := features.LedgerRights("p.").Commands; !slices.Equal(slices.Compact(found), want) {
		t.Errorf("the script calls %v, the rights have %v", slices.Compact(found), want)
	}
}

// A notice of a bid can come before its bidder has brought it into the ledger that is made again.
// The bid is not reserved then, and its user counts all the same, now and after another loss.
func TestANoticeMayComeBeforeTheBidIsAdopted(t *testing.T) {
	w := newWorld(t, plan("c", 10_000, 0, campaign.Cap{Impressions: 1, Window: time.Hour}))
	b := w.start().ready()
	b.tell(event.StepLoss, b.reserve(w.claim("c", "r1/0", 1000, "u"), Reserved), 0)
	w.settles("c", 0, 0)
	s := b.sessions.current()
	orphan := func(id string) *entry {
		step := w.claim("c", id, 1000, "u").Step
		step.Step, step.Campaign, step.Day, step.Reserved, step.Epoch, step.CapMs = event.StepBid, "c", "2026-11-29", 1000, s.epoch, time.Hour.Milliseconds()
		return &entry{step: step}
	}
	billed, lost, open := orphan("billed/0"), orphan("lost/0"), orphan("open/0")
	b.tell(event.StepBill, billed.step, 700)
	b.tell(event.StepLoss, lost.step, 0)
	b.tell(event.StepWin, open.step, 0)
	if err := b.adopt(t.Context(), s, []*entry{billed, lost, open}); err != nil {
		t.Fatal(err)
	}
	w.settles("c", 700, 1000)
	b.reserve(w.claim("c", "r2/0", 1, "u"), Capped)
	b.tell(event.StepBill, open.step, 0)
	w.settles("c", 1700, 0)
	w.await("all on the topic", func() bool { return b.journal.idle() })
	b.reserve(w.claim("c", "r3/0", 1, "v"), Reserved)
	w.flush()
	w.settles("c", 1700, 1)
	b.reserve(w.claim("c", "r4/0", 1, "u"), Capped)
	w.pass(time.Hour)
	b.reserve(w.claim("c", "r5/0", 1, "u"), Reserved)
}

// The first bid of a campaign waits for its allowance, also after a loss.
func TestTheFirstBidWaitsForItsAllowance(t *testing.T) {
	w := newWorld(t, plan("c", 10_000, 0))
	b := w.start()
	b.ready()
	for i := range 2 {
		w.await("the allowance on the topic", func() bool { return b.Ready(t.Context()) == nil && b.journal.idle() })
		verdicts := [][]Verdict{{0}}
		if err := b.Reserve(t.Context(), [][]Claim{{w.claim("c", fmt.Sprintf("r%d/0", i), 1000, "")}}, verdicts); err != nil || verdicts[0][0] != Reserved {
			t.Fatalf("%v, %v", verdicts, err)
		}
		w.await("its step on the topic", func() bool { return b.journal.idle() })
		epoch := b.sessions.current().epoch
		w.flush()
		w.await("the next epoch", func() bool { s := b.sessions.current(); return s != nil && s.epoch > epoch })
	}
}
