package access

import (
	"errors"
	"testing"

	"github.com/clickloop/clickloop/internal/field"
)

func TestConfigurationNamesWhatIsWrong(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		c.Keys = map[string]Key{"shop": {For: []Scope{Score}, File: "/run/keys/shop"}}
		change(&c)
		err := c.Validate()
		got := ""
		if wrong := (*field.Error)(nil); errors.As(err, &wrong) {
			got = wrong.Field
		}
		if got != want || err != nil && want == "" {
			t.Errorf("%v, want an error about %q", err, want)
		}
	}
	key := func(k Key) func(*Config) { return func(c *Config) { c.Keys["shop"] = k } }
	f("", func(*Config) {})
	f("", key(Key{For: []Scope{Score, Events, Admin}, Env: "KEYS", Rate: 5, Bytes: 1 << 20}))
	f("", func(c *Config) { c.TrustedProxies = []string{"10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1"} })
	f("keys.shop.file", key(Key{For: []Scope{Score}, File: "a", Env: "A"}))
	f("keys.shop.file", key(Key{For: []Scope{Score}}))
	f("keys.a b", func(c *Config) { c.Keys["a b"] = c.Keys["shop"] })
	f("trusted_proxies[1]", func(c *Config) { c.TrustedProxies = []string{"10.0.0.0/8", "::ffff:10.0.0.0/104"} })
}

func TestAScopeWithoutKeysHasNone(t *testing.T) {
	c := DefaultConfig()
	if c.Has(Score) || c.Has(Admin) {
		t.Error("there are keys by default")
	}
	c.Keys = map[string]Key{"shop": {For: []Scope{Score, Events}}, "web": {For: []Scope{Events}}}
	if !c.Has(Score) || !c.Has(Events) || c.Has(Admin) {
		t.Error("Has does not follow the scopes of keys")
	}
}
