package features

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/settings"
	"github.com/clickloop/clickloop/internal/tlsfiles"
	"github.com/redis/go-redis/v9"
)

// RedisConfig is the section redis of the configuration.
type RedisConfig struct {
	// Address is host:port, or a redis:// or rediss:// URL.
	Address string `yaml:"address"`
	// user of Redis' ACLs; empty: the one in the URL, or else the user default
	Username string `yaml:"username"`
	// file of the password, which is read again for each new connection; CLICKLOOP_REDIS_PASSWORD
	// and the URL are the other places for a password
	PasswordFile string `yaml:"password_file"`

	TLS tlsfiles.Client `yaml:"tls"` // of every connection to Redis; rediss:// enables it, too

	// of CLICKLOOP_REDIS_PASSWORD, or of the URL once Settle has taken it from there
	Password settings.Secret `yaml:"-"`
}

// RedisPassword is the variable that may hold the password of Redis.
const RedisPassword = "CLICKLOOP_REDIS_PASSWORD"

// Validate returns a *field.Error about the first setting that contradicts another. It reads no
// file. What is missing may still come from a flag or variable: Settle checks that.
func (c RedisConfig) Validate() error {
	if strings.ContainsAny(c.Username, " \t\r\n\x00") {
		return field.Wrong("username", "is %q, want a name without spaces", c.Username)
	}
	if c.Address == "" {
		return nil
	}
	u, err := redisURL(c.Address)
	if err != nil {
		return field.Wrong("address", "is %q, %v", settings.Redact(c.Address), err)
	}
	inURL, _ := u.User.Password()
	switch {
	case u.User.Username() != "" && c.Username != "":
		return field.Wrong("username", "is %q, but the address names a user, too: want one of the two", c.Username)
	case inURL != "" && c.PasswordFile != "":
		return field.Wrong("password_file", "is %q, but the address has a password, too: want one of the two", c.PasswordFile)
	case inURL != "" && c.Password.Given():
		return field.Wrong("password", "is given, but the address has a password, too: want one of the two")
	case c.PasswordFile != "" && c.Password.Given():
		return field.Wrong("password_file", "is %q, but %s gives a password, too: want one of the two", c.PasswordFile, RedisPassword)
	}
	return c.validateTLS(u)
}

// validateTLS refuses settings of TLS that contradict each other or the URL.
func (c RedisConfig) validateTLS(u *url.URL) error {
	plain := u.Scheme == "redis" || u.Scheme == "unix"
	switch {
	case plain && c.TLS.Enabled:
		return field.Wrong("tls.enabled", "is true, but the address is a %s:// URL, which means no TLS, want rediss:// or host:port there", u.Scheme)
	case skipsVerify(u) && c.TLS.CAFile != "":
		return field.Wrong("tls.ca_file", "is %q, but the address says skip_verify, which checks no certificate, want one of the two", c.TLS.CAFile)
	}
	return field.Within("tls", c.tls(u).Validate())
}

// tls is the section tls with what the URL says.
func (c RedisConfig) tls(u *url.URL) tlsfiles.Client {
	t := c.TLS
	t.Enabled = t.Enabled || u.Scheme == "rediss"
	return t
}

// skipsVerify tells whether a URL asks for TLS that checks no certificate.
func skipsVerify(u *url.URL) bool {
	skips, _ := strconv.ParseBool(u.Query().Get("skip_verify"))
	return skips && u.Scheme == "rediss"
}

// Settle returns the configuration with user and password taken out of the URL, once all sources
// have been read. It returns a *field.Error about a setting that nothing uses, and about a user
// without a password. given tells whether a file gives a setting.
func (c RedisConfig) Settle(given func(setting string) bool) (RedisConfig, error) {
	if c.Address == "" {
		return c, c.unused()
	}
	u, err := redisURL(c.Address)
	if err != nil {
		return c, field.Wrong("address", "is %q, %v", settings.Redact(c.Address), err)
	}
	if u.Scheme == "rediss" && !c.TLS.Enabled && given("tls.enabled") {
		return c, field.Wrong("tls.enabled", "is false, but the address is a rediss:// URL, which means TLS, want true, or redis:// there")
	}
	if u.User != nil {
		if password, _ := u.User.Password(); password != "" {
			c.Password = settings.NewSecret(password)
		}
		if name := u.User.Username(); name != "" {
			c.Username = name
		}
		u.User = nil
		c.Address = u.String()
	}
	if c.Username != "" && c.PasswordFile == "" && !c.Password.Given() {
		return c, field.Wrong("username", "is %q, but no password is given, want redis.password_file or %s", c.Username, RedisPassword)
	}
	return c, nil
}

// String returns the address as people may see it: a URL with *** for its user and password, also
// when Settle has taken them out.
func (c RedisConfig) String() string {
	if u, err := redisURL(c.Address); err == nil && u.Scheme != "" && c.Password.Given() && u.User == nil {
		return u.Scheme + "://***@" + strings.TrimPrefix(c.Address, u.Scheme+"://")
	}
	return settings.Redact(c.Address)
}

// Database is the number of the database in Redis; 0 is the first.
func (c RedisConfig) Database() int {
	options, err := parseRedisURL(c.Address)
	if err != nil {
		return 0
	}
	return options.DB
}

// unused returns an error about the first setting that nothing uses without an address.
func (c RedisConfig) unused() error {
	for _, s := range []struct{ name, value string }{
		{"username", c.Username}, {"password_file", c.PasswordFile}, {"tls.ca_file", c.TLS.CAFile}, {"tls.cert_file", c.TLS.CertFile},
		{"tls.key_file", c.TLS.KeyFile}, {"tls.server_name", c.TLS.ServerName},
	} {
		if s.value != "" {
			return field.Wrong(s.name, "is %q, but Redis has no address and is the embedded one, want redis.address, too", s.value)
		}
	}
	if c.TLS.Enabled {
		return field.Wrong("tls.enabled", "is true, but Redis has no address and is the embedded one, want redis.address, too")
	}
	return nil
}

// CheckRedisURL says what is wrong with a redis:// or rediss:// URL. No error repeats the URL,
// which may hold a password.
func CheckRedisURL(address string) error {
	_, err := parseRedisURL(address)
	return err
}

const wantURL = "want redis://user:password@host:port/database (rediss:// for TLS)"

// redisURL parses an address. That of a host:port has no scheme.
func redisURL(address string) (*url.URL, error) {
	if !strings.Contains(address, "://") {
		return &url.URL{Host: address}, nil
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New(wantURL + "; a password's / ? # % @ and : are written as %2F %3F %23 %25 %40 and %3A")
	}
	if u.Scheme != "redis" && u.Scheme != "rediss" && u.Scheme != "unix" {
		return nil, errors.New(wantURL)
	}
	if n, err := strconv.Atoi(u.Port()); u.Scheme != "unix" && (u.Hostname() == "" || u.Port() != "" && (err != nil || n < 1 || n > 65535)) {
		return nil, fmt.Errorf("whose host or port is wrong, %s, the port from 1 to 65535", wantURL)
	}
	return u, nil
}

// parseRedisURL returns what an address says of a client.
func parseRedisURL(address string) (*redis.Options, error) {
	if !strings.Contains(address, "://") {
		return &redis.Options{Addr: address}, nil
	}
	if _, err := redisURL(address); err != nil {
		return nil, err
	}
	options, err := redis.ParseURL(address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", wantURL, err)
	}
	return options, nil
}
