package ledger

import (
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
)

func micros(n int64) auction.Micros { return auction.Micros(n) }

func plan(id string, total, daily int64, caps ...campaign.Cap) *campaign.Campaign {
	c := &campaign.Campaign{ID: id, Caps: caps}
	c.Budget.Total, c.Budget.Daily = micros(total), micros(daily)
	return c
}

func TestABidIsReservedThenSpentOrReleased(t *testing.T) {
	w := newWorld(t, plan("c", 10_000, 0))
	b := w.start().ready()
	first := b.reserve(w.claim("c", "r1/0", 4000, ""), Reserved)
	second := b.reserve(w.claim("c", "r2/0", 4000, ""), Reserved)
	b.reserve(w.claim("c", "r3/0", 4000, ""), NoBudget)
	b.reserve(w.claim("c", "r1/0", 4000, ""), Repeated)
	w.settles("c", 0, 8000)
	if r := b.tell(event.StepWin, first, 3000); r.Repeated || r.Late {
		t.Errorf("%+v", r)
	}
	if r := b.tell(event.StepBill, first, 3000); r.Charged != 3000 || r.Repeated {
		t.Errorf("%+v", r)
	}
	if r := b.tell(event.StepBill, first, 3500); !r.Repeated {
		t.Errorf("%+v", r)
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
	if t.Failed() {
		t.Log(brief(w.steps()))
	}
}
