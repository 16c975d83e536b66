package ledger

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
)

// randomTopic makes steps as they could stand on the topic: several bidders write, each in its own
// order; some steps come twice, some never, some behind the begin of a later epoch.
func randomTopic(r *rand.Rand, epochs int) (steps []event.BidStep) {
	open := map[string]event.BidStep{}
	clock, n := noon, 0
	for epoch := int64(1); epoch <= int64(epochs); epoch++ {
		steps = append(steps, event.BidStep{Step: event.StepEpoch, Epoch: epoch, Time: clock})
		queues := make([][]event.BidStep, 4)
		seq := int64(0)
		for range 30 + r.IntN(100) {
			clock = clock.Add(time.Duration(r.IntN(5000)) * time.Millisecond)
			seq++
			s := event.BidStep{Epoch: epoch, Seq: seq, Time: clock}
			if len(open) == 0 || r.IntN(2) == 0 {
				n++
				s.Step, s.Bid, s.Campaign, s.Price, s.Expires = event.StepBid, fmt.Sprintf("b%d", n), fmt.Sprintf("c%d", r.IntN(3)), 1+r.Int64N(100), clock.Add(5*time.Minute)
				s.Day, s.Reserved = s.Time.Std().Format(time.DateOnly), s.Price
				open[s.Bid] = s
			} else {
				bid := open[slices.Sorted(maps.Keys(open))[r.IntN(len(open))]]
				s.Bid, s.Campaign, s.Day, s.Reserved = bid.Bid, bid.Campaign, bid.Day, -bid.Price
				delete(open, bid.Bid)
				switch r.IntN(4) {
				case 0:
					s.Step = event.StepLoss
				case 1:
					s.Step = event.StepExpire
				case 2:
					s.Step, s.Spent, s.Paid = event.StepBill, bid.Price, bid.Price
				case 3:
					s.Step, s.Reserved = event.StepWin, 0
					open[bid.Bid] = bid
				}
			}
			q := r.IntN(len(queues))
			queues[q] = append(queues[q], s)
		}
		for len(slices.Concat(queues...)) > 0 {
			q := r.IntN(len(queues))
			if len(queues[q]) == 0 {
				continue
			}
			one := queues[q][0]
			queues[q] = queues[q][1:]
			switch r.IntN(40) {
			case 0: // a bidder dies
				queues[q] = nil
				continue
			case 1:
				steps = append(steps, one)
			case 2:
				if epoch > 1 { // one of a bidder that does not know of the epoch yet
					late := one
					late.Epoch--
					steps = append(steps, late)
				}
			}
			steps = append(steps, one)
		}
		valid := replay(steps, nil)
		open = maps.Clone(valid.bids) // the next epoch knows what the topic knows
	}
	return steps
}

func foldOf(steps []event.BidStep, whole bool) *fold {
	f := newFold(whole)
	for i := range steps {
		f.add(&steps[i])
	}
	f.end()
	return f
}

func TestAFoldIsWhatTheStepsAddUpTo(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 3))
		steps := randomTopic(r, 1+r.IntN(4))
		o, f := replay(steps, map[string]*campaign.Campaign{}), foldOf(steps, true)
		for id, c := range f.campaigns {
			if c.total != o.spent[id] {
				t.Fatalf("seed %d: %s has spent %d, want %d", seed, id, c.total, o.spent[id])
			}
			for day, spent := range c.days {
				if spent != o.spent[id+" "+day] {
					t.Fatalf("seed %d: %s has spent %d on %s, want %d", seed, id, spent, day, o.spent[id+" "+day])
				}
			}
		}
		open := map[string]bool{}
		for id, b := range f.bids {
			if b.open() {
				open[id] = true
			}
			if b.billed != (len(o.billed[id]) > 0) {
				t.Fatalf("seed %d: bid %s is billed: %v", seed, id, b.billed)
			}
		}
		want := slices.Sorted(maps.Keys(o.bids))
		if got := slices.Sorted(maps.Keys(open)); !slices.Equal(got, want) {
			t.Fatalf("seed %d: open are %v, want %v", seed, got, want)
		}
	}
}

// A fold that begins in the middle of the topic knows what each campaign has spent by the first
// step sum that it reads, wherever that stands among the steps before and after.
func TestAFoldBeginsWithASum(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 4))
		steps := randomTopic(r, 1)
		valid := validSteps(steps)
		from := 1 + r.IntN(len(steps)-1)
		at := int64(0) // the sum stands behind all steps that are not read
		for _, s := range steps[:from] {
			at = max(at, s.Seq)
		}
		sums, days := map[string]int64{}, map[string]map[string]int64{}
		for _, s := range valid {
			if days[s.Campaign] == nil {
				days[s.Campaign] = map[string]int64{}
			}
			if s.Seq <= at {
				sums[s.Campaign] += s.Spent
				days[s.Campaign][s.Day] += s.Spent
			}
		}
		rest := slices.Clone(steps[from:])
		for i := range rest {
			rest[i].Seq *= 10
		}
		for id := range days {
			s := event.BidStep{Step: event.StepSum, Campaign: id, Epoch: 1, Seq: at*10 + 1 + int64(id[1]-'0'), SpentTotal: sums[id]}
			for day, spent := range days[id] {
				s.SpentDays = append(s.SpentDays, event.Field{Name: day, Value: event.Value{Kind: event.Number, Num: float64(spent)}})
			}
			rest = slices.Insert(rest, r.IntN(len(rest)+1), s)
		}
		o, f := replay(steps, nil), foldOf(rest, false)
		for id, c := range f.campaigns {
			if c.total != o.spent[id] || c.days["2026-11-29"] != o.spent[id+" 2026-11-29"] {
				t.Fatalf("seed %d: %s has spent %d, want %d", seed, id, c.total, o.spent[id])
			}
		}
	}
}

// The first sum of an epoch counts for more than what was read before: a bill whose step came
// behind the epoch's begin may be in the sum of the epoch before.
func TestEachEpochBeginsItsSumsAnew(t *testing.T) {
	bill := func(epoch, seq, spent int64) event.BidStep {
		return event.BidStep{Step: event.StepBill, Bid: fmt.Sprint(epoch, seq), Campaign: "c", Epoch: epoch, Seq: seq, Spent: spent, Day: "2026-11-29"}
	}
	sum := func(epoch, seq, spent int64) event.BidStep {
		return event.BidStep{Step: event.StepSum, Campaign: "c", Epoch: epoch, Seq: seq, SpentTotal: spent, SpentDays: event.Fields{{Name: "2026-11-29", Value: event.Value{Kind: event.Number, Num: float64(spent)}}}}
	}
	mark := event.BidStep{Step: event.StepEpoch, Epoch: 2}
	f := func(want int64, steps ...event.BidStep) {
		t.Helper()
		c := foldOf(steps, false).campaigns["c"]
		if c.total != want || c.days["2026-11-29"] != want {
			t.Errorf("spent %d, %d on the day, want %d", c.total, c.days["2026-11-29"], want)
		}
	}
	f(30, bill(1, 1, 10), bill(1, 2, 20))
	f(150, bill(1, 1, 10), sum(1, 3, 100), bill(1, 4, 50), sum(1, 5, 999))
	f(170, bill(1, 4, 50), bill(1, 2, 7), sum(1, 3, 100), bill(1, 5, 20))
	f(120, sum(1, 9, 500), mark, bill(2, 4, 20), sum(2, 3, 100), bill(1, 10, 7))
	f(520, sum(1, 9, 500), mark, bill(2, 4, 20))
}

func TestAllowancesAreHeldUntilTheLastBidCanHaveEnded(t *testing.T) {
	allow := func(bidder string, epoch, most int64, expires event.Time) event.BidStep {
		return event.BidStep{Step: event.StepAllow, Bidder: bidder, Campaign: "c", Epoch: epoch, Allowance: most, BudgetTotal: 1000, Expires: expires}
	}
	mark := func(epoch int64) event.BidStep { return event.BidStep{Step: event.StepEpoch, Epoch: epoch} }
	leave := func(bidder string, epoch int64) event.BidStep {
		return event.BidStep{Step: event.StepLeave, Bidder: bidder, Epoch: epoch}
	}
	f := func(want string, steps ...event.BidStep) {
		t.Helper()
		holds := foldOf(steps, true).holds(noon, time.Hour)["c"]
		slices.SortFunc(holds, func(a, b hold) int { return int(a.part - b.part) })
		got := ""
		for _, h := range holds {
			got += fmt.Sprintf("%s %d %v ", h.bidder, h.part, h.until.Sub(noon))
		}
		if got != want {
			t.Errorf("held %q, want %q", got, want)
		}
	}
	f("a 10 2h0m0s ", mark(1), allow("a", 1, 10, noon.Add(time.Hour)))
	f("a 10 2h0m0s ", mark(1), allow("a", 1, 10, noon.Add(time.Minute)), allow("a", 1, 5, noon.Add(time.Hour))) // both may be in use
	f("", mark(1), allow("a", 1, 10, noon.Add(-time.Hour)))
	f("", mark(1), allow("a", 1, 10, noon.Add(time.Hour)), leave("a", 1))
	f("a 10 2h0m0s b 20 2h0m0s ", mark(1), allow("a", 1, 10, noon.Add(time.Hour)), allow("b", 1, 20, noon.Add(time.Hour)), mark(2))
	f("b 20 2h0m0s ", mark(1), allow("a", 1, 10, noon.Add(time.Hour)), allow("b", 1, 20, noon.Add(time.Hour)), mark(2), leave("a", 2))
	f("a 10 2h0m0s ", mark(1), allow("a", 1, 10, noon.Add(time.Hour)), mark(2), leave("a", 1)) // void
	f("", mark(1), mark(2), allow("a", 1, 10, noon.Add(time.Hour)))                            // void
	f("", mark(1), mark(2), mark(1), allow("a", 1, 10, noon.Add(time.Hour)))                   // not the first of its number
}

// FuzzFold folds any steps: it never fails, and open bids reserve what the plain sum says.
func FuzzFold(f *testing.F) {
	f.Add(uint64(1), []byte{0, 1, 2, 3, 4, 5, 6, 7})
	f.Fuzz(func(t *testing.T, seed uint64, order []byte) {
		steps := randomTopic(rand.New(rand.NewPCG(seed, 5)), 2)
		for i, b := range order { // any disorder, and any epoch
			j := int(b) * len(steps) / 256
			steps[i%len(steps)], steps[j] = steps[j], steps[i%len(steps)]
			steps[j].Epoch = max(1, steps[j].Epoch+int64(b%3)-1)
		}
		cfg := Defaults()
		folded := foldOf(steps, true)
		items, open := itemsOf(folded, &cfg, noon)
		if len(items) < open {
			t.Fatalf("%d items of %d open bids", len(items), open)
		}
		for id, b := range folded.bids {
			if b.open() && b.step.Bid != id {
				t.Fatalf("bid %s is that of %s", id, b.step.Bid)
			}
		}
	})
}
