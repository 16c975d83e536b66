package markup

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/bidder/notice"
)

// vastVersions are the versions of VAST that are written, the best first, by their numbers in the
// specification's list of protocols.
var vastVersions = []struct {
	protocol int
	name     string
}{{13, "4.2"}, {11, "4.1"}, {7, "4.0"}, {3, "3.0"}, {2, "2.0"}}

// anyVersion is written where the imp takes any: all players know it.
const anyVersion = 3

// vastVersion chooses a version: the creative's own where the imp takes it, else the best that it
// takes. ok is false when it takes none, as where it wants wrappers or DAAST alone.
func vastVersion(protocols []int, own int) (name string, ok bool) {
	if len(protocols) == 0 {
		protocols = []int{anyVersion}
		if own != 0 {
			protocols = []int{own}
		}
	}
	for _, v := range vastVersions {
		if slices.Contains(protocols, v.protocol) && (name == "" || v.protocol == own) {
			name = v.name
		}
	}
	return name, name != ""
}

// linear is what video and audio have in common.
type linear struct {
	version   string
	audio     bool
	duration  time.Duration
	skipAfter time.Duration
	files     []campaign.MediaFile
	fits      func(*campaign.MediaFile) bool
}

// AppendVideo appends the VAST document of a video. The imp's Video and the creative's must be
// there.
func (m *Maker) AppendVideo(dst []byte, ad *Ad) ([]byte, error) {
	v, imp := ad.Creative.Video, ad.Imp.Video
	version, ok := vastVersion(imp.Protocols, v.Protocol)
	switch {
	case !ok:
		return dst, unfit("the imp takes none of VAST 2.0 to 4.2")
	case imp.Linearity == 2:
		return dst, unfit("the imp takes overlays alone")
	}
	return m.appendVAST(dst, ad, &linear{version: version, duration: v.Duration, skipAfter: v.SkipAfter, files: v.Files, fits: func(f *campaign.MediaFile) bool {
		return fileFits(f, ad.Imp.Secure, imp.MIMEs, imp.MinBitrate, imp.MaxBitrate)
	}})
}

// AppendAudio appends the VAST document of a sound. The imp's Audio and the creative's must be
// there.
func (m *Maker) AppendAudio(dst []byte, ad *Ad) ([]byte, error) {
	a, imp := ad.Creative.Audio, ad.Imp.Audio
	version, ok := vastVersion(imp.Protocols, a.Protocol)
	if !ok {
		return dst, unfit("the imp takes none of VAST 2.0 to 4.2")
	}
	return m.appendVAST(dst, ad, &linear{version: version, audio: true, duration: a.Duration, files: a.Files, fits: func(f *campaign.MediaFile) bool {
		return fileFits(f, ad.Imp.Secure, imp.MIMEs, imp.MinBitrate, imp.MaxBitrate)
	}})
}

// fileFits says whether an imp can play a file. A bit rate that is not told fits.
func fileFits(f *campaign.MediaFile, secure bool, mimes []string, least, most int) bool {
	return loads(f.URL, secure) == "" && takes(mimes, f.MIME) && (f.Bitrate == 0 || f.Bitrate >= least && (most == 0 || f.Bitrate <= most))
}

// appendVAST appends an InLine ad with one linear creative, whose members stand in the order that
// the schema of the version wants.
func (m *Maker) appendVAST(dst []byte, ad *Ad, l *linear) ([]byte, error) {
	if !slices.ContainsFunc(l.files, func(f campaign.MediaFile) bool { return l.fits(&f) }) {
		return dst, unfit("it has no file of a type, a bit rate and a scheme that the imp takes")
	}
	if err := checkTrackers(ad); err != nil {
		return dst, err
	}
	target, err := m.landing(ad)
	if err != nil {
		return dst, err
	}
	four := l.version[0] == '4'
	dst = append(append(dst, `<?xml version="1.0" encoding="UTF-8"?><VAST version="`...), l.version...)
	if four {
		dst = append(dst, `" xmlns="http://www.iab.com/VAST`...)
	}
	dst = append(dst, `"><Ad id="`...)
	dst = appendText(dst, ad.Creative.ID)
	if l.audio && l.version >= "4.1" {
		dst = append(dst, `" adType="audio`...)
	}
	dst = append(dst, `"><InLine><AdSystem>clickloop</AdSystem>`...)
	if four {
		dst = m.appendImpressions(dst, ad)
		dst = m.appendViewable(dst, ad)
		if l.version >= "4.1" {
			dst = element(dst, "AdServingId", ad.ID)
		}
		dst = element(dst, "AdTitle", ad.Creative.ID)
	} else {
		dst = element(dst, "AdTitle", ad.Creative.ID)
		dst = m.appendImpressions(dst, ad)
	}
	dst = append(dst, `<Creatives><Creative id="`...)
	dst = append(appendText(dst, ad.Creative.ID), `">`...)
	if l.version == "4.0" {
		dst = append(dst, `<UniversalAdId idRegistry="unknown" idValue="unknown">unknown</UniversalAdId>`...)
	}
	dst = m.appendLinear(dst, ad, l, &click{ad: ad, target: target})
	if four && l.version != "4.0" {
		dst = append(dst, `<UniversalAdId idRegistry="unknown">unknown</UniversalAdId>`...)
	}
	return append(dst, `</Creative></Creatives></InLine></Ad></VAST>`...), nil
}

func (m *Maker) appendLinear(dst []byte, ad *Ad, l *linear, c *click) []byte {
	dst = append(dst, `<Linear`...)
	if l.skipAfter > 0 && l.version != "2.0" {
		dst = append(append(dst, ` skipoffset="`...), clock(l.skipAfter)...)
		dst = append(dst, '"')
	}
	dst = append(dst, '>')
	if l.version[0] == '4' {
		dst = m.appendTracking(dst, ad, l)
		dst = element(dst, "Duration", clock(l.duration))
		dst = m.appendFiles(dst, ad, l)
		dst = m.appendClick(dst, c)
	} else {
		dst = element(dst, "Duration", clock(l.duration))
		dst = m.appendTracking(dst, ad, l)
		dst = m.appendClick(dst, c)
		dst = m.appendFiles(dst, ad, l)
	}
	return append(dst, `</Linear>`...)
}

func (m *Maker) appendImpressions(dst []byte, ad *Ad) []byte {
	dst = append(dst, `<Impression id="clickloop">`...)
	dst = cdata(dst, func(dst []byte) []byte { return m.links.Append(dst, notice.Impression, &ad.Bid) })
	dst = append(dst, `</Impression>`...)
	for _, tracker := range ad.Creative.Trackers {
		dst = append(dst, `<Impression>`...)
		dst = cdata(dst, func(dst []byte) []byte { return m.link(dst, ad, tracker) })
		dst = append(dst, `</Impression>`...)
	}
	return dst
}

func (m *Maker) appendViewable(dst []byte, ad *Ad) []byte {
	dst = append(dst, `<ViewableImpression><Viewable>`...)
	dst = cdata(dst, func(dst []byte) []byte { return m.links.AppendProgress(dst, &ad.Bid, "viewable") })
	return append(dst, `</Viewable></ViewableImpression>`...)
}

// tracked are the events of a player with the names that our URLs have for them.
var tracked = []struct{ event, step string }{
	{"start", "start"}, {"firstQuartile", "q1"}, {"midpoint", "mid"}, {"thirdQuartile", "q3"}, {"complete", "complete"}, {"skip", "skip"},
}

func (m *Maker) appendTracking(dst []byte, ad *Ad, l *linear) []byte {
	dst = append(dst, `<TrackingEvents>`...)
	for _, t := range tracked {
		if t.event == "skip" && (l.skipAfter <= 0 || l.version == "2.0") {
			continue
		}
		dst = append(append(dst, `<Tracking event="`...), t.event...)
		dst = append(dst, `">`...)
		dst = cdata(dst, func(dst []byte) []byte { return m.links.AppendProgress(dst, &ad.Bid, t.step) })
		dst = append(dst, `</Tracking>`...)
	}
	return append(dst, `</TrackingEvents>`...)
}

func (m *Maker) appendClick(dst []byte, c *click) []byte {
	dst = append(dst, `<VideoClicks><ClickThrough>`...)
	dst = cdata(dst, func(dst []byte) []byte { return append(dst, c.url(m)...) })
	return append(dst, `</ClickThrough></VideoClicks>`...)
}

func (m *Maker) appendFiles(dst []byte, ad *Ad, l *linear) []byte {
	dst = append(dst, `<MediaFiles>`...)
	for i := range l.files {
		f := &l.files[i]
		if !l.fits(f) {
			continue
		}
		dst = append(dst, `<MediaFile delivery="progressive" type="`...)
		dst = appendText(dst, f.MIME)
		if f.Bitrate > 0 {
			dst = strconv.AppendInt(append(dst, `" bitrate="`...), int64(f.Bitrate), 10)
		}
		dst = strconv.AppendInt(append(dst, `" width="`...), int64(f.W), 10) // the schemas want both, of sounds too
		dst = strconv.AppendInt(append(dst, `" height="`...), int64(f.H), 10)
		dst = append(dst, `">`...)
		dst = cdata(dst, func(dst []byte) []byte { return m.link(dst, ad, f.URL) })
		dst = append(dst, `</MediaFile>`...)
	}
	return append(dst, `</MediaFiles>`...)
}

// element appends an element that holds a text.
func element(dst []byte, name, text string) []byte {
	dst = append(append(append(dst, '<'), name...), '>')
	dst = appendText(dst, text)
	return append(append(append(dst, "</"...), name...), '>')
}

// cdata appends a URL, which holds no >, as character data: players are known that do not resolve
// entities in URLs.
func cdata(dst []byte, url func([]byte) []byte) []byte {
	return append(url(append(dst, "<![CDATA["...)), "]]>"...)
}

// clock is a duration as hh:mm:ss, with milliseconds where it has some.
func clock(d time.Duration) string {
	d = max(d, 0)
	day := time.Time{}.Add(min(d, 24*time.Hour-time.Millisecond))
	return strings.TrimSuffix(day.Format("15:04:05.000"), ".000")
}
