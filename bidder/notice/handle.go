package notice

import (
	"context"
	"errors"
	"net/http"

	"github.com/clickloop/clickloop/bidder/ledger"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// handle takes a notice and answers it. A notice is taken at least once: whoever gets no answer, or
// 503, sends it again, and it counts once by its bid and kind.
func (n *Notices) handle(k Kind, w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead && stepOf[k] != "" {
		w.Header().Set("Allow", "GET, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	leave, err := n.enter(r)
	defer leave()
	if err != nil {
		n.metrics.count(k, limited)
		refuseRate(w, err)
		return
	}
	p := read(r)
	now, err := n.when(&p)
	if err != nil {
		n.metrics.count(k, invalid)
		refuse(k, w, "the parameter time is not RFC 3339")
		return
	}
	t, verdict := Open(n.deps.Keys.Keys(), p.token, k, now, n.cfg.Late)
	switch {
	case verdict != Valid:
		n.metrics.count(k, string(verdict))
		n.refuseToken(k, w, verdict, &t)
	case k == Progress && Steps[p.step] == "":
		n.metrics.count(k, invalid)
		refuse(k, w, "the parameter e names no step of an ad")
	case t.Test:
		n.metrics.count(k, tested)
		accept(k, w, &t)
	case stepOf[k] == "" && unseen(r):
		n.metrics.count(k, robot)
		accept(k, w, &t)
	default:
		result, err := n.take(r.Context(), k, &t, &p, now)
		n.metrics.count(k, result)
		switch {
		case result == unavailable:
			n.faults.warn(n.deps.Now(), "cannot take notices: senders repeat them", k, err)
			postpone(k, w, &t)
			return
		case result == string(Expired):
			refuse(k, w, reasons[Expired])
			return
		case err != nil:
			n.faults.warn(n.deps.Now(), "notices make no events, and are left out", k, err)
		}
		accept(k, w, &t)
	}
}

// enter asks whether a request is let in. leave is called when it is answered.
func (n *Notices) enter(r *http.Request) (leave func(), err error) {
	if n.deps.Enter != nil {
		leave, err = n.deps.Enter(r)
	}
	if leave == nil {
		leave = func() {}
	}
	return leave, err
}

// take settles a notice with the ledger, then writes its event. The event is written though the
// ledger knows the notice: the process may have ended between the two. An error comes with the
// result unavailable, or with one that no repetition would change.
func (n *Notices) take(ctx context.Context, k Kind, t *Token, p *parameters, now event.Time) (string, error) {
	name, kind := k.String(), typeOf[k]
	if k == Progress {
		name, kind = p.step, Steps[p.step]
	}
	id := eventID(t.ID, name)
	f := n.facts(k, t, p, now)
	// the ledger takes the price of a later bill where the first told none
	known, priced := n.written.has(id), id
	if k == Bill && f.told {
		priced += pricedMark
	}
	if n.written.has(priced) {
		return repeated, nil
	}
	// a page that is left cancels its requests, and was seen all the same
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.cfg.Wait)
	defer cancel()
	err := n.settle(ctx, k, t, &f)
	if err == nil && !known {
		err = n.deps.Events.Take(ctx, []event.Event{n.event(k, t, name, kind, &f)})
	}
	switch {
	case errors.Is(err, ledger.ErrTooLate):
		return string(Expired), nil
	case errors.As(err, new(*event.Error)) || errors.As(err, new(*stream.TooLargeError)):
		return invalid, err
	case err != nil:
		return unavailable, err
	}
	n.written.add(id)
	n.written.add(priced)
	if c := n.metrics.prices[p.price.result]; c != nil && stepOf[k] != "" {
		c.Inc()
	}
	switch {
	case f.Repeated || known:
		return repeated, nil
	case f.Late:
		return late, nil
	}
	return taken, nil
}

// pricedMark is behind the id of a bill's event where the bill told a price.
const pricedMark = " priced"

// facts are what a notice tells by itself. On a loss the price is the winner's.
func (n *Notices) facts(k Kind, t *Token, p *parameters, now event.Time) facts {
	f := facts{now: now}
	switch k {
	case Win, Bill, Impression:
		f.price = n.paid(p, t)
	case Loss:
		f.price, f.loss = n.micros(&p.price, p, t), p.loss
	}
	if stepOf[k] != "" {
		f.minToWin = n.micros(&p.minToWin, p, t)
	}
	f.told = f.price > 0
	return f
}

// settle asks the ledger what a notice changes. Impressions and clicks change nothing.
func (n *Notices) settle(ctx context.Context, k Kind, t *Token, f *facts) (err error) {
	if stepOf[k] == "" {
		f.Late, f.User = f.now > t.Expires, n.user(ctx, k, t)
		return nil
	}
	notice := ledger.Notice{
		Step: stepOf[k], Bid: t.ID, Campaign: t.Campaign, Reserved: t.Price, Expires: t.Expires, MinToWin: f.minToWin, Reason: f.loss, Time: f.now,
	}
	if k != Loss {
		notice.Paid = f.price
	}
	f.Result, err = n.deps.Ledger.Notice(ctx, notice)
	if k != Loss && !f.told {
		f.price = t.Price
	}
	return err
}

// user is the user of a bid, for profiles. Labels go by the bid's id, so a notice is taken without.
func (n *Notices) user(ctx context.Context, k Kind, t *Token) string {
	if n.deps.User == nil {
		return ""
	}
	user, err := n.deps.User(ctx, t.Campaign, t.ID)
	if err != nil {
		n.faults.warn(n.deps.Now(), "cannot read who saw ads: their notices count without a user", k, err)
	}
	return user
}
