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
	if n.deps.Enter != nil {
		leave, err := n.deps.Enter(r)
		if leave != nil {
			defer leave()
		}
		if err != nil {
			n.metrics.count(k, limited)
			refuseRate(w, err)
			return
		}
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
		if err != nil {
			n.faults.warn(n.deps.Now(), "cannot take notices: senders repeat them", k, err)
		}
		if result == unavailable {
			postpone(k, w, &t)
			return
		}
		accept(k, w, &t)
	}
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
	if n.written.has(id) {
		return repeated, nil
	}
	// a page that is left cancels its requests, and was seen all the same
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.cfg.Wait)
	defer cancel()
	f, err := n.settle(ctx, k, t, p, now)
	if err != nil {
		return unavailable, err
	}
	err = n.deps.Events.Take(ctx, []event.Event{n.event(k, t, name, kind, &f)})
	switch {
	case errors.As(err, new(*event.Error)) || errors.As(err, new(*stream.TooLargeError)):
		return invalid, err
	case err != nil:
		return unavailable, err
	}
	n.written.add(id)
	if c := n.metrics.prices[p.price.result]; c != nil && stepOf[k] != "" {
		c.Inc()
	}
	switch {
	case f.Repeated:
		return repeated, nil
	case f.Late:
		return late, nil
	}
	return taken, nil
}

// settle asks the ledger what a notice changes. Impressions and clicks change nothing.
func (n *Notices) settle(ctx context.Context, k Kind, t *Token, p *parameters, now event.Time) (f facts, err error) {
	f.now = now
	switch k {
	case Win, Bill:
		f.price, f.minToWin = n.paid(p, t), n.micros(&p.minToWin, p, t)
	case Loss: // the price is the winner's
		f.price, f.minToWin, f.loss = n.micros(&p.price, p, t), n.micros(&p.minToWin, p, t), p.loss
	case Impression:
		f.price = n.paid(p, t)
	}
	step := stepOf[k]
	if step == "" {
		f.Late, f.User = now > t.Expires, n.user(ctx, k, t)
		return f, nil
	}
	notice := ledger.Notice{
		Step: step, Bid: t.ID, Campaign: t.Campaign, Reserved: t.Price, MinToWin: f.minToWin, Reason: f.loss, Time: now,
	}
	if k != Loss {
		notice.Paid = f.price
	}
	f.Result, err = n.deps.Ledger.Notice(ctx, notice)
	if k != Loss && f.price == 0 {
		f.price = t.Price
	}
	return f, err
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
