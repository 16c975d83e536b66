package bidder

import (
	"slices"
	"strings"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
)

// suits says whether what a request allows by lists, and not by blocks, has a candidate: a creative
// or an advertiser that does not tell is not on a list.
func suits(q *auction.Request, m *auction.Imp, k *campaign.Candidate) bool {
	// A showing that counts as several impressions costs its price several times: notices do not
	// tell how often, so such places get no bid.
	if m.Multiplier > 1 {
		return false
	}
	if len(q.Languages) > 0 && !slices.Contains(q.Languages, strings.ToLower(k.Creative.Language)) {
		return false
	}
	if len(q.AllowedCategories) > 0 {
		of := k.Campaign.Advertiser.Categories
		if q.CategoryTaxonomy > 1 || len(of) == 0 {
			return false // campaigns tell their categories by the first taxonomy
		}
		for _, category := range of {
			if !allowed(q.AllowedCategories, category) {
				return false
			}
		}
	}
	return true
}

// allowed says whether a list has a category or the one above it: IAB1 stands for IAB1-2, too.
func allowed(list []string, category string) bool {
	above, _, _ := strings.Cut(category, "-")
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, category) || strings.EqualFold(s, above) })
}

// floorOf is the floor of a candidate as a CPM, and its currency: a deal's takes the place of the
// imp's, and those of a duration come on top.
func floorOf(m *auction.Imp, k *campaign.Candidate) (float64, string) {
	floor, currency := m.Floor, m.FloorCur
	if k.Deal != nil {
		floor, currency = k.Deal.Floor, k.Deal.FloorCur
	}
	var by *auction.Floors
	c := k.Creative
	switch {
	case c.Video != nil && m.Video != nil:
		by = &m.Video.Floors
	case c.Audio != nil && m.Audio != nil:
		by = &m.Audio.Floors
	default:
		return floor, currency
	}
	length := lengthOf(c)
	if k.Deal != nil {
		floor = k.Deal.Floors.Of(floor, length)
	}
	return by.Of(floor, length), currency
}

func lengthOf(c *campaign.Creative) time.Duration {
	if c.Video != nil {
		return c.Video.Duration
	}
	return c.Audio.Duration
}
