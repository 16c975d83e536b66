package bidder

import (
	"context"
	"slices"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/ledger"
	"github.com/clickloop/clickloop/bidder/price"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/scorer"
)

// tries is how often candidates that the ledger refuses are replaced by the next best.
const tries = 4

// reserve prices the best candidate of each place and reserves its money. Where the ledger refuses
// one, the next best follows.
func (b *Bidder) reserve(ctx context.Context, c *call) noBid {
	why := noneWorth
	for range tries {
		c.claims, c.verdicts, c.asking = c.claims[:0], c.verdicts[:0], c.asking[:0]
		for i := range c.places {
			if p := &c.places[i]; !p.settled && b.price(c, p) {
				c.asking = append(c.asking, i)
			}
		}
		if len(c.asking) == 0 {
			break
		}
		if err := b.claim(ctx, c); err != nil {
			b.logger.Warn("the ledger does not reserve", "err", err)
			for i := range c.places {
				b.release(ctx, c, &c.places[i])
			}
			return noneTechnical
		}
		for n, i := range c.asking {
			if reason := b.settle(c, &c.places[i], c.verdicts[n][0]); reason != (noBid{}) {
				why = reason
			}
		}
	}
	kept := false
	for i := range c.places {
		if p := &c.places[i]; p.chosen >= 0 {
			kept = true
		} else {
			c.engine.Requests[i].Answer.Chosen = 0 // nothing of it is logged
		}
	}
	if kept {
		return noBid{}
	}
	return why
}

// price finds the best candidate of a place that is worth an offer. It says whether there is one.
func (b *Bidder) price(c *call, p *place) bool {
	r := &c.engine.Requests[p.request]
	for r.Answer.Err == nil && r.Answer.Chosen > 0 && anyWorth(r.Answer.Ranked) {
		s := &r.Answer.Ranked[0]
		if p.offer = b.offer(c, p, s.Index, s.Score); p.offer.Price > 0 {
			p.trying = s.Index
			return true
		}
		b.d.Scorer.PassOver(&c.engine, r)
	}
	p.settled = true
	return false
}

func anyWorth(ranked []scorer.Scored) bool {
	return slices.ContainsFunc(ranked, func(s scorer.Scored) bool { return s.Score > 0 })
}

// offer is the price for a candidate of a value in micros.
func (b *Bidder) offer(c *call, p *place, i int, value float64) price.Offer {
	a := &p.prices[i]
	if value <= 0 || value < float64(a.floor) {
		return price.Offer{}
	}
	worth, k := auction.Micros(value), p.candidates[i].Campaign
	switch {
	case a.fixed:
		return price.Offer{Price: max(a.floor, 1)}
	case k.Bid.Strategy == "cpm": // the price is fixed
		return price.Offer{Price: worth}
	}
	c.market = auction.Market(c.market[:0], &c.auction, p.imp)
	return b.landscape.Offer(&price.Quote{
		Value: worth, Floor: max(a.floor, 1), FirstPrice: a.first, Market: c.market, Draw: draw(c.key, priceDraw),
	})
}

// priceDraw names the draw of prices, beside those of campaigns.
const priceDraw = "\x00price"

// claim asks the ledger for the money of the places in c.asking. A test spends none.
func (b *Bidder) claim(ctx context.Context, c *call) error {
	q := &c.auction
	for _, i := range c.asking {
		p := &c.places[i]
		k, a := &p.candidates[p.trying], &p.prices[p.trying]
		p.claim[0] = ledger.Claim{Campaign: k.Campaign, Step: event.BidStep{
			Bid: event.PredictionID(c.engine.Requests[p.request].ID, 0), Campaign: k.Campaign.ID, Time: q.Time,
			Request: q.ID, Imp: p.imp.ID, Ad: k.Creative.ID, Advertiser: k.Campaign.Advertiser.ID, User: q.User.ID,
			Price: int64(p.offer.Price), Value: int64(c.engine.Requests[p.request].Answer.Ranked[0].Score), Floor: int64(a.floor),
			PWin: p.offer.PWin, FirstPrice: a.first, Expires: q.Time.Add(holdFor(q, p.imp)), Market: auction.Market(nil, q, p.imp),
		}}
		if k.Deal != nil {
			p.claim[0].Step.Deal = k.Deal.ID
		}
		p.verdict[0] = ledger.Reserved
		c.claims, c.verdicts = append(c.claims, p.claim[:]), append(c.verdicts, p.verdict[:])
	}
	if q.Test {
		return nil
	}
	return b.ledger.Reserve(ctx, c.claims, c.verdicts)
}

// settle does what the ledger's verdict on a place says, and returns why there is no bid yet.
func (b *Bidder) settle(c *call, p *place, v ledger.Verdict) noBid {
	b.metrics.verdicts[v].Inc()
	why := noneBudget
	switch v {
	case ledger.Reserved:
		p.settled, p.chosen = true, p.trying
		return noBid{}
	case ledger.Capped:
		why = noneCapped
	case ledger.NoBudget, ledger.NoDaily:
	default: // the bid was made before, or the ledger does not answer
		p.settled = true
		return noneTechnical
	}
	r, refused := &c.engine.Requests[p.request], p.candidates[p.trying].Campaign
	for r.Answer.Chosen > 0 && p.candidates[r.Answer.Ranked[0].Index].Campaign == refused {
		b.d.Scorer.PassOver(&c.engine, r)
	}
	return why
}

// release gives back the money of a bid that is not made after all.
func (b *Bidder) release(ctx context.Context, c *call, p *place) {
	if p.chosen < 0 {
		return
	}
	p.chosen = -1
	if c.engine.Requests[p.request].Answer.Chosen = 0; c.auction.Test {
		return
	}
	s := &p.claim[0].Step
	_, err := b.ledger.Notice(context.WithoutCancel(ctx), ledger.Notice{
		Step: event.StepLoss, Bid: s.Bid, Campaign: s.Campaign, Reserved: auction.Micros(s.Price), Reason: lossInternal, Time: s.Time,
	})
	if err != nil {
		b.logger.Warn("the money of a bid that was not made stays reserved until it expires", "bid", s.Bid, "err", err)
	}
}

// lossInternal is OpenRTB's number for an error of the bidder.
const lossInternal = 1
