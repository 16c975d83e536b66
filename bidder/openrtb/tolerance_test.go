package openrtb

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/bidder/auction"
)

// withImp is a request with further members of its only place, a banner.
func withImp(members string) string {
	return `{"id":"r","imp":[{"id":"1","banner":{"w":300,"h":250}` + comma1(members) + `}]}`
}

// withRequest is a request with further members.
func withRequest(members string) string {
	return `{"id":"r"` + comma1(members) + `,"imp":[{"id":"1","banner":{"w":300,"h":250}}]}`
}

// withForm is a request whose only place has this form of ad.
func withForm(form string) string { return `{"id":"r","imp":[{"id":"1",` + form + `}]}` }

func comma1(members string) string {
	if members == "" {
		return ""
	}
	return "," + members
}

func TestNoBidRequestAtAllIsMalformed(t *testing.T) {
	f := func(body string, malformed bool) {
		t.Helper()
		_, err := read(t, body, Options{})
		if err == nil || err.Malformed != malformed {
			t.Errorf("%.100s: %+v, want malformed %v", body, err, malformed)
		}
	}
	f("", true)
	f("malformed", true)
	f(`"text"`, true)
	f("[]", true)
	f("null", true)
	f("{}", true)
	f(`{"id":null,"imp":[]}`, true)
	f(`{"id":"r"`, true)
	f(`{"id":"r","imp":[]} x`, true)
	f("{\"id\":\"\xff\"}", true)
	f(`{"id":"r"}`, false)
	f(`{"id":"r","imp":[]}`, false)
	f(`{"id":"r","imp":null}`, false)
	f(`{"id":{},"imp":[]}`, false)
	f(`{"id":"r","id":"s","imp":[]}`, false)
	f(`{"id":"r","ext":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`}`, false)
	f(`{"id":"`+strings.Repeat("x", MaxBytes)+`"}`, false)
}

// Members that protect nobody may be anything.
func TestMembersThatProtectNobodyAreTolerated(t *testing.T) {
	for _, members := range []string{
		``, `"unknown":{"a":[1]}`, `"test":"maybe"`, `"tmax":"soon"`, `"tmax":null`, `"allimps":"x"`, `"device":null`, `"site":null`,
		`"site":{"name":{},"keywords":[1,{}],"content":"x","publisher":null}`, `"user":"x"`, `"user":null`, `"user":{"id":{},"data":"x","eids":{},"keywords":7,"ext":[]}`,
		`"user":{"data":[7,{"segment":[null,{"id":[]}]}],"eids":[1,{"uids":{}},{"uids":[{"id":{}}]}]}`,
		`"source":"x"`, `"source":{"schain":7,"ext":{"schain":[]}}`, `"device":{"ua":[],"os":7,"devicetype":"x","connectiontype":{},"sua":[],"ext":1,"geo":{"lat":"x","utcoffset":[]}}`,
		`"at":null`, `"bcat":null`, `"wseat":null`, `"regs":null`, `"regs":{"ext":null}`,
	} {
		accept(t, withRequest(members))
	}
	for _, members := range []string{`"tagid":[]`, `"instl":"x"`, `"rwdd":{}`, `"exp":"x"`, `"exp":-5`, `"ext":7`, `"metric":7`, `"pmp":null`, `"qty":null`, `"video":null`, `"secure":null`} {
		accept(t, withImp(members))
	}
	for _, form := range []string{`"banner":{"w":300,"h":250,"pos":"x","topframe":[],"ext":7,"id":{},"vcm":"x"}`,
		`"banner":{"format":[{"w":300,"h":250},{},{"ext":1}]}`, `"video":{"mimes":["video/mp4"],"skip":{},"plcmt":[],"startdelay":"x","companionad":7}`} {
		accept(t, withForm(form))
	}
}

func TestNumbersAndTextsStandForEachOther(t *testing.T) {
	q := accept(t, `{"id":12345678901234567890,"tmax":"120","at":"1","cur":"eur","bcat":"IAB1","badv":["HTTPS://WWW.Ford.COM/x",7],"wseat":[42],"cattax":"2",
		"imp":[{"id":7,"bidfloor":"0.5","bidfloorcur":"eur","secure":"1","instl":true,"exp":"60","banner":{"w":300.0,"h":"250","battr":["1",2.0,null],"api":5,"pos":"3"},
		"pmp":{"private_auction":"1","deals":[{"id":9,"bidfloor":"2","at":"3"}]}}]}`)
	m := q.Imps[0]
	if q.ID != "12345678901234567890" || q.TMax.Milliseconds() != 120 || !q.FirstPrice || q.CategoryTaxonomy != 2 || m.ID != "7" || m.Floor != 0.5 || m.FloorCur != "EUR" ||
		!m.Secure || !m.Full || m.Expires.Seconds() != 60 || !m.DealOnly || m.Banner.Position != 3 {
		t.Errorf("%+v", q)
	}
	same := func(a, b any) {
		t.Helper()
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%v, want %v", a, b)
		}
	}
	same(q.Currencies, []string{"EUR"})
	same(q.BlockedCategories, []string{"IAB1"})
	same(q.BlockedAdvertisers, []string{"ford.com", "7"})
	same(q.Seats, []string{"42"})
	same(m.Banner.BlockedAttributes, []int{1, 2})
	same(m.Banner.APIs, []int{5})
	same(m.Banner.Sizes, []auction.Size{{W: 300, H: 250}})
	same(m.Deals, []auction.Deal{{ID: "9", Floor: 2, FloorCur: "USD", FirstPrice: true, FixedPrice: true}})
}

// A member that protects somebody is never read to less than it says.
func TestMembersThatProtectRefuse(t *testing.T) {
	request := func(member, reason string) {
		t.Helper()
		refused(t, withRequest(member), reason)
	}
	for _, name := range []string{"bcat", "badv", "bapp", "wseat", "bseat", "cur", "wlang", "acat"} {
		for value, kind := range map[string]string{`{}`: "an object", `7`: "a number", `true`: "a boolean"} {
			request(fmt.Sprintf(`%q:%s`, name, value), name+" is "+kind+", expected a list of texts")
		}
		request(fmt.Sprintf(`%q:["a",{}]`, name), name+"[1] is an object, expected a text")
		request(fmt.Sprintf(`%q:["a",[]]`, name), name+"[1] is an array, expected a text")
	}
	for _, name := range []string{"wseat", "cur", "wlang", "acat"} {
		request(fmt.Sprintf(`%q:[""]`, name), name+"[0] is empty")
		request(fmt.Sprintf(`%q:[null]`, name), name+"[0] is empty")
	}
	request(`"regs":"x"`, "regs is a text, expected an object")
	request(`"regs":[]`, "regs is an array, expected an object")
	request(`"device":7`, "device is a number, expected an object")
	request(`"site":"x"`, "site is a text, expected an object")
	request(`"site":{"domain":{}}`, "site.domain is an object, expected a text")
	request(`"site":{"cat":{}}`, "site.cat is an object, expected a list of texts")
	request(`"app":{"bundle":[]}`, "app.bundle is an array, expected a text")
	request(`"site":{},"app":{}`, "site, app and dooh: more than one")
	request(`"cattax":"x"`, "cattax is a text, expected a whole number")
	request(`"tmax":-1`, "tmax is -1")

	imp := func(member, reason string) {
		t.Helper()
		refused(t, withImp(member), reason)
	}
	imp(`"bidfloor":{}`, "imp[0].bidfloor is an object, expected a price")
	imp(`"bidfloor":"x"`, "imp[0].bidfloor is a text, expected a price")
	imp(`"bidfloor":true`, "imp[0].bidfloor is a boolean, expected a price")
	imp(`"bidfloor":-0.01`, "imp[0].bidfloor is -0.01, expected a price")
	imp(`"bidfloor":1e300`, "imp[0].bidfloor is 1e+300")
	imp(`"bidfloor":1e999`, "imp[0].bidfloor is a number")
	imp(`"bidfloor":"NaN"`, "imp[0].bidfloor is a text")
	imp(`"bidfloor":"Infinity"`, "imp[0].bidfloor is a text")
	imp(`"bidfloorcur":[]`, "imp[0].bidfloorcur is an array")
	imp(`"bidfloorcur":"euro"`, "imp[0].bidfloorcur is no currency's code")
	imp(`"qty":7`, "imp[0].qty is a number")
	imp(`"qty":{"multiplier":0}`, "imp[0].qty.multiplier is 0")
	imp(`"qty":{"multiplier":[]}`, "imp[0].qty.multiplier is an array")
	imp(`"pmp":"x"`, "imp[0].pmp is a text")
	imp(`"pmp":{"deals":{}}`, "imp[0].pmp.deals is an object")
	imp(`"pmp":{"deals":[7]}`, "imp[0].pmp.deals[0] is a number")
	imp(`"pmp":{"deals":[{"bidfloor":1}]}`, "imp[0].pmp.deals[0] has no id")
	imp(`"pmp":{"deals":[{"id":"d","bidfloor":[]}]}`, "imp[0].pmp.deals[0].bidfloor is an array")
	imp(`"pmp":{"deals":[{"id":"d","wseat":{}}]}`, "imp[0].pmp.deals[0].wseat is an object")
	imp(`"pmp":{"deals":[{"id":"d","wadomain":[""]}]}`, "imp[0].pmp.deals[0].wadomain[0] is empty")
	imp(`"pmp":{"deals":[{"id":"d","durfloors":[{"bidfloor":"x"}]}]}`, "imp[0].pmp.deals[0].durfloors[0].bidfloor is a text")

	form := func(form, reason string) {
		t.Helper()
		refused(t, withForm(form), "imp[0]."+reason)
	}
	form(`"banner":7`, "banner is a number, expected an object")
	form(`"banner":{"w":300,"h":250,"battr":"x"}`, "banner.battr is a text, expected a whole number")
	form(`"banner":{"w":300,"h":250,"battr":[1,"x"]}`, "banner.battr[1] is a text, expected a whole number")
	form(`"banner":{"w":300,"h":250,"battr":[1.5]}`, "banner.battr[0] is a number, expected a whole number")
	form(`"banner":{"w":300,"h":250,"btype":{}}`, "banner.btype is an object")
	form(`"banner":{"w":300,"h":250,"mimes":{}}`, "banner.mimes is an object")
	form(`"banner":{"w":300,"h":250,"api":[null]}`, "banner.api[0] is null, expected a whole number")
	form(`"banner":{"w":"x","h":250}`, "banner.w is a text")
	form(`"banner":{"w":300.5,"h":250}`, "banner.w is 300.5, expected a whole number")
	form(`"banner":{"w":3e9,"h":250}`, "banner.w is 3e+09")
	form(`"banner":{"w":100000,"h":250}`, "banner.w is 100000, at most 65536")
	form(`"banner":{"format":{}}`, "banner.format is an object")
	form(`"banner":{"format":[7]}`, "banner.format[0] is a number")
	form(`"banner":{"w":300,"h":250,"format":[{"w":-1,"h":1}]}`, "banner.format[0].w is -1")
	form(`"banner":{"format":[{"wratio":16,"hratio":9,"wmin":100}]}`, "banner has only sizes that are ratios")
	form(`"banner":{}`, "banner has no size")
	form(`"video":{"mimes":["video/mp4"],"battr":{}}`, "video.battr is an object")
	form(`"video":{"mimes":["video/mp4"],"protocols":"x"}`, "video.protocols is a text, expected a whole number")
	form(`"video":{"mimes":["video/mp4"],"minduration":"x"}`, "video.minduration is a text")
	form(`"video":{"mimes":["video/mp4"],"minduration":9,"maxduration":5}`, "video has a maxduration of 5 below")
	form(`"video":{"mimes":["video/mp4"],"linearity":[]}`, "video.linearity is an array")
	form(`"video":{"mimes":["video/mp4"],"rqddurs":["x"]}`, "video.rqddurs[0] is a text")
	form(`"video":{"mimes":["video/mp4"],"mincpmpersec":-1}`, "video.mincpmpersec is -1")
	form(`"video":{"mimes":["video/mp4"],"durfloors":7}`, "video.durfloors is a number")
	form(`"video":{"mimes":{}}`, "video.mimes is an object")
	form(`"video":{"mimes":[]}`, "video has no mimes")
	form(`"audio":{"mimes":["audio/mp4"],"maxbitrate":10,"minbitrate":20}`, "audio has a maxbitrate of 10 below")
	form(`"native":{"request":7}`, "native.request is a number")
	form(`"native":{"request":"{}","battr":{}}`, "native.request has no assets")
}

// A place with several forms of ads keeps those that can be bid on; one that has none does not harm
// other places.
func TestWhatCannotBeBidOnIsLeftOutByItself(t *testing.T) {
	q := accept(t, `{"id":"r","imp":[
		{"id":"1","banner":{"w":300,"h":250},"video":{"mimes":[]},"native":{"request":"nonsense"}},
		{"id":"2","native":{"request":"{\"assets\":[}"}},
		{"id":"3","audio":{"mimes":["audio/mp4"]}},
		{"banner":{"w":1,"h":1}}]}`)
	if len(q.Imps) != 2 || q.Imps[0].Banner == nil || q.Imps[0].Video != nil || q.Imps[0].Native != nil || q.Imps[1].ID != "3" || q.Imps[1].Index != 2 {
		t.Errorf("%+v", q.Imps)
	}
	var got []string
	for _, r := range q.Refused {
		got = append(got, fmt.Sprint(r.Index, r.Imp, " ", r.Reason))
	}
	want := []string{"01 imp[0].video has no mimes", "01 imp[0].native.request is no native request",
		"12 imp[1].native.request cannot be read: the value is not JSON: byte 12: expected a value", "3 imp[3] has no id"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("refused are\n%q, want\n%q", got, want)
	}
}

func TestWhatLiesBeyondTheBoundsIsRefusedByName(t *testing.T) {
	many := func(n int, element string) string { return "[" + strings.Repeat(element+",", n) + element + "]" }
	imps := make([]string, maxImps+1)
	for i := range imps {
		imps[i] = fmt.Sprintf(`{"id":"%d","banner":{"w":1,"h":1}}`, i)
	}
	refused(t, `{"id":"r","imp":[`+strings.Join(imps, ",")+`]}`, "imp[50] is one too many: at most 50")
	accept(t, `{"id":"r","imp":[`+strings.Join(imps[1:], ",")+`]}`)
	refused(t, withRequest(`"bcat":`+many(maxBlocked, `"IAB1"`)), "bcat[10000] is one too many")
	refused(t, withRequest(`"wseat":`+many(maxList, `"s"`)), "wseat[1000] is one too many")
	refused(t, withRequest(`"user":{"data":[{"segment":`+many(maxList, `{"id":"s"}`)+`}]}`), "user.data[0].segment[1000] is one too many")
	refused(t, withRequest(`"user":{"eids":[{"uids":`+many(maxList, `{"id":"s"}`)+`}]}`), "user.eids[0].uids[1000].id is one too many")
	refused(t, withRequest(`"source":{"schain":{"nodes":`+many(maxList, `{}`)+`}}`), "source.schain.nodes[1000] is one too many")
	refused(t, withRequest(`"bseat":["`+strings.Repeat("x", maxTextBytes+1)+`"]`), "bseat[0] has 2049 bytes")
	refused(t, withForm(`"banner":{"format":`+many(maxFormats, `{"w":1,"h":1}`)+`}`), "imp[0].banner.format[100] is one too many")
	refused(t, withForm(`"banner":{"w":1,"h":1,"battr":`+many(maxList, `1`)+`}`), "imp[0].banner.battr[1000] is one too many")
	refused(t, withImp(`"pmp":{"deals":`+many(maxDeals, `{"id":"d"}`)+`}`), "imp[0].pmp.deals[300] is one too many")
	refused(t, withForm(`"native":{"request":{"assets":`+many(maxAssets, `{"title":{}}`)+`}}`), "imp[0].native.request.assets[50] is one too many")
	refused(t, `{"id":"`+strings.Repeat("x", MaxIDBytes+1)+`","imp":[]}`, "id has 201 bytes")
	refused(t, `{"id":"a\u0007","imp":[]}`, "id contains a control character")
	refused(t, `{"id":"r","imp":[{"id":"`+strings.Repeat("x", MaxIDBytes+1)+`","banner":{"w":1,"h":1}}]}`, "imp[0].id has 201 bytes")
}

func TestDefaultsOfTheSpecification(t *testing.T) {
	q := accept(t, withRequest(""))
	m := q.Imps[0]
	if q.FirstPrice || q.TMax != 0 || q.Currencies != nil || q.CategoryTaxonomy != 1 || q.Test || m.Floor != 0 || m.FloorCur != "USD" || m.Secure || m.Multiplier != 1 || m.Expires != 0 {
		t.Errorf("%+v", q)
	}
}

func TestWhatTheWinnerPays(t *testing.T) {
	f := func(at, dealAt string, request, deal, fixed bool) {
		t.Helper()
		// the deal comes before the request's own at
		q := accept(t, `{"id":"r","imp":[{"id":"1","banner":{"w":1,"h":1},"pmp":{"deals":[{"id":"d"`+dealAt+`}]}}]`+at+`}`)
		d := q.Imps[0].Deals[0]
		if q.FirstPrice != request || d.FirstPrice != deal || d.FixedPrice != fixed {
			t.Errorf("%s %s: %v, deal %v, fixed %v", at, dealAt, q.FirstPrice, d.FirstPrice, d.FixedPrice)
		}
	}
	f(``, ``, false, false, false)
	f(`,"at":1`, ``, true, true, false)
	f(`,"at":2`, ``, false, false, false)
	f(`,"at":1`, `,"at":2`, true, false, false)
	f(`,"at":2`, `,"at":1`, false, true, false)
	f(`,"at":2`, `,"at":3`, false, true, true)
	f(`,"at":501`, ``, true, true, false) // a rule of the exchange's own
	f(`,"at":{}`, `,"at":null`, true, true, false)
	f(`,"at":2`, `,"at":"x"`, false, true, false)
}

func TestFlagsThatProtectAreSetWhenTheyCannotBeRead(t *testing.T) {
	q := accept(t, withImp(`"secure":{},"pmp":{"private_auction":"x"}`))
	if !q.Imps[0].Secure || !q.Imps[0].DealOnly {
		t.Errorf("%+v", q.Imps[0])
	}
	if q := accept(t, withRequest(`"device":{"lmt":{}}`)); !q.Device.Limited || q.Consent.User {
		t.Errorf("%+v", q)
	}
	if q := accept(t, withRequest(`"regs":{"coppa":"x"}`)); q.Consent.Reason != "coppa" {
		t.Errorf("%+v", q)
	}
}

// One text instead of a list blocks all that it names.
func TestOneTextIsAList(t *testing.T) {
	q := accept(t, withRequest(`"bcat":"IAB1, IAB2","badv":"*.ford.com,WWW.audi.com,","cur":"USD,EUR"`))
	if fmt.Sprint(q.BlockedCategories, q.BlockedAdvertisers, q.Currencies) != "[IAB1 IAB2] [ford.com audi.com] [USD EUR]" {
		t.Errorf("%+v", q)
	}
	b := accept(t, withForm(`"banner":{"w":1,"h":1,"battr":"1, 2","api":"","btype":"3"}`)).Imps[0].Banner
	if fmt.Sprint(b.BlockedAttributes, b.APIs, b.BlockedTypes) != "[1 2] [] [3]" {
		t.Errorf("%+v", b)
	}
	refused(t, withRequest(`"wseat":"a,"`), "wseat is empty")
}

func TestVideoAndAudio(t *testing.T) {
	q := accept(t, withForm(`"video":{"mimes":["Video/MP4"],"placement":3,"protocol":2,"protocols":[3],"w":640,"mincpmpersec":0.1,"rqddurs":[15,30],
		"durfloors":[{"mindur":5,"maxdur":10,"bidfloor":2}]},"audio":{"mimes":["audio/mp4"],"maxduration":60,"protocols":[9]}`))
	v, a := q.Imps[0].Video, q.Imps[0].Audio
	if v.Placement != 4 || !reflect.DeepEqual(v.Protocols, []int{2, 3}) || v.MIMEs[0] != "video/mp4" || v.Size != (auction.Size{}) || !reflect.DeepEqual(v.Durations, []int{15, 30}) ||
		v.Floors.PerSecond != 0.1 || len(v.Floors.Ranges) != 1 || a.MaxDuration != 60 || !reflect.DeepEqual(a.Protocols, []int{9}) {
		t.Errorf("%+v %+v", v, a)
	}
}

func TestRewardedPlacesOfOlderRequests(t *testing.T) {
	for _, members := range []string{`"rwdd":1`, `"ext":{"prebid":{"is_rewarded_inventory":1}}`, `"ext":{"is_rewarded_inventory":1}`} {
		if q := accept(t, withImp(members)); !q.Imps[0].Rewarded {
			t.Errorf("%s is not rewarded", members)
		}
	}
}
