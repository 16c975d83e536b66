package config

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/settings"
)

// validateAddresses checks the addresses of Kafka, Redis and the HTTP server, the prefix of names,
// and the data folder.
func (c *Config) validateAddresses() error {
	for i, b := range c.Kafka.Brokers {
		path := fmt.Sprintf("kafka.brokers[%d]", i)
		if reason := checkHostPort(b, false); reason != "" {
			return field.Wrong(path, "%s", reason)
		}
		if slices.Contains(c.Kafka.Brokers[:i], b) {
			return field.Wrong(path, "is %q, which stands before it already", b)
		}
	}
	if !prefixForm.MatchString(c.Kafka.Prefix) {
		return field.Wrong("kafka.prefix", "is %q, want at most 64 letters, digits, ., - or _: it begins the names of topics, groups and keys", c.Kafka.Prefix)
	}
	if c.Redis.Address != "" {
		if reason := checkRedis(c.Redis.Address); reason != "" {
			return field.Wrong("redis.address", "%s", reason)
		}
	}
	if err := c.Redis.Validate(); err != nil {
		return field.Within("redis", err)
	}
	if reason := checkHostPort(c.HTTP, true); reason != "" {
		return field.Wrong("http", "%s", reason)
	}
	if reason := checkHostPort(c.Admin, true); reason != "" {
		return field.Wrong("admin", "%s", strings.ReplaceAll(reason, ":8080", ":8081"))
	}
	if strings.TrimSpace(c.Data) != c.Data || strings.ContainsRune(c.Data, 0) {
		return field.Wrong("data", "is %q, want the path of a folder", c.Data)
	}
	if info, err := os.Stat(c.Data); c.Data != "" && err == nil && !info.IsDir() {
		return field.Wrong("data", "is %q, which is a file, want a folder", c.Data)
	}
	return nil
}

// prefixForm matches what Kafka allows in the name of a topic.
var prefixForm = regexp.MustCompile(`^[a-zA-Z0-9._-]{0,64}$`)

// checkHostPort returns why s is no host:port to listen on, or to connect to, as a field.Error's
// reason. It returns "" for a correct one.
func checkHostPort(s string, listen bool) string {
	want, least := "host:port, such as localhost:9092", 1
	if listen {
		want, least = "host:port or :port, such as 127.0.0.1:8080 or :8080 (port 0: any free one)", 0
	}
	is := fmt.Sprintf("is %q, ", settings.Redact(s))
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		if rest = strings.TrimSuffix(rest, "/"); checkHostPort(rest, false) == "" {
			want = rest // an address but for the scheme
		}
		return fmt.Sprintf("%swant %s, without %s://", is, want, settings.Redact(scheme))
	}
	if strings.ContainsAny(s, "@/ \t,;") {
		return is + "want " + want
	}
	host, port, err := net.SplitHostPort(s)
	switch n, bad := strconv.Atoi(port); {
	case err != nil && !strings.Contains(s, ":") && s != "" && !listen:
		return fmt.Sprintf("%swhich has no port, want host:port, such as %s:9092", is, s)
	case err != nil:
		return is + "want " + want
	case bad != nil || n < least || n > 65535:
		return fmt.Sprintf("%swhose port is %q, want %d to 65535", is, port, least)
	case host == "" && !listen:
		return is + "which has no host, want " + want
	}
	return ""
}

// checkRedis is checkHostPort for Redis, whose address may also be a URL.
func checkRedis(s string) string {
	if strings.Contains(s, "://") {
		if err := features.CheckRedisURL(s); err != nil {
			return fmt.Sprintf("is %q, %v", settings.Redact(s), err)
		}
		return ""
	}
	reason := checkHostPort(s, false)
	reason = strings.ReplaceAll(reason, ":9092", ":6379")
	if reason != "" {
		reason += ", or redis://user:password@host:port/database"
	}
	return reason
}
