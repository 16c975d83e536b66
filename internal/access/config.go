// Package access decides who may call a port, and how much. Clients have names and bearer keys.
// Rates hold for each name and for each client address, in events and in bytes a second.
//
// A key is known by its digest only: no error, log line, metric or value of this package holds one.
package access

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/internal/field"
)

// Scope is what a key is good for.
type Scope string

// Scopes of keys. Calls of all scopes but Admin are on the public port.
const (
	Events Scope = "events"
	Score  Scope = "score"
	Bid    Scope = "bid" // bid requests of exchanges; notices are signed, and want no key
	Admin  Scope = "admin"
)

var scopes = []Scope{Events, Score, Bid, Admin}

// Config is the access section of the configuration.
type Config struct {
	Keys    map[string]Key `yaml:"keys"`    // clients by name
	Address Limits         `yaml:"address"` // of one IPv4 address, or IPv6 /64
	// networks of proxies in front, such as 10.0.0.0/8; their X-Forwarded-For or Forwarded names
	// the client's address, that of others is ignored
	TrustedProxies []string `yaml:"trusted_proxies"`
}

// Key is a named client: where its keys are, and what they allow.
type Key struct {
	For []Scope `yaml:"for"` // score, events, bid, admin
	// file with a key a line: all of them are good, and the file is read again when it changes
	File string `yaml:"file"`
	Env  string `yaml:"env"` // variable with a key a line, instead of a file
	// events, or lines of the scorer, a second; more get 429; 0: no limit
	Rate float64 `yaml:"rate"`
	// bytes of bodies a second, as they are received; more get 429; 0: no limit
	Bytes int `yaml:"bytes"`
}

// Limits are those of one client address. Events and calls of the scorer count apart.
type Limits struct {
	// events, or lines of the scorer, a second; more get 429; 0: no limit of the scorer's, and four
	// fifths of ingest.rate
	Rate float64 `yaml:"rate"`
	// bytes of bodies a second, as they are received; more get 429; 0: no limit
	Bytes int `yaml:"bytes"`
}

// DefaultConfig has no keys. An address may send 256 MiB a second, which is more than a link of two
// gigabits brings.
func DefaultConfig() Config { return Config{Address: Limits{Bytes: 256 << 20}} }

// Has tells whether any key is good for a scope. Calls of a scope without keys need none.
func (c *Config) Has(s Scope) bool {
	for _, k := range c.Keys {
		if slices.Contains(k.For, s) {
			return true
		}
	}
	return false
}

var (
	nameForm     = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	variableForm = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,127}$`)
)

// Validate names the first setting that is wrong. It reads no keys: New does.
func (c *Config) Validate() error {
	for _, name := range slices.Sorted(maps.Keys(c.Keys)) {
		if !nameForm.MatchString(name) {
			return field.Wrong("keys."+name, "is named %q, want 1 to 64 letters, digits, - or _", name)
		}
		if err := c.Keys[name].validate(); err != nil {
			return field.Within("keys."+name, err)
		}
	}
	if err := validateLimits(c.Address.Rate, c.Address.Bytes); err != nil {
		return field.Within("address", err)
	}
	_, err := parseProxies(c.TrustedProxies)
	return err
}

func (k Key) validate() error {
	if err := validateLimits(k.Rate, k.Bytes); err != nil {
		return err
	}
	if k.File != strings.TrimSpace(k.File) || strings.ContainsRune(k.File, 0) {
		return field.Wrong("file", "is %q, want the path of a file", k.File)
	}
	if k.Env != "" && !variableForm.MatchString(k.Env) {
		return field.Wrong("env", "is %q, want the name of an environment variable", k.Env)
	}
	for i, s := range k.For {
		at := fmt.Sprintf("for[%d]", i)
		if !slices.Contains(scopes, s) {
			return field.Wrong(at, "is %q, want score, events, bid or admin", string(s))
		}
		if slices.Contains(k.For[:i], s) {
			return field.Wrong(at, "is %q, which stands before it already", string(s))
		}
	}
	if len(k.For) == 0 {
		return field.Wrong("for", "is empty, want a list of score, events, bid, admin")
	}
	if (k.File == "") == (k.Env == "") {
		return field.Wrong("file", "is %q and env is %q, want one of them: a file with a key a line, or a variable", k.File, k.Env)
	}
	return nil
}

func validateLimits(rate float64, bytes int) error {
	switch {
	case !(rate == 0 || rate >= 0.001):
		return field.Wrong("rate", "is %v, want at least 0.001 a second, or 0 for no limit", rate)
	case bytes < 0 || bytes > 0 && bytes < 1024:
		return field.Wrong("bytes", "is %d, want at least 1024 a second, or 0 for no limit", bytes)
	}
	return nil
}

// parseProxies reads networks, or single addresses.
func parseProxies(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for i, text := range texts {
		p, err := netip.ParsePrefix(text)
		if a, notOne := netip.ParseAddr(text); err != nil && notOne == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil || p.Bits() == 0 || p.Addr().Is4In6() || p.Addr().Zone() != "" {
			return nil, field.Wrong(fmt.Sprintf("trusted_proxies[%d]", i), "is %q, want a network or an address of proxies of yours, such as 10.0.0.0/8: what they say about a client is believed", text)
		}
		all = append(all, p.Masked())
	}
	return all, nil
}
