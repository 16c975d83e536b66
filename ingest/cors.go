package ingest

import (
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/settings"
	"github.com/prometheus/client_golang/prometheus"
)

// origins are the websites whose scripts may read the collector's answers (CORS). Browsers ask for
// it before they send with a header such as Authorization.
type origins struct {
	all    bool     // any origin, without credentials
	listed []string // whole, or https://*.example.com for subdomains: with credentials
	others *others
}

func newOrigins(list []string, logger *slog.Logger, reg prometheus.Registerer) origins {
	o := origins{all: slices.Contains(list, allOrigins), others: newOthers(logger, reg)}
	o.listed = slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == allOrigins })
	return o
}

// allOrigins in the setting stands for every origin.
const allOrigins = "*"

// originForm matches an origin as a browser sends it, or one of all subdomains.
var originForm = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://((\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])(:[0-9]{1,5})?$`)

// validateOrigin says why an origin can match nothing that a browser sends.
func validateOrigin(path, o string) error {
	standard := strings.HasPrefix(o, "http://") && strings.HasSuffix(o, ":80") || strings.HasPrefix(o, "https://") && strings.HasSuffix(o, ":443")
	switch {
	case o == allOrigins:
		return nil
	case !originForm.MatchString(o):
		return field.Wrong(path, "is %q, want scheme://host or scheme://host:port in small letters, such as https://shop.example, https://*.shop.example for its subdomains, or \"*\" for all", settings.Redact(o))
	case standard:
		return field.Wrong(path, "is %q, want it without the port: browsers leave out the standard one", o)
	}
	return nil
}

func isWrongOrigin(o string) bool { return validateOrigin("", o) != nil }

// allow lets the script of a website read the answer. An origin that is listed is echoed, with
// credentials: browsers refuse "*" to scripts that send them. All origins together get "*" and no
// credentials. Retry-After is exposed, or scripts cannot see it.
func (o *origins) allow(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	if len(o.listed) > 0 {
		h.Add("Vary", "Origin")
	}
	origin := r.Header.Get("Origin")
	switch {
	case origin == "":
		return false
	case slices.ContainsFunc(o.listed, func(p string) bool { return isOrigin(p, origin) }):
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	case o.all:
		h.Set("Access-Control-Allow-Origin", allOrigins)
	default:
		if _, host, _ := strings.Cut(origin, "://"); host != r.Host { // else it is no other website
			o.others.note(origin)
		}
		return false
	}
	h.Set("Access-Control-Expose-Headers", "Retry-After")
	return true
}

// isOrigin tells whether an origin is one that is listed, or a subdomain of it.
func isOrigin(listed, origin string) bool {
	scheme, domain, wild := strings.Cut(listed, "*")
	if !wild {
		return listed == origin
	}
	sub, isScheme := strings.CutPrefix(origin, scheme)
	sub, isDomain := strings.CutSuffix(sub, domain)
	return isScheme && isDomain && sub != "" && !strings.ContainsAny(sub, "/:@")
}

// handlePreflight answers OPTIONS. It lists the headers of SDKs by name, since "*" does not cover
// Authorization.
func (o *origins) handlePreflight(w http.ResponseWriter, r *http.Request) {
	if o.allow(w, r) {
		h := w.Header()
		h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, X-Retry-Count, AnonymousId, SentAt, X-Write-Key, SP-Anonymous, Traceparent, Tracestate")
		h.Set("Access-Control-Max-Age", "3600")
	}
	w.WriteHeader(http.StatusNoContent)
}

// others tells the operator of websites that are not allowed, since nobody but their visitors'
// browsers would know.
type others struct {
	logger  *slog.Logger
	counter prometheus.Counter

	mu   sync.Mutex
	last time.Time // of a log line
}

func newOthers(logger *slog.Logger, reg prometheus.Registerer) *others {
	c := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "clickloop_ingest_origins_refused_total",
		Help: "Requests and preflights of websites that ingest.cors_origins does not allow: their browsers hide the answers, or send nothing.",
	})
	if reg != nil {
		reg.MustRegister(c)
	}
	return &others{logger: logger, counter: c}
}

// note counts a request, and logs one a minute.
func (o *others) note(origin string) {
	o.counter.Inc()
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := time.Now(); o.last.IsZero() || now.Sub(o.last) >= time.Minute {
		o.last = now
		const limit = 100
		o.logger.Warn("the browsers of a website are not allowed to send: add it to ingest.cors_origins", "origin", origin[:min(len(origin), limit)])
	}
}
