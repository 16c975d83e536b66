package markup

import (
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/bidder/notice"
)

// Macros of creatives. Their values are escaped as parts of URLs. {price} becomes the macro of
// OpenRTB, which the exchange replaces. A name in braces that is none of these stays: HTML has
// scripts.
//
//	{click} {click_encoded} {cachebuster} {price} {currency} {bid} {request} {imp} {campaign} {ad}
//	{seat} {advertiser} {site} {width} {height}
func (m *Maker) appendMacro(dst []byte, ad *Ad, name string, c *click) ([]byte, bool) {
	switch name {
	case "click":
		return append(dst, c.url(m)...), true
	case "click_encoded":
		return append(dst, c.encoded(m)...), true
	case "cachebuster":
		return strconv.AppendUint(dst, xxhash.Sum64String(ad.ID)>>16, 10), true
	case "price":
		return append(dst, "${AUCTION_PRICE}"...), true
	case "currency":
		return appendComponent(dst, ad.Currency), true
	case "bid":
		return appendComponent(dst, ad.ID), true
	case "request":
		return appendComponent(dst, ad.Request), true
	case "imp":
		return appendComponent(dst, ad.Imp.ID), true
	case "campaign":
		return appendComponent(dst, ad.Campaign), true
	case "ad":
		return appendComponent(dst, ad.Creative.ID), true
	case "seat":
		return appendComponent(dst, ad.Seat), true
	case "advertiser":
		return appendComponent(dst, ad.Domain), true
	case "site":
		return appendComponent(dst, site(ad)), true
	case "width", "height":
		w, h := size(ad)
		if name == "height" {
			w = h
		}
		return strconv.AppendInt(dst, int64(w), 10), true
	}
	return dst, false
}

func site(ad *Ad) string {
	switch p := ad.Place; {
	case p == nil:
		return ""
	case p.Domain != "":
		return p.Domain
	default:
		return p.Bundle
	}
}

func size(ad *Ad) (w, h int) {
	switch c := ad.Creative; {
	case c.Banner != nil:
		return c.Banner.W, c.Banner.H
	case c.Video != nil:
		return c.Video.W, c.Video.H
	}
	return 0, 0
}

// expand appends a text of a creative with its macros replaced. Without a click, as in the URL
// behind the click itself, {click} stays.
func (m *Maker) expand(dst []byte, ad *Ad, text string, c *click) []byte {
	for {
		i := strings.IndexByte(text, '{')
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		text = text[i:]
		const longest = len("{click_encoded}")
		if end := strings.IndexByte(text[:min(len(text), longest)], '}'); end > 0 && (c != nil || !strings.HasPrefix(text, "{click")) {
			var known bool
			if dst, known = m.appendMacro(dst, ad, text[1:end], c); known {
				text = text[end+1:]
				continue
			}
		}
		dst, text = append(dst, '{'), text[1:]
	}
}

// link appends a URL of a creative with its macros replaced.
func (m *Maker) link(dst []byte, ad *Ad, url string) []byte {
	if strings.IndexByte(url, '{') < 0 {
		return appendURL(dst, url)
	}
	return appendURL(dst, string(m.expand(nil, ad, url, nil)))
}

// landing is the URL behind the click. Macros of OpenRTB that are known at the bid are replaced,
// and the others are empty, as the specification has it: no exchange sees this URL.
func (m *Maker) landing(ad *Ad) (string, error) {
	url := ad.Creative.Landing
	if len(url) > maxURL {
		return "", unfit("its landing has %d bytes, at most %d are allowed", len(url), maxURL)
	}
	if strings.Contains(url, "{") {
		url = strings.ReplaceAll(url, "{price}", "")
		url = auctionMacros(ad, string(m.expand(nil, ad, url, nil)))
	}
	url = string(escapePercents(appendURL(nil, url)))
	if err := notice.CheckTarget(url); err != nil {
		return "", unfit("its landing %s", strings.TrimPrefix(err.Error(), "the value "))
	}
	return url, nil
}

// escapePercents escapes each % that begins no escape, as in ?off=10%. Elsewhere such a % may be of
// an exchange's macro.
func escapePercents(url []byte) []byte {
	for i := 0; i < len(url); i++ {
		if url[i] == '%' && (i+2 >= len(url) || !isHex(url[i+1]) || !isHex(url[i+2])) {
			url = slices.Insert(url, i+1, '2', '5')
			i += 2
		}
	}
	return url
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

// auctionMacros replaces the macros of OpenRTB in a URL.
func auctionMacros(ad *Ad, url string) string {
	known := map[string]string{
		"AUCTION_ID": ad.Request, "AUCTION_BID_ID": ad.ID, "AUCTION_IMP_ID": ad.Imp.ID, "AUCTION_SEAT_ID": ad.Seat, "AUCTION_AD_ID": ad.Creative.ID,
		"AUCTION_CURRENCY": ad.Currency,
	}
	var b []byte
	for {
		before, rest, found := strings.Cut(url, "${AUCTION_")
		b = append(b, before...)
		if !found {
			return string(b)
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return string(append(append(b, "${AUCTION_"...), rest...))
		}
		b = appendComponent(b, known["AUCTION_"+name])
		url = after
	}
}

// click is the URL of an ad's click, made when it is asked for.
type click struct {
	ad     *Ad
	target string // empty: it counts and leads nowhere
	made   []byte
}

// plain is the URL without an exchange's macro.
func (c *click) plain(m *Maker) []byte {
	if c.made == nil {
		c.made = m.links.AppendClick(nil, &c.ad.Bid, c.target)
	}
	return c.made
}

// url is the URL of a link. Behind an exchange's macro it is escaped. It holds nothing that HTML,
// XML, JSON or a script would have escaped.
func (c *click) url(m *Maker) []byte {
	if m.cfg.ClickMacro == "" {
		return c.plain(m)
	}
	return appendComponent([]byte(m.cfg.ClickMacro), c.plain(m))
}

// encoded is the URL as a parameter of another one.
func (c *click) encoded(m *Maker) []byte {
	once := appendComponent(nil, c.plain(m))
	if m.cfg.ClickMacroEncoded == "" {
		return once
	}
	return appendComponent([]byte(m.cfg.ClickMacroEncoded), once)
}
