package simulate

import (
	"slices"
	"strings"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
)

// reaches says whether a campaign's targeting allows a slot of a sale. It knows what the simulated
// exchange has: there are no deals, metros, cities or publishers' lists to choose by, so a campaign
// that wants one of these never bids here.
func reaches(t *campaign.Targeting, s *sale, o *offered) bool {
	v, p := s.visitor, s.place
	d := &devices[v.device]
	var segments []string
	if v.consents {
		name := topics[v.interest].name
		segments = []string{name, provider + "/" + name}
	}
	var category, site, app []string
	if p.about != anything {
		category = []string{topics[p.about].category}
	}
	if p.app {
		app = []string{p.domain}
	} else {
		site = []string{p.domain}
	}
	return allows(t.Countries, equal, v.country.code) && allows(t.Regions, equal, v.country.region) && allows(t.Cities, equal) && allows(t.Metros, equal) &&
		len(t.Geo) == 0 && len(t.Deals.Allow) == 0 && allows(t.OS, equal, d.os) && allows(t.Languages, equal, "en") &&
		allows(t.Sites, subdomain, site...) && allows(t.Apps, equal, app...) && allows(t.Publishers, equal, "publisher-"+p.domain) &&
		allows(t.Categories, subcategory, category...) && allows(t.Segments, equal, segments...) &&
		allowsNumber(t.DeviceTypes, d.kind) && allowsNumber(t.Positions, o.slot.position) && inHours(t.Hours, s)
}

// allows says whether a list takes values: none is blocked, and one is allowed where any is listed.
func allows(m campaign.Match, same func(listed, is string) bool, values ...string) bool {
	among := func(list []string) bool {
		return slices.ContainsFunc(list, func(listed string) bool {
			return slices.ContainsFunc(values, func(is string) bool { return same(strings.ToLower(listed), strings.ToLower(is)) })
		})
	}
	return !among(m.Block) && (len(m.Allow) == 0 || among(m.Allow))
}

func equal(listed, is string) bool       { return listed == is }
func subdomain(listed, is string) bool   { return listed == is || strings.HasSuffix(is, "."+listed) }
func subcategory(listed, is string) bool { return listed == is || strings.HasPrefix(is, listed+"-") }

func allowsNumber(m campaign.MatchNumbers, n int) bool {
	return !slices.Contains(m.Block, n) && (len(m.Allow) == 0 || slices.Contains(m.Allow, n))
}

// inHours says whether a sale is in one of the spans, by the visitor's clock.
func inHours(spans []campaign.Hours, s *sale) bool {
	local := s.time.Std().Add(time.Duration(s.visitor.country.offset) * time.Minute)
	return len(spans) == 0 || slices.ContainsFunc(spans, func(h campaign.Hours) bool {
		return (len(h.Days) == 0 || slices.Contains(h.Days, int(local.Weekday()))) && local.Hour() >= h.From && local.Hour() < h.To
	})
}

// fits returns the ad that a creative is on a slot, if it can be shown there.
func fits(c *campaign.Creative, in *campaign.Campaign, s *sale, o *offered) (ad, bool) {
	formats := in.Targeting.Formats
	a := ad{creative: c.ID, about: topicOf(in.Advertiser.Categories), advertiser: in.Advertiser.Domain}
	switch {
	case c.Banner != nil:
		a.format, a.size = auction.FormatBanner, auction.Size{W: c.Banner.W, H: c.Banner.H}
		if o.slot.format != auction.FormatBanner || !slices.Contains(o.slot.sizes, a.size) {
			return a, false
		}
	case c.Native != nil:
		if a.format = auction.FormatNative; o.slot.format != a.format {
			return a, false
		}
	case c.Video != nil:
		if a.format = auction.FormatVideo; !o.slot.video || c.Video.Duration < leastVideo*time.Second || c.Video.Duration > mostVideo*time.Second {
			return a, false
		}
	default:
		return a, false // the exchange sells no sound
	}
	return a, (c.Secure || !s.secure) && (len(formats) == 0 || slices.Contains(formats, a.format))
}
