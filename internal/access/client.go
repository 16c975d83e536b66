package access

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddress returns the address to which a request counts: the connection's, or, behind a
// trusted proxy, the last address of X-Forwarded-For or Forwarded (RFC 7239) that is no trusted
// proxy's. A client can write what it likes before that one.
//
// What cannot be read ends the search: the request counts to the proxy that passed it on. So does a
// request with both headers when they name different clients, since a proxy that writes one of them
// passes a client's other one on.
func (g *Gate) clientAddress(r *http.Request) netip.Addr {
	peer := plain(parseNode(r.RemoteAddr))
	if len(g.proxies) == 0 || !g.trusted(peer) {
		return peer
	}
	byFor, hasFor := r.Header["X-Forwarded-For"]
	forwarded, has := r.Header["Forwarded"]
	switch {
	case hasFor && has:
		if a := g.last(peer, byFor, parseNode); a == g.last(peer, forwarded, parseElement) {
			return a
		}
		return peer
	case hasFor:
		return g.last(peer, byFor, parseNode)
	}
	return g.last(peer, forwarded, parseElement)
}

// last walks the elements of header lines from the end, beginning at a trusted proxy. It returns
// the first address that is not trusted, or the last trusted one.
func (g *Gate) last(from netip.Addr, lines []string, parse func(string) netip.Addr) netip.Addr {
	for _, rest := range slices.Backward(lines) {
		for more := true; more; {
			element := rest
			i := strings.LastIndexByte(rest, ',')
			if more = i >= 0; more {
				element, rest = rest[i+1:], rest[:i]
			}
			a := plain(parse(element))
			if !a.IsValid() {
				return from
			}
			if from = a; !g.trusted(a) {
				return a
			}
		}
	}
	return from
}

func (g *Gate) trusted(a netip.Addr) bool {
	return slices.ContainsFunc(g.proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// plain makes one form of the forms of an address.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// parseNode reads an address with or without a port: 192.0.2.1, 192.0.2.1:80, 2001:db8::1,
// [2001:db8::1], [2001:db8::1]:80, in quotes or without.
func parseNode(text string) netip.Addr {
	text = strings.Trim(text, " \t")
	if n := len(text); n > 1 && text[0] == '"' && text[n-1] == '"' {
		text = text[1 : n-1]
	}
	if text == "" || len(text) > 64 {
		return netip.Addr{}
	}
	if text[0] == '[' && text[len(text)-1] == ']' {
		text = text[1 : len(text)-1]
	} else if strings.Count(text, ":") == 1 || text[0] == '[' {
		p, _ := netip.ParseAddrPort(text) // the zero value stands for what is none
		return p.Addr()
	}
	a, _ := netip.ParseAddr(text)
	return a
}

// parseElement reads the parameter for of an element of Forwarded, such as
// for="[2001:db8::1]:4711";proto=https.
func parseElement(text string) netip.Addr {
	for pair := range strings.SplitSeq(text, ";") {
		name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
		if strings.EqualFold(name, "for") {
			return parseNode(value)
		}
	}
	return netip.Addr{}
}
