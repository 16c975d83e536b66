package openrtb

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/bidder/consent"
)

// personal is a request with all that tells of a user, and further members of regs and user.
func personal(regs, user string) string {
	return `{"id":"r","imp":[{"id":"1","banner":{"w":300,"h":250}}],
		"site":{"page":"https://example.de/a?mail=secret-query#secret-fragment","ref":"https://secret-ref"},
		"device":{"ua":"Mozilla/5.0","ip":"203.0.113.77","ipv6":"2001:db8::77","ifa":"secret-ifa","didsha1":"secret-did","dpidmd5":"secret-dpid","macsha1":"secret-mac",
			"geo":{"lat":52.520008,"lon":13.404954,"country":"USA","city":"Berlin","metro":"501","zip":"10117","accuracy":5,"ext":{"x":"secret-geo"}},"ext":{"ifv":"secret-ifv"}},
		"user":{"id":"secret-user","buyeruid":"secret-buyer","yob":1980,"gender":"F","customdata":"secret-data","keywords":"secret-keyword","kwarray":["secret-kw"],
			"data":[{"id":"secret-dmp","segment":[{"id":"secret-segment"}]}],"eids":[{"source":"secret-source","uids":[{"id":"secret-eid"}]}]` + comma1(user) + `},
		"regs":{` + regs + `}}`
}

func TestRefusedConsentLeavesNothingOfTheUser(t *testing.T) {
	f := func(regs, user string, o Options, reason string) {
		t.Helper()
		q, err := read(t, personal(regs, user), o)
		if err != nil || q.Consent.User || q.Consent.Reason != reason {
			t.Fatalf("%s %s: %+v (%v), want refused by %s", regs, user, q.Consent, err, reason)
		}
		b, _ := json.Marshal(q)
		text := strings.ToLower(string(b))
		for _, secret := range []string{"secret", "203.0.113", "2001:db8", "52.52", "13.40", "10117", "1980"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s %s: %s is in %s", regs, user, secret, text)
			}
		}
		if reason != "coppa" && (q.Device.Zip != "101" || q.Device.City != "Berlin" || q.Device.Lat != 52.5 || q.Device.Country != "USA") {
			t.Errorf("%+v", q.Device)
		}
	}
	f(`"coppa":1`, ``, Options{}, "coppa")
	f(`"gdpr":1`, ``, Options{}, "gdpr")
	f(`"gdpr":1`, `"consent":"CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA"`, Options{}, "gdpr")
	f(`"ext":{"gdpr":1}`, `"ext":{"consent":"CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA"}`, Options{}, "gdpr")
	f(`"gdpr":2`, ``, Options{}, "gdpr")
	f(`"gdpr":"yes"`, ``, Options{}, "gdpr")
	f(`"gdpr":{}`, ``, Options{}, "gdpr")
	f(``, ``, Options{Privacy: consent.Policy{Default: "yes"}}, "gdpr")
	f(`"us_privacy":"1YYN"`, ``, Options{}, "us_privacy")
	f(`"ext":{"us_privacy":"1YYN"}`, ``, Options{}, "us_privacy")
	f(`"us_privacy":7`, ``, Options{}, "us_privacy")
	f(`"gpp":"DBABTA~1YYN","gpp_sid":[6]`, ``, Options{}, "gpp")
	f(`"ext":{"gpp":"DBABTA~1YYN","gpp_sid":[6]}`, ``, Options{}, "gpp")
	f(`"gpp":"DBABTA~1YYN","gpp_sid":["6"]`, ``, Options{}, "gpp")
	f(`"gpp_sid":[7]`, ``, Options{}, "gpp")
	f(`"ext":{"gpc":"1"}`, ``, Options{}, "gpc")
	f(``, ``, Options{GPC: true}, "gpc")
	f(`"us_privacy":{}`, ``, Options{}, "unreadable")
	f(`"gpp":[]`, ``, Options{}, "unreadable")
	f(`"gpp_sid":{}`, ``, Options{}, "unreadable")
	f(`"gpp_sid":["x"]`, ``, Options{}, "unreadable")
	f(`"ext":"malformed"`, ``, Options{}, "unreadable")
	f(`"ext":{"us_privacy":[]}`, ``, Options{}, "unreadable")
}

func TestGivenConsentKeepsTheUserAndNoAddress(t *testing.T) {
	q := accept(t, personal(`"us_privacy":"1YNN","gdpr":0`, ``))
	if !q.Consent.User || q.User.ID != "secret-buyer" || !reflect.DeepEqual(q.User.External, []string{"secret-source/secret-eid"}) ||
		!reflect.DeepEqual(q.User.Segments, []string{"secret-segment", "secret-dmp/secret-segment"}) || !reflect.DeepEqual(q.User.Keywords, []string{"secret-keyword", "secret-kw"}) ||
		q.Device.Zip != "10117" {
		t.Errorf("%+v", q)
	}
	b, _ := json.Marshal(q)
	for _, secret := range []string{"203.0.113", "2001:db8", "52.52", "13.40", "secret-did", "secret-dpid", "secret-mac", "secret-ifv", "secret-query", "secret-fragment", "secret-ref", "secret-data"} {
		if strings.Contains(string(b), secret) {
			t.Errorf("%s is in %s", secret, b)
		}
	}
}

// The homes of 2.6 come before those of 2.5, where both say something.
func TestNewerHomesComeFirst(t *testing.T) {
	f := func(regs, user, reason string) {
		t.Helper()
		if q := accept(t, personal(regs, user)); q.Consent.Reason != reason {
			t.Errorf("%s %s: %+v, want %q", regs, user, q.Consent, reason)
		}
	}
	f(`"gdpr":0,"ext":{"gdpr":1}`, ``, "")
	f(`"gdpr":1,"ext":{"gdpr":0}`, ``, "gdpr")
	f(`"gdpr":null,"ext":{"gdpr":1}`, ``, "gdpr")
	f(`"us_privacy":"1YNN","ext":{"us_privacy":"1YYN"}`, ``, "")
	f(`"us_privacy":"","ext":{"us_privacy":"1YYN"}`, ``, "us_privacy")
	const yes, no = "CN-EdYAN-EdYAAfABADECMEgAPIAAAAAAAYgAKMAAEAAAAA", "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA"
	f(`"gdpr":1`, `"consent":"`+yes+`","ext":{"consent":"`+no+`"}`, "")
	f(`"gdpr":1`, `"consent":"`+no+`","ext":{"consent":"`+yes+`"}`, "gdpr")
	f(`"gdpr":1`, `"consent":7,"ext":{"consent":"`+yes+`"}`, "gdpr")
	f(`"gpp":"DBABTA~1YNN","gpp_sid":[6],"ext":{"gpp":"DBABTA~1YYN"}`, ``, "")
	f(`"gpp":"DBABTA~1YYN","gpp_sid":[],"ext":{"gpp_sid":[-1]}`, ``, "")
	q := accept(t, withRequest(`"source":{"ext":{"schain":{"complete":1,"nodes":[{"asi":"old.com","sid":1}]}}},"user":{"ext":{"eids":[{"source":"old.com","uids":[{"id":"1"}]}]}}`))
	if !q.Chain.Given || q.Chain.Nodes[0].System != "old.com" || q.Chain.Nodes[0].Seller != "1" || q.User.ID != "old.com/1" {
		t.Errorf("%+v", q)
	}
	q = accept(t, withRequest(`"source":{"schain":{"nodes":[{"asi":"new.com"}]},"ext":{"schain":{"nodes":[{"asi":"old.com"}]}}}`))
	if q.Chain.Nodes[0].System != "new.com" || q.Chain.Complete {
		t.Errorf("%+v", q.Chain)
	}
}

func TestTheCountrySettlesWhichLawHolds(t *testing.T) {
	f := func(members, country, reason string) {
		t.Helper()
		q := accept(t, withRequest(members))
		if q.Device.Country != country || q.Consent.Reason != reason {
			t.Errorf("%s: %q %+v, want %q %q", members, q.Device.Country, q.Consent, country, reason)
		}
	}
	f(`"device":{"geo":{"country":"DEU"}}`, "DEU", "gdpr")
	f(`"device":{"geo":{"country":"de"}}`, "DEU", "gdpr")
	f(`"device":{"geo":{"country":"UK"}}`, "GBR", "gdpr")
	f(`"device":{"geo":{"country":"usa"}}`, "USA", "")
	f(`"device":{"geo":{"country":""}}`, "", "")
	f(`"user":{"geo":{"country":"FRA"}}`, "", "gdpr")
	f(`"user":{"geo":{"country":"FRA"}},"device":{"geo":{"country":"USA"}}`, "USA", "")
	f(`"device":{"geo":{"country":"ZZ"}}`, "", "")
	f(`"device":{"geo":{"country":"XKX"}}`, "XKX", "")
	f(`"device":{"geo":{"country":"UN"}}`, "", "unreadable")
	f(`"device":{"geo":{"country":"GER"}}`, "", "unreadable")
	f(`"device":{"geo":{"country":"Germany"}}`, "", "unreadable")
	f(`"device":{"geo":{"country":"12"}}`, "", "unreadable")
	f(`"device":{"geo":{"country":"XY"}}`, "", "unreadable")
	f(`"device":{"geo":{"country":[]}}`, "", "unreadable")
	f(`"device":{"geo":"here"}`, "", "unreadable")
	f(`"device":{"geo":null}`, "", "")
}

func TestPlacesOnEarthAreRounded(t *testing.T) {
	f := func(geo string, located bool, lat, lon float64) {
		t.Helper()
		d := accept(t, withRequest(`"device":{"geo":{`+geo+`}}`)).Device
		if d.Located != located || d.Lat != lat || d.Lon != lon {
			t.Errorf("%s: %v %v %v", geo, d.Located, d.Lat, d.Lon)
		}
	}
	f(`"lat":52.520008,"lon":13.404954`, true, 52.5, 13.4)
	f(`"lat":"-33.86","lon":151.25`, true, -33.9, 151.3)
	f(`"lat":0.0001,"lon":9`, true, 0, 9)
	f(`"lat":0,"lon":0`, false, 0, 0)
	f(`"lat":91,"lon":10`, false, 0, 0)
	f(`"lat":123.456,"lon":678.9`, false, 0, 0)
	f(`"lat":52`, false, 0, 0)
	f(`"lat":null,"lon":10`, false, 0, 0)
}

func TestDevicesThatLimitTracking(t *testing.T) {
	f := func(device string, limited bool) {
		t.Helper()
		q := accept(t, withRequest(`"device":{`+device+`}`))
		if q.Device.Limited != limited || q.Consent.User == limited {
			t.Errorf("%s: %v %+v", device, q.Device.Limited, q.Consent)
		}
	}
	f(``, false)
	f(`"lmt":0,"dnt":0`, false)
	f(`"lmt":1,"dnt":0`, true)
	f(`"dnt":1,"lmt":0`, true)
	f(`"lmt":"1"`, true)
	f(`"lmt":"x"`, true)
	f(`"ifa":"00000000-0000-0000-0000-000000000000"`, true)
	f(`"ifa":"","os":"iOS"`, false)
	f(`"ext":{"atts":2}`, true)
	f(`"ext":{"atts":3}`, false)
}

func TestUsersHaveTheIDThatTheBidderKnows(t *testing.T) {
	f := func(members, want string) {
		t.Helper()
		if got := accept(t, withRequest(members)).User.ID; got != want {
			t.Errorf("%s: the user is %q, want %q", members, got, want)
		}
	}
	const device, ids = `"device":{"ifa":"d"}`, `"eids":[{"source":"ID5.com","uids":[{"id":"e"}]}]`
	f(``, "")
	f(`"user":{"id":"u","buyeruid":"b",`+ids+`},`+device, "b")
	f(`"user":{"id":"u",`+ids+`},`+device, "u")
	f(`"user":{"id":"",`+ids+`},`+device, "d")
	f(`"user":{`+ids+`}`, "id5.com/e")
	f(`"user":{"id":12345678901234567890}`, "12345678901234567890")
	f(`"user":{"buyeruid":"a\u0000b","id":"u"}`, "u")
	f(`"user":{"buyeruid":"`+strings.Repeat("x", 257)+`","id":"u"}`, "u")
}

func TestBotsAreKnownByTheirNames(t *testing.T) {
	f := func(agent string, want bool) {
		t.Helper()
		if got := accept(t, withRequest(`"device":{"ua":"`+agent+`"}`)).Device.Bot; got != want {
			t.Errorf("%s is a bot: %v", agent, got)
		}
	}
	f("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", true)
	f("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", true)
	f("AdsBot-Google (+http://www.google.com/adsbot.html)", true)
	f("Mozilla/5.0 (compatible; AhrefsBot/7.0)", true)
	f("Mozilla/5.0 (compatible; Baiduspider/2.0)", true)
	f("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0 Safari/537.36", true)
	f("Some Crawler", true)
	f("TWITTERBOT", true)
	f("python-requests/2.32", true)
	f("curl/8.0", true)
	f("Go-http-client/1.1", true)
	f("", false)
	f("Mozilla", false)
	f("Mozilla/5.0 (Linux; Android 13; CUBOT X70) AppleWebKit/537.36 Chrome/131.0.0.0 Mobile Safari/537.36", false)
	f("Mozilla/5.0 (Linux; Android 13; CUBOT_NOTE) AppleWebKit/537.36 Chrome/131.0.0.0 Mobile Safari/537.36", false)
	f("Mozilla/5.0 (Linux; Android 13; Bottle) AppleWebKit/537.36 Chrome/131.0.0.0 Mobile Safari/537.36", false)
	f("Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8)", false)
	f("Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1", false)
}

func TestSitesAndApps(t *testing.T) {
	f := func(members, domain, page, bundle string) {
		t.Helper()
		p := accept(t, withRequest(members)).Place
		if p.Domain != domain || p.Page != page || p.Bundle != bundle {
			t.Errorf("%s: %+v", members, p)
		}
	}
	f(`"site":{"domain":"WWW.Example.DE.","page":"https://other.de/x"}`, "example.de", "https://other.de/x", "")
	f(`"site":{"page":"http://user:secret@www.example.de:8080/a?b#c"}`, "example.de", "http://www.example.de:8080/a", "")
	f(`"site":{"page":"https://example.de/@author/story"}`, "example.de", "https://example.de/@author/story", "")
	f(`"site":{"page":"user@example.de"}`, "example.de", "example.de", "")
	f(`"site":{"page":"test.somepage.com"}`, "test.somepage.com", "test.somepage.com", "")
	f(`"site":{"page":"//example.de/x"}`, "example.de", "//example.de/x", "")
	f(`"site":{"page":"https://example.de/`+strings.Repeat("x", 3000)+`"}`, "example.de", "example.de", "")
	f(`"site":{}`, "", "", "")
	f(`"app":{"bundle":" com.x ","domain":"x.com"}`, "", "", "com.x")
	f(`"app":{"bundle":1234567890}`, "", "", "1234567890")
	f(`"dooh":{"domain":"Screens.com"}`, "screens.com", "", "")
}

func TestRequestsThatDemandDisclosure(t *testing.T) {
	f := func(regs string, want bool) {
		t.Helper()
		if got := accept(t, withRequest(`"regs":{`+regs+`}`)).Disclosure; got != want {
			t.Errorf("%s demands it: %v", regs, got)
		}
	}
	f(``, false)
	f(`"dsa":{"dsarequired":1}`, false)
	f(`"dsa":{"dsarequired":2}`, true)
	f(`"ext":{"dsa":{"dsarequired":3,"pubrender":0}}`, true)
	f(`"ext":{"dsa":{"dsarequired":"x"}}`, true)
	refused(t, withRequest(`"regs":{"dsa":7}`), "regs.dsa is a number")
}
