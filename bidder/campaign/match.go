package campaign

import (
	"bytes"
	"sync"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
)

// Candidate is a creative that may be shown in an imp. What it points to is shared: nobody changes
// it.
type Candidate struct {
	Campaign *Campaign
	Creative *Creative
	Format   auction.Format
	Size     auction.Size  // of a banner or a video, as the creative has it; zero: none
	Deal     *auction.Deal // with which it must bid; nil: none
}

var selections = sync.Pool{New: func() any { return new(selection) }}

// Match appends every creative that may be shown in m, an imp of q, at a time: of campaigns that
// are active, by their targeting, the request's blocks, and what the imp takes. Floors, budgets and
// caps are not looked at. It allocates nothing when dst has room, but for the first time after a
// change of campaigns or after one has started or ended.
//
// At most Config.Most candidates are appended. Where more match, campaigns come in the order of a
// hash of the request, the imp and the campaign: the same request gets the same ones, by every
// bidder, and over many requests each campaign has the same share. A campaign has an equal part of
// the places; those that it leaves over are for the further creatives of the others. The creative
// with which it begins goes by the hash as well. At most 16 times as many campaigns are looked at
// for creatives that fit, in that order: those of which the index tells nothing against them.
//
// An advertiser without categories is not blocked by category: exchanges have their own for it.
// Where blocked categories are of another taxonomy than the IAB's first, in which campaigns tell
// theirs, nothing matches.
func (v *View) Match(dst []Candidate, q *auction.Request, m *auction.Imp, now event.Time) []Candidate {
	if len(q.BlockedCategories) > 0 && q.CategoryTaxonomy > 1 || m.DealOnly && len(m.Deals) == 0 {
		return dst
	}
	s := selections.Get().(*selection)
	defer selections.Put(s)
	s.index = &v.index
	s.visitAll(q, m, now)
	active, some := v.activeAt(now), false
	for g := range groups {
		some = s.filter(g, active.bits[g]) || some
	}
	if !some {
		return dst
	}
	s.obey(q, m, v.of.cfg.UncappedWithoutConsent)
	return v.collect(dst, s, q, m)
}

// visitAll looks up all values that the request has of what campaigns target.
func (s *selection) visitAll(q *auction.Request, m *auction.Imp, now event.Time) {
	s.hits = s.hits[:0]
	for d := range targeted {
		if s.index.visits[d] {
			s.values(d, q, m, now)
		}
		s.upTo[d] = len(s.hits)
	}
}

// dimension are the values that visitAll has found of a dimension.
func (s *selection) dimension(d dimension) []*value {
	from := 0
	if d > 0 {
		from = s.upTo[d-1]
	}
	return s.hits[from:s.upTo[d]]
}

// filter leaves the active campaigns of a group whose targeting allows the request as far as the
// index can tell: circles, deals and creatives are looked at later. It says whether there
// are any.
func (s *selection) filter(g group, active []uint64) bool {
	left, p := &s.sides[g], &s.index.parts[g]
	order := p.order
	left.fits(len(active))
	if left.few = g == narrow; left.few {
		left.begin(nil)
		for _, v := range s.hits {
			left.or(v.of[narrow][termHome])
		}
		if left.start(active); len(left.words) == 0 {
			return false
		}
		order = s.sharpest(p)
	} else {
		copy(left.result, active)
	}
	for _, d := range order {
		left.begin(p.any[d].bits)
		for _, v := range s.dimension(d) {
			left.or(v.of[g][termAllow])
			left.not(v.of[g][termBlock])
		}
		if !left.end() {
			return false
		}
	}
	return true
}

// sharpest is the dimensions that narrow campaigns name values of, first that of which the fewest
// campaigns allow what the request has.
func (s *selection) sharpest(p *part) []dimension {
	s.order = s.order[:0]
	for _, d := range p.order {
		passing := -p.allowing[d]
		for _, v := range s.dimension(d) {
			passing += v.allowed(narrow)
		}
		s.passing[d] = passing
		i := len(s.order)
		for s.order = append(s.order, d); i > 0 && passing < s.passing[s.order[i-1]]; i-- {
			s.order[i] = s.order[i-1]
		}
		s.order[i] = d
	}
	return s.order
}

// values visits the values that a request has of a dimension.
func (s *selection) values(d dimension, q *auction.Request, m *auction.Imp, now event.Time) {
	switch d {
	case byFormat:
		s.formats(m)
	case byCountry:
		s.text(d, q.Device.Country)
	case byPlace:
		s.place(&q.Place)
	case bySegment:
		for _, segment := range q.User.Segments {
			s.text(d, segment)
		}
	case byDeal:
		for i := range m.Deals {
			s.text(d, m.Deals[i].ID)
		}
	case byRegion:
		s.text(d, q.Device.Region)
	case byCity:
		s.text(d, q.Device.City)
	case byMetro:
		s.text(d, q.Device.Metro)
	case byCell:
		if q.Device.Located {
			s.visit(cellKey(s.key[:0], q.Device.Lat, q.Device.Lon))
			s.visit(append(s.key[:0], byte(byCell), keyNowhere))
		}
	case byPublisher:
		s.text(d, q.Place.Publisher)
	case byCategory:
		for _, category := range q.Place.Categories {
			s.levels(plainKey(s.key[:0], d, category))
		}
	case byLanguage:
		if q.Device.Language != "" {
			s.levels(languageKey(s.key[:0], d, q.Device.Language))
		}
	case byDevice:
		s.visit(numberKey(s.key[:0], d, q.Device.Type))
	case byOS:
		s.text(d, q.Device.OS)
	case byPosition:
		s.positions(m)
	case byHour:
		s.visit(numberKey(s.key[:0], d, hourOfWeek(&q.Device, now)))
	}
}

// visit looks up a value that the request has.
func (s *selection) visit(key []byte) {
	s.key = key // with what memory it has
	if v := s.index.find(key); v != nil {
		s.hits = append(s.hits, v)
	}
}

func (s *selection) text(d dimension, text string) {
	if text != "" {
		s.visit(plainKey(s.key[:0], d, text))
	}
}

// levels visits a value and what stands above it: en-gb and en, iab1-2 and iab1.
func (s *selection) levels(key []byte) {
	for at := len(key); at > 0; at = bytes.LastIndexByte(key[:at], '-') {
		s.visit(key[:at])
	}
	s.key = key
}

// place visits a domain with those above it, and a bundle.
func (s *selection) place(p *auction.Place) {
	if p.Domain != "" {
		key := appendFolded(append(s.key[:0], byte(byPlace), keySite), p.Domain)
		for rest := key; len(rest) > 2; {
			s.visit(rest)
			dot := bytes.IndexByte(rest[2:], '.')
			if dot < 0 {
				break
			}
			// the letters in front of the rest are not needed any more
			rest = rest[dot+1:]
			rest[0], rest[1] = byte(byPlace), keySite
		}
		s.key = key
	}
	if p.Bundle != "" {
		s.visit(appKey(s.key[:0], byPlace, p.Bundle))
	}
}

func (s *selection) formats(m *auction.Imp) {
	if m.Banner != nil && len(m.Banner.Sizes) == 0 {
		s.visit(append(s.key[:0], byte(byFormat), keyBanner))
	}
	if m.Banner != nil {
		for _, size := range m.Banner.Sizes {
			s.visit(sizeKey(s.key[:0], size))
		}
	}
	if m.Video != nil {
		s.visit(append(s.key[:0], byte(byFormat), keyVideo))
	}
	if m.Audio != nil {
		s.visit(append(s.key[:0], byte(byFormat), keyAudio))
	}
	if m.Native != nil {
		s.visit(append(s.key[:0], byte(byFormat), keyNative))
	}
}

func (s *selection) positions(m *auction.Imp) {
	if m.Banner != nil {
		s.visit(numberKey(s.key[:0], byPosition, m.Banner.Position))
	}
	if m.Video != nil {
		s.visit(numberKey(s.key[:0], byPosition, m.Video.Position))
	}
	if m.Audio != nil || m.Native != nil {
		s.visit(numberKey(s.key[:0], byPosition, 0))
	}
}

// obey removes the campaigns that the request or the imp refuses for what they are.
func (s *selection) obey(q *auction.Request, m *auction.Imp, uncapped bool) {
	if m.Secure {
		s.begin()
		s.gather(append(s.key[:0], byte(byTrait), traitSecure))
		s.end()
	}
	if len(q.Seats) > 0 {
		s.begin()
		for _, seat := range q.Seats {
			s.gather(exactKey(s.key[:0], bySeat, seat))
		}
		s.end()
	}
	if q.User.ID == "" && !uncapped {
		s.refuse(append(s.key[:0], byte(byTrait), traitCapped))
	}
	for _, seat := range q.BlockedSeats {
		s.refuse(exactKey(s.key[:0], bySeat, seat))
	}
	for _, domain := range q.BlockedAdvertisers {
		s.refuse(plainKey(s.key[:0], byAdvertiser, domain))
	}
	for _, category := range q.BlockedCategories {
		s.refuse(plainKey(s.key[:0], byAdCategory, category))
	}
	for _, bundle := range q.BlockedApps {
		s.refuse(plainKey(s.key[:0], byBundle, bundle))
	}
}

// begin, gather and end leave the campaigns that have one of some values.
func (s *selection) begin() {
	for g := range s.sides {
		s.sides[g].begin(s.sides[g].zero)
	}
}

func (s *selection) gather(key []byte) {
	s.key = key
	if v := s.index.find(key); v != nil {
		for g := range s.sides {
			s.sides[g].or(v.of[g][termAllow])
		}
	}
}

func (s *selection) end() {
	for g := range s.sides {
		s.sides[g].end()
	}
}

// refuse removes the campaigns that have a value.
func (s *selection) refuse(key []byte) {
	s.key = key
	if v := s.index.find(key); v != nil {
		for g := range s.sides {
			s.sides[g].not(v.of[g][termAllow])
		}
	}
}

// hourOfWeek is the hour in the user's time, from that after midnight on Sunday; in UTC where the
// user's is not known.
func hourOfWeek(d *auction.Device, now event.Time) int {
	const hour = 3_600_000
	const weekHours = 7 * 24
	const thursday = 4 // of 1 January 1970
	t := int64(now)
	if d.Zoned {
		t += int64(d.UTCOffset) * 60_000
	}
	hours := t / hour
	if t%hour < 0 {
		hours--
	}
	return int(((hours+thursday*24)%weekHours + weekHours) % weekHours)
}
