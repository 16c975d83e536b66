package auction

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
)

// Bounds of facts. A text that is longer is left out, since a part of it would be another text.
const (
	maxFactBytes = 128
	maxFactList  = 8
)

// Facts appends what a request and one of its places say, as features of a context. What is not
// known is left out. There is no address, no identifier of a user or device, no full user agent and
// no page among them.
//
//	place             site, app or dooh
//	site              domain
//	app               bundle, else the exchange's id of the app
//	publisher         id
//	category          of the place: up to 8 of the IAB's codes
//	format            banner, video, audio, native: a list
//	size              300x250: up to 8, of the banner, else the video's
//	position          above, below, header, footer, sidebar, fullscreen, locked
//	placement         of video: instream, accompanying, interstitial, standalone
//	tag               tagid
//	full_screen       true or false
//	rewarded          true or false
//	deal              ids: up to 8
//	first_price       true or false
//	device_type       mobile, pc, tv, phone, tablet, connected, settop, outdoor
//	os                android, ios, windows, macos, linux, ...: a family
//	country           ISO 3166-1 alpha-3
//	hour, weekday     in the user's time, UTC where that is not known: 0 to 23, sun to sat
//	browser           chrome, safari, firefox, edge, samsung, opera, webview, ...: a family
//	make              of the device, in lower case
//	language          of the device: en
//	content_language  of the place's content
//	connection        ethernet, wifi, cellular, 2g to 5g
//	region, metro     as the exchange has them
//	city              in lower case
//	tile              whole degrees of latitude and longitude, rounded down: 52,13
//	segment           PROVIDER/ID, up to 8; only where the user's data may be used
func Facts(dst event.Fields, q *Request, m *Imp) event.Fields {
	f := facts{Market(dst, q, m)}
	d := &q.Device
	f.text("browser", browser(d.UserAgent))
	f.text("make", strings.ToLower(d.Make))
	f.text("language", d.Language)
	f.text("content_language", q.Place.Language)
	f.text("connection", nameOf(connections[:], d.Connection))
	f.text("region", d.Region)
	f.text("metro", d.Metro)
	f.text("city", strings.ToLower(d.City))
	if d.Located {
		f.text("tile", tile(d.Lat, d.Lon))
	}
	f.list("segment", segments(q.User.Segments))
	return f.Fields
}

// Market is the part of Facts that tells what a place costs: nothing of it is the user's. It is
// what a model of win rates may know.
func Market(dst event.Fields, q *Request, m *Imp) event.Fields {
	f := facts{dst}
	p := &q.Place
	f.text("place", nameOf(places[:], int(p.Kind)))
	switch p.Kind {
	case Site, DOOH:
		f.text("site", p.Domain)
	case App:
		f.text("app", firstOf(p.Bundle, p.ID))
	}
	f.text("publisher", p.Publisher)
	f.list("category", p.Categories)
	f.imp(m)
	f.flag("first_price", q.FirstPrice)
	f.text("device_type", nameOf(deviceTypes[:], q.Device.Type))
	f.text("os", system(q.Device.OS, q.Device.UserAgent))
	f.text("country", q.Device.Country)
	if q.Time != 0 {
		t := q.Local()
		f.text("hour", strconv.Itoa(t.Hour()))
		f.text("weekday", weekdays[t.Weekday()])
	}
	return f.Fields
}

// Local is the time of the request on the user's clock, labelled as UTC; in UTC where the request
// does not tell.
func (q *Request) Local() time.Time {
	t := q.Time.Std()
	if q.Device.Zoned {
		t = t.Add(time.Duration(q.Device.UTCOffset) * time.Minute)
	}
	return t
}

// facts collects fields.
type facts struct{ event.Fields }

func (f *facts) imp(m *Imp) {
	var formats [4]Format
	var names, sizes []string
	for _, k := range m.Formats(formats[:0]) {
		names = append(names, k.String())
	}
	f.list("format", names)
	position, placement := 0, ""
	if m.Video != nil {
		position, placement = m.Video.Position, nameOf(placements[:], m.Video.Placement)
		if m.Video.Size != (Size{}) {
			sizes = []string{m.Video.Size.String()}
		}
	}
	if m.Banner != nil {
		position, sizes = m.Banner.Position, nil
		for _, s := range m.Banner.Sizes[:min(len(m.Banner.Sizes), maxFactList)] {
			sizes = append(sizes, s.String())
		}
	}
	f.list("size", sizes)
	f.text("position", nameOf(positions[:], position))
	f.text("placement", placement)
	f.text("tag", m.Tag)
	f.flag("full_screen", m.Full)
	f.flag("rewarded", m.Rewarded)
	var deals []string
	for i := range m.Deals[:min(len(m.Deals), maxFactList)] {
		deals = append(deals, m.Deals[i].ID)
	}
	f.list("deal", deals)
}

// text adds a text that is neither empty nor too long and has no control characters.
func (f *facts) text(name, s string) {
	if s != "" && usable(s) {
		f.Fields = append(f.Fields, event.Field{Name: name, Value: event.Value{Kind: event.String, Str: s}})
	}
}

func (f *facts) flag(name string, on bool) { f.text(name, strconv.FormatBool(on)) }

// list adds the first texts of a list that text would add.
func (f *facts) list(name string, texts []string) {
	var tokens []event.WeightedToken
	for _, s := range texts {
		if len(tokens) == maxFactList {
			break
		}
		if s != "" && usable(s) {
			if tokens == nil {
				tokens = make([]event.WeightedToken, 0, min(len(texts), maxFactList))
			}
			tokens = append(tokens, event.WeightedToken{Token: s, Weight: 1})
		}
	}
	if len(tokens) > 0 {
		f.Fields = append(f.Fields, event.Field{Name: name, Value: event.Value{Kind: event.List, List: tokens}})
	}
}

func usable(s string) bool { return len(s) <= maxFactBytes && event.CheckID("", s) == nil }

// segments are those with their provider, since the numbers of different providers mean different
// things.
func segments(all []string) []string {
	var kept []string
	for _, s := range all {
		if strings.Contains(s, "/") && len(kept) < maxFactList {
			kept = append(kept, s)
		}
	}
	if kept == nil {
		return all
	}
	return kept
}

// tile is the corner of the square of one degree in which a point lies.
func tile(lat, lon float64) string {
	b := strconv.AppendInt(make([]byte, 0, 8), int64(math.Floor(lat)), 10)
	return string(strconv.AppendInt(append(b, ','), int64(math.Floor(lon)), 10))
}

// String is the size as facts have it: 300x250.
func (s Size) String() string {
	b := strconv.AppendInt(make([]byte, 0, 12), int64(s.W), 10)
	return string(strconv.AppendInt(append(b, 'x'), int64(s.H), 10))
}

func firstOf(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// Names of the specification's numbers; without a name a number is left out.
var (
	places      = [...]string{Site: "site", App: "app", DOOH: "dooh"}
	deviceTypes = [...]string{1: "mobile", 2: "pc", 3: "tv", 4: "phone", 5: "tablet", 6: "connected", 7: "settop", 8: "outdoor"}
	connections = [...]string{1: "ethernet", 2: "wifi", 3: "cellular", 4: "2g", 5: "3g", 6: "4g", 7: "5g"}
	positions   = [...]string{1: "above", 2: "locked", 3: "below", 4: "header", 5: "footer", 6: "sidebar", 7: "fullscreen"}
	placements  = [...]string{1: "instream", 2: "accompanying", 3: "interstitial", 4: "standalone"}
	weekdays    = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

func nameOf(names []string, i int) string {
	if i < 0 || i >= len(names) {
		return ""
	}
	return names[i]
}
