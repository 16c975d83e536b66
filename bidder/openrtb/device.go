package openrtb

import (
	"math"
	"strings"

	iso "golang.org/x/text/language"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// device reads what the ad is shown on. Of addresses, hashed ids and versions it reads none.
func (r *reader) device() {
	if !r.object(true) {
		return
	}
	d := &r.q.Device
	for r.Key() {
		switch r.Name() {
		case "ua":
			d.UserAgent = r.plain()
			d.Bot = r.isBot(d.UserAgent)
		case "geo":
			r.geo(d)
		case "dnt", "lmt":
			d.Limited = r.strict() || d.Limited
		case "devicetype":
			d.Type, _ = r.integer()
		case "make":
			d.Make = r.plain()
		case "model":
			d.Model = r.plain()
		case "os":
			d.OS = r.plain()
		case "language", "langb":
			if l := language(r.plain()); l != "" {
				d.Language = l
			}
		case "connectiontype":
			d.Connection, _ = r.integer()
		case "ifa":
			r.advertisingID(d)
		case "sua":
			r.hints(d)
		case "ext":
			r.deviceExt(d)
		default:
			r.Skip()
		}
	}
	r.signals.Limited = d.Limited
}

// advertisingID reads the device's id. Systems give zeros where the user wants no tracking.
func (r *reader) advertisingID(d *auction.Device) {
	r.ifa = strings.TrimSpace(r.plain())
	if r.ifa != "" && strings.Trim(r.ifa, "0-") == "" {
		r.ifa, d.Limited = "", true
	}
}

// hints reads the client hints of newer browsers, for what the device does not say otherwise.
func (r *reader) hints(d *auction.Device) {
	if !r.object(false) {
		return
	}
	for r.Key() {
		switch r.Name() {
		case "platform":
			if !r.object(false) {
				continue
			}
			for r.Key() {
				if name := r.Name(); name != "brand" {
					r.Skip()
				} else if brand := r.plain(); d.OS == "" {
					d.OS = brand
				}
			}
		case "model":
			if model := r.plain(); d.Model == "" {
				d.Model = model
			}
		default:
			r.Skip()
		}
	}
}

// deviceExt reads atts, what the user of an Apple device said of tracking: 0 not asked, 1
// restricted, 2 denied, 3 allowed.
func (r *reader) deviceExt(d *auction.Device) {
	if !r.object(false) {
		return
	}
	for r.Key() {
		if r.Name() != "atts" {
			r.Skip()
		} else if said, given := r.integer(); given && (said == 1 || said == 2) {
			d.Limited = true
		}
	}
}

// geo reads where the device is. Without a country nobody knows which law holds, so what is given
// and cannot be read counts against the use of the user's data.
func (r *reader) geo(d *auction.Device) {
	if k := r.Kind(); k != strictjson.KindObject && k != strictjson.KindNull {
		r.unreadable("is %s, expected an object", kindName(k))
	}
	if !r.object(false) {
		return
	}
	lat, lon := math.NaN(), math.NaN()
	for r.Key() {
		switch r.Name() {
		case "lat":
			lat = r.degrees(90)
		case "lon":
			lon = r.degrees(180)
		case "country":
			d.Country = r.country()
		case "region":
			d.Region = r.plain()
		case "metro":
			d.Metro = r.plain()
		case "city":
			d.City = r.plain()
		case "zip":
			d.Zip = strings.TrimSpace(r.plain())
		case "utcoffset":
			if minutes, given := r.integer(); given && minutes >= -12*60 && minutes <= 14*60 {
				d.UTCOffset, d.Zoned = minutes, true
			}
		default:
			r.Skip()
		}
	}
	// exactly 0, 0 is what programs send that know no place
	if !math.IsNaN(lat) && !math.IsNaN(lon) && (lat != 0 || lon != 0) {
		d.Lat, d.Lon, d.Located = tenth(lat), tenth(lon), true
	}
}

func tenth(degrees float64) float64 { return math.Round(degrees*10)/10 + 0 }

// degrees reads an angle; what is none, or is beyond most, is NaN.
func (r *reader) degrees(most float64) float64 {
	f, given, ok := r.number()
	if !ok || !given || math.Abs(f) > most {
		return math.NaN()
	}
	return f
}

// country reads a code of ISO 3166-1 and returns its form of three letters.
func (r *reader) country() string {
	k := r.Kind()
	s, ok := r.text()
	if !ok {
		r.unreadable("is %s, expected a country's code", kindName(k))
		return ""
	}
	code, ok := alpha3(s)
	if !ok {
		r.unreadable("is no country's code of ISO 3166-1")
	}
	return code
}

// alpha3 is a country's code of three letters, for one of two or three. ZZ and ZZZ stand for an
// unknown country, and so for none.
func alpha3(s string) (code string, ok bool) {
	switch s = upper(s); s {
	case "", "ZZ", "ZZZ":
		return "", true
	case "XK", "XKX": // Kosovo: in use, though not of the standard
		return "XKX", true
	}
	if len(s) > 3 || strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "", false
	}
	region, err := iso.ParseRegion(s)
	if region = region.Canonicalize(); err != nil || !region.IsCountry() {
		return "", false
	}
	if code = region.ISO3(); code == "ZZZ" { // as of the United Nations, who have UN alone
		return "", false
	}
	return code, true
}

// usable says whether an id may stand in events.
func usable(id string) bool { return event.CheckID("user", id) == nil }
