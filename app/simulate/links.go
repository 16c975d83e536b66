package simulate

import (
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/bidder/auction"
)

// links are the bidder's own URLs in a markup: what a browser calls when the ad is shown, and when
// it is clicked.
type links struct {
	shown   []string
	clicked string
}

var (
	imageSource = regexp.MustCompile(`(?i)<img\b[^>]*?\bsrc\s*=\s*["']([^"']+)["']`)
	linkTarget  = regexp.MustCompile(`(?i)<a\b[^>]*?\bhref\s*=\s*["']([^"']+)["']`)
	vastShown   = regexp.MustCompile(`(?is)<Impression\b[^>]*>\s*(?:<!\[CDATA\[)?\s*(.*?)\s*(?:\]\]>)?\s*</Impression>`)
	vastClicked = regexp.MustCompile(`(?is)<ClickThrough\b[^>]*>\s*(?:<!\[CDATA\[)?\s*(.*?)\s*(?:\]\]>)?\s*</ClickThrough>`)
)

// linksOf finds the links of a markup whose macros are replaced.
func linksOf(format auction.Format, markup string) links {
	switch format {
	case auction.FormatNative:
		return nativeLinks(markup)
	case auction.FormatVideo:
		return textLinks(markup, vastShown, vastClicked)
	}
	return textLinks(markup, imageSource, linkTarget)
}

func textLinks(markup string, shown, clicked *regexp.Regexp) (l links) {
	for _, m := range shown.FindAllStringSubmatch(markup, -1) {
		l.shown = append(l.shown, html.UnescapeString(m[1]))
	}
	if m := clicked.FindStringSubmatch(markup); m != nil {
		l.clicked = html.UnescapeString(m[1])
	}
	return l
}

// nativeLinks reads a native answer, with or without the member around it that old versions have.
func nativeLinks(markup string) (l links) {
	type answer struct {
		Link struct {
			URL string `json:"url"`
		} `json:"link"`
		ImpTrackers   []string `json:"imptrackers"`
		EventTrackers []struct {
			Event  int    `json:"event"`
			Method int    `json:"method"`
			URL    string `json:"url"`
		} `json:"eventtrackers"`
	}
	var a struct {
		answer
		Native *answer `json:"native"`
	}
	if json.Unmarshal([]byte(markup), &a) != nil {
		return l
	}
	if a.Native != nil {
		a.answer = *a.Native
	}
	l.clicked, l.shown = a.Link.URL, a.ImpTrackers
	for _, t := range a.EventTrackers {
		if t.Event == 1 && !slices.Contains(l.shown, t.URL) {
			l.shown = append(l.shown, t.URL)
		}
	}
	return l
}

// target returns the URL at which the exchange calls a link: that of the bidder's path on the
// address that it was given, since a bidder may name itself by an address of the outside. A link to
// anybody else is not called; then it returns "".
func target(base, link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" && !strings.HasPrefix(u.Path, "/") {
		return ""
	}
	b, err := url.Parse(base)
	if err != nil || u.Host != "" && u.Host != b.Host && !strings.HasPrefix(u.Path, noticePath) {
		return ""
	}
	u.Scheme, u.Host, u.User = b.Scheme, b.Host, nil
	return u.String()
}

// noticePath begins the paths of clickloop's notices.
const noticePath = "/n/"
