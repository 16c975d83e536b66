package openrtb

import (
	"encoding/json"
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
