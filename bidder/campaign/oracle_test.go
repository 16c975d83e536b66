package campaign

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
)

// oracle says by the definitions, one after the other, whether a creative may be shown. It shares
// no code with Match.
type oracle struct {
	seat     string
	uncapped bool
	q        *auction.Request
	m        *auction.Imp
	now      event.Time
}

// matches returns the candidates among all campaigns as texts, sorted.
func (o oracle) matches(all []*Campaign) []string {
	var out []string
	for _, c := range all {
		deal, ok := o.deal(c)
		if !ok || !o.campaign(c) {
			continue
		}
		for i := range c.Creatives {
			if o.creative(c, &c.Creatives[i]) {
				out = append(out, fmt.Sprint(c.Creatives[i].ID, " ", deal))
			}
		}
	}
	slices.Sort(out)
	return out
}

// equalTexts compares in lower case, which is not quite what strings.EqualFold does.
func equalTexts(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	return a == b
}

// allowed applies an allow and a block list. is says whether the request has a value of a list.
func allowed(m Match, is func(listed string) bool) bool {
	if slices.ContainsFunc(m.Block, is) {
		return false
	}
	return len(m.Allow) == 0 || slices.ContainsFunc(m.Allow, is)
}

// below says whether a name is one that is listed or stands below it in a tree of names.
func below(name, listed, separator string) bool {
	return name != "" && (equalTexts(name, listed) || strings.HasPrefix(strings.ToLower(name), strings.ToLower(listed)+separator))
}

func subdomain(domain, of string) bool {
	return domain != "" && (equalTexts(domain, of) || strings.HasSuffix(strings.ToLower(domain), "."+strings.ToLower(of)))
}

func (o oracle) seatOf(c *Campaign) string {
	if c.Advertiser.Seat == "" {
		return o.seat
	}
	return c.Advertiser.Seat
}

func (o oracle) campaign(c *Campaign) bool {
	if c.Paused || c.Start != 0 && o.now < c.Start || c.End != 0 && o.now >= c.End {
		return false
	}
	if len(c.Caps) > 0 && o.q.User.ID == "" && !o.uncapped {
		return false
	}
	return !o.blocked(c) && o.targeted(&c.Targeting) && o.timed(c.Targeting.Hours) && o.near(c.Targeting.Geo)
}

func (o oracle) blocked(c *Campaign) bool {
	q := o.q
	seat := o.seatOf(c)
	if len(q.Seats) > 0 && !slices.Contains(q.Seats, seat) || slices.Contains(q.BlockedSeats, seat) {
		return true
	}
	for _, blocked := range q.BlockedAdvertisers {
		if subdomain(c.Advertiser.Domain, blocked) {
			return true
		}
	}
	for _, bundle := range q.BlockedApps {
		if c.Bundle != "" && equalTexts(c.Bundle, bundle) {
			return true
		}
	}
	if len(q.BlockedCategories) > 0 && q.CategoryTaxonomy != 0 && q.CategoryTaxonomy != 1 {
		return true
	}
	for _, blocked := range q.BlockedCategories {
		for _, own := range c.Advertiser.Categories {
			if below(own, blocked, "-") {
				return true
			}
		}
	}
	return false
}

func (o oracle) targeted(t *Targeting) bool {
	d, p := &o.q.Device, &o.q.Place
	for _, one := range []struct {
		Match
		value string
	}{{t.Countries, d.Country}, {t.Regions, d.Region}, {t.Cities, d.City}, {t.Metros, d.Metro}, {t.OS, d.OS}, {t.Publishers, p.Publisher}} {
		if !allowed(one.Match, func(s string) bool { return one.value != "" && equalTexts(one.value, s) }) {
			return false
		}
	}
	dash := strings.NewReplacer("_", "-")
	if !allowed(t.Languages, func(s string) bool { return below(dash.Replace(d.Language), dash.Replace(s), "-") }) {
		return false
	}
	if !allowed(t.Categories, func(s string) bool {
		return slices.ContainsFunc(p.Categories, func(own string) bool { return below(own, s, "-") })
	}) {
		return false
	}
	if !allowed(t.Segments, func(s string) bool {
		return slices.ContainsFunc(o.q.User.Segments, func(own string) bool { return equalTexts(own, s) })
	}) {
		return false
	}
	if slices.Contains(t.DeviceTypes.Block, d.Type) || len(t.DeviceTypes.Allow) > 0 && !slices.Contains(t.DeviceTypes.Allow, d.Type) {
		return false
	}
	isSite := func(s string) bool { return subdomain(p.Domain, strings.TrimPrefix(strings.ToLower(s), "www.")) }
	isApp := func(s string) bool { return p.Bundle != "" && equalTexts(p.Bundle, s) }
	if slices.ContainsFunc(t.Sites.Block, isSite) || slices.ContainsFunc(t.Apps.Block, isApp) {
		return false
	}
	if len(t.Sites.Allow)+len(t.Apps.Allow) == 0 {
		return true
	}
	return slices.ContainsFunc(t.Sites.Allow, isSite) || slices.ContainsFunc(t.Apps.Allow, isApp)
}

func (o oracle) timed(hours []Hours) bool {
	offset := 0
	if o.q.Device.Zoned {
		offset = o.q.Device.UTCOffset
	}
	local := o.now.Std().Add(time.Duration(offset) * time.Minute)
	for _, h := range hours {
		if (len(h.Days) == 0 || slices.Contains(h.Days, int(local.Weekday()))) && local.Hour() >= h.From && local.Hour() < h.To {
			return true
		}
	}
	return len(hours) == 0
}

// near measures the angle between two places by their vectors.
func (o oracle) near(circles []Circle) bool {
	vector := func(lat, lon float64) [3]float64 {
		lat, lon = lat*math.Pi/180, lon*math.Pi/180
		return [3]float64{math.Cos(lat) * math.Cos(lon), math.Cos(lat) * math.Sin(lon), math.Sin(lat)}
	}
	for _, c := range circles {
		if !o.q.Device.Located {
			return false
		}
		a, b := vector(c.Lat, c.Lon), vector(o.q.Device.Lat, o.q.Device.Lon)
		chord := math.Sqrt((a[0]-b[0])*(a[0]-b[0]) + (a[1]-b[1])*(a[1]-b[1]) + (a[2]-b[2])*(a[2]-b[2]))
		if 2*math.Asin(min(1, chord/2))*6371 <= c.Km {
			return true
		}
	}
	return len(circles) == 0
}

func (o oracle) deal(c *Campaign) (string, bool) {
	var may []auction.Deal
	for _, d := range o.m.Deals {
		ok := allowed(c.Targeting.Deals, func(s string) bool { return equalTexts(s, d.ID) })
		ok = ok && (len(d.Seats) == 0 || slices.Contains(d.Seats, o.seatOf(c)))
		ok = ok && (len(d.AdvertiserDomains) == 0 || slices.ContainsFunc(d.AdvertiserDomains, func(s string) bool { return subdomain(c.Advertiser.Domain, s) }))
		if ok {
			may = append(may, d)
		}
	}
	if len(c.Targeting.Deals.Allow) == 0 && !o.m.DealOnly {
		return "open", true
	}
	if len(may) == 0 {
		return "", false
	}
	best := may[0]
	for _, d := range may[1:] {
		if (d.FloorCur == "EUR") == (may[0].FloorCur == "EUR") && d.Floor < best.Floor {
			best = d
		}
	}
	return fmt.Sprintf("%s %v %s", best.ID, best.Floor, best.FloorCur), true
}

func (o oracle) creative(c *Campaign, cr *Creative) bool {
	format, position := auction.FormatBanner, 0
	switch {
	case cr.Video != nil:
		format = auction.FormatVideo
	case cr.Audio != nil:
		format = auction.FormatAudio
	case cr.Native != nil:
		format = auction.FormatNative
	}
	if len(c.Targeting.Formats) > 0 && !slices.Contains(c.Targeting.Formats, format) || o.m.Secure && !cr.Secure {
		return false
	}
	fits := false
	switch {
	case cr.Banner != nil && o.m.Banner != nil:
		fits, position = o.banner(cr), o.m.Banner.Position
	case cr.Video != nil && o.m.Video != nil:
		fits, position = o.video(cr), o.m.Video.Position
	case cr.Audio != nil && o.m.Audio != nil:
		fits = o.audio(cr)
	case cr.Native != nil && o.m.Native != nil:
		fits = o.native(cr)
	}
	p := c.Targeting.Positions
	return fits && !slices.Contains(p.Block, position) && (len(p.Allow) == 0 || slices.Contains(p.Allow, position))
}

func common(a, b []int) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y {
				return true
			}
		}
	}
	return false
}

func subset(a, of []int) bool {
	for _, x := range a {
		if !common([]int{x}, of) {
			return false
		}
	}
	return true
}

func playable(mimes []string, mime string) bool {
	normal := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "image/jpg", "image/jpeg") }
	for _, s := range mimes {
		if normal(s) == normal(mime) {
			return true
		}
	}
	return len(mimes) == 0
}

func (o oracle) banner(cr *Creative) bool {
	b, own := o.m.Banner, cr.Banner
	fits := len(b.Sizes) == 0
	for _, s := range b.Sizes {
		fits = fits || s.W == own.W && s.H == own.H
	}
	mime := own.MIME
	if own.HTML != "" {
		mime = "text/html"
	}
	return fits && !common([]int{own.Type}, b.BlockedTypes) && !common(cr.Attributes, b.BlockedAttributes) && playable(b.MIMEs, mime) && subset(own.APIs, b.APIs)
}

func (o oracle) length(d time.Duration, least, most int, only []int) bool {
	seconds := int(math.Round(d.Seconds()))
	if len(only) > 0 {
		return common(only, []int{seconds})
	}
	return seconds >= least && (most == 0 || seconds <= most)
}

func (o oracle) plays(files []MediaFile, mimes []string, least, most int) bool {
	for _, f := range files {
		if playable(mimes, f.MIME) && (f.Bitrate == 0 || f.Bitrate >= least && (most == 0 || f.Bitrate <= most)) {
			return true
		}
	}
	return false
}

// protocol is true of a list without elements, and of one that has the creative's version of VAST,
// or, where it has none, one of VAST 2, 3, 4, 4.1 and 4.2.
func (o oracle) protocol(list []int, own int) bool {
	if own == 0 {
		return len(list) == 0 || common(list, []int{2, 3, 7, 11, 13})
	}
	return len(list) == 0 || common(list, []int{own})
}

func (o oracle) video(cr *Creative) bool {
	v, own := o.m.Video, cr.Video
	if v.Linearity == 2 || own.SkipAfter > 0 && slices.Contains(v.BlockedAttributes, 16) {
		return false
	}
	return o.length(own.Duration, v.MinDuration, v.MaxDuration, v.Durations) && o.protocol(v.Protocols, own.Protocol) &&
		!common(cr.Attributes, v.BlockedAttributes) && subset(own.APIs, v.APIs) && o.plays(own.Files, v.MIMEs, v.MinBitrate, v.MaxBitrate)
}

func (o oracle) audio(cr *Creative) bool {
	a, own := o.m.Audio, cr.Audio
	return o.length(own.Duration, a.MinDuration, a.MaxDuration, a.Durations) && o.protocol(a.Protocols, own.Protocol) &&
		!common(cr.Attributes, a.BlockedAttributes) && o.plays(own.Files, a.MIMEs, a.MinBitrate, a.MaxBitrate)
}

func (o oracle) native(cr *Creative) bool {
	n := cr.Native
	if common(cr.Attributes, o.m.Native.BlockedAttributes) {
		return false
	}
	for _, a := range o.m.Native.Assets {
		if !a.Required {
			continue
		}
		text, image := "", Image{}
		switch {
		case a.Kind == auction.AssetTitle:
			text = n.Title
		case a.Kind == auction.AssetData:
			text = map[int]string{1: n.Sponsored, 2: n.Body, 3: n.Rating, 6: n.Price, 12: n.CTA}[a.Type]
		case a.Kind == auction.AssetImage && a.Type == 1:
			image = n.Icon
		case a.Kind == auction.AssetImage && a.Type == 2:
			image = n.Logo
		case a.Kind == auction.AssetImage:
			image = n.Main
		}
		if a.Kind == auction.AssetImage {
			wide := a.MinW > 0 && image.W >= a.MinW || a.MinW == 0 && (a.W == 0 || a.W == image.W)
			high := a.MinH > 0 && image.H >= a.MinH || a.MinH == 0 && (a.H == 0 || a.H == image.H)
			if image.URL == "" || !wide || !high || !playable(a.MIMEs, image.MIME) {
				return false
			}
			continue
		}
		if text == "" || a.Length > 0 && len([]rune(text)) > a.Length {
			return false
		}
	}
	return true
}

// asTexts is candidates as the oracle has them.
func asTexts(all []Candidate) []string {
	var out []string
	for _, c := range all {
		deal := "open"
		if c.Deal != nil {
			deal = fmt.Sprintf("%s %v %s", c.Deal.ID, c.Deal.Floor, c.Deal.FloorCur)
		}
		out = append(out, c.Creative.ID+" "+deal)
	}
	slices.Sort(out)
	return out
}

// TestMatchesAreThoseOfAScan compares 10,000 random requests with a plain scan, over catalogues of
// which campaigns are put, changed and deleted in between.
func TestMatchesAreThoseOfAScan(t *testing.T) {
	r := newRandom(1)
	matched, requests, rounds := 0, 0, 20
	if raceEnabled {
		rounds = 5
	}
	for round := range rounds {
		cfg := Config{Seat: r.one("", "s1"), Most: 1 << 20, UncappedWithoutConsent: r.IntN(2) == 0}
		c := New(cfg)
		now := map[string]*Campaign{}
		ids, changes := 300, 40
		if round%5 == 4 { // of several pages
			ids, changes = 5000, 300
		}
		for step := range 25 {
			for range changes {
				id := fmt.Sprint("c", r.IntN(ids))
				if r.IntN(4) == 0 {
					if err := c.Change(nil, id); err != nil {
						t.Fatal(err)
					}
					delete(now, id)
					continue
				}
				now[id] = r.campaign(id)
				if err := c.Change([]*Campaign{now[id]}); err != nil {
					t.Fatal(err)
				}
			}
			var all []*Campaign
			for _, campaign := range now {
				all = append(all, campaign)
			}
			v := c.View()
			if v.Len() != len(all) {
				t.Fatalf("%d campaigns, want %d", v.Len(), len(all))
			}
			for range 20 {
				requests++
				q := r.request(fmt.Sprint("q", requests))
				at := testNow + event.Time(r.IntN(3)-1)
				for i := range q.Imps {
					o := oracle{cfg.Seat, cfg.UncappedWithoutConsent, q, &q.Imps[i], at}
					want, got := o.matches(all), asTexts(v.Match(nil, q, &q.Imps[i], at))
					if !slices.Equal(got, want) {
						t.Fatalf("round %d, step %d: request %+v\nimp %+v\nmatches %v\nwant    %v", round, step, q, q.Imps[i], got, want)
					}
					matched += len(got)
				}
			}
		}
	}
	if t.Logf("%d requests have %d matches", requests, matched); requests != 500*rounds || matched < 5*requests {
		t.Errorf("%d requests have %d matches: the random values do not meet", requests, matched)
	}
}
