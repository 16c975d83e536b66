package access

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// limits runs do in virtual time with a gate whose client bidder and whose addresses have rates.
func limits(t *testing.T, key, address Limits, do func(g *Gate)) {
	t.Helper()
	c := threeKeys(t)
	k := c.Keys["bidder"]
	k.Rate, k.Bytes = key.Rate, key.Bytes
	c.Keys["bidder"], c.Address = k, address
	synctest.Test(t, func(t *testing.T) { do(newGate(t, c, nil, nil)) })
}

// post is a call of the scorer with a body of so many bytes and so many lines, that announces its
// length or not.
func post(g *Gate, address string, size, lines int, announces bool) *Refused {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat(" ", size)))
	r.RemoteAddr = address
	r.Header.Set("Authorization", "Bearer "+scoreKey)
	if !announces {
		r.ContentLength = -1
	}
	v, err := g.Enter(r, Score, true)
	defer v.End()
	if err == nil {
		_, err = io.ReadAll(r.Body)
	}
	if err == nil {
		err = v.Take(lines - 1)
	}
	var no *Refused
	errors.As(err, &no)
	return no
}

// retryAfter is what the answer to a refused call tells.
func retryAfter(t *testing.T, no *Refused) time.Duration {
	t.Helper()
	w := httptest.NewRecorder()
	no.Answer(w)
	s, err := strconv.Atoi(w.Header().Get("Retry-After"))
	if err != nil || w.Code != http.StatusTooManyRequests || s < 1 || !strings.Contains(w.Body.String(), `"code":"rate_limited"`) {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	return time.Duration(s) * time.Second
}

func outcomeOf(no *Refused) outcome {
	if no == nil {
		return allowed
	}
	return no.outcome
}

func TestAKeyHasItsRate(t *testing.T) {
	limits(t, Limits{Rate: 10}, Limits{}, func(g *Gate) {
		for i := range 12 { // from everywhere
			want := allowed
			if i >= 10 {
				want = "key_rate"
			}
			if is := outcomeOf(post(g, fmt.Sprintf("192.0.2.%d:1", i), 10, 1, true)); is != want {
				t.Errorf("call %d: %s", i, is)
			}
		}
		time.Sleep(100 * time.Millisecond)
		if no := post(g, "192.0.2.1:1", 10, 1, true); no != nil {
			t.Errorf("after a tenth of a second: %v", no)
		}
		if no := enter(g, from("192.0.2.1:1", basic(writeKey)), Events); no != nil {
			t.Errorf("another client: %v", no)
		}
	})
}

func TestAnAddressHasItsRate(t *testing.T) {
	limits(t, Limits{}, Limits{Rate: 5}, func(g *Gate) {
		f := func(address string, s Scope, want int) {
			t.Helper()
			n := 0
			for range 20 {
				key := map[Scope]string{Score: scoreKey, Events: writeKey, Admin: adminKey}[s]
				if enter(g, from(address, "Bearer "+key), s) == nil {
					n++
				}
			}
			if n != want {
				t.Errorf("%s of %s: %d of 20 calls pass, want %d", s, address, n, want)
			}
		}
		f("192.0.2.1:1", Score, 5)
		f("192.0.2.1:2", Score, 0)
		f("192.0.2.1:3", Events, 5) // counts apart
		f("192.0.2.2:1", Score, 5)
		f("[2001:db8::1]:1", Score, 5)
		f("[2001:db8::2:0:0:1]:1", Score, 0) // the same /64
		f("[2001:db8:0:1::1]:1", Score, 5)
		f("[::ffff:192.0.2.1]:1", Score, 0)
		f("192.0.2.1:1", Admin, 20)
	})
}

// Without settings one address leaves a fifth of ingest.rate to others, and the scorer is open.
func TestByDefaultOneAddressCannotTakeTheWholeRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, err := New(DefaultConfig(), 1000, newGate(t, DefaultConfig(), nil, nil).logger, nil)
		if err != nil {
			t.Fatal(err)
		}
		f := func(s Scope, want int) {
			t.Helper()
			n := 0
			for range 2000 {
				if enter(g, from("192.0.2.1:1"), s) == nil {
					n++
				}
			}
			if n != want {
				t.Errorf("%s: %d of 2000 calls pass, want %d", s, n, want)
			}
		}
		f(Events, 800)
		f(Score, 2000)
	})
}

// A body of more lines, or more bytes, than a second brings passes once the rate is rested. What it
// took is paid off before the next one.
func TestWhatIsLargerThanItsRatePassesAndIsPaidOff(t *testing.T) {
	f := func(key Limits, size, lines int, announces bool, want outcome) {
		t.Helper()
		limits(t, key, Limits{}, func(g *Gate) {
			if no := post(g, "192.0.2.1:1", size, lines, announces); no != nil {
				t.Fatalf("a body of %d bytes, %d lines: %v", size, lines, no)
			}
			no := post(g, "192.0.2.1:1", size, lines, announces)
			if outcomeOf(no) != want {
				t.Fatalf("the next body of %d bytes, %d lines: %s, want %s", size, lines, outcomeOf(no), want)
			}
			time.Sleep(retryAfter(t, no) - 1500*time.Millisecond)
			if no := post(g, "192.0.2.1:1", size, lines, announces); no == nil {
				t.Error("a body passes before Retry-After has passed")
			}
		})
	}
	f(Limits{Rate: 10}, 10, 1000, true, "key_rate")
	f(Limits{Bytes: 10_000}, 1_000_000, 1, true, "key_bytes")
	f(Limits{Bytes: 10_000}, 1_000_000, 1, false, "key_bytes")
}

// Retry-After is true: a client that is alone and waits is let in.
func TestRetryAfterIsTrue(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		key := Limits{Rate: float64(1 + random.IntN(20)), Bytes: 1024 + random.IntN(20_000)}
		address := Limits{Rate: float64(1 + random.IntN(20)), Bytes: 1024 + random.IntN(20_000)}
		limits(t, key, address, func(g *Gate) {
			for range 20 {
				size, lines := 1+random.IntN(60_000), 1+random.IntN(50)
				no := post(g, "192.0.2.1:1", size, lines, true)
				for tries := 0; no != nil; tries++ {
					if tries == 2 {
						t.Fatalf("key %v, address %v: %d bytes, %d lines: refused after Retry-After: %v", key, address, size, lines, no)
					}
					time.Sleep(retryAfter(t, no))
					no = post(g, "192.0.2.1:1", size, lines, true)
				}
			}
		})
	}
}

// What one limit refuses is not taken from another.
func TestARefusedCallCostsOnlyWhatItUsed(t *testing.T) {
	limits(t, Limits{Rate: 100}, Limits{Rate: 3}, func(g *Gate) {
		for range 50 {
			post(g, "192.0.2.1:1", 10, 1, true)
		}
		if level := g.sources[0].client.account.buckets[inEvents].level; level != 97 {
			t.Errorf("50 calls of which 3 pass take %v of 100", 100-level)
		}
		v, err := g.Enter(from("192.0.2.9:1", "Bearer "+scoreKey), Score, true)
		if err != nil || v.Take(2) != nil {
			t.Fatal(err)
		}
		v.GiveBack(2)
		v.End()
		if level := g.sources[0].client.account.buckets[inEvents].level; level != 96 {
			t.Errorf("what was given back is missing: %v", level)
		}
	})
	limits(t, Limits{Bytes: 100_000}, Limits{Bytes: 10_000}, func(g *Gate) {
		post(g, "192.0.2.1:1", 9_000, 1, true)
		if no := post(g, "192.0.2.1:1", 9_000, 1, true); outcomeOf(no) != "address_bytes" {
			t.Errorf("%s", outcomeOf(no))
		}
		if level := g.sources[0].client.account.buckets[inBytes].level; level != 91_000 {
			t.Errorf("a body of 9,000 bytes takes %v", 100_000-level)
		}
	})
}

// Bytes count as they come, so a body that announces nothing ends in the middle, and so does its
// connection.
func TestABodyThatIsTooFastEndsInTheMiddle(t *testing.T) {
	limits(t, Limits{}, Limits{Bytes: 10_000}, func(g *Gate) {
		post(g, "192.0.2.1:1", 5_000, 1, true)
		no := post(g, "192.0.2.1:1", 9_000, 1, false)
		if outcomeOf(no) != "address_bytes" {
			t.Fatalf("%s", outcomeOf(no))
		}
		w := httptest.NewRecorder()
		if no.Answer(w); w.Header().Get("Connection") != "close" {
			t.Errorf("%v", w.Header())
		}
		if no := post(g, "192.0.2.1:1", 9_000, 1, true); outcomeOf(no) != "address_bytes" || no.close {
			t.Errorf("the next one is read: %v", no)
		}
	})
}

// Only one visit at a time may overdraw a rate.
func TestTwoLargeBodiesDoNotPassTogether(t *testing.T) {
	limits(t, Limits{Bytes: 10_000}, Limits{}, func(g *Gate) {
		var visits []*Visit
		for i := range 2 {
			r := from(fmt.Sprintf("192.0.2.%d:1", i), "Bearer "+scoreKey)
			r.Body = io.NopCloser(strings.NewReader(strings.Repeat(" ", 100_000)))
			v, err := g.Enter(r, Score, true)
			if err != nil {
				t.Fatal(err)
			}
			visits = append(visits, v)
		}
		b := make([]byte, 1000)
		first, second := 0, 0
		for range 100 {
			if _, err := visits[0].Read(b); err == nil {
				first++
			}
			if _, err := visits[1].Read(b); err == nil {
				second++
			}
		}
		if first+second > 20 {
			t.Errorf("%d and %d thousand bytes pass a rate of 10", first, second)
		}
	})
}

// A key that comes in the body pays for the body, and its limits hold.
func TestAKeyInTheBodyHasItsRate(t *testing.T) {
	c := threeKeys(t)
	k := c.Keys["website"]
	k.Rate, k.Bytes = 5, 2000
	c.Keys["website"] = k
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, c, nil, nil)
		f := func(key string, size int) outcome {
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(strings.Repeat(" ", size)))
			v, err := g.Enter(r, Events, true)
			defer v.End()
			_, _ = io.ReadAll(r.Body)
			for _, do := range []func() error{func() error { return v.Present(key) }, v.Known, func() error { return v.Take(1) }} {
				if err == nil {
					err = do()
				}
			}
			var no *Refused
			errors.As(err, &no)
			return outcomeOf(no)
		}
		if a, b, c, d := f("", 1), f("wrong-key", 1), f(scoreKey, 1), f(writeKey, 500); a != unauthorized || b != unauthorized || c != forbidden || d != allowed {
			t.Error(a, b, c, d)
		}
		if is := f(writeKey, 1600); is != "key_bytes" {
			t.Errorf("more bytes than the key has: %s", is)
		}
		if a, b := f(writeKey, 10), f(writeKey, 10); a != allowed || b != "key_rate" {
			t.Errorf("two events each of five: %s, %s", a, b)
		}
	})
}

// A replay waits for every answer, so nothing limits it. It needs a key all the same.
func TestCallsThatAreNotLimitedNeedTheirKey(t *testing.T) {
	limits(t, Limits{Rate: 1, Bytes: 1024}, Limits{Rate: 1, Bytes: 1024}, func(g *Gate) {
		for range 100 {
			v, err := g.Enter(from("192.0.2.1:1", "Bearer "+scoreKey), Score, false)
			if err != nil || v.Take(1000) != nil {
				t.Fatal(err)
			}
		}
		v, err := g.Enter(from("192.0.2.1:1"), Score, false)
		if err != nil || v.Known() == nil {
			t.Error("a call without a key is let in")
		}
	})
}

func TestTheTableOfAddressesIsBounded(t *testing.T) {
	c := DefaultConfig()
	c.Address.Rate = 2
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, c, nil, nil)
		passed := 0
		for i := range 3 * maxAddresses {
			network := [16]byte{0x20, 1, 0xd, 0xb8, 0, byte(i >> 16), byte(i >> 8), byte(i)}
			g.table.of(netip.AddrFrom16(network), Score)
			if i%200 == 0 { // one that comes again and again stays, with what it took
				if enter(g, from("192.0.2.1:1"), Score) == nil {
					passed++
				}
			}
		}
		n := 0
		for i := range g.table.shards {
			sh := &g.table.shards[i]
			if len(sh.known) != sh.used.Len() {
				t.Errorf("shard %d knows %d and lists %d", i, len(sh.known), sh.used.Len())
			}
			n += len(sh.known)
		}
		if n > maxAddresses || n < maxAddresses*9/10 {
			t.Errorf("%d addresses are known", n)
		}
		if passed != 2 {
			t.Errorf("%d calls of the address that stays pass a rate of 2", passed)
		}
	})
}

func TestManyClientsEnterAtOnce(t *testing.T) {
	c := threeKeys(t)
	k := c.Keys["bidder"]
	k.Rate = 500
	c.Keys["bidder"], c.Address = k, Limits{Rate: 200, Bytes: 1 << 20}
	synctest.Test(t, func(t *testing.T) {
		g := newGate(t, c, nil, nil)
		var wg sync.WaitGroup
		var mu sync.Mutex
		passed := map[int]int{}
		for i := range 8 {
			wg.Go(func() {
				for range 300 {
					if post(g, fmt.Sprintf("192.0.2.%d:1", i%4), 10, 1, true) == nil {
						mu.Lock()
						passed[i%4]++
						mu.Unlock()
					}
				}
			})
		}
		for range 20 {
			g.reload()
		}
		wg.Wait()
		all := 0
		for address, n := range passed {
			if all += n; n > 200 {
				t.Errorf("%d calls of address %d pass", n, address)
			}
		}
		if all != 500 {
			t.Errorf("%d calls of the key pass, want 500", all)
		}
	})
}

func TestAVisitAllocatesOnce(t *testing.T) {
	g := newGate(t, threeKeys(t), nil, nil)
	r := from("192.0.2.1:1", "Bearer "+scoreKey)
	body := r.Body
	if n := testing.AllocsPerRun(100, func() {
		r.Body = body
		v, _ := g.Enter(r, Score, true)
		_ = v.Take(3)
		v.End()
	}); n > 1 {
		t.Errorf("a visit allocates %v times", n)
	}
}

func BenchmarkVisit(b *testing.B) {
	for _, authorization := range []string{"", "Bearer " + scoreKey} {
		c := threeKeys(b)
		if authorization == "" {
			delete(c.Keys, "bidder")
		}
		g := newGate(b, c, nil, nil)
		b.Run(fmt.Sprint("key=", authorization != ""), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				r := from("192.0.2.1:1", authorization)
				if authorization == "" {
					r = from("192.0.2.1:1")
				}
				body := io.NopCloser(strings.NewReader(strings.Repeat(" ", 1000)))
				buf := make([]byte, 4096)
				for pb.Next() {
					r.Body = body
					v, err := g.Enter(r, Score, true)
					if err != nil {
						b.Fatal(err)
					}
					_, _ = v.Read(buf)
					v.End()
				}
			})
		})
	}
}
