package simulate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/bidder/auction"
)

// The members of OpenRTB's bid response that the exchange reads.
type (
	bidResponse struct {
		ID      string    `json:"id"`
		Cur     string    `json:"cur"`
		SeatBid []seatBid `json:"seatbid"`
	}
	seatBid struct {
		Seat string `json:"seat"`
		Bid  []bid  `json:"bid"`
	}
	bid struct {
		ID       string   `json:"id"`
		ImpID    string   `json:"impid"`
		Price    float64  `json:"price"`
		AdID     string   `json:"adid"`
		NURL     string   `json:"nurl"`
		BURL     string   `json:"burl"`
		LURL     string   `json:"lurl"`
		AdM      string   `json:"adm"`
		ADomain  []string `json:"adomain"`
		Cat      []string `json:"cat"`
		CrID     string   `json:"crid"`
		CID      string   `json:"cid"`
		W        int      `json:"w"`
		H        int      `json:"h"`
		MType    int      `json:"mtype"`
		seat     string
		response string // the id of the answer
	}
)

// readBids reads an answer of status 200. Each slot has at most the best of its bids; a bid that
// breaks the request's rules is in refused with the reason.
func readBids(s *sale, body []byte) (best []*bid, refused []string, err error) {
	var r bidResponse
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, nil, fmt.Errorf("the answer to auction %s is no bid response: %w", s.id, err)
	}
	best = make([]*bid, len(s.imps))
	for i := range r.SeatBid {
		for j := range r.SeatBid[i].Bid {
			b := &r.SeatBid[i].Bid[j]
			b.seat, b.response = r.SeatBid[i].Seat, r.ID
			at := slices.IndexFunc(s.imps, func(o offered) bool { return o.id == b.ImpID })
			if why := check(s, at, b, &r); why != "" {
				refused = append(refused, why)
				continue
			}
			if best[at] == nil || b.Price > best[at].Price {
				best[at] = b
			}
		}
	}
	return best, refused, nil
}

// check says what is wrong with a bid; "" where nothing is. A bid below the floor is not wrong: it
// loses.
func check(s *sale, at int, b *bid, r *bidResponse) string {
	switch {
	case r.ID != s.id:
		return "the answer has another id than the request"
	case r.Cur != "" && r.Cur != "USD":
		return "another currency than USD"
	case at < 0:
		return "no slot of the request has its impid"
	case b.ID == "":
		return "no id"
	case !(b.Price > 0):
		return "no price above 0"
	case b.CrID == "":
		return "no crid"
	case b.AdM == "":
		return "no markup"
	case slices.ContainsFunc(b.ADomain, func(d string) bool { return strings.EqualFold(d, "blocked.example") }):
		return "a blocked advertiser"
	case slices.ContainsFunc(b.Cat, func(c string) bool { return strings.HasPrefix(c, "IAB25") || strings.HasPrefix(c, "IAB26") }):
		return "a blocked category"
	}
	return checkFormat(&s.imps[at], b)
}

func checkFormat(o *offered, b *bid) string {
	switch f := formatOf(o, b); {
	case f == auction.FormatBanner && o.slot.format == auction.FormatBanner:
		if !slices.Contains(o.slot.sizes, auction.Size{W: b.W, H: b.H}) {
			return "a size that the slot does not have"
		}
	case f == auction.FormatVideo && o.slot.video, f == auction.FormatNative && o.slot.format == auction.FormatNative:
	default:
		return "a format that the slot does not take"
	}
	return ""
}

// formatOf is the format of a bid: by its mtype, which OpenRTB 2.5 lacks, or else by its markup.
func formatOf(o *offered, b *bid) auction.Format {
	if b.MType >= int(auction.FormatBanner) && b.MType <= int(auction.FormatNative) {
		return auction.Format(b.MType)
	}
	text := strings.TrimSpace(b.AdM)
	switch {
	case strings.HasPrefix(text, "{"):
		return auction.FormatNative
	case strings.Contains(text[:min(len(text), 200)], "<VAST"):
		return auction.FormatVideo
	}
	return o.slot.format
}

// adOf is the ad of a bid.
func adOf(o *offered, b *bid) ad {
	a := ad{creative: b.CrID, about: topicOf(b.Cat), format: formatOf(o, b)}
	if a.format == auction.FormatBanner {
		a.size = auction.Size{W: b.W, H: b.H}
	}
	if len(b.ADomain) > 0 {
		a.advertiser = b.ADomain[0]
	}
	return a
}
