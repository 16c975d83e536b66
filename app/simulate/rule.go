package simulate

import (
	"math"

	"github.com/clickloop/clickloop/bidder/auction"
)

// rule is the hidden law of clicks and conversions. The logit of a click is a sum of what the slot,
// the place, the device, the hour, and the creative add, and of how well the creative's topic fits
// the place's and the visitor's interest. One goroutine uses it at a time.
type rule struct {
	seed  uint64
	known map[named]float64 // normal numbers
}

// named is a creative or an advertiser.
type named struct{ kind, name string }

func newRule(seed uint64) rule { return rule{seed, map[named]float64{}} }

// Shifts of the logit of a click.
const (
	ofBanner   = -5.0
	ofNative   = -4.7
	ofVideo    = -4.6
	belowFold  = -1.3
	ofFull     = 0.7
	fitsPlace  = 0.25
	fitsTaste  = 0.35
	evening    = 0.25
	creativeSD = 0.12
	brandSD    = 0.15
)

// sizeShift is what a banner's size adds.
var sizeShift = map[auction.Size]float64{
	mobile: -0.1, leaderboard: -0.25, rectangle: 0.1, halfPage: 0.35, billboard: 0.45, skyscraper: -0.2, mobileScreen: 0.2,
}

// Shifts of the logit of a conversion after a click.
const (
	ofBuying     = -2.0
	buysTaste    = 0.7
	advertiserSD = 0.4
)

// click is the probability that an ad is clicked when it is shown.
func (r rule) click(s *sale, o *offered, a ad) float64 {
	return sigmoid(r.context(s, o, a) + fit(a, s.visitor.interest, fitsTaste))
}

// convert is the probability of a conversion after a click.
func (r rule) convert(s *sale, a ad) float64 {
	return sigmoid(r.buying(a) + fit(a, s.visitor.interest, buysTaste))
}

// told is the probability of a click, and that of a conversion, by all that the request tells: the
// interest of a visitor who refuses profiles is as likely as the place makes it.
func (w *world) told(r rule, s *sale, o *offered, a ad) (click, conversion float64) {
	if s.visitor.consents {
		click = r.click(s, o, a)
		return click, click * r.convert(s, a)
	}
	base, buying, all := r.context(s, o, a), r.buying(a), 0.0
	for t := range topics {
		weight := s.place.attraction(topic(t), s.visitor.device) / w.reach[t][s.visitor.device]
		p := sigmoid(base + fit(a, topic(t), fitsTaste))
		all += weight
		click += weight * p
		conversion += weight * p * sigmoid(buying+fit(a, topic(t), buysTaste))
	}
	return click / all, conversion / all
}

// context is the logit of a click but for the visitor's interest.
func (r rule) context(s *sale, o *offered, a ad) float64 {
	z := s.place.effect + devices[s.visitor.device].effect + r.normal("creative", a.creative)*creativeSD + r.normal("brand", a.advertiser)*brandSD
	local := hourOf(s.time) + float64(s.visitor.country.offset)/60
	z += evening * math.Cos(2*math.Pi*(local-20)/24)
	switch a.format {
	case auction.FormatNative:
		z += ofNative
	case auction.FormatVideo:
		z += ofVideo
	default:
		z += ofBanner + sizeShift[a.size]
	}
	if o.slot.position == 3 {
		z += belowFold
	}
	if o.slot.full {
		z += ofFull
	}
	return z + fit(a, s.place.about, fitsPlace)
}

// buying is the logit of a conversion after a click, but for the visitor's interest.
func (r rule) buying(a ad) float64 {
	return ofBuying + advertiserSD*r.normal("advertiser", a.advertiser)
}

// fit is shift where an ad is about a topic.
func fit(a ad, about topic, shift float64) float64 {
	if a.about == about && about != anything {
		return shift
	}
	return 0
}

// normal is a standard normal number of a name, the same for every auction.
func (r rule) normal(kind, name string) float64 {
	key := named{kind, name}
	z, ok := r.known[key]
	if !ok {
		z = stream(r.seed, kind+" "+name, 0).NormFloat64()
		r.known[key] = z
	}
	return z
}
