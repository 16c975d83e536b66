package access

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// Gate lets calls in by their keys and within their rates. A nil Gate lets all calls in. Its
// methods may be called by any number of goroutines at once.
type Gate struct {
	ring    atomic.Pointer[keyring]
	hasher  hasher
	needs   map[Scope]bool // scopes whose calls need a key
	proxies []netip.Prefix
	table   *table
	unknown *client // stands for calls without a key
	self    *client // stands for this process
	logger  *slog.Logger

	requests *prometheus.CounterVec

	sources []*source     // Run's, once New has returned
	own     func() string // a closure, so that nothing prints it
}

// client is whom a key stands for.
type client struct {
	name    string
	scopes  []Scope
	account *account
	allowed map[Scope]prometheus.Counter
}

// New checks cfg and reads the keys; Run reads them again when they change. eventRate is how many
// events a second all clients together may send: cfg may leave open which part of it is an
// address's. reg may be nil.
func New(cfg Config, eventRate float64, logger *slog.Logger, reg prometheus.Registerer) (*Gate, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	proxies, _ := parseProxies(cfg.TrustedProxies) // Validate reads them, too
	byEvents := cfg.Address
	if byEvents.Rate == 0 {
		byEvents.Rate = eventRate * 4 / 5
	}
	requests, own := newRequests(reg), rand.Text()
	g := &Gate{
		hasher: newHasher(), needs: map[Scope]bool{}, proxies: proxies, logger: logger,
		table:   newTable(map[Scope]Limits{Events: byEvents, Score: cfg.Address, Bid: cfg.Address}),
		unknown: newClient("", scopes, Limits{}, requests), self: newClient("(this process)", scopes, Limits{}, requests),
		own: func() string { return own }, requests: requests,
	}
	for _, s := range scopes {
		g.needs[s] = cfg.Has(s)
	}
	for _, name := range names(cfg.Keys) {
		k := cfg.Keys[name]
		g.sources = append(g.sources, &source{key: k, client: newClient(name, k.For, Limits{k.Rate, k.Bytes}, requests)})
	}
	if err := g.load(); err != nil {
		return nil, err
	}
	g.sources = append(g.sources, &source{client: g.self, digests: []digest{g.hasher.digest(own)}})
	ring, err := join(g.sources, nil, nil)
	if err != nil {
		return nil, fmt.Errorf("BUG: %w", err)
	}
	g.ring.Store(&ring)
	return g, nil
}

func newClient(name string, scopes []Scope, l Limits, requests *prometheus.CounterVec) *client {
	c := &client{name: name, scopes: scopes, account: newAccount(l), allowed: map[Scope]prometheus.Counter{}}
	for _, s := range scopes {
		c.allowed[s] = requests.WithLabelValues(string(s), name, string(allowed))
	}
	return c
}

// Own returns a key for calls that this process makes to itself. It is good for every scope, and
// nobody else knows it.
func (g *Gate) Own() string {
	if g == nil {
		return ""
	}
	return g.own()
}

// lookUp returns the client of a key, nil for none, and whether the key is good for a scope.
func (g *Gate) lookUp(key string, s Scope) (c *client, good bool) {
	if key == "" || len(key) > maxKey {
		return nil, false
	}
	c = (*g.ring.Load())[g.hasher.digest(key)]
	return c, c != nil && slices.Contains(c.scopes, s)
}

// Admin lets the calls of administrators in that bring a key of the scope Admin, or all while there
// is no such key.
func (g *Gate) Admin(next http.Handler) http.Handler {
	if g == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := g.Enter(r, Admin, true)
		defer v.End()
		if err == nil {
			err = v.Known()
		}
		if no := (*Refused)(nil); errors.As(err, &no) {
			no.Answer(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}
