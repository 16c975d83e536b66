package campaign

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
)

// testNow is a Sunday, 23:30 UTC.
var testNow = event.TimeOf(time.Date(2026, 11, 29, 23, 30, 0, 0, time.UTC))

var testObjectives = []string{"click", "conversion"}

// random makes campaigns and requests of few values, so that they meet, with the edges of each.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 13))} }

func (r random) one(of ...string) string { return of[r.IntN(len(of))] }

// some is a list of up to most elements, often none, sometimes with one twice.
func some[T any](r random, chance float64, most int, of []T) []T {
	if r.Float64() > chance {
		return nil
	}
	var all []T
	for range r.IntN(most + 1) {
		all = append(all, of[r.IntN(len(of))])
	}
	return all
}

// anyCase changes the case of letters.
func (r random) anyCase(list []string) []string {
	var all []string
	for _, s := range list {
		switch r.IntN(3) {
		case 0:
			s = strings.ToUpper(s)
		case 1:
			s = strings.ToLower(s)
		}
		all = append(all, s)
	}
	return all
}

func (r random) match(chance float64, of []string) Match {
	return Match{r.anyCase(some(r, chance, 3, of)), r.anyCase(some(r, chance/2, 2, of))}
}

func (r random) numbers(chance float64, of []int) MatchNumbers {
	return MatchNumbers{some(r, chance, 3, of), some(r, chance/2, 2, of)}
}

var (
	someCountries  = []string{"USA", "DEU", "FRA", "ÅLA"}
	someRegions    = []string{"CA", "BY", "b-y"}
	someCities     = []string{"München", "Ulm", "İzmir", "straße"}
	someMetros     = []string{"501", "803"}
	someOS         = []string{"iOS", "Android", "Windows"}
	someLanguages  = []string{"en", "en-GB", "en_us", "de", "de-AT-x"}
	someSites      = []string{"example.com", "news.example.com", "ample.com", "shop.org", "com", "www.shop.org"}
	someDomains    = []string{"example.com", "news.example.com", "a.news.example.com", "ample.com", "shop.org", "x.shop.org", "sample.com", "org", ""}
	someApps       = []string{"com.game", "com.game.two", "123456"}
	somePublishers = []string{"p1", "P2", "p"}
	someCategories = []string{"IAB1", "IAB1-2", "IAB1-2-3", "IAB10", "IAB2", "iab2-1"}
	someSegments   = []string{"acme/sports", "sports", "cars", "acme/7"}
	someDeals      = []string{"d1", "D2", "d3", "d"}
	someSeats      = []string{"", "s1", "S1", "s2"}
	someSizes      = []auction.Size{{W: 300, H: 250}, {W: 728, H: 90}, {W: 320, H: 50}, {W: 250, H: 300}}
	someMIMEs      = []string{"text/html", "image/jpeg", "image/jpg", "IMAGE/PNG", "image/gif"}
	someFiles      = []string{"video/mp4", "video/webm", "audio/mp3"}
	someNumbers    = []int{0, 1, 2, 3, 4, 16}
)

func (r random) campaign(id string) *Campaign {
	c := &Campaign{ID: id, Paused: r.IntN(20) == 0, Budget: Budget{Pacing: PacingEven, Zone: time.UTC}, Bid: Bid{Strategy: StrategyCPM, CPM: 1}}
	c.Advertiser = Advertiser{ID: "a", Domain: r.one("brand.com", "shop.brand.com", "x.shop.brand.com", "rand.com", "other.org"),
		Categories: some(r, 0.7, 3, someCategories), Seat: r.one(someSeats...)}
	c.Bundle = r.one("", "", "com.brand", "COM.other")
	c.Start, c.End = r.edge(-1, 4), r.edge(1, 4)
	if r.IntN(3) == 0 {
		c.Caps = []Cap{{Impressions: 3, Window: time.Hour}}
	}
	c.Targeting = r.targeting()
	for i := range 1 + r.IntN(4) {
		c.Creatives = append(c.Creatives, r.creative(fmt.Sprintf("%s-%d", id, i)))
	}
	return c
}

// edge is no time, now, or a time near it.
func (r random) edge(sign event.Time, of int) event.Time {
	switch r.IntN(of) {
	case 0:
		return testNow + sign*event.Time(r.IntN(3)-1)
	case 1:
		return testNow - sign*3_600_000
	case 2:
		return testNow + sign*3_600_000
	}
	return 0
}

// targeting constrains few dimensions, so that something matches.
func (r random) targeting() Targeting {
	p := 0.12
	if r.IntN(5) == 0 {
		p = 0.5
	}
	t := Targeting{
		Countries: r.match(2*p, someCountries), Regions: r.match(p, someRegions), Cities: r.match(p, someCities), Metros: r.match(p, someMetros),
		DeviceTypes: r.numbers(p, someNumbers), OS: r.match(p, someOS), Languages: r.match(p, someLanguages), Sites: r.match(p, someSites),
		Apps: r.match(p, someApps), Publishers: r.match(p, somePublishers), Categories: r.match(p, someCategories), Segments: r.match(p, someSegments),
		Deals: r.match(p, someDeals), Positions: r.numbers(p, someNumbers),
		Formats: some(r, p, 3, []auction.Format{auction.FormatBanner, auction.FormatVideo, auction.FormatAudio, auction.FormatNative}),
	}
	if r.Float64() < p {
		for range 1 + r.IntN(2) {
			t.Geo = append(t.Geo, r.circle())
		}
	}
	if r.Float64() < 2*p {
		from := r.IntN(24)
		t.Hours = append(t.Hours, Hours{Days: some(r, 0.5, 3, []int{0, 1, 6, 5}), From: from, To: from + 1 + r.IntN(24-from)}, Hours{From: 22, To: 24})
		t.Hours = t.Hours[r.IntN(2):]
	}
	return t
}

// circle is of any width, often around a pole or the edge of the map.
func (r random) circle() Circle {
	return Circle{Lat: r.coordinate(90), Lon: r.coordinate(180), Km: []float64{0.001, 5, 60, 500, 3000, 20_000}[r.IntN(6)]}
}

// coordinate is one of few values, at the edges or in between.
func (r random) coordinate(most float64) float64 {
	return most * []float64{-1, -0.999, -0.5, 0, 0.2667, 0.5, 0.999, 1}[r.IntN(8)]
}

func (r random) creative(id string) Creative {
	cr := Creative{ID: id, Landing: "https://x.com", Secure: r.IntN(3) > 0, Attributes: some(r, 0.4, 2, someNumbers[1:])}
	mimes := []string{"image/jpeg", "image/png", "image/gif"}
	files := func() (all []MediaFile) {
		for range 1 + r.IntN(3) {
			all = append(all, MediaFile{URL: "https://x.com/f", MIME: someFiles[r.IntN(3)], Bitrate: r.IntN(3) * 500})
		}
		return all
	}
	length := []time.Duration{15 * time.Second, 15499 * time.Millisecond, 15500 * time.Millisecond, 30 * time.Second, 29600 * time.Millisecond}[r.IntN(5)]
	switch r.IntN(6) {
	case 0:
		cr.Video = &VideoCreative{Duration: length, W: 640, H: 360, Files: files(), Protocol: []int{0, 2, 3}[r.IntN(3)], APIs: some(r, 0.3, 2, someNumbers[1:])}
		if r.IntN(3) == 0 {
			cr.Video.SkipAfter = 5 * time.Second
		}
	case 1:
		cr.Audio = &AudioCreative{Duration: length, Files: files(), Protocol: []int{0, 2, 3}[r.IntN(3)]}
	case 2:
		image := func() Image {
			if r.IntN(3) == 0 {
				return Image{}
			}
			return Image{URL: "https://x.com/i", W: 100 * (1 + r.IntN(2)), H: 100 * (1 + r.IntN(2)), MIME: mimes[r.IntN(3)]}
		}
		cr.Native = &NativeCreative{Title: r.one("Schöne Schuhe", "Hi"), Body: r.one("", "text"), CTA: r.one("", "Buy"), Sponsored: r.one("", "Brand"),
			Rating: r.one("", "4"), Price: r.one("", "9"), Icon: image(), Main: image(), Logo: image()}
	default:
		size := someSizes[r.IntN(4)]
		cr.Banner = &BannerCreative{W: size.W, H: size.H, Type: 1 + r.IntN(4), APIs: some(r, 0.3, 2, someNumbers[1:])}
		if r.IntN(2) == 0 {
			cr.Banner.Image, cr.Banner.MIME = "https://x.com/i", mimes[r.IntN(3)]
		} else {
			cr.Banner.HTML = "<b>hi</b>"
		}
	}
	return cr
}

func (r random) request(id string) *auction.Request {
	q := &auction.Request{ID: id, CategoryTaxonomy: 1}
	if r.IntN(30) == 0 {
		q.CategoryTaxonomy = r.IntN(8)
	}
	q.BlockedCategories = r.anyCase(some(r, 0.2, 2, someCategories))
	q.BlockedAdvertisers = some(r, 0.2, 2, []string{"brand.com", "shop.brand.com", "com", "rand.com", "and.com", "x.other.org"})
	q.BlockedApps = some(r, 0.2, 2, []string{"com.brand", "com.other", "com"})
	q.Seats, q.BlockedSeats = some(r, 0.2, 3, someSeats), some(r, 0.2, 1, someSeats)
	q.Place = auction.Place{Kind: auction.Kind(r.IntN(4)), Domain: r.one(someDomains...), Bundle: r.one("", "com.game", "COM.GAME.two", "123456"),
		Publisher: r.one("", "p1", "p2", "P"), Categories: r.anyCase(some(r, 0.7, 3, someCategories))}
	q.Device = auction.Device{Type: someNumbers[r.IntN(6)], OS: r.one("", "ios", "Android", "WINDOWS"), Language: r.one("", "EN", "en-gb", "en-US", "de-at", "d"),
		Country: r.one("", "USA", "DEU", "FRA", "åla"), Region: r.one("", "CA", "by", "B-Y"), Metro: r.one("", "501", "803"),
		City: r.one("", "MÜNCHEN", "ulm", "i̇zmir", "STRASSE", "Straße"), Zoned: r.IntN(2) == 0, UTCOffset: []int{-720, -30, 0, 29, 30, 840}[r.IntN(6)]}
	if r.IntN(3) > 0 {
		q.Device.Located, q.Device.Lat, q.Device.Lon = true, r.coordinate(90), r.coordinate(180)
	}
	if r.IntN(3) > 0 {
		q.User = auction.User{ID: "u", Segments: some(r, 0.7, 4, someSegments)}
	}
	for i := range 1 + r.IntN(2) {
		q.Imps = append(q.Imps, r.imp(i))
	}
	return q
}

func (r random) imp(i int) auction.Imp {
	m := auction.Imp{ID: fmt.Sprint(i), Index: i, Secure: r.IntN(3) == 0, DealOnly: r.IntN(8) == 0}
	for range r.IntN(3) * r.IntN(3) {
		m.Deals = append(m.Deals, auction.Deal{ID: r.one("d1", "d2", "D3", "d", "d9"), Floor: float64(r.IntN(3)), FloorCur: r.one("", "USD", "EUR"),
			Seats: some(r, 0.3, 2, someSeats), AdvertiserDomains: some(r, 0.3, 2, []string{"brand.com", "shop.brand.com", "other.org"})})
	}
	blocked := func() []int { return some(r, 0.3, 2, someNumbers) }
	apis := func() []int { return slices.Concat(some(r, 0.6, 6, someNumbers), some(r, 0.6, 6, someNumbers)) }
	bound := func() (least, most int) { return []int{0, 15, 16}[r.IntN(3)], []int{0, 15, 16, 30}[r.IntN(4)] }
	if r.IntN(3) > 0 {
		m.Banner = &auction.Banner{Sizes: some(r, 0.8, 4, someSizes), BlockedTypes: blocked(), BlockedAttributes: blocked(), MIMEs: some(r, 0.4, 4, someMIMEs),
			APIs: apis(), Position: someNumbers[r.IntN(5)]}
	}
	if r.IntN(3) == 0 {
		m.Video = &auction.Video{MIMEs: some(r, 0.6, 3, someFiles), Durations: some(r, 0.2, 2, []int{15, 16, 30}), Protocols: some(r, 0.5, 3, someNumbers),
			Linearity: r.IntN(3), BlockedAttributes: blocked(), APIs: apis(), Position: someNumbers[r.IntN(5)]}
		m.Video.MinDuration, m.Video.MaxDuration = bound()
		m.Video.MinBitrate, m.Video.MaxBitrate = r.IntN(3)*500, r.IntN(3)*500
	}
	if r.IntN(4) == 0 {
		m.Audio = &auction.Audio{MIMEs: some(r, 0.6, 3, someFiles), Durations: some(r, 0.2, 2, []int{15, 16, 30}), Protocols: some(r, 0.5, 3, someNumbers), BlockedAttributes: blocked()}
		m.Audio.MinDuration, m.Audio.MaxDuration = bound()
		m.Audio.MinBitrate, m.Audio.MaxBitrate = r.IntN(3)*500, r.IntN(3)*500
	}
	if r.IntN(3) == 0 || m.Banner == nil && m.Video == nil && m.Audio == nil {
		m.Native = &auction.Native{BlockedAttributes: blocked()}
		for range r.IntN(4) {
			m.Native.Assets = append(m.Native.Assets, r.asset())
		}
	}
	return m
}

func (r random) asset() auction.Asset {
	side := func() int { return 100 * r.IntN(3) * r.IntN(2) }
	a := auction.Asset{Required: r.IntN(3) > 0, Kind: auction.AssetKind(r.IntN(5)), Length: []int{0, 1, 2, 4, 13, 90}[r.IntN(6)]}
	switch a.Kind {
	case auction.AssetImage:
		a.Type, a.W, a.H, a.MinW, a.MinH = r.IntN(4), side(), side(), side(), side()
		a.MIMEs = some(r, 0.3, 3, someMIMEs)
	case auction.AssetData:
		a.Type = []int{1, 2, 3, 6, 12, 4}[r.IntN(6)]
	case auction.AssetVideo:
		a.Required = r.IntN(6) == 0
	case auction.AssetUnknown:
		a.Required = r.IntN(6) == 0
	}
	return a
}
