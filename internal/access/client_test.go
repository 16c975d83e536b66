package access

import (
	"net/http"
	"net/netip"
	"testing"
)

func proxied(t testing.TB) *Gate {
	c := DefaultConfig()
	c.TrustedProxies = []string{"10.0.0.0/8", "2001:db8:ffff::/48"}
	return newGate(t, c, nil, nil)
}

func TestTheClientsAddressIsTheLastThatIsNoProxys(t *testing.T) {
	g := proxied(t)
	f := func(peer, want string, headers ...string) {
		t.Helper()
		r := from(peer)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Add(headers[i], headers[i+1])
		}
		if got := g.clientAddress(r).String(); got != want {
			t.Errorf("from %s with %q: %s, want %s", peer, headers, got, want)
		}
	}
	const xff, fwd = "X-Forwarded-For", "Forwarded"
	f("192.0.2.1:80", "192.0.2.1")
	f("192.0.2.1:80", "192.0.2.1", xff, "198.51.100.1") // no proxy of ours: what it says is ignored
	f("192.0.2.1:80", "192.0.2.1", fwd, "for=198.51.100.1")
	f("[2001:db8::1]:80", "2001:db8::1", xff, "198.51.100.1")
	f("10.0.0.1:80", "10.0.0.1")
	f("[::ffff:10.0.0.1]:80", "198.51.100.1", xff, "198.51.100.1")
	f("10.0.0.1:80", "198.51.100.1", xff, "198.51.100.1")
	f("10.0.0.1:80", "198.51.100.1", xff, "203.0.113.9, 198.51.100.1") // the client wrote the first
	f("10.0.0.1:80", "198.51.100.1", xff, "198.51.100.1, 10.0.0.7")
	f("10.0.0.1:80", "198.51.100.1", xff, "203.0.113.9", xff, "198.51.100.1,10.0.0.7")
	f("10.0.0.1:80", "10.0.0.7", xff, "10.0.0.7, 10.0.0.8") // all are proxies
	f("10.0.0.1:80", "10.0.0.1", xff, "203.0.113.9, rubbish")
	f("10.0.0.1:80", "10.0.0.7", xff, "rubbish, 10.0.0.7")
	f("10.0.0.1:80", "10.0.0.1", xff, "203.0.113.9, ")
	f("10.0.0.1:80", "10.0.0.1", xff, "")
	f("10.0.0.1:80", "198.51.100.1", xff, "198.51.100.1:4711")
	f("10.0.0.1:80", "2001:db8::1", xff, "2001:db8::1")
	f("10.0.0.1:80", "2001:db8::1", xff, "[2001:db8::1]:4711")
	f("10.0.0.1:80", "198.51.100.1", xff, "::ffff:198.51.100.1")
	f("[2001:db8:ffff::1]:80", "198.51.100.1", xff, "198.51.100.1")
	f("10.0.0.1:80", "198.51.100.1", fwd, "for=198.51.100.1")
	f("10.0.0.1:80", "2001:db8::1", fwd, `for=203.0.113.9, proto=https; For="[2001:db8::1]:4711";by=10.0.0.1`)
	f("10.0.0.1:80", "10.0.0.1", fwd, "for=203.0.113.9, for=unknown")
	f("10.0.0.1:80", "10.0.0.1", fwd, "for=203.0.113.9, for=_hidden")
	f("10.0.0.1:80", "10.0.0.1", fwd, "proto=https")
	// a proxy that writes one of them passes on the other, which a client may have written
	f("10.0.0.1:80", "198.51.100.1", xff, "198.51.100.1", fwd, "for=198.51.100.1")
	f("10.0.0.1:80", "10.0.0.1", xff, "198.51.100.1", fwd, "for=203.0.113.9")
	f("@", "invalid IP")
}

// Whatever a client writes before the line of the proxy, it counts to its own address.
func FuzzForwarded(f *testing.F) {
	f.Add("203.0.113.9", `for="[2001:db8::1]:4711"`)
	f.Add(`"`, `for=";`)
	f.Add(",,,10.0.0.1,", "=;=,for=")
	f.Add("[::1]:x", "for=[")
	g := proxied(f)
	client := netip.MustParseAddr("198.51.100.1")
	f.Fuzz(func(t *testing.T, a, b string) {
		r := from("10.0.0.1:1")
		r.Header = http.Header{"X-Forwarded-For": {a, "198.51.100.1"}}
		if got := g.clientAddress(r); got != client {
			t.Errorf("X-Forwarded-For %q, 198.51.100.1: %v", a, got)
		}
		r.Header = http.Header{"Forwarded": {b, "for=198.51.100.1;proto=https"}}
		if got := g.clientAddress(r); got != client {
			t.Errorf("Forwarded %q, for=198.51.100.1: %v", b, got)
		}
		r.Header = http.Header{"X-Forwarded-For": {a}, "Forwarded": {b}}
		if got := g.clientAddress(r); !got.IsValid() {
			t.Errorf("%q and %q: no address", a, b)
		}
		r.RemoteAddr = "192.0.2.1:1"
		if got := g.clientAddress(r); got.String() != "192.0.2.1" {
			t.Errorf("%q and %q from elsewhere: %v", a, b, got)
		}
	})
}

// A header lets in who has the key, whatever its form.
func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{"Bearer " + scoreKey, "Basic d3JpdGUta2V5Og==", "Basic d3JpdGUta2V5", "basic ", "Bearer", " ", "Bearer  a  "} {
		f.Add(seed)
	}
	g := newGate(f, threeKeys(f), nil, nil)
	f.Fuzz(func(t *testing.T, line string) {
		for _, s := range []Scope{Events, Score, Admin} {
			key, has := credential(from("192.0.2.1:1", line), s)
			good := key == map[Scope]string{Score: scoreKey, Events: writeKey, Admin: adminKey}[s]
			if no := enter(g, from("192.0.2.1:1", line), s); !has || (no == nil) != good {
				t.Errorf("%s with %q: key %q, %v", s, line, key, no)
			}
		}
	})
}
