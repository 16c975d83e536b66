package run

import (
	"errors"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/clickloop/clickloop/internal/web"
)

// guard keeps web pages away from the admin port: the browser of an administrator reaches it, and a
// page must not use that.
//
// Where calls want a key, no page has it. Where they do not, a page could call in three ways:
//
//   - It has its own name resolve to 127.0.0.1, and then reads answers. So the header Host must be
//     an address or localhost.
//   - It sends a form to another origin. http.CrossOriginProtection knows it by the headers that
//     browsers set.
//   - In a browser too old to set them, it sends a form. So calls that change something want a
//     content type that no page can send unasked.
type guard struct {
	next    http.Handler
	keyed   bool // next asks for keys
	metrics *web.Metrics
	origins *http.CrossOriginProtection
}

func newGuard(next http.Handler, keyed bool, m *web.Metrics) *guard {
	return &guard{next, keyed, m, http.NewCrossOriginProtection()}
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code, reason, message string) {
		g.metrics.Refused(web.Admin, reason)
		web.Refuse(w, status, code, errors.New(message))
	}
	switch {
	case !g.keyed && !isLocal(r.Host):
		refuse(http.StatusForbidden, "forbidden", web.Host, "the admin port answers without a key to the names localhost, 127.0.0.1 and other IP addresses only: ask it by one of them, or set a key for admin (access.keys) and send it")
	case g.origins.Check(r) != nil:
		refuse(http.StatusForbidden, "forbidden", web.Origin, "a page of another origin may not change anything here: send the call from a program, such as curl, without the headers Origin and Sec-Fetch-Site")
	case !g.keyed && changes(r.Method) && !isJSON(r.Header):
		refuse(http.StatusUnsupportedMediaType, "unsupported", web.ContentType, "a call that changes something wants the header Content-Type: application/json, with or without a body (curl -X POST -H 'Content-Type: application/json' ...)")
	default:
		g.next.ServeHTTP(w, r)
	}
}

// isLocal tells whether the header Host names an IP address or localhost. Browsers always send the
// header; a client without it is no page.
func isLocal(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	_, err := netip.ParseAddr(host)
	return err == nil || host == "" || strings.EqualFold(host, "localhost")
}

// changes tells whether a method may change something (RFC 9110, 9.2.1).
func changes(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

func isJSON(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && kind == "application/json"
}
