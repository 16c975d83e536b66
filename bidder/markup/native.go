package markup

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/bidder/notice"
)

// Numbers of the native specification.
const (
	eventImpression = 1
	eventViewable   = 2 // of the Media Rating Council, half of it for a second
	methodImage     = 1

	imageIcon = 1
	imageLogo = 2
)

// AppendNative appends the answer to a native request: the parts that it asks for, with its ids.
// The imp's Native and the creative's must be there. A part that must be there and is not is an
// error.
func (m *Maker) AppendNative(dst []byte, ad *Ad) ([]byte, error) {
	if err := checkTrackers(ad); err != nil {
		return dst, err
	}
	n := ad.Imp.Native
	version := n.Version
	if version != "1.0" && version != "1.1" {
		version = "1.2"
	}
	if n.Wrapped {
		dst = append(dst, `{"native":`...)
	}
	dst = append(dst, '{')
	if version != "1.0" { // where it is another kind of value
		dst = append(append(append(dst, `"ver":"`...), version...), `",`...)
	}
	dst = append(dst, `"assets":[`...)
	from := len(dst)
	for i := range n.Assets {
		a := &n.Assets[i]
		before := len(dst)
		if len(dst) > from {
			dst = append(dst, ',')
		}
		var ok bool
		if dst, ok = m.appendAsset(dst, ad, a, version); !ok {
			if a.Required {
				return dst, unfit("it has nothing for the asset %d, which is required", a.ID)
			}
			dst = dst[:before]
		}
	}
	dst, err := m.appendLink(append(dst, ']'), ad)
	if err != nil {
		return dst, err
	}
	dst = m.appendNativeTrackers(dst, ad, version)
	dst = append(dst, '}')
	if n.Wrapped {
		dst = append(dst, '}')
	}
	return dst, nil
}

// appendAsset appends the creative's part for an asset, or returns false when it has none that
// fits.
func (m *Maker) appendAsset(dst []byte, ad *Ad, a *auction.Asset, version string) ([]byte, bool) {
	dst = strconv.AppendInt(append(dst, `{"id":`...), int64(a.ID), 10)
	c := ad.Creative.Native
	switch a.Kind {
	case auction.AssetTitle:
		dst = append(dst, `,"title":{"text":`...)
		dst = appendJSON(dst, cutTo(c.Title, a.Length))
		return append(dst, `}}`...), c.Title != ""
	case auction.AssetData:
		text := dataOf(ad, a.Type)
		dst = append(dst, `,"data":{`...)
		if version == "1.2" && a.Type > 0 {
			dst = append(strconv.AppendInt(append(dst, `"type":`...), int64(a.Type), 10), ',')
		}
		dst = appendJSON(append(dst, `"value":`...), cutTo(text, a.Length))
		return append(dst, `}}`...), text != ""
	case auction.AssetImage:
		img, ok := imageOf(c, a, ad.Imp.Secure)
		if !ok {
			return dst, false
		}
		dst = append(dst, `,"img":{`...)
		if version == "1.2" && a.Type > 0 {
			dst = append(strconv.AppendInt(append(dst, `"type":`...), int64(a.Type), 10), ',')
		}
		dst = appendJSON(append(dst, `"url":`...), string(m.link(nil, ad, img.URL)))
		if img.W > 0 && img.H > 0 {
			dst = strconv.AppendInt(append(dst, `,"w":`...), int64(img.W), 10)
			dst = strconv.AppendInt(append(dst, `,"h":`...), int64(img.H), 10)
		}
		return append(dst, `}}`...), true
	}
	return dst, false
}

// dataOf is the text for a type of the specification's list of data assets.
func dataOf(ad *Ad, kind int) string {
	c := ad.Creative.Native
	switch kind {
	case 1:
		return c.Sponsored
	case 2, 10:
		return c.Body
	case 3:
		return c.Rating
	case 6, 7:
		return c.Price
	case 11:
		return ad.Domain
	case 12:
		return c.CTA
	}
	return ""
}

// imageOf is the image for an asset, if it fits.
func imageOf(c *campaign.NativeCreative, a *auction.Asset, secure bool) (*campaign.Image, bool) {
	candidates := []*campaign.Image{&c.Main}
	switch a.Type {
	case imageIcon:
		candidates = []*campaign.Image{&c.Icon, &c.Logo}
	case imageLogo:
		candidates = []*campaign.Image{&c.Logo, &c.Icon}
	}
	for _, img := range candidates {
		if img.URL != "" && loads(img.URL, secure) == "" && sizeFits(img, a) && takes(a.MIMEs, imageType(img.URL)) {
			return img, true
		}
	}
	return nil, false
}

// sizeFits says whether an image has the size that an asset wants: at least the least one, else the
// wanted one, or a larger one of the same shape.
func sizeFits(img *campaign.Image, a *auction.Asset) bool {
	if a.MinW > 0 || a.MinH > 0 {
		return img.W >= a.MinW && img.H >= a.MinH
	}
	if img.W < a.W || img.H < a.H {
		return false
	}
	if a.W == 0 || a.H == 0 {
		return true
	}
	wide, high := img.W*a.H, img.H*a.W // equal when the shapes are
	return 50*max(wide, high) <= 51*min(wide, high)
}

// cutTo cuts a text to so many characters; 0 is no bound.
func cutTo(s string, characters int) string {
	if characters <= 0 || utf8.RuneCountInString(s) <= characters {
		return s
	}
	for i := range s {
		if characters--; characters < 0 {
			return strings.TrimRight(s[:i], " ")
		}
	}
	return s
}

// appendLink appends the link. A landing that no redirect leads to, as into an app, is opened by
// the page itself, and the click is counted beside it.
func (m *Maker) appendLink(dst []byte, ad *Ad) ([]byte, error) {
	target, err := m.landing(ad)
	if err == nil {
		c := &click{ad: ad, target: target}
		dst = appendJSON(append(dst, `,"link":{"url":`...), string(c.url(m)))
		return append(dst, '}'), nil
	}
	if !isDeepLink(ad.Creative.Landing) {
		return dst, err
	}
	dst = appendJSON(append(dst, `,"link":{"url":`...), string(m.link(nil, ad, ad.Creative.Landing)))
	c := &click{ad: ad}
	dst = appendJSON(append(dst, `,"clicktrackers":[`...), string(c.plain(m)))
	return append(dst, `]}`...), nil
}

// isDeepLink says whether a URL leads into an app, such as market://details?id=x. Scripts and data
// do not.
func isDeepLink(url string) bool {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok || rest == "" || len(url) > maxURL || strings.Trim(strings.ToLower(scheme), "abcdefghijklmnopqrstuvwxyz0123456789+-.") != "" {
		return false
	}
	return !slices.Contains([]string{"http", "https", "javascript", "data", "vbscript", "file", "about", "blob"}, strings.ToLower(scheme))
}

// appendNativeTrackers appends our pixels and the creative's, as eventtrackers where the page can
// call them, else as imptrackers. Viewability is told where the page can.
func (m *Maker) appendNativeTrackers(dst []byte, ad *Ad, version string) []byte {
	n := ad.Imp.Native
	can := func(event int) bool {
		return version == "1.2" && slices.ContainsFunc(n.Trackers, func(t auction.Tracker) bool { return t.Event == event && slices.Contains(t.Methods, methodImage) })
	}
	urls := [][]byte{m.links.Append(nil, notice.Impression, &ad.Bid)}
	for _, tracker := range ad.Creative.Trackers {
		urls = append(urls, m.link(nil, ad, tracker))
	}
	impressions, viewable := can(eventImpression), can(eventViewable)
	if !impressions {
		dst = append(dst, `,"imptrackers":`...)
		for i, url := range urls {
			dst = appendJSON(append(dst, "[,"[min(i, 1)]), string(url))
		}
		dst = append(dst, ']')
		urls = nil
	}
	if impressions || viewable {
		dst = append(dst, `,"eventtrackers":[`...)
		for _, url := range urls {
			dst = append(appendTracker(dst, eventImpression, url), ',')
		}
		if viewable {
			dst = append(appendTracker(dst, eventViewable, m.links.AppendProgress(nil, &ad.Bid, "viewable")), ',')
		}
		dst = append(dst[:len(dst)-1], ']')
	}
	return dst
}

func appendTracker(dst []byte, event int, url []byte) []byte {
	dst = strconv.AppendInt(append(dst, `{"event":`...), int64(event), 10)
	dst = strconv.AppendInt(append(dst, `,"method":`...), methodImage, 10)
	dst = appendJSON(append(dst, `,"url":`...), string(url))
	return append(dst, '}')
}
