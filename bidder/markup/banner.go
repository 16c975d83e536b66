package markup

import (
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/bidder/notice"
)

// AppendBanner appends the HTML of a banner: an image that is a link, or the creative's own HTML,
// and pixels. The imp's Banner and the creative's must be there.
func (m *Maker) AppendBanner(dst []byte, ad *Ad) ([]byte, error) {
	if err := checkTrackers(ad); err != nil {
		return dst, err
	}
	target, err := m.landing(ad)
	if err != nil {
		return dst, err
	}
	c := &click{ad: ad, target: target}
	if b := ad.Creative.Banner; b.HTML == "" {
		return m.appendImage(dst, ad, c)
	}
	return m.appendHTML(dst, ad, c)
}

func (m *Maker) appendImage(dst []byte, ad *Ad, c *click) ([]byte, error) {
	b := ad.Creative.Banner
	if problem := loads(b.Image, ad.Imp.Secure); problem != "" {
		return dst, unfit("its image %.80q %s", b.Image, problem)
	}
	if !takes(ad.Imp.Banner.MIMEs, imageType(b.Image)) {
		return dst, unfit("its image %.80q is of a type that the imp does not take", b.Image)
	}
	dst = append(append(dst, `<a href="`...), c.url(m)...)
	dst = append(dst, `" target="_blank" rel="noopener"><img src="`...)
	from := len(dst)
	dst = escapeFrom(m.link(dst, ad, b.Image), from)
	dst = strconv.AppendInt(append(dst, `" width="`...), int64(b.W), 10)
	dst = strconv.AppendInt(append(dst, `" height="`...), int64(b.H), 10)
	dst = append(dst, `" alt="" style="border:0"></a>`...)
	return m.appendPixels(dst, ad), nil
}

// appendHTML replaces the macros of an HTML creative, and adds pixels at the end of its body.
func (m *Maker) appendHTML(dst []byte, ad *Ad, c *click) ([]byte, error) {
	html := ad.Creative.Banner.HTML
	switch {
	case len(html) > MaxBytes:
		return dst, unfit("its HTML has %d bytes, at most %d are allowed", len(html), MaxBytes)
	case ad.Imp.Secure && !ad.Creative.Secure:
		return dst, unfit("it is not secure, which the imp wants")
	}
	end := strings.LastIndex(html, "</body>")
	if end < 0 {
		end = len(html)
	}
	dst = m.expand(dst, ad, html[:end], c)
	dst = m.appendPixels(dst, ad)
	return append(dst, html[end:]...), nil
}

// appendPixels appends the impression pixel and those of the creative.
func (m *Maker) appendPixels(dst []byte, ad *Ad) []byte {
	pixel := func(add func([]byte) []byte) {
		dst = append(dst, `<img src="`...)
		from := len(dst)
		dst = escapeFrom(add(dst), from)
		dst = append(dst, `" width="1" height="1" alt="" style="position:absolute;visibility:hidden">`...)
	}
	pixel(func(dst []byte) []byte { return m.links.Append(dst, notice.Impression, &ad.Bid) })
	for _, tracker := range ad.Creative.Trackers {
		pixel(func(dst []byte) []byte { return m.link(dst, ad, tracker) })
	}
	return dst
}

// imageType is the MIME type of an image by the end of its path; "" where that tells nothing.
func imageType(url string) string {
	path := strings.ToLower(url)
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	for _, t := range imageTypes {
		if strings.HasSuffix(path, t.end) {
			return t.mime
		}
	}
	return ""
}

var imageTypes = []struct{ end, mime string }{
	{".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"}, {".png", "image/png"}, {".gif", "image/gif"}, {".webp", "image/webp"}, {".svg", "image/svg+xml"}, {".avif", "image/avif"},
}

// takes says whether a list of MIME types, of which an empty one has all, has one. A type that is
// not known is taken.
func takes(mimes []string, mime string) bool {
	if len(mimes) == 0 || mime == "" {
		return true
	}
	for _, m := range mimes {
		if strings.EqualFold(m, mime) || strings.EqualFold(m, "image/jpg") && mime == "image/jpeg" || m == "image/*" {
			return true
		}
	}
	return false
}
