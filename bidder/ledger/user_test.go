package ledger

import (
	"errors"
	"testing"

	"github.com/clickloop/clickloop/event"
)

// Impressions and clicks come before and after the bill of their bid: its user is known at either.
func TestTheUserOfABidIsKnownAfterItsEnd(t *testing.T) {
	w := newWorld(t, plan("c", 0, 0))
	b := w.start().ready()
	defer b.end()
	named := b.reserve(w.claim("c", "r.0", 1000, "u\n1"), Reserved)
	b.reserve(w.claim("c", "s.0", 1000, ""), Reserved)
	f := func(campaign, bid, want string) {
		t.Helper()
		if user, err := b.User(t.Context(), campaign, bid); err != nil || user != want {
			t.Errorf("%s of %s: %q, %v", bid, campaign, user, err)
		}
	}
	f("c", "r.0", "u\n1")
	f("c", "s.0", "")
	f("c", "x.0", "")
	f("d", "r.0", "")
	b.tell(event.StepBill, named, 900)
	f("c", "r.0", "u\n1")
	w.flush()
	w.await("another epoch", func() bool { return w.bidderSees(b, "r.0") == "u\n1" })
	b.end()
	if _, err := b.User(t.Context(), "c", "r.0"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("after its end: %v", err)
	}
}

// bidderSees is the user of a bid of the campaign c, "" while the ledger is not available.
func (w *world) bidderSees(b *bidder, bid string) string {
	user, _ := b.User(w.t.Context(), "c", bid)
	return user
}
