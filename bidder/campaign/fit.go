package campaign

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clickloop/clickloop/bidder/auction"
)

// What the index does not tell of a campaign is looked at here, campaign by campaign.

// Of OpenRTB's lists.
const (
	attributeSkippable = 16
	linearityOverlay   = 2

	imageIcon = 1
	imageLogo = 2

	dataSponsored = 1
	dataBody      = 2
	dataRating    = 3
	dataPrice     = 6
	dataCTA       = 12
)

// wholeSeconds is a duration as places for videos state theirs.
func wholeSeconds(d time.Duration) int { return int(d.Round(time.Second) / time.Second) }

// candidates appends the campaign's creatives that may be shown, while dst has less than most. It
// says whether there would be more.
func (e *entry) candidates(dst []Candidate, a *auctionAt, most int, first uint32) (out []Candidate, more bool) {
	if !e.near(&a.q.Device) {
		return dst, false
	}
	deal, ok := e.deal(a.m)
	if !ok {
		return dst, false
	}
	n := len(e.campaign.Creatives)
	for i := range n {
		at := (int(first%uint32(n)) + i) % n
		if !e.fits(at, a.m) {
			continue
		}
		if len(dst) == most {
			return dst, true
		}
		cr := &e.campaign.Creatives[at]
		dst = append(dst, Candidate{Campaign: e.campaign, Creative: cr, Format: cr.Format(), Size: cr.size(), Deal: deal})
	}
	return dst, false
}

func (cr *Creative) size() auction.Size {
	switch {
	case cr.Banner != nil:
		return auction.Size{W: cr.Banner.W, H: cr.Banner.H}
	case cr.Video != nil:
		return auction.Size{W: cr.Video.W, H: cr.Video.H}
	}
	return auction.Size{}
}

// near says whether the device is within one of the campaign's circles.
func (e *entry) near(d *auction.Device) bool {
	circles := e.campaign.Targeting.Geo
	if len(circles) == 0 {
		return true
	}
	if !d.Located {
		return false
	}
	for i := range circles {
		if circles[i].has(d.Lat, d.Lon) {
			return true
		}
	}
	return false
}

// deal is the deal with which the campaign bids, nil for none. A campaign that names no deal takes
// one only where nothing else is sold, since a deal is an agreement about a price. Of several it is
// the one of the lowest floor, among those in the currency of the first.
func (e *entry) deal(m *auction.Imp) (deal *auction.Deal, ok bool) {
	if len(e.deals.Allow) == 0 && !m.DealOnly {
		return nil, true
	}
	for i := range m.Deals {
		d := &m.Deals[i]
		if !e.mayUse(d) {
			continue
		}
		if deal == nil || currency(d) == currency(deal) && d.Floor < deal.Floor {
			deal = d
		}
	}
	return deal, deal != nil
}

func currency(d *auction.Deal) string {
	if d.FloorCur == "" {
		return "USD"
	}
	return d.FloorCur
}

func (e *entry) mayUse(d *auction.Deal) bool {
	is := func(folded string) bool { return sameFolded(folded, d.ID) }
	if len(e.deals.Allow) > 0 && !slices.ContainsFunc(e.deals.Allow, is) || slices.ContainsFunc(e.deals.Block, is) {
		return false
	}
	if len(d.Seats) > 0 && !slices.Contains(d.Seats, e.seat) {
		return false
	}
	if len(d.AdvertiserDomains) == 0 {
		return true
	}
	for _, domain := range d.AdvertiserDomains {
		if within(e.campaign.Advertiser.Domain, domain) {
			return true
		}
	}
	return false
}

// fits says whether an imp takes a creative.
func (e *entry) fits(i int, m *auction.Imp) bool {
	cr := &e.campaign.Creatives[i]
	if m.Secure && !cr.Secure || !e.campaign.takes(cr.Format()) {
		return false
	}
	switch {
	case cr.Banner != nil:
		return m.Banner != nil && e.placed(m.Banner.Position) && e.fitsBanner(i, m.Banner)
	case cr.Video != nil:
		return m.Video != nil && e.placed(m.Video.Position) && e.fitsVideo(i, m.Video)
	case cr.Audio != nil:
		return m.Audio != nil && e.placed(0) && e.fitsAudio(i, m.Audio)
	case cr.Native != nil:
		return m.Native != nil && e.placed(0) && e.fitsNative(i, m.Native)
	}
	return false
}

func (e *entry) placed(position int) bool {
	p := &e.campaign.Targeting.Positions
	return (len(p.Allow) == 0 || slices.Contains(p.Allow, position)) && !slices.Contains(p.Block, position)
}

func (e *entry) fitsBanner(i int, b *auction.Banner) bool {
	own := e.campaign.Creatives[i].Banner
	if len(b.Sizes) > 0 && !slices.Contains(b.Sizes, auction.Size{W: own.W, H: own.H}) {
		return false
	}
	mime := own.MIME
	if mime == "" {
		mime = "text/html"
	}
	return !slices.Contains(b.BlockedTypes, own.Type) && disjoint(e.attributes[i], b.BlockedAttributes) && takesMIME(b.MIMEs, mime) && hasAll(b.APIs, own.APIs)
}

func (e *entry) fitsVideo(i int, v *auction.Video) bool {
	own := e.campaign.Creatives[i].Video
	return v.Linearity != linearityOverlay &&
		lasts(e.seconds[i], v.MinDuration, v.MaxDuration, v.Durations) &&
		takesProtocol(v.Protocols, own.Protocol) &&
		disjoint(e.attributes[i], v.BlockedAttributes) && hasAll(v.APIs, own.APIs) &&
		hasFile(own.Files, v.MIMEs, v.MinBitrate, v.MaxBitrate)
}

func (e *entry) fitsAudio(i int, a *auction.Audio) bool {
	own := e.campaign.Creatives[i].Audio
	return lasts(e.seconds[i], a.MinDuration, a.MaxDuration, a.Durations) &&
		takesProtocol(a.Protocols, own.Protocol) &&
		disjoint(e.attributes[i], a.BlockedAttributes) && hasFile(own.Files, a.MIMEs, a.MinBitrate, a.MaxBitrate)
}

// lasts says whether a duration is one of those that a place takes, or within its bounds where it
// lists none.
func lasts(seconds, least, most int, only []int) bool {
	if len(only) > 0 {
		return slices.Contains(only, seconds)
	}
	return seconds >= least && (most == 0 || seconds <= most)
}

// takesProtocol says whether a place takes a version of VAST, or any where the creative names none.
func takesProtocol(list []int, own int) bool {
	if own == 0 {
		return len(list) == 0 || !disjoint(list, protocols)
	}
	return len(list) == 0 || slices.Contains(list, own)
}

// hasFile says whether one of the files can be played.
func hasFile(files []MediaFile, mimes []string, least, most int) bool {
	for i := range files {
		rate := files[i].Bitrate
		if takesMIME(mimes, files[i].MIME) && (rate == 0 || rate >= least && (most == 0 || rate <= most)) {
			return true
		}
	}
	return false
}

// takesMIME says whether a type is one of a list; an empty list takes all.
func takesMIME(list []string, mime string) bool {
	if len(list) == 0 {
		return true
	}
	for _, s := range list {
		if sameFolded(mime, s) || mime == "image/jpeg" && strings.EqualFold(s, "image/jpg") {
			return true
		}
	}
	return false
}

func disjoint(a, b []int) bool {
	for _, x := range a {
		if slices.Contains(b, x) {
			return false
		}
	}
	return true
}

func hasAll(list, needed []int) bool {
	for _, x := range needed {
		if !slices.Contains(list, x) {
			return false
		}
	}
	return true
}

// fitsNative says whether the creative has every part that the page requires.
func (e *entry) fitsNative(i int, n *auction.Native) bool {
	own := e.campaign.Creatives[i].Native
	if !disjoint(e.attributes[i], n.BlockedAttributes) {
		return false
	}
	for j := range n.Assets {
		if a := &n.Assets[j]; a.Required && !own.Fills(a) {
			return false
		}
	}
	return true
}

// Fills says whether the creative has a part that fits an asset.
func (n *NativeCreative) Fills(a *auction.Asset) bool {
	switch a.Kind {
	case auction.AssetTitle:
		return hasText(n.Title, a.Length)
	case auction.AssetImage:
		return n.image(a.Type).fits(a)
	case auction.AssetData:
		return hasText(n.data(a.Type), a.Length)
	}
	return false
}

func hasText(s string, most int) bool {
	return s != "" && (most == 0 || utf8.RuneCountInString(s) <= most)
}

// image is the picture of a type; every type but icon and logo is the main one.
func (n *NativeCreative) image(kind int) *Image {
	switch kind {
	case imageIcon:
		return &n.Icon
	case imageLogo:
		return &n.Logo
	}
	return &n.Main
}

func (n *NativeCreative) data(kind int) string {
	switch kind {
	case dataSponsored:
		return n.Sponsored
	case dataBody:
		return n.Body
	case dataRating:
		return n.Rating
	case dataPrice:
		return n.Price
	case dataCTA:
		return n.CTA
	}
	return ""
}

// fits says whether an image suits an asset. A least side allows larger ones; otherwise the side
// must be the one that is wanted, as the specification has it.
func (i *Image) fits(a *auction.Asset) bool {
	return i.URL != "" && sideFits(i.W, a.W, a.MinW) && sideFits(i.H, a.H, a.MinH) && takesMIME(a.MIMEs, i.MIME)
}

func sideFits(n, wanted, least int) bool {
	if least > 0 {
		return n >= least
	}
	return wanted == 0 || n == wanted
}
