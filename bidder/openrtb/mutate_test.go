package openrtb

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/consent"
	"github.com/clickloop/clickloop/event"
)

// odd are values of which one takes the place of a value of a request.
var odd = []string{`null`, `true`, `false`, `0`, `1`, `-1`, `2`, `300.0`, `0.5`, `1e300`, `12345678901234567890`, `""`, `"0"`, `"1"`, `"-1"`, `"x"`, `"1e999"`, `"NaN"`,
	`"\u0000"`, `"\ud800"`, `"` + strings.Repeat("y", 300) + `"`, `[]`, `[null]`, `[[]]`, `["a",1,null]`, `{}`, `{"id":{"id":{}}}`, `{"request":"{"}`}

// mutate changes one value of a request, its name, or bytes of its text.
func mutate(r *rand.Rand, request any) []byte {
	for range 1 + r.IntN(4) {
		request = change(r, request)
	}
	text, err := json.Marshal(request)
	if err != nil {
		panic(err)
	}
	for range max(0, r.IntN(8)-5) {
		i := r.IntN(len(text))
		switch r.IntN(3) {
		case 0:
			text[i] = byte(r.IntN(256))
		case 1:
			text = append(text[:i:i], text[min(len(text), i+1+r.IntN(5)):]...)
		default:
			text = append(text[:i:i], append([]byte{`{}[]",:0-e\`[r.IntN(11)]}, text[i:]...)...)
		}
		if len(text) == 0 {
			break
		}
	}
	return text
}

// change returns v with a change at a random place in it.
func change(r *rand.Rand, v any) any {
	switch v := v.(type) {
	case map[string]any:
		names := sorted(v)
		if len(names) == 0 || r.IntN(12) == 0 {
			break
		}
		name := names[r.IntN(len(names))]
		switch r.IntN(10) {
		case 0:
			delete(v, name)
		case 1:
			v[names[r.IntN(len(names))]] = v[name]
		default:
			v[name] = change(r, v[name])
		}
		return v
	case []any:
		if len(v) == 0 || r.IntN(8) == 0 {
			break
		}
		i := r.IntN(len(v))
		if r.IntN(6) == 0 {
			return append(v, v[i])
		}
		v[i] = change(r, v[i])
		return v
	case string:
		var inner any
		if strings.HasPrefix(v, "{") && json.Unmarshal([]byte(v), &inner) == nil {
			text, _ := json.Marshal(change(r, inner))
			return string(text)
		}
	}
	var other any
	if err := json.Unmarshal([]byte(odd[r.IntN(len(odd))]), &other); err != nil {
		panic(err)
	}
	return other
}

func sorted(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	for i := range names {
		for j := i; j > 0 && names[j] < names[j-1]; j-- {
			names[j], names[j-1] = names[j-1], names[j]
		}
	}
	return names
}

// Whatever is changed in a request, it is read to one that can be bid on, or refused with a reason.
func TestChangedRequestsAreReadOrRefused(t *testing.T) {
	const seed, requests = 13, 10_000
	r := rand.New(rand.NewPCG(seed, seed))
	all := append(samples(t, "valid"), samples(t, "invalid")...)
	for range 20 {
		all = append(all, sample{body: typical(t)}, sample{body: fat(t)})
	}
	accepted, refused, malformed := 0, 0, 0
	for i := range requests {
		var request any
		if json.Unmarshal(all[r.IntN(len(all))].body, &request) != nil {
			request = map[string]any{}
		}
		body := mutate(r, request)
		q, err := read(t, string(body), Options{Now: now, Privacy: consent.Policy{Default: [...]string{"", "yes", "no"}[i%3], Vendor: i % 3 * 10}})
		switch {
		case err == nil:
			accepted++
			checkFacts(t, &q)
		case err.Malformed:
			malformed++
		default:
			refused++
		}
	}
	t.Logf("seed %d: %d accepted, %d refused, %d malformed", seed, accepted, refused, malformed)
	if accepted < requests/10 || refused < requests/10 || malformed < requests/100 {
		t.Errorf("%d accepted, %d refused, %d malformed: the changes do not try enough", accepted, refused, malformed)
	}
}

// Whatever stands where a list protects somebody, it is read to a list or refused: only what names
// nothing reads as no list.
func TestListsThatProtectAreNeverReadToNothing(t *testing.T) {
	nothing := map[string]bool{`null`: true, `""`: true, `[]`: true}
	f := func(name string, block bool, body func(string) string, list func(*auction.Request) int) {
		t.Helper()
		for _, value := range odd {
			q, err := read(t, body(fmt.Sprintf("%q:%s", name, value)), Options{})
			if err == nil && list(&q) == 0 && !nothing[value] && !(block && (value == `[null]` || value == `[[]]`)) {
				t.Errorf("%s of %s is read to nothing", name, value)
			}
			if err != nil && nothing[value] {
				t.Errorf("%s of %s: %v", name, value, err)
			}
		}
	}
	f("bcat", true, withRequest, func(q *auction.Request) int { return len(q.BlockedCategories) })
	f("badv", true, withRequest, func(q *auction.Request) int { return len(q.BlockedAdvertisers) })
	f("bapp", true, withRequest, func(q *auction.Request) int { return len(q.BlockedApps) })
	f("bseat", true, withRequest, func(q *auction.Request) int { return len(q.BlockedSeats) })
	f("wseat", false, withRequest, func(q *auction.Request) int { return len(q.Seats) })
	f("cur", false, withRequest, func(q *auction.Request) int { return len(q.Currencies) })
	f("acat", false, withRequest, func(q *auction.Request) int { return len(q.AllowedCategories) })
	f("wlang", false, withRequest, func(q *auction.Request) int { return len(q.Languages) })
	banner := func(member string) string { return withForm(`"banner":{"w":300,"h":250,` + member + `}`) }
	f("mimes", false, banner, func(q *auction.Request) int { return len(q.Imps[0].Banner.MIMEs) })
	f("api", false, banner, func(q *auction.Request) int { return len(q.Imps[0].Banner.APIs) })
	f("battr", true, banner, func(q *auction.Request) int { return len(q.Imps[0].Banner.BlockedAttributes) })
	f("btype", true, banner, func(q *auction.Request) int { return len(q.Imps[0].Banner.BlockedTypes) })
	video := func(member string) string { return withForm(`"video":{"mimes":["video/mp4"],` + member + `}`) }
	f("protocols", false, video, func(q *auction.Request) int { return len(q.Imps[0].Video.Protocols) })
	f("rqddurs", false, video, func(q *auction.Request) int { return len(q.Imps[0].Video.Durations) })
	deal := func(member string) string { return withImp(`"pmp":{"deals":[{"id":"d",` + member + `}]}`) }
	f("wseat", false, deal, func(q *auction.Request) int { return len(q.Imps[0].Deals[0].Seats) })
	f("wadomain", false, deal, func(q *auction.Request) int { return len(q.Imps[0].Deals[0].AdvertiserDomains) })
}

// checkFacts reads the facts of a request back, as a topic's reader would.
func checkFacts(t testing.TB, q *auction.Request) {
	t.Helper()
	for i := range q.Imps {
		facts := auction.Facts(nil, q, &q.Imps[i])
		text := facts.AppendJSON(nil)
		var back event.Fields
		if err := back.UnmarshalJSON(text); err != nil || len(back) != len(facts) || len(text) > 8<<10 {
			t.Fatalf("facts %s: %v", text, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"valid", "invalid"} {
		for _, s := range samples(f, name) {
			f.Add(s.body)
		}
	}
	f.Add(typical(f))
	f.Add([]byte(personal(`"gpp":"DBABTA~1YYN","gpp_sid":[6]`, `"consent":"CN-EdYAN-EdYAAfABADECMEgAPIAAAAAAAYgAKMAAEAAAAA"`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		q, err := read(t, string(body), Options{Now: now})
		if err == nil {
			checkFacts(t, &q)
			return
		}
		if !err.Malformed && !json.Valid(body) && len(body) <= MaxBytes && !strings.Contains(err.Reason, "given twice") &&
			!strings.Contains(err.Reason, "nested too deep") {
			t.Errorf("%q is no JSON and is refused by %s", body, err.Reason)
		}
	})
}
