package campaign

import (
	"slices"
	"strings"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// What a creative may be, by OpenRTB's lists.
const (
	bannerXHTML  = 2
	bannerScript = 3
	bannerFrame  = 4
)

// protocols are VAST 2.0 to 4.2, inline: the documents that are made of a creative's files.
var protocols = []int{2, 3, 7, 11, 13}

// imageTypes are the MIME types of images by the endings of their URLs.
var imageTypes = map[string]string{
	"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp", "svg": "image/svg+xml", "avif": "image/avif",
}

// imageType is the type of an image by its URL's ending, or empty.
func imageType(url string) string {
	path, _, _ := strings.Cut(url, "?")
	path, _, _ = strings.Cut(path, "#")
	return imageTypes[strings.ToLower(path[strings.LastIndexByte(path, '.')+1:])]
}

// fill sets what a creative leaves out and its other fields tell.
func (cr *Creative) fill() {
	if b := cr.Banner; b != nil {
		if b.MIME == "" && b.Image != "" {
			b.MIME = imageType(b.Image)
		}
		if b.Type == 0 {
			b.Type = bannerType(b.HTML)
		}
	}
	if n := cr.Native; n != nil {
		for _, i := range []*Image{&n.Icon, &n.Main, &n.Logo} {
			if i.MIME == "" {
				i.MIME = imageType(i.URL)
			}
		}
	}
}

// bannerType is the type of a banner's HTML, or of an image.
func bannerType(html string) int {
	html = strings.ToLower(html)
	switch {
	case strings.Contains(html, "<script"):
		return bannerScript
	case strings.Contains(html, "<iframe"):
		return bannerFrame
	}
	return bannerXHTML
}

// Format is the one format that the creative has.
func (cr *Creative) Format() auction.Format {
	switch {
	case cr.Banner != nil:
		return auction.FormatBanner
	case cr.Video != nil:
		return auction.FormatVideo
	case cr.Audio != nil:
		return auction.FormatAudio
	case cr.Native != nil:
		return auction.FormatNative
	}
	return 0
}

func (k *checker) creatives(c *Campaign) {
	if len(c.Creatives) == 0 {
		k.wrong("creatives", "is empty, want at least one")
	}
	k.most("creatives", len(c.Creatives), MaxCreatives)
	ids := map[string]bool{}
	for i := range c.Creatives {
		if k.err != nil {
			return
		}
		cr, path := &c.Creatives[i], at("creatives", i)
		if ids[cr.ID] {
			k.wrong(path+".id", "is %s, which another creative has", strictjson.Quote(cr.ID))
		}
		ids[cr.ID] = true
		k.creative(path, cr)
		if f := cr.Format(); len(c.Targeting.Formats) > 0 && !slices.Contains(c.Targeting.Formats, f) && k.err == nil {
			k.wrong(path, "has the format %s, which targeting.formats leaves out", f)
		}
	}
}

func (k *checker) creative(path string, cr *Creative) {
	k.needed(path+".id", cr.ID, maxText)
	given := 0
	for _, is := range []bool{cr.Banner != nil, cr.Video != nil, cr.Audio != nil, cr.Native != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		k.wrong(path, "has %d formats, want exactly one of banner, video, audio and native", given)
		return
	}
	if cr.Landing == "" && (cr.Banner != nil || cr.Native != nil) {
		k.wrong(path+".landing", "is missing, want the URL behind the click")
	}
	k.url(path+".landing", cr.Landing, false) // it is not loaded
	k.numbers(path+".attributes", cr.Attributes, 1)
	k.most(path+".trackers", len(cr.Trackers), maxTrackers)
	for i, t := range cr.Trackers {
		k.full(at(path+".trackers", i), t, cr.Secure)
	}
	k.text(path+".language", cr.Language, maxText)
	switch {
	case cr.Banner != nil:
		k.banner(path+".banner", cr.Banner, cr.Secure)
	case cr.Video != nil:
		k.video(path+".video", cr.Video, cr.Secure)
	case cr.Audio != nil:
		k.length(path+".audio.duration", cr.Audio.Duration)
		k.files(path+".audio.files", cr.Audio.Files, cr.Secure)
		k.protocol(path+".audio.protocol", cr.Audio.Protocol)
	case cr.Native != nil:
		k.native(path+".native", cr.Native, cr.Secure)
	}
}

// url checks a URL, if one is given. It may hold macros, so only its beginning is known.
func (k *checker) url(path, s string, secure bool) {
	if s == "" {
		return
	}
	k.text(path, s, maxURL)
	scheme, rest, ok := strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	switch {
	case !ok || scheme != "http" && scheme != "https" || rest == "" || strings.ContainsAny(rest[:1], "/?#") || strings.ContainsAny(s, " \"<>"):
		k.wrong(path, "is %s, want a URL that begins with https:// or http:// and a host", strictjson.Quote(s))
	case secure && scheme == "http":
		k.wrong(path, "is %s, but the creative says secure: want https", strictjson.Quote(s))
	}
}

// full checks a URL that must be given.
func (k *checker) full(path, s string, secure bool) {
	if s == "" {
		k.wrong(path, "is missing, want a URL")
	}
	k.url(path, s, secure)
}

func (k *checker) size(path string, w, h, least int) {
	for _, side := range []struct {
		name string
		n    int
	}{{".w", w}, {".h", h}} {
		if side.n < least || side.n > maxSize {
			k.wrong(path+side.name, "is %d, want %d to %d pixels", side.n, least, maxSize)
		}
	}
}

func (k *checker) banner(path string, b *BannerCreative, secure bool) {
	k.size(path, b.W, b.H, 1)
	if (b.Image == "") == (b.HTML == "") {
		k.wrong(path, "has both of image and html, or none: want exactly one")
	}
	if b.Image != "" {
		k.url(path+".image", b.Image, secure)
		k.mime(path+".mime", b.MIME)
	}
	if b.HTML != "" {
		k.html(path+".html", b, secure)
	}
	if b.Type < 1 || b.Type > bannerFrame {
		k.wrong(path+".type", "is %d, want 1 to %d of OpenRTB's list of banner types", b.Type, bannerFrame)
	}
	k.numbers(path+".apis", b.APIs, 1)
}

func (k *checker) html(path string, b *BannerCreative, secure bool) {
	if b.MIME != "" {
		k.wrong(strings.TrimSuffix(path, ".html")+".mime", "is %s, but only an image has one", strictjson.Quote(b.MIME))
	}
	if len(b.HTML) > maxHTML {
		k.wrong(path, "has %d bytes, want at most %d", len(b.HTML), maxHTML)
	}
	// a namespace of XML has the form of a URL, and is never loaded
	loads := strings.ReplaceAll(strings.ToLower(b.HTML), "http://www.w3.org/", "")
	if at := strings.Index(loads, "http:"); secure && at >= 0 {
		k.wrong(path, "has %s, but the creative says secure: want https", strictjson.Quote(loads[at:]))
	}
}

func (k *checker) mime(path, s string) {
	switch {
	case s == "":
		k.wrong(path, "is missing, and the URL has no ending that tells it: want a type such as image/png")
	case !mimeType.MatchString(s) || len(s) > maxText:
		k.wrong(path, "is %s, want a type in lower case, such as image/png or video/mp4", strictjson.Quote(s))
	}
}

func (k *checker) length(path string, d time.Duration) {
	if d < time.Second || d > maxLength {
		k.wrong(path, "is %s, want 1s to %s", durationText(d), durationText(maxLength))
	}
}

func (k *checker) protocol(path string, p int) {
	if p != 0 && !slices.Contains(protocols, p) {
		k.wrong(path, "is %d, want 2, 3, 7, 11 or 13 for VAST 2.0, 3.0, 4.0, 4.1 or 4.2, or none", p)
	}
}

func (k *checker) video(path string, v *VideoCreative, secure bool) {
	k.length(path+".duration", v.Duration)
	k.size(path, v.W, v.H, 0)
	k.files(path+".files", v.Files, secure)
	if v.SkipAfter < 0 || v.SkipAfter >= v.Duration && v.SkipAfter > 0 {
		k.wrong(path+".skip_after", "is %s, want less than the duration, which is %s", durationText(v.SkipAfter), durationText(v.Duration))
	}
	k.protocol(path+".protocol", v.Protocol)
	k.numbers(path+".apis", v.APIs, 1)
}

func (k *checker) files(path string, files []MediaFile, secure bool) {
	if len(files) == 0 {
		k.wrong(path, "is empty, want at least one")
	}
	k.most(path, len(files), maxFiles)
	for i, f := range files {
		k.full(at(path, i)+".url", f.URL, secure)
		if f.MIME == "" {
			k.wrong(at(path, i)+".mime", "is missing, want a type such as video/mp4")
		}
		k.mime(at(path, i)+".mime", f.MIME)
		if f.Bitrate < 0 || f.Bitrate > 1e6 {
			k.wrong(at(path, i)+".bitrate", "is %d, want 0 to 1000000 kbit/s", f.Bitrate)
		}
		k.size(at(path, i), f.W, f.H, 0)
	}
}

func (k *checker) native(path string, n *NativeCreative, secure bool) {
	k.needed(path+".title", n.Title, maxText)
	k.text(path+".body", n.Body, 2000)
	for _, t := range []struct{ name, s string }{{"cta", n.CTA}, {"sponsored", n.Sponsored}, {"rating", n.Rating}, {"price", n.Price}} {
		k.text(path+"."+t.name, t.s, maxText)
	}
	for _, i := range []struct {
		name string
		Image
	}{{"icon", n.Icon}, {"main", n.Main}, {"logo", n.Logo}} {
		if i.Image == (Image{}) {
			continue
		}
		k.full(path+"."+i.name+".url", i.URL, secure)
		k.size(path+"."+i.name, i.W, i.H, 1)
		k.mime(path+"."+i.name+".mime", i.MIME)
	}
}
