package run_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
)

// mutate damages a text as senders do: a byte that is another, a part that is missing, doubled or
// from elsewhere, and values of other kinds.
func mutate(r *rand.Rand, text []byte) []byte {
	values := []string{"null", "true", "-1", "1e308", `""`, `"x"`, "[]", "{}", `[null]`, `"\u0000"`, "0.5", `{"id":{}}`, "18446744073709551616", "\xff"}
	b := bytes.Clone(text)
	for range 1 + r.IntN(3) {
		at := r.IntN(len(b))
		to := min(at+1+r.IntN(20), len(b))
		switch r.IntN(5) {
		case 0:
			b[at] = byte(r.IntN(256))
		case 1:
			b = append(b[:at:at], b[to:]...)
		case 2:
			b = append(b[:to:to], b[at:]...)
		case 3:
			b = append(append(b[:at:at], values[r.IntN(len(values))]...), b[to:]...)
		default: // a value behind a colon
			if colon := bytes.IndexByte(b[at:], ':'); colon >= 0 {
				end := at + colon + 1
				rest := b[end:]
				if comma := bytes.IndexAny(rest, ",}]"); comma >= 0 {
					rest = rest[comma:]
				}
				b = append(append(b[:end:end], values[r.IntN(len(values))]...), rest...)
			}
		}
		if len(b) == 0 {
			return []byte("{")
		}
	}
	return b
}

// misplace gives a member somewhere in a request a value of another kind, and leaves it JSON.
func misplace(t *testing.T, r *rand.Rand, text []byte) []byte {
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	values := []any{nil, true, -1, 1e30, "", "x", []any{}, map[string]any{}, []any{nil}, 0.5, "0", 3, []any{1, "2"}}
	at := any(v)
	for {
		switch here := at.(type) {
		case map[string]any:
			names := slices.Sorted(maps.Keys(here))
			if len(names) == 0 {
				return text
			}
			name := names[r.IntN(len(names))]
			if at = here[name]; !nested(at) || r.IntN(4) == 0 {
				here[name] = values[r.IntN(len(values))]
				b, _ := json.Marshal(v)
				return b
			}
		case []any:
			if len(here) == 0 {
				return text
			}
			i := r.IntN(len(here))
			if at = here[i]; !nested(at) {
				here[i] = values[r.IntN(len(values))]
				b, _ := json.Marshal(v)
				return b
			}
		}
	}
}

func nested(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// 10,000 damaged bid requests get 200, 204 or 400, never 5xx, and each bid is for a place of its
// request.
func TestMutatedBidRequestsAreAnswered(t *testing.T) {
	l := bidding(t)
	bodies := [][]byte{
		[]byte(`{"id":"auction","at":1,"tmax":300,"cur":["USD"],"imp":[{"id":"1","banner":{"format":[{"w":300,"h":250}],"battr":[1]},"bidfloor":0.5,"secure":1,"exp":60}],` +
			`"site":{"domain":"news.example","cat":["IAB12"],"publisher":{"id":"p1"}},"device":{"ua":"Mozilla/5.0","geo":{"country":"USA","lat":1.5,"lon":2},"lmt":0},"user":{"id":"u1"},"bcat":["IAB25"],"badv":["x.example"],"regs":{"gdpr":0}}`),
		[]byte(`{"id":"a2","imp":[{"id":"v","video":{"mimes":["video/mp4"],"minduration":5,"maxduration":60,"protocols":[2,3,7],"w":640,"h":360}},` +
			`{"id":"n","native":{"request":"{\"assets\":[{\"id\":1,\"required\":1,\"title\":{\"len\":90}},{\"id\":2,\"img\":{\"type\":3,\"w\":300,\"h\":200}}]}"}},{"id":"a","audio":{"mimes":["audio/mpeg"]},"pmp":{"private_auction":1,"deals":[{"id":"d1","bidfloor":1}]}}],` +
			`"app":{"bundle":"com.example","publisher":{"id":"p2"}},"device":{"ifa":"x","os":"Android"},"regs":{"ext":{"us_privacy":"1YNN"}},"source":{"ext":{"schain":{"complete":1,"nodes":[{"asi":"x.example","sid":"1"}]}}}}`),
	}
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[int]int{}
	for i := range 10_000 {
		body := bodies[i%len(bodies)]
		if i%4 < 2 {
			body = misplace(t, r, body)
		} else {
			body = mutate(r, body)
		}
		resp, err := http.Post("http://"+l.HTTP+"/openrtb2/bid", "application/json", bytes.NewReader(body))
		if err != nil {
			t.Fatalf("%v of %q", err, body)
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		seen[resp.StatusCode]++
		switch resp.StatusCode {
		case http.StatusNoContent, http.StatusBadRequest:
		case http.StatusOK:
			var answer struct {
				SeatBid []struct{ Bid []struct{ ImpID string } }
			}
			if err := json.Unmarshal(text, &answer); err != nil || len(answer.SeatBid) == 0 || len(answer.SeatBid[0].Bid) == 0 {
				t.Fatalf("%v in %s, of %q", err, text, body)
			}
			for _, b := range answer.SeatBid[0].Bid {
				if !bytes.Contains(body, []byte(b.ImpID)) {
					t.Errorf("a bid for %q, of %q", b.ImpID, body)
				}
			}
		default:
			t.Fatalf("%d %s of %q", resp.StatusCode, text, body)
		}
	}
	if seen[200] < 500 || seen[204] < 500 || seen[400] < 500 {
		t.Errorf("answers %v: the damage is of one kind", seen)
	}
}
