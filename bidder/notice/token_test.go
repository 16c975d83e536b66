package notice

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/signing"
)

func keys(t testing.TB) *signing.Keys {
	t.Helper()
	r, err := signing.Hold(secret)
	if err != nil {
		t.Fatal(err)
	}
	return r.Keys()
}

func TestATokenCarriesItsBid(t *testing.T) {
	k, rng := keys(t), rand.New(rand.NewPCG(1, 2))
	text := func(most int) string {
		b := make([]byte, rng.IntN(most+1))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return string(b)
	}
	for range 1000 {
		want := Token{
			Kind: Kind(1 + rng.IntN(int(kinds)-1)), Target: text(2048),
			Bid: Bid{
				ID: text(256), Campaign: text(256), Ad: text(256), Price: auction.Micros(rng.Int64N(1e12)), Currency: text(3),
				Issued: event.Time(rng.Int64N(1 << 41)), Test: rng.IntN(2) == 0,
			},
		}
		want.Expires = want.Issued + event.Time(rng.IntN(1e9))
		signed := string(want.Append(nil, k))
		if url.QueryEscape(signed) != signed {
			t.Fatalf("%q wants an escape", signed)
		}
		got, v := Open(k, signed, want.Kind, want.Issued, 0)
		if v != Valid || got != want {
			t.Fatalf("%v: %+v, want %+v", v, got, want)
		}
	}
}

func TestATokenIsShort(t *testing.T) {
	k := keys(t)
	b := Bid{ID: "6f1c2ad8-2f84-4ddf-8b3b-0c4a4a0b9a11-0123456789abcdef.0", Campaign: "spring-sale", Ad: "spring-sale-300x250", Price: 2350, Issued: start, Expires: start.Add(time.Hour)}
	token := (&Token{Kind: Bill, Bid: b}).Append(nil, k)
	if t.Logf("%d bytes: %s", len(token), token); len(token) > 170 {
		t.Errorf("it has %d bytes", len(token))
	}
}

// Each bit, each cut and each extension makes it another token.
func TestATokenCannotBeAltered(t *testing.T) {
	k, b := keys(t), bid()
	for _, kind := range all {
		signed := (&Token{Kind: kind, Bid: b, Target: target}).Append(nil, k)
		raw, err := base64.RawURLEncoding.DecodeString(string(signed))
		if err != nil {
			t.Fatal(err)
		}
		check := func(what, text string) {
			t.Helper()
			if got, v := Open(k, text, kind, start, time.Hour); v == Valid || got != (Token{}) {
				t.Fatalf("%v %s: %v", kind, what, v)
			}
		}
		for i := range signed {
			for bit := range 8 {
				altered := slices.Clone(signed)
				altered[i] ^= 1 << bit
				check(fmt.Sprintf("with bit %d of byte %d flipped", bit, i), string(altered))
			}
			check(fmt.Sprintf("cut to %d", i), string(signed[:i]))
		}
		for i := range raw {
			altered := slices.Clone(raw)
			altered[i] ^= 1 << (i % 8)
			check(fmt.Sprintf("with byte %d altered", i), base64.RawURLEncoding.EncodeToString(altered))
			check(fmt.Sprintf("cut to %d bytes", i), base64.RawURLEncoding.EncodeToString(raw[:i]))
		}
		for _, more := range []string{"A", "AA", "AAAA", "=", "\n", " ", ".", "%41", string(signed)} {
			check("extended", string(signed)+more)
		}
	}
}

func FuzzOpen(f *testing.F) {
	k, b := keys(f), bid()
	for _, kind := range all {
		f.Add(string((&Token{Kind: kind, Bid: b, Target: target}).Append(nil, k)))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, kind := range all {
			if got, v := Open(k, text, kind, start, time.Hour); v == Valid && string(got.Append(nil, k)) != text {
				t.Errorf("%q is valid", text)
			}
		}
	})
}

// Whatever a payload holds, it is read or refused.
func FuzzPayload(f *testing.F) {
	b := bid()
	f.Add((&Token{Kind: Click, Bid: b, Target: target}).appendPayload(nil))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, payload []byte) {
		if token, err := parse(payload); err == nil && (token.Kind >= kinds || token.Issued < 0 || token.Expires < token.Issued || token.Price < 0) {
			t.Errorf("%x is read as %+v", payload, token)
		}
	})
}

// Notices are called by anybody: 10,000 URLs with anything in the place of anything get an answer
// below 500, and only whole tokens make events.
func TestFuzzedNoticesAreAnswered(t *testing.T) {
	s, rng := run(t, nil), rand.New(rand.NewPCG(3, 4))
	junk := []string{"", "AUDIT", "${AUCTION_PRICE}", "-1", "1e309", "NaN", "%00", "%", "%zz", "\\", "'", "\"><script>", "..%2f", "ÿ", "&t=", "&p=1&p=2", ";", "t=1;t=2", strings.Repeat("A", 9000), "%0d%0aX:%20y", "{}", "[]"}
	for range 10_000 {
		k := all[rng.IntN(len(all))]
		link := []byte(filled(s.link(k), "${AUCTION_PRICE}", junk[rng.IntN(len(junk))], "${AUCTION_LOSS}", junk[rng.IntN(len(junk))], "${AUCTION_CURRENCY}", junk[rng.IntN(len(junk))]))
		for range rng.IntN(4) {
			switch at := len(base) + 2 + rng.IntN(len(link)-len(base)-2); rng.IntN(4) {
			case 0:
				link[at] = byte(rng.Uint32())
			case 1:
				link = link[:max(at, len(base)+2)]
			case 2:
				link = slices.Insert(link, at, []byte(junk[rng.IntN(len(junk))])...)
			case 3:
				link = append(link, link[at:]...)
			}
			if len(link) <= len(base)+3 {
				break
			}
		}
		u, err := url.Parse(string(link))
		if err != nil {
			continue // no server would read it
		}
		r := httptest.NewRequestWithContext(t.Context(), []string{"GET", "POST", "HEAD"}[rng.IntN(3)], base, nil)
		r.URL = u
		w := httptest.NewRecorder()
		s.mux.ServeHTTP(w, r)
		if to := w.Header().Get("Location"); w.Code >= 500 || w.Code == http.StatusFound && to != target {
			t.Fatalf("%q: %d to %q", link, w.Code, to)
		}
	}
	types := map[string]int{}
	for _, e := range s.log.events {
		if types[e.ID]++; e.Ad != "a1" || e.Campaign != "c1" || e.Prediction != "r-1.0" {
			t.Errorf("a forged event: %+v", e)
		}
	}
	if len(types) < 4 {
		t.Errorf("only %v went through", types)
	}
	for id, n := range types {
		if n != 1 {
			t.Errorf("%s is written %d times", id, n)
		}
	}
}

func TestWhatIsWrittenIsRememberedWithinABound(t *testing.T) {
	var w written
	for i := range 3 * maxWritten {
		w.add(fmt.Sprint(i))
	}
	if len(w.newer)+len(w.before) > 2*maxWritten || !w.has(fmt.Sprint(3*maxWritten-1)) || !w.has(fmt.Sprint(2*maxWritten)) || w.has("0") {
		t.Errorf("%d and %d are remembered", len(w.newer), len(w.before))
	}
}

func TestEventIDsAreBounded(t *testing.T) {
	f := func(bid, want string) {
		t.Helper()
		if got := eventID(bid, "click"); got != want || len(got) > event.MaxIDBytes {
			t.Errorf("%q", got)
		}
	}
	f("r.0", "r.0/click")
	f(strings.Repeat("x", 250), strings.Repeat("x", 250)+"/click")
	f(strings.Repeat("x", 251), "90d738c31c5ee1241cbcd2ff3d4aa125/click")
	for prediction, want := range map[string]string{"r.0": "r", "a.b.12": "a.b", "r": "", "r.": "", "r.x": "", ".1": ""} {
		if got := requestOf(prediction); got != want {
			t.Errorf("%q is of %q", prediction, got)
		}
	}
}

func BenchmarkNotice(b *testing.B) {
	k, of := keys(b), bid()
	b.Run("sign", func(b *testing.B) {
		b.ReportAllocs()
		var dst []byte
		for b.Loop() {
			dst = (&Token{Kind: Bill, Bid: of}).Append(dst[:0], k)
		}
	})
	b.Run("take", func(b *testing.B) {
		b.ReportAllocs()
		mux := http.NewServeMux()
		s := &stage{now: start, books: &books{taken: map[string]bool{}}, log: &log{}}
		ring, _ := signing.Hold(secret)
		n, err := New(DefaultConfig(), Deps{Keys: ring, Ledger: s.books, Events: s.log, Now: func() event.Time { return start }})
		if err != nil {
			b.Fatal(err)
		}
		n.Register(mux)
		links, _ := NewLinks(base, ring)
		i := 0
		for b.Loop() {
			of.ID = fmt.Sprint(i, ".0")
			i++
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest("GET", filled(string(links.Append(nil, Bill, &of))), nil))
			if w.Code != http.StatusNoContent {
				b.Fatal(w.Code)
			}
		}
	})
	signed := string((&Token{Kind: Bill, Bid: of}).Append(nil, k))
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, v := Open(k, signed, Bill, start, time.Hour); v != Valid {
				b.Fatal(v)
			}
		}
	})
}
