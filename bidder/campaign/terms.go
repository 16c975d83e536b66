package campaign

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/clickloop/clickloop/bidder/auction"
)

// dimension is what a value in the index is a value of.
type dimension uint8

const (
	// what campaigns target
	byFormat dimension = iota // and size of a banner: of creatives, so every campaign has one
	byCountry
	byPlace // domain or bundle
	bySegment
	byDeal
	byRegion
	byCity
	byMetro
	byCell // of the map
	byPublisher
	byCategory
	byLanguage
	byDevice
	byOS
	byPosition
	byHour // of the week
	// what campaigns are, for requests to ask for or to block
	bySeat
	byAdvertiser
	byAdCategory
	byBundle
	byTrait

	targeted = bySeat // how many dimensions campaigns target
)

// Traits of campaigns.
const (
	traitSecure = 's' // has a creative that is
	traitCapped = 'c'
)

// Keys behind the dimension.
const (
	keySite    = 's' // of byPlace: and the domain
	keyApp     = 'a' // and the bundle
	keySized   = 'b' // of byFormat: a banner and its size
	keyBanner  = 'B' // a banner of any size
	keyVideo   = 'v'
	keyAudio   = 'a'
	keyNative  = 'n'
	keyNowhere = '*' // of byCell: a circle that is too wide for cells
)

// Kinds of terms.
const (
	termAllow = iota
	termBlock
	termHome // narrow campaigns that are found by the value
	termKinds
)

// term is a value that a campaign names.
type term struct {
	key  string
	kind uint8
}

// terms are all of a campaign, each once.
type terms struct {
	all                []term
	allowing, blocking [byTrait + 1]bool
}

// termsOf is what the index has of a campaign.
func termsOf(e *entry) *terms {
	t := &terms{}
	c := e.campaign
	g := &c.Targeting
	for _, m := range []struct {
		dimension
		Match
	}{
		{byCountry, g.Countries}, {byRegion, g.Regions}, {byCity, g.Cities}, {byMetro, g.Metros}, {byOS, g.OS},
		{byPublisher, g.Publishers}, {byCategory, g.Categories}, {bySegment, g.Segments},
	} {
		t.match(m.dimension, m.Match, plainKey)
	}
	t.match(byLanguage, g.Languages, languageKey)
	t.match(byPlace, g.Sites, siteKey)
	t.match(byPlace, g.Apps, appKey)
	t.match(byDeal, Match{Allow: g.Deals.Allow}, plainKey) // a deal that is blocked blocks no other
	t.numbers(byDevice, g.DeviceTypes)
	t.numbers(byPosition, MatchNumbers{Allow: g.Positions.Allow}) // which depend on the format
	t.circles(g.Geo)
	t.hours(g.Hours)
	t.creatives(c)
	t.facts(e)
	t.tidy()
	return t
}

// tidy removes what is there twice.
func (t *terms) tidy() {
	slices.SortFunc(t.all, func(a, b term) int { return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.key, b.key)) })
	t.all = slices.Compact(t.all)
}

// settle makes the values of a dimension the campaign's homes.
func (t *terms) settle(d dimension) {
	for _, n := range t.all {
		if n.kind == termAllow && n.key[0] == byte(d) {
			t.all = append(t.all, term{n.key, termHome})
		}
	}
}

func (t *terms) allow(d dimension, key []byte) {
	t.allowing[d] = true
	t.all = append(t.all, term{string(key), termAllow})
}

func (t *terms) block(d dimension, key []byte) {
	t.blocking[d] = true
	t.all = append(t.all, term{string(key), termBlock})
}

func (t *terms) match(d dimension, m Match, key func(dst []byte, d dimension, s string) []byte) {
	for _, s := range m.Allow {
		t.allow(d, key(nil, d, s))
	}
	for _, s := range m.Block {
		t.block(d, key(nil, d, s))
	}
}

func (t *terms) numbers(d dimension, m MatchNumbers) {
	for _, n := range m.Allow {
		t.allow(d, numberKey(nil, d, n))
	}
	for _, n := range m.Block {
		t.block(d, numberKey(nil, d, n))
	}
}

func (t *terms) circles(circles []Circle) {
	for _, c := range circles {
		for _, key := range c.cells() {
			t.allow(byCell, key)
		}
	}
}

func (t *terms) hours(spans []Hours) {
	for _, s := range spans {
		on := s.Days
		if len(on) == 0 {
			on = []int{0, 1, 2, 3, 4, 5, 6}
		}
		for _, day := range on {
			for hour := s.From; hour < s.To; hour++ {
				t.allow(byHour, numberKey(nil, byHour, day*24+hour))
			}
		}
	}
}

func (t *terms) creatives(c *Campaign) {
	for i := range c.Creatives {
		cr := &c.Creatives[i]
		switch {
		case !c.takes(cr.Format()):
		case cr.Banner != nil:
			t.allow(byFormat, []byte{byte(byFormat), keyBanner})
			t.allow(byFormat, sizeKey(nil, auction.Size{W: cr.Banner.W, H: cr.Banner.H}))
		case cr.Video != nil:
			t.allow(byFormat, []byte{byte(byFormat), keyVideo})
		case cr.Audio != nil:
			t.allow(byFormat, []byte{byte(byFormat), keyAudio})
		case cr.Native != nil:
			t.allow(byFormat, []byte{byte(byFormat), keyNative})
		}
	}
}

// takes says whether the campaign shows creatives of a format.
func (c *Campaign) takes(f auction.Format) bool {
	return len(c.Targeting.Formats) == 0 || slices.Contains(c.Targeting.Formats, f)
}

func (t *terms) facts(e *entry) {
	c := e.campaign
	t.allow(bySeat, exactKey(nil, bySeat, e.seat))
	for d := appendFolded(nil, c.Advertiser.Domain); len(d) > 0; {
		t.allow(byAdvertiser, append([]byte{byte(byAdvertiser)}, d...))
		_, d, _ = bytes.Cut(d, []byte("."))
	}
	for _, category := range c.Advertiser.Categories {
		key := plainKey(nil, byAdCategory, category)
		for at := len(key); at > 0; at = bytes.LastIndexByte(key[:at], '-') {
			t.allow(byAdCategory, key[:at])
		}
	}
	if c.Bundle != "" {
		t.allow(byBundle, plainKey(nil, byBundle, c.Bundle))
	}
	if slices.ContainsFunc(c.Creatives, func(cr Creative) bool { return cr.Secure }) {
		t.allow(byTrait, []byte{byte(byTrait), traitSecure})
	}
	if len(c.Caps) > 0 {
		t.allow(byTrait, []byte{byte(byTrait), traitCapped})
	}
}

// plainKey is the key of a text of any case.
func plainKey(dst []byte, d dimension, s string) []byte { return appendFolded(append(dst, byte(d)), s) }

// exactKey is the key of a text that is compared with its case.
func exactKey(dst []byte, d dimension, s string) []byte {
	return append(append(dst, byte(d)), s...)
}

// languageKey has en-gb for en_GB.
func languageKey(dst []byte, d dimension, s string) []byte {
	from := len(dst) + 1
	dst = plainKey(dst, d, s)
	for i := from; i < len(dst); i++ {
		if dst[i] == '_' {
			dst[i] = '-'
		}
	}
	return dst
}

func siteKey(dst []byte, d dimension, s string) []byte {
	return append(append(dst, byte(d), keySite), cleanDomain(s)...)
}

func appKey(dst []byte, d dimension, s string) []byte {
	return appendFolded(append(dst, byte(d), keyApp), s)
}

func numberKey(dst []byte, d dimension, n int) []byte {
	return binary.BigEndian.AppendUint32(append(dst, byte(d)), uint32(n))
}

func sizeKey(dst []byte, s auction.Size) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, byte(byFormat), keySized), uint32(s.W))
	return binary.BigEndian.AppendUint32(dst, uint32(s.H))
}

// Cells of the map are a degree wide and high.
const maxCells = 64 // of a circle; a wider one is looked at wherever the device is

func cellKey(dst []byte, lat, lon float64) []byte {
	south := min(math.Floor(lat), 89)
	west := math.Floor(lon)
	west -= 360 * math.Floor((west+180)/360)
	return append(binary.BigEndian.AppendUint16(append(dst, byte(byCell)), uint16(int16(west))), byte(int8(south)))
}

// cells are the keys of all cells in which some place may be within the circle.
func (c *Circle) cells() [][]byte {
	const degree = 180 / math.Pi
	const slack = 1e-6
	r := c.Km / earthKm
	south, north := math.Floor(c.Lat-r*degree-slack), math.Floor(c.Lat+r*degree+slack)
	if south < -90 || north >= 90 {
		return [][]byte{{byte(byCell), keyNowhere}} // around a pole
	}
	half := math.Asin(min(1, math.Sin(min(r, math.Pi/2))/math.Cos(c.Lat/degree)))*degree + slack
	west, east := math.Floor(c.Lon-half), math.Floor(c.Lon+half)
	if (north-south+1)*(east-west+1) > maxCells {
		return [][]byte{{byte(byCell), keyNowhere}}
	}
	var keys [][]byte
	for lat := south; lat <= north; lat++ {
		for lon := west; lon <= east; lon++ {
			keys = append(keys, cellKey(nil, lat, lon))
		}
	}
	return keys
}

const earthKm = 6371

// has says whether a place is within the circle, by the haversine formula.
func (c *Circle) has(lat, lon float64) bool {
	const radian = math.Pi / 180
	a, b := math.Sin((lat-c.Lat)*radian/2), math.Sin((lon-c.Lon)*radian/2)
	h := a*a + math.Cos(lat*radian)*math.Cos(c.Lat*radian)*b*b
	return 2*earthKm*math.Asin(math.Sqrt(min(1, h))) <= c.Km
}
