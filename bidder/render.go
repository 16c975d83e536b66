package bidder

import (
	"context"
	"strconv"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/bidder/markup"
	"github.com/clickloop/clickloop/bidder/notice"
	"github.com/clickloop/clickloop/bidder/openrtb"
)

// render makes the answer of the bids in c. A creative of which no markup can be made for its place
// is no bid: its money is given back.
func (b *Bidder) render(ctx context.Context, c *call) {
	a := &c.answer
	*a = openrtb.Answer{ID: c.auction.ID, BidID: string(c.key), Currency: c.currency, Seats: a.Seats[:0]}
	for i := range c.places {
		p := &c.places[i]
		if p.chosen < 0 {
			continue
		}
		bid, err := b.bidOf(c, p)
		if err != nil {
			b.logger.Warn("a creative cannot be shown where it matched: its bid is not made", "creative", p.candidates[p.chosen].Creative.ID, "err", err)
			b.metrics.count("unfit", "")
			b.release(ctx, c, p)
			continue
		}
		b.metrics.prices.Observe(p.offer.Price.CPM())
		addBid(a, b.seatOf(&p.candidates[p.chosen]), bid)
	}
	c.out = openrtb.AppendResponse(c.out[:0], a)
}

// seatOf is the buyer seat of a candidate's bids.
func (b *Bidder) seatOf(k *campaign.Candidate) string {
	if k.Campaign.Advertiser.Seat != "" {
		return k.Campaign.Advertiser.Seat
	}
	return b.cfg.Seat
}

// bidOf is the bid for a place.
func (b *Bidder) bidOf(c *call, p *place) (openrtb.Bid, error) {
	q, k, step := &c.auction, &p.candidates[p.chosen], &p.claim[0].Step
	facts := notice.Bid{
		ID: step.Bid, Campaign: k.Campaign.ID, Ad: k.Creative.ID, Price: p.offer.Price, Issued: q.Time, Expires: step.Expires, Base: c.base, Test: q.Test,
	}
	if c.currency != b.cfg.Currency {
		facts.Currency = c.currency
	}
	ad := markup.Ad{
		Bid: facts, Request: q.ID, Seat: b.seatOf(k), Domain: k.Campaign.Advertiser.Domain, Place: &q.Place, Imp: p.imp, Creative: k.Creative,
	}
	var format auction.Format
	var err error
	if c.text, format, err = b.maker.Append(c.text[:0], &ad); err != nil {
		return openrtb.Bid{}, err
	}
	bid := openrtb.Bid{
		ID: step.Bid, ImpID: p.imp.ID, Price: p.offer.Price.CPM() / c.rate, AdID: k.Creative.ID, CrID: k.Creative.ID, CID: k.Campaign.ID,
		Cat: k.Campaign.Advertiser.Categories, Adm: string(c.text), W: k.Size.W, H: k.Size.H, MType: format.MarkupType(), Attr: k.Creative.Attributes,
		Exp: int(time.Duration(step.Expires.Sub(q.Time)) / time.Second), Language: k.Creative.Language,
	}
	if domain := k.Campaign.Advertiser.Domain; domain != "" {
		bid.ADomain = []string{domain}
		if q.Disclosure {
			bid.Behalf, bid.Paid = domain, domain
		}
	}
	if k.Deal != nil {
		bid.Deal = k.Deal.ID
	}
	describe(&bid, k.Creative)
	bid.NURL, bid.BURL, bid.LURL = b.link(c, notice.Win, &facts), b.link(c, notice.Bill, &facts), b.link(c, notice.Loss, &facts)
	return bid, nil
}

// describe adds what a bid tells of a creative of its format.
func describe(bid *openrtb.Bid, c *campaign.Creative) {
	switch {
	case c.Banner != nil:
		bid.API = c.Banner.APIs
	case c.Video != nil:
		bid.API, bid.Protocol, bid.Dur = c.Video.APIs, c.Video.Protocol, int(c.Video.Duration/time.Second)
	case c.Audio != nil:
		bid.Protocol, bid.Dur = c.Audio.Protocol, int(c.Audio.Duration/time.Second)
	}
}

func (b *Bidder) link(c *call, kind notice.Kind, facts *notice.Bid) string {
	c.text = b.links.Append(c.text[:0], kind, facts)
	return string(c.text)
}

// addBid adds a bid to those of its seat.
func addBid(a *openrtb.Answer, seat string, bid openrtb.Bid) {
	for i := range a.Seats {
		if a.Seats[i].Seat == seat {
			a.Seats[i].Bids = append(a.Seats[i].Bids, bid)
			return
		}
	}
	a.Seats = append(a.Seats, openrtb.SeatBid{Seat: seat, Bids: []openrtb.Bid{bid}})
}

func sizeText(s auction.Size) string { return strconv.Itoa(s.W) + "x" + strconv.Itoa(s.H) }
