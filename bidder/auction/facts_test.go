package auction

import (
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
)

var sunday = event.TimeOf(time.Date(2026, 11, 29, 23, 30, 0, 0, time.UTC))

func full() (*Request, *Imp) {
	q := &Request{
		Time: sunday, FirstPrice: true,
		Place: Place{Kind: Site, ID: "4711", Name: "Name", Domain: "example.de", Page: "https://example.de/page", Categories: []string{"IAB12", "IAB12-2"},
			Publisher: "pub-1", Language: "de", Keywords: []string{"word"}},
		Device: Device{UserAgent: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
			Type: 4, OS: "Android", Make: "Google", Model: "Pixel 8", Language: "de", Connection: 2, Country: "DEU", Region: "BE", Metro: "501", City: "Berlin", Zip: "10117",
			Lat: 52.5, Lon: -13.4, Located: true, UTCOffset: 60, Zoned: true},
		User: User{ID: "user-1", External: []string{"id5.com/abc"}, Segments: []string{"607", "dmp/607"}, Keywords: []string{"golf"}},
	}
	m := &Imp{ID: "1", Tag: "top", Full: true,
		Banner: &Banner{Sizes: []Size{{300, 250}, {320, 50}}, Position: 1}, Native: &Native{},
		Video: &Video{Size: Size{640, 360}, Placement: 1}, Deals: []Deal{{ID: "d1"}}}
	return q, m
}

const market = `{"place":"site","site":"example.de","publisher":"pub-1","category":["IAB12","IAB12-2"],"format":["banner","video","native"],` +
	`"size":["300x250","320x50"],"position":"above","placement":"instream","tag":"top","full_screen":"true","rewarded":"false","deal":["d1"],"first_price":"true",` +
	`"device_type":"phone","os":"android","country":"DEU","hour":"0","weekday":"mon"`

func TestFactsOfARequest(t *testing.T) {
	q, m := full()
	if got := string(Market(nil, q, m).AppendJSON(nil)); got != market+"}" {
		t.Errorf("the market is\n%s, want\n%s", got, market)
	}
	want := market + `,"browser":"chrome","make":"google","language":"de","content_language":"de","connection":"wifi","region":"BE","metro":"501","city":"berlin",` +
		`"tile":"52,-14","segment":["dmp/607"]}`
	if got := string(Facts(nil, q, m).AppendJSON(nil)); got != want {
		t.Errorf("the facts are\n%s, want\n%s", got, want)
	}
}

func TestFactsOfAnEmptyRequest(t *testing.T) {
	const want = `{"full_screen":"false","rewarded":"false","first_price":"false"}`
	if got := string(Facts(nil, &Request{}, &Imp{}).AppendJSON(nil)); got != want {
		t.Errorf("the facts are %s, want %s", got, want)
	}
}

func TestFactsDependOnThePlace(t *testing.T) {
	f := func(p Place, m Imp, want string) {
		t.Helper()
		got := string(Market(nil, &Request{Place: p}, &m).AppendJSON(nil))
		if !strings.Contains(got, want) {
			t.Errorf("%+v %+v has the facts %s, want %s", p, m, got, want)
		}
	}
	f(Place{Kind: App, Bundle: "com.x", ID: "1", Domain: "x.com"}, Imp{}, `{"place":"app","app":"com.x","full`)
	f(Place{Kind: App, ID: "1"}, Imp{}, `"app":"1"`)
	f(Place{Kind: DOOH, Domain: "screens.com"}, Imp{}, `{"place":"dooh","site":"screens.com","full`)
	f(Place{}, Imp{Audio: &Audio{}}, `{"format":["audio"],"full`)
	f(Place{}, Imp{Video: &Video{Size: Size{640, 360}, Position: 7, Placement: 4}}, `{"format":["video"],"size":["640x360"],"position":"fullscreen","placement":"standalone",`)
	f(Place{}, Imp{Banner: &Banner{Position: 99}}, `{"format":["banner"],"full`)
}

// What is too long or cannot be shown is left out, and lists end.
func TestFactsAreBounded(t *testing.T) {
	q, m := full()
	long := strings.Repeat("x", maxFactBytes+1)
	q.Place.Domain, q.Place.Publisher, m.Tag, q.Device.City = long, "a\x00b", long, long
	for range 50 {
		q.Place.Categories = append(q.Place.Categories, "IAB1", long)
		m.Deals = append(m.Deals, Deal{ID: "d"})
		m.Banner.Sizes = append(m.Banner.Sizes, Size{1, 1})
		q.User.Segments = append(q.User.Segments, "a/b")
	}
	fields := Facts(nil, q, m)
	names := map[string]bool{}
	for _, f := range fields {
		if names[f.Name] {
			t.Errorf("%s is given twice", f.Name)
		}
		names[f.Name] = true
		if len(f.Value.Str) > maxFactBytes || len(f.Value.List) > maxFactList {
			t.Errorf("%s is %+v", f.Name, f.Value)
		}
	}
	for _, name := range []string{"site", "publisher", "tag", "city"} {
		if names[name] {
			t.Errorf("%s is a fact", name)
		}
	}
	if text := string(fields.AppendJSON(nil)); strings.Contains(text, "xxx") || len(text) > 4000 {
		t.Errorf("the facts are %s", text)
	}
}

// Nothing that could identify a person or a device is a fact.
func TestFactsNameNobody(t *testing.T) {
	q, m := full()
	text := string(Facts(nil, q, m).AppendJSON(nil))
	for _, secret := range []string{"user-1", "id5.com", "golf", "Mozilla", "131.0", "/page", "10117", "Pixel", "52.5", "13.4", "4711", "word"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s is in %s", secret, text)
		}
	}
	for _, name := range []string{"segment", "city", "tile", "language", "browser"} {
		if _, ok := Market(nil, q, m).Lookup(name); ok {
			t.Errorf("the market knows the user's %s", name)
		}
	}
}

func TestFamiliesOfBrowsersAndSystems(t *testing.T) {
	f := func(os, agent, wantOS, wantBrowser string) {
		t.Helper()
		if got := system(os, agent); got != wantOS {
			t.Errorf("%q %q is of the system %q, want %q", os, agent, got, wantOS)
		}
		if got := browser(agent); got != wantBrowser {
			t.Errorf("%q is of the browser %q, want %q", agent, got, wantBrowser)
		}
	}
	f("", "", "", "")
	f("Android", "", "android", "")
	f("iPadOS", "", "ios", "")
	f("tvOS", "", "tvos", "")
	f("macOS", "", "macos", "")
	f("Windows 10", "", "windows", "")
	f("Plan 9", "", "other", "")
	f("", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0", "windows", "edge")
	f("", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1", "ios", "safari")
	f("", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148", "ios", "webview")
	f("", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:133.0) Gecko/20100101 Firefox/133.0", "macos", "firefox")
	f("", "Mozilla/5.0 (Linux; Android 14; SM-S921B; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/131.0 Mobile Safari/537.36", "android", "webview")
	f("", "Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0 Mobile Safari/537.36", "android", "samsung")
	f("", "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36 OPR/116.0", "chromeos", "opera")
	f("", "Mozilla", "other", "other")
}

func TestLocalTime(t *testing.T) {
	q := Request{Time: sunday}
	if got := q.Local().Format(time.DateTime); got != "2026-11-29 23:30:00" {
		t.Error(got)
	}
	q.Device.UTCOffset, q.Device.Zoned = -90, true
	if got := q.Local().Format(time.DateTime); got != "2026-11-29 22:00:00" {
		t.Error(got)
	}
}

func TestFloorsByDuration(t *testing.T) {
	floors := Floors{PerSecond: 0.1, Ranges: []DurationFloor{
		{Min: 0, Max: 10 * time.Second, Floor: 0.5}, {Min: 11 * time.Second, Max: 20 * time.Second, Floor: 3}, {Min: 15 * time.Second, Floor: 4}}}
	f := func(d time.Duration, want float64) {
		t.Helper()
		if got := floors.Of(1, d); got != want {
			t.Errorf("the floor of %s is %v, want %v", d, got, want)
		}
	}
	f(4*time.Second, 0.5)
	f(8*time.Second, 0.8)
	f(12*time.Second, 3)
	f(15*time.Second, 4)
	f(60*time.Second, 6)
	none := Floors{}
	if got := none.Of(1, time.Minute); got != 1 {
		t.Errorf("without floors of their own: %v", got)
	}
}

func BenchmarkFacts(b *testing.B) {
	q, m := full()
	b.ReportAllocs()
	var dst event.Fields
	for b.Loop() {
		dst = Facts(dst[:0], q, m)
	}
}
