package simulate

import (
	"time"

	"github.com/clickloop/clickloop/event"
)

const (
	noticeDelay = 60 * time.Millisecond // from an auction to the notice of its result
	repeatDelay = 5 * time.Second       // to a notice that comes again
)

// judge settles a bid, counts it, and queues what the exchange, the browser and the advertiser will
// tell of it.
func (x *Exchange) judge(s *sale, o *offered, b *bid) {
	t := x.tallies.at(s.time, b.CID)
	t.Bids++
	x.labels.add(event.TriggerPrediction, s.time)
	v := o.settle(b.Price, s.firstPrice)
	fill := macros(s, b, v, !x.cfg.HideMinToWin)
	tell := func(after time.Duration, agent, link string) {
		d := due{at: s.time.Add(after), bid: b.ID, url: target(x.client.bidder, fill.Replace(link)), agent: agent}
		if d.url == "" {
			return
		}
		x.queue.add(d)
		if o.repeats {
			d.at = d.at.Add(repeatDelay)
			x.queue.add(d)
		}
	}
	if !v.won {
		if !x.cfg.HideLosses {
			tell(noticeDelay, exchangeName, b.LURL)
		}
		return
	}
	t.Wins++
	x.labels.add(event.TypeWin, s.time)
	tell(noticeDelay, exchangeName, b.NURL)
	if !o.seen {
		return
	}
	a := adOf(o, b)
	clicked, converted := outcome(x.rule, s, o, a)
	click, conversion := x.world.told(x.rule, s, o, a)
	t.impression(v.paid/1000, x.worth(b.CID, click, conversion), click, clicked, converted, o.revenue)
	x.labels.add(event.TypeImpression, s.time)
	agent := devices[s.visitor.device].agent
	tell(o.shownAfter, exchangeName, b.BURL)
	l := linksOf(a.format, fill.Replace(b.AdM))
	for _, pixel := range l.shown {
		tell(o.shownAfter, agent, pixel)
	}
	if clicked {
		tell(o.clickAfter, agent, l.clicked)
	}
	if converted {
		x.queue.add(due{at: s.time.Add(o.convertAfter), bid: b.ID, event: x.sold(s, o, b)})
	}
}

// usualRevenue is what a conversion brings on average, in USD.
const usualRevenue = 30

// sold is the event by which an advertiser reports a conversion.
func (x *Exchange) sold(s *sale, o *offered, b *bid) *event.Event {
	e := &event.Event{
		ID: b.ID + "/sold", Type: event.TypeConversion, Time: s.time.Add(o.convertAfter), Prediction: b.ID, Ad: b.CrID, Campaign: b.CID,
		Value: cents(o.revenue * usualRevenue), Source: "simulate",
	}
	if s.visitor.consents {
		e.User = s.visitor.id
	}
	if x.client.recorded {
		e.Received = e.Time
	}
	return e
}

// worth is what an impression is worth to a campaign by the rule; 0 of an unknown campaign.
func (x *Exchange) worth(campaign string, click, conversion float64) float64 {
	if x.oracle == nil {
		return 0
	}
	for _, p := range x.oracle.plans {
		if p.ID == campaign {
			return p.worth(click, conversion)
		}
	}
	return 0
}
