package openrtb

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prebid/openrtb/v20/openrtb2"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/consent"
	"github.com/clickloop/clickloop/event"
)

const now = event.Time(1_790_000_000_000)

// sample is a request of the data set.
type sample struct {
	Name, Why string
	Request   json.RawMessage
	body      []byte
}

func samples(t testing.TB, name string) []sample {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []sample
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s sample
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		s.body = s.Request
		var text string
		if json.Unmarshal(s.Request, &text) == nil { // a body that is no JSON
			s.body = []byte(text)
		}
		all = append(all, s)
	}
	if len(all) < 50 {
		t.Fatalf("%s has %d requests", name, len(all))
	}
	return all
}

func typical(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/typical.json")
	if err != nil {
		t.Fatal(err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, b); err != nil {
		t.Fatal(err)
	}
	return compact.Bytes()
}

// read reads a request and checks what holds for all of them.
func read(t testing.TB, body string, o Options) (auction.Request, *Invalid) {
	t.Helper()
	var q auction.Request
	err := Read([]byte(body), &q, o)
	if err == nil {
		checkRequest(t, &q)
		return q, nil
	}
	var wrong *Invalid
	if !errors.As(err, &wrong) || wrong.Reason == "" || wrong.NBR != 2 {
		t.Fatalf("%.300s is refused by %#v", body, err)
	}
	if !reflect.DeepEqual(q, auction.Request{ID: q.ID, Time: o.Now}) {
		t.Fatalf("%.300s is refused and leaves %+v", body, q)
	}
	return q, wrong
}

func accept(t testing.TB, body string) auction.Request {
	t.Helper()
	q, err := read(t, body, Options{Now: now})
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return q
}

// refused checks that a request gets no bid, for a reason that begins so.
func refused(t testing.TB, body, want string) {
	t.Helper()
	if _, err := read(t, body, Options{}); err == nil || !strings.HasPrefix(err.Reason, want) {
		t.Errorf("%.300s: %v, want %s", body, err, want)
	}
}

func TestValidRequestsAreRead(t *testing.T) {
	for _, s := range samples(t, "valid") {
		q, err := read(t, string(s.body), Options{Now: now})
		if s.Name == "valid-whole/supplementary/imp-info-invalid" {
			if err == nil {
				t.Errorf("%s has no form of ad and is accepted", s.Name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		if len(q.Refused) > 0 || q.Time != now {
			t.Errorf("%s: %+v", s.Name, q)
		}
	}
}

// mustRefuse are requests that break OpenRTB itself. The others of invalid.jsonl break extensions
// of Prebid, or have a member that a bidder may tolerate.
const mustRefuse = "empty-object only-request-id imp-empty-array imp-empty-object imp-no-type imp-id-duplicates malformed-bid-request banner-no-size banner-w-only " +
	"banner-h-only banner-w-negative banner-h-negative banner-hmax banner-wmin format-empty-array format-empty-object format-no-height format-w-negative native-empty " +
	"video-empty video-mimes-empty video-w-negative video-minbitrate-negative audio-mimes-empty audio-maxbitrate-negative site-app-both site-dooh-both deal-no-id tmax-negative " +
	"empty assets-with-dup-ids assets-with-partial-ids asset-mixed-type asset-img-w-negative asset-empty"

func TestInvalidRequestsAreRefused(t *testing.T) {
	must := map[string]bool{}
	for name := range strings.FieldsSeq(mustRefuse) {
		must[name] = true
	}
	found := 0
	for _, s := range samples(t, "invalid") {
		_, err := read(t, string(s.body), Options{Now: now})
		if _, name, _ := strings.Cut(s.Name, "/"); must[name] {
			if found++; err == nil {
				t.Errorf("%s is accepted", s.Name)
			}
		}
	}
	if found < len(must) {
		t.Errorf("%d of %d are in the data set", found, len(must))
	}
}

func TestATypicalRequest(t *testing.T) {
	got := accept(t, string(typical(t)))
	want := auction.Request{
		ID: "7f2d8f2c-61b4-4cf8-9f0a-6f0a1d6c7f11", Time: now, FirstPrice: true, TMax: 250 * time.Millisecond, Currencies: []string{"USD"},
		BlockedCategories:  []string{"IAB7-39", "IAB8-5", "IAB8-18", "IAB9-9", "IAB14-1", "IAB23", "IAB24", "IAB25", "IAB26"},
		BlockedAdvertisers: []string{"competitor-one.de", "competitor-two.de", "casino.example", "tabak.example", "rival-news.de"},
		CategoryTaxonomy:   1,
		Chain: auction.SupplyChain{Given: true, Complete: true,
			Nodes: []auction.ChainNode{{System: "exchange.example", Seller: "4711"}, {System: "reseller.example", Seller: "99"}}},
		Place: auction.Place{Kind: auction.Site, ID: "site-4711", Name: "The Daily Example", Domain: "example-news.de",
			Page:       "https://www.example-news.de/politik/2026/11/29/lange-ueberschrift-eines-artikels.html",
			Categories: []string{"IAB12", "IAB12-2", "IAB11-4"}, Publisher: "pub-88", Language: "de",
			Keywords: []string{"wahl", "berlin", "koalition", "politik", "nachrichten"}},
		Device: auction.Device{UserAgent: "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
			Type: 4, OS: "Android", Make: "Google", Model: "Pixel 8", Language: "de", Connection: 6, Country: "DEU", Region: "BE", City: "Berlin", Zip: "10117",
			Lat: 52.5, Lon: 13.4, Located: true, UTCOffset: 60, Zoned: true},
		User: auction.User{ID: "clk-1b2c3d4e5f60718293a4b5c6d7e8f901",
			External: []string{"id5-sync.com/ID5*aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5zA7bC9dE", "pubcid.org/f5a5b3a2-6e1e-4a4b-9c4e-0f7a1d2c3b4a"},
			Segments: []string{"607", "1121", "882", "dmp1/607", "dmp1/1121", "dmp1/882"}},
		Consent: auction.Consent{User: true},
		Imps: []auction.Imp{{ID: "1", Tag: "article-top", Floor: 0.35, FloorCur: "USD", Secure: true, Expires: 5 * time.Minute, Multiplier: 1,
			Banner: &auction.Banner{Sizes: []auction.Size{{W: 300, H: 250}, {W: 336, H: 280}, {W: 300, H: 600}}, BlockedTypes: []int{4},
				BlockedAttributes: []int{1, 2, 3, 5, 8, 9, 14, 17}, APIs: []int{3, 5, 7}, Position: 1},
			Video: &auction.Video{MIMEs: []string{"video/mp4", "video/webm"}, MinDuration: 5, MaxDuration: 30, Protocols: []int{2, 3, 5, 6, 7, 8},
				Size: auction.Size{W: 640, H: 360}, Placement: 1, Linearity: 1, Skip: true, BlockedAttributes: []int{1, 2}, APIs: []int{7}},
			Deals: []auction.Deal{{ID: "deal-premium-news", Floor: 1.2, FloorCur: "USD", FirstPrice: true, Seats: []string{"seat-9"}}},
		}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
		t.Errorf("imps\n%+v\n%+v\n%+v", got.Imps[0], got.Imps[0].Banner, got.Imps[0].Video)
	}
}

// Where the library reads a request too, both find the same.
func TestRequestsReadAsTheLibraryReadsThem(t *testing.T) {
	all := append(samples(t, "valid"), sample{Name: "typical", body: typical(t)})
	compared := 0
	for _, s := range all {
		var want openrtb2.BidRequest
		q, refused := read(t, string(s.body), Options{})
		if json.Unmarshal(s.body, &want) != nil || refused != nil {
			continue
		}
		compared++
		same := func(what string, a, b any) {
			t.Helper()
			if !reflect.DeepEqual(a, b) {
				t.Errorf("%s: %s is %v, want %v", s.Name, what, a, b)
			}
		}
		same("id", q.ID, want.ID)
		same("tmax", q.TMax.Milliseconds(), want.TMax)
		same("at", q.FirstPrice, want.AT == 1)
		same("imps", len(q.Imps), len(want.Imp))
		same("bcat", q.BlockedCategories, want.BCat)
		for i, m := range q.Imps {
			w := want.Imp[i]
			same("imp.id", m.ID, w.ID)
			same("bidfloor", m.Floor, w.BidFloor)
			same("instl", m.Full, w.Instl == 1)
			same("forms", [4]bool{m.Banner != nil, m.Video != nil, m.Audio != nil, m.Native != nil},
				[4]bool{w.Banner != nil, w.Video != nil, w.Audio != nil, w.Native != nil})
			if w.Banner != nil {
				for _, f := range w.Banner.Format {
					same("format", contains(m.Banner.Sizes, auction.Size{W: int(f.W), H: int(f.H)}), true)
				}
			}
			if w.Video != nil {
				same("mimes", m.Video.MIMEs, w.Video.MIMEs)
				same("protocols", len(m.Video.Protocols), len(w.Video.Protocols))
			}
		}
	}
	if compared < 60 {
		t.Errorf("%d requests are compared", compared)
	}
}

func contains(sizes []auction.Size, s auction.Size) bool {
	for _, have := range sizes {
		if have == s {
			return true
		}
	}
	return false
}

// checkRequest checks what holds for every request that is accepted.
func checkRequest(t testing.TB, q *auction.Request) {
	t.Helper()
	bad := func(what string, args ...any) {
		t.Helper()
		t.Fatalf("%s %v: %+v", what, args, q)
	}
	if q.ID == "" || len(q.ID) > MaxIDBytes || len(q.Imps) == 0 || len(q.Imps) > maxImps || q.TMax < 0 {
		bad("request")
	}
	for _, r := range q.Refused {
		if r.Reason == "" || r.Index < 0 || r.Index >= maxImps {
			bad("refusal", r)
		}
	}
	ids := map[string]bool{}
	for i := range q.Imps {
		m := &q.Imps[i]
		if m.ID == "" || ids[m.ID] || len(m.ID) > MaxIDBytes {
			bad("imp id", m.ID)
		}
		ids[m.ID] = true
		if !price(m.Floor) || len(m.FloorCur) != 3 || m.Multiplier <= 0 || m.Expires < 0 || len(m.Deals) > maxDeals {
			bad("imp", *m)
		}
		for _, d := range m.Deals {
			if d.ID == "" || !price(d.Floor) || len(d.FloorCur) != 3 {
				bad("deal", d)
			}
		}
		if len(m.Formats(nil)) == 0 {
			bad("no form", *m)
		}
		checkForms(bad, m)
	}
	if u := q.User; !q.Consent.User && (u.ID != "" || u.External != nil || u.Segments != nil || u.Keywords != nil || len(q.Device.Zip) > 3) {
		bad("user without consent")
	}
	if q.Consent.User != (q.Consent.Reason == "") || event.CheckID("user", q.User.ID) != nil {
		bad("consent", q.Consent)
	}
	if d := q.Device; d.Lat < -90 || d.Lat > 90 || d.Lon < -180 || d.Lon > 180 || len(d.Country) != 3 && d.Country != "" {
		bad("place", d)
	}
}

func checkForms(bad func(string, ...any), m *auction.Imp) {
	if b := m.Banner; b != nil {
		if len(b.Sizes) == 0 && !m.Full {
			bad("no size", *b)
		}
		for _, s := range b.Sizes {
			if s.W <= 0 || s.H <= 0 || s.W > maxPixels || s.H > maxPixels {
				bad("size", s)
			}
		}
	}
	if v := m.Video; v != nil && (len(v.MIMEs) == 0 || v.MinDuration < 0 || v.MaxDuration > 0 && v.MaxDuration < v.MinDuration || !price(v.Floors.PerSecond)) {
		bad("video", *v)
	}
	if a := m.Audio; a != nil && (len(a.MIMEs) == 0 || a.MinDuration < 0 || a.MaxDuration > 0 && a.MaxDuration < a.MinDuration) {
		bad("audio", *a)
	}
	if n := m.Native; n != nil {
		assets := map[int]bool{}
		for _, a := range n.Assets {
			if assets[a.ID] || a.W < 0 || a.H < 0 || a.MinW < 0 || a.MinH < 0 || a.Length < 0 {
				bad("asset", a)
			}
			assets[a.ID] = true
		}
		if len(n.Assets) == 0 {
			bad("no assets", *n)
		}
	}
}

func price(f float64) bool { return f >= 0 && f <= 1e9 }

func TestReadersDoNotShareMemory(t *testing.T) {
	bodies := [][]byte{typical(t)}
	for _, s := range samples(t, "valid") {
		bodies = append(bodies, s.body)
	}
	want := make([]auction.Request, len(bodies))
	for i, b := range bodies {
		_ = Read(b, &want[i], Options{Now: now})
	}
	var all sync.WaitGroup
	for w := range 8 {
		all.Go(func() {
			for i := range 200 {
				k := (i*7 + w) % len(bodies)
				body := bytes.Clone(bodies[k])
				var q auction.Request
				_ = Read(body, &q, Options{Now: now})
				clear(body) // the caller reads the next request into it
				if !reflect.DeepEqual(q, want[k]) {
					t.Errorf("request %d reads as\n%+v, want\n%+v", k, q, want[k])
				}
			}
		})
	}
	all.Wait()
}

func TestReadAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	body := typical(t)
	var q auction.Request
	if n := testing.AllocsPerRun(200, func() { _ = Read(body, &q, Options{Now: now}) }); n > 60 {
		t.Errorf("%v allocations a request, want at most 60", n)
	}
}

func BenchmarkRead(b *testing.B) {
	f := func(name string, bodies ...[]byte) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var q auction.Request
			o := Options{Now: now, Privacy: consent.Policy{Vendor: 20}}
			for i := 0; b.Loop(); i++ {
				_ = Read(bodies[i%len(bodies)], &q, o)
			}
		})
		b.Run(name+"/library", func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				var q openrtb2.BidRequest
				_ = json.Unmarshal(bodies[i%len(bodies)], &q)
			}
		})
	}
	var valid [][]byte
	for _, s := range samples(b, "valid") {
		valid = append(valid, s.body)
	}
	f("valid", valid...)
	f("typical", typical(b))
	f("fat", fat(b))
}

// fat is the typical request with 10 places, 500 blocked advertisers and a native place.
func fat(t testing.TB) []byte {
	var q map[string]any
	if err := json.Unmarshal(typical(t), &q); err != nil {
		t.Fatal(err)
	}
	imp := q["imp"].([]any)[0].(map[string]any)
	var imps []any
	for i := range 10 {
		next := map[string]any{}
		for k, v := range imp {
			next[k] = v
		}
		next["id"] = string(rune('a' + i))
		imps = append(imps, next)
	}
	imps[9].(map[string]any)["native"] = map[string]any{"ver": "1.2", "request": `{"ver":"1.2","assets":[{"id":1,"required":1,"title":{"len":90}},` +
		`{"id":2,"required":1,"img":{"type":3,"wmin":600,"hmin":315,"mimes":["image/jpeg"]}},{"id":3,"data":{"type":1,"len":30}}],"eventtrackers":[{"event":1,"methods":[1,2]}]}`}
	q["imp"] = imps
	var blocked []any
	for i := range 500 {
		blocked = append(blocked, "advertiser-"+string(rune('a'+i%26))+string(rune('a'+i/26))+".example")
	}
	q["badv"] = blocked
	b, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
