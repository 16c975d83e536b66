package bidder

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/bidder/ledger"
	"github.com/clickloop/clickloop/bidder/openrtb"
	"github.com/clickloop/clickloop/bidder/price"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/scorer"
)

// call is the work on one bid request. Calls are pooled; one goroutine uses a call at a time.
type call struct {
	auction  auction.Request
	engine   scorer.Call
	key      []byte // that stands for the bid request
	currency string // of the answer
	rate     float64
	base     string // URL of the public port
	places   []place
	matches  []campaign.Candidate // of all places
	claims   [][]ledger.Claim
	verdicts [][]ledger.Verdict
	asking   []int // places that the claims are of
	plans    map[*campaign.Campaign]price.Plan
	market   event.Fields
	answer   openrtb.Answer
	text     []byte // markup and URLs
	out      []byte
}

// place is one impression that is offered, and the bid for it.
type place struct {
	imp        *auction.Imp
	candidates []campaign.Candidate
	prices     []asked // of candidates
	request    int     // index of its score request
	trying     int     // index in candidates: it was priced last
	chosen     int     // index in candidates; -1: no bid
	settled    bool    // no other candidate is tried
	offer      price.Offer
	run        price.Run
	claim      [1]ledger.Claim
	verdict    [1]ledger.Verdict
}

// asked is what a candidate must at least be worth, and how.
type asked struct {
	strategy *compiled
	control  float64 // see price.Strategy.Worth
	floor    auction.Micros
	first    bool // the winner pays its bid
	fixed    bool // the floor is the price
}

// noBid is why an auction gets no bid.
type noBid struct {
	nbr    int    // by OpenRTB's list
	reason string // of the metric
}

// Reasons for no bid, with the numbers that OpenRTB has for them.
var (
	noneBusy      = noBid{1, "overloaded"}
	noneTechnical = noBid{1, "technical"}
	noneInvalid   = noBid{2, "invalid"}
	noneCrawler   = noBid{3, "crawler"}
	noneLate      = noBid{15, "time"}
	noneCurrency  = noBid{2, "currency"}
	noneMatch     = noBid{500, "no_match"}
	noneWorth     = noBid{501, "below_floor"}
	noneBudget    = noBid{502, "budget"}
	noneCapped    = noBid{9, "capped"}
	nonePaced     = noBid{503, "paced"}
	noneInsecure  = noBid{504, "insecure"}
)

// noBids are all of them.
var noBids = []noBid{noneBusy, noneTechnical, noneInvalid, noneCrawler, noneLate, noneCurrency, noneMatch, noneWorth, noneBudget, noneCapped, nonePaced, noneInsecure}

// bid makes the bids for the auction of c. It returns why there are none.
func (b *Bidder) bid(ctx context.Context, c *call, deadline time.Time) (why noBid) {
	q := &c.auction
	var err error
	if c.currency, c.rate, err = b.cfg.answerIn(q); err != nil {
		return noneCurrency
	}
	if !b.d.Scorer.HasRoom() {
		return noneBusy
	}
	if why = b.match(c); why != (noBid{}) {
		return why
	}
	b.ask(c, deadline)
	if err := b.d.Scorer.Appraise(ctx, &c.engine); err != nil {
		return noneTechnical
	}
	if !time.Now().Before(deadline) && !b.d.Recorded() {
		return noneLate
	}
	ctx, cancel := b.within(ctx, deadline)
	defer cancel()
	if why = b.reserve(ctx, c); why != (noBid{}) {
		return why
	}
	if b.render(ctx, c); len(c.answer.Seats) == 0 {
		return noneTechnical
	}
	if !q.Test && !b.d.Scorer.Log(ctx, &c.engine) {
		for i := range c.places {
			b.release(ctx, c, &c.places[i])
		}
		return noneBusy
	}
	return noBid{}
}

// within bounds a context by the deadline of an auction. A replay has none.
func (b *Bidder) within(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	if b.d.Recorded() {
		return context.WithTimeout(ctx, replayWait)
	}
	return context.WithDeadline(ctx, deadline)
}

const replayWait = 10 * time.Second

// match finds the creatives that may be shown at each place and can be paid for.
func (b *Bidder) match(c *call) noBid {
	q := &c.auction
	c.places, c.matches = c.places[:0], c.matches[:0]
	clear(c.plans)
	view := b.catalogue.View()
	why := noneMatch
	for i := range q.Imps {
		m := &q.Imps[i]
		if m.Secure && !b.secure(c) {
			why = noneInsecure
			continue
		}
		from := len(c.matches)
		c.matches = view.Match(c.matches, q, m, q.Time)
		if len(c.matches) == from {
			continue
		}
		c.places = slices.Grow(c.places, 1)[:len(c.places)+1]
		p := &c.places[len(c.places)-1]
		*p = place{imp: m, prices: p.prices[:0], run: p.run, chosen: -1}
		kept := c.matches[:from]
		for _, k := range c.matches[from:] {
			a, reason := b.admit(c, m, &k)
			if reason != (noBid{}) {
				why = reason
				continue
			}
			kept, p.prices = append(kept, k), append(p.prices, a)
			if len(p.prices) == b.cfg.MaxCandidates {
				break
			}
		}
		c.matches = kept
		if len(p.prices) == 0 {
			c.places = c.places[:len(c.places)-1]
		}
	}
	at := 0
	for i := range c.places {
		p := &c.places[i]
		p.candidates = c.matches[at : at+len(p.prices)]
		at += len(p.prices)
	}
	if len(c.places) == 0 {
		return why
	}
	return noBid{}
}

// admit says what a candidate must be worth, or why its campaign stays out of the auction.
func (b *Bidder) admit(c *call, m *auction.Imp, k *campaign.Candidate) (asked, noBid) {
	q := &c.auction
	a := asked{first: q.FirstPrice}
	if !suits(q, m, k) {
		return a, noneMatch
	}
	floor, currency := floorOf(m, k)
	if d := k.Deal; d != nil {
		a.first, a.fixed = d.FirstPrice, d.FixedPrice
	}
	rate, known := b.cfg.rate(currency)
	if !known {
		return a, noneCurrency
	}
	a.floor = auction.Micros(math.Ceil(floor*rate*1000 - 1e-6))
	if a.strategy = b.strategies.of(k.Campaign); a.strategy.err != nil {
		return a, noneTechnical
	}
	plan := b.planned(c, k.Campaign)
	switch a.control = a.strategy.control(plan); {
	case plan.Share <= 0:
		return a, noneBudget
	case plan.Share < 1 && draw(c.key, k.Campaign.ID) >= plan.Share:
		return a, nonePaced
	}
	return a, noBid{}
}

// secure says whether browsers reach the notices of the answer by https, as a page of https wants.
func (b *Bidder) secure(c *call) bool {
	base := c.base
	if base == "" {
		base = b.cfg.PublicURL
	}
	if strings.HasPrefix(base, "https://") {
		return true
	}
	if b.insecure.CompareAndSwap(false, true) {
		b.logger.Warn("places on https pages get no bid, since notices would come by plain http: set bidding.public_url to an https URL", "base", base)
	}
	return false
}

// planned is how a campaign takes part in the auction of c, which counts once for its pacing,
// however many creatives and places match.
func (b *Bidder) planned(c *call, k *campaign.Campaign) price.Plan {
	plan, known := c.plans[k]
	if !known {
		if c.plans == nil {
			c.plans = map[*campaign.Campaign]price.Plan{}
		}
		plan = b.plan(k, c.auction.Time)
		c.plans[k] = plan
	}
	return plan
}

// draw is a number from 0 to 1 that depends on the bid request and the campaign alone.
func draw(key []byte, of string) float64 {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.Write(key)
	_, _ = d.WriteString("\x00" + of)
	return float64(d.Sum64()>>11) / (1 << 53)
}

// ask makes a score request of every place.
func (b *Bidder) ask(c *call, deadline time.Time) {
	q := &c.auction
	c.engine.Reset()
	for i := range c.places {
		p := &c.places[i]
		p.request = i
		r := c.engine.Add()
		r.ID, r.Time, r.User, r.Log = impID(string(c.key), p.imp.Index), q.Time, q.User.ID, scorer.LogQueued
		r.Source = q.Place.Domain
		r.Context = auction.Facts(r.Context, q, p.imp)
		r.Worth, r.WorthName = p.worth, scorer.WorthBid
		r.TMax = max(time.Until(deadline)*2/3, time.Millisecond)
		for j := range p.candidates {
			k, to := &p.candidates[j], r.Add()
			to.Ad, to.Campaign = k.Creative.ID, k.Campaign.ID
			to.Context = appendShape(to.Context, k)
		}
	}
}

// worth is what an impression of a candidate is worth, in micros; 0: less than its floor.
func (p *place) worth(i int, probabilities []float64) float64 {
	a := &p.prices[i]
	value, err := a.strategy.strategy.Worth(&p.run, probabilities, a.control)
	if err != nil || value < float64(a.floor) {
		return 0
	}
	return value
}

// appendShape appends the facts of a candidate that the place leaves open.
func appendShape(dst event.Fields, k *campaign.Candidate) event.Fields {
	dst = append(dst, event.Field{Name: "ad_format", Value: event.Value{Kind: event.String, Str: k.Format.String()}})
	if k.Size.W > 0 {
		dst = append(dst, event.Field{Name: "ad_size", Value: event.Value{Kind: event.String, Str: sizeText(k.Size)}})
	}
	return dst
}
