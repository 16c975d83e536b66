package stream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/tlsfiles"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
)

const secret = "correct-horse"

// secureBroker starts a broker with TLS and one user, and returns how to reach it.
func secureBroker(t *testing.T, opts ...kfake.Opt) (cfg Config, a *backend.Authority) {
	t.Helper()
	a = backend.NewAuthority(t)
	server := backend.ServerConfig(t, a.Server(t, time.Now().Add(time.Hour)))
	broker := fake(t, append(opts, kfake.TLS(server), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "ann", secret), kfake.Superuser("PLAIN", "ann", secret))...)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return Config{Brokers: broker, Session: time.Second, TLS: tlsfiles.Client{Enabled: true, CAFile: a.CAFile},
		SASL: SASL{Mechanism: "SCRAM-SHA-512", Username: "ann", PasswordFile: file}}, a
}

func fake(t *testing.T, opts ...kfake.Opt) []string {
	t.Helper()
	cluster, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100*time.Millisecond))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster.ListenAddrs()
}

// tap is a connection whose bytes are recorded as they cross the network.
type tap struct {
	net.Conn
	mu  *sync.Mutex
	all *bytes.Buffer
}

func (c tap) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.all.Write(b)
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// families are calls of every kind of connection: kafka-go's requests, its groups, and wire.
func families(c *Client) map[string]func(ctx context.Context) error {
	return map[string]func(ctx context.Context) error{
		"Ping":    c.Ping,
		"TopicID": func(ctx context.Context) error { _, err := c.TopicID(ctx, "marked-topic"); return err },
		"Offsets": func(ctx context.Context) error { _, err := c.Offsets(ctx, "marked-topic"); return err },
		"Produce": func(ctx context.Context) error {
			return c.Produce(ctx, "marked-topic", []Record{{Value: []byte("marked-value")}})
		},
		"fetch": func(ctx context.Context) error {
			r := c.NewReader("marked-topic", 0, 0)
			defer r.Close()
			return r.fetch(ctx)
		},
		"group": func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			joined := false
			err := c.Join(ctx, "marked-group", []string{"marked-topic"}, func(context.Context, *Generation) error {
				joined = true
				cancel()
				return nil
			})
			if joined {
				return nil
			}
			return err
		},
	}
}

func TestEveryConnectionIsEncryptedAndLoggedIn(t *testing.T) {
	cfg, _ := secureBroker(t)
	for _, mechanism := range []string{"SCRAM-SHA-512", "PLAIN"} {
		cfg.SASL.Mechanism = mechanism
		var mu sync.Mutex
		var sent bytes.Buffer
		opened := 0
		entrance := &door{cfg: cfg, open: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
			mu.Lock()
			opened++
			mu.Unlock()
			return tap{conn, &mu, &sent}, err
		}}
		tapped := cfg
		tapped.dial = entrance.dial
		c, err := Dial(tapped)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if err := c.EnsureTopics(ctx, Topic{Name: "marked-topic", Partitions: 1, Retention: time.Hour}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Ping", "TopicID", "Offsets", "Produce", "fetch", "group"} {
			if err := families(c)[name](ctx); err != nil {
				t.Errorf("%s over %s: %v", name, mechanism, err)
			}
		}
		cancel()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		mu.Lock()
		for _, word := range []string{"marked", "n=ann", "\x00ann", secret, "clickloop"} {
			if bytes.Contains(sent.Bytes(), []byte(word)) {
				t.Errorf("%s: %q crosses the network in clear text", mechanism, word)
			}
		}
		if opened < 5 || sent.Len() == 0 {
			t.Errorf("%d connections with %d bytes are seen", opened, sent.Len())
		}
		mu.Unlock()
	}
}

func TestNoConnectionComesInWithAWrongPassword(t *testing.T) {
	cfg, _ := secureBroker(t)
	good, err := Dial(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer good.Close()
	if err := good.EnsureTopics(t.Context(), Topic{Name: "marked-topic", Partitions: 1, Retention: time.Hour}); err != nil {
		t.Fatal(err)
	}
	cfg.SASL.PasswordFile, cfg.Password = "", "another-secret"
	for name := range families(good) {
		c, err := Dial(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		began := time.Now()
		err = families(c)[name](ctx)
		cancel()
		if name == "group" { // a member repeats, with a log
			if err == nil {
				t.Error("a group is joined")
			}
		} else if err == nil || !strings.Contains(err.Error(), `refuses user "ann"`) || time.Since(began) > 2*time.Second {
			t.Errorf("%s after %v: %v", name, time.Since(began), err)
		}
		if err != nil && strings.Contains(err.Error(), "another-secret") {
			t.Errorf("%s tells the password: %v", name, err)
		}
		_ = c.Close()
	}
}

// mistake dials and asks for access, and wants an AccessError with words, soon.
func mistake(t *testing.T, name string, cfg Config, words ...string) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := Dial(cfg)
	if err == nil {
		err = c.CheckAccess(ctx)
		defer c.Close()
	}
	var access *AccessError
	if err == nil || !errors.As(err, &access) || time.Since(began) > 10*time.Second {
		t.Errorf("%s: after %v: %v, want an AccessError", name, time.Since(began), err)
		return
	}
	for _, w := range append(words, "mend it: ") {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q does not say %q", name, err, w)
		}
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("%s: %q tells the password", name, err)
	}
}

func TestMistakesOfAccessAreNamedAtOnce(t *testing.T) {
	good, ours := secureBroker(t)
	c, err := Dial(good)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.CheckAccess(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := func(name string, change func(*Config), words ...string) {
		t.Helper()
		cfg := good
		change(&cfg)
		mistake(t, name, cfg, words...)
	}
	f("wrong password", func(c *Config) { c.SASL.PasswordFile, c.Password = "", "x" }, `refuses user "ann"`, "CLICKLOOP_KAFKA_PASSWORD")
	f("wrong user", func(c *Config) { c.SASL.Username = "bob" }, `refuses user "bob"`, "kafka.sasl.username")
	f("plain text to TLS", func(c *Config) { c.TLS, c.SASL = tlsfiles.Client{}, SASL{} }, "wants TLS", "tls.enabled")
	f("plain text with a login to TLS", func(c *Config) { c.TLS = tlsfiles.Client{} }, "wants TLS", "tls.enabled")
	f("no login", func(c *Config) { c.SASL = SASL{} }, "wants a login", "SCRAM-SHA-512", "kafka.sasl.mechanism")
	f("another authority", func(c *Config) { c.TLS.CAFile = backend.NewAuthority(t).CAFile }, "authority that is not known", "tls.ca_file")
	f("wrong name", func(c *Config) { c.TLS.ServerName = "kafka.example.com" }, "not for kafka.example.com", "localhost, 127.0.0.1", "tls.server_name")
	f("TLS to plain text", func(c *Config) { c.Brokers = fake(t) }, "plain text", "tls.enabled")
	f("no password file", func(c *Config) { c.SASL.PasswordFile = "none" }, "kafka.sasl.password_file cannot be read")
	until := time.Now().Add(-time.Hour)
	f("expired", func(c *Config) { c.Brokers = fake(t, kfake.TLS(backend.ServerConfig(t, ours.Server(t, until)))) }, "expired at "+until.UTC().Format("2006-01-02 15:04"), "renew it")
}

func TestALateFaultOfAccessIsRepeated(t *testing.T) {
	cfg, _ := secureBroker(t)
	c, err := Dial(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.EnsureTopics(t.Context(), Topic{Name: "a", Partitions: 1, Retention: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.SASL.PasswordFile, []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	mended := time.AfterFunc(time.Second, func() { _ = os.WriteFile(cfg.SASL.PasswordFile, []byte(secret), 0o600) })
	defer mended.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	began := time.Now()
	if _, err := c.TopicID(ctx, "a"); err != nil || time.Since(began) < 500*time.Millisecond {
		t.Errorf("after %v: %v, want an answer once the password is right", time.Since(began), err)
	}
}

func TestContradictingSettingsOfAccessAreRefused(t *testing.T) {
	f := func(cfg Config, want string) {
		t.Helper()
		cfg.Brokers = []string{"kafka.example.com:9092", "127.0.0.1:9092"}
		c, err := Dial(cfg)
		if err == nil {
			_ = c.Close()
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(Config{SASL: SASL{Username: "ann"}}, "kafka.sasl.username is ")
	f(Config{SASL: SASL{PasswordFile: "f"}}, "kafka.sasl.password_file is ")
	f(Config{Password: "p"}, "kafka.sasl.mechanism is empty, but CLICKLOOP_KAFKA_PASSWORD")
	f(Config{SASL: SASL{Mechanism: "OAUTH"}}, `kafka.sasl.mechanism is "OAUTH", want one of SCRAM-SHA-512`)
	f(Config{SASL: SASL{Mechanism: "PLAIN"}}, "kafka.sasl.username is empty")
	f(Config{SASL: SASL{Mechanism: "PLAIN", Username: "a"}}, "kafka.sasl.password_file is empty")
	f(Config{SASL: SASL{Mechanism: "PLAIN", Username: "a", PasswordFile: "f"}, Password: "p"}, `kafka.sasl.password_file is "f", and CLICKLOOP_KAFKA_PASSWORD`)
	f(Config{SASL: SASL{Mechanism: "PLAIN", Username: "a"}, Password: "p"}, "kafka.sasl.mechanism is PLAIN, which would send the password to kafka.example.com:9092 in clear text")
	f(Config{TLS: tlsfiles.Client{CAFile: "ca"}}, "kafka.tls.ca_file is ")
	f(Config{TLS: tlsfiles.Client{Enabled: true, CAFile: "none.pem"}}, "kafka.tls.ca_file cannot be read")
}

// A probe for TLS looks to a plain broker like the beginning of a request of 369 MB: none may go to
// a broker that is only slow.
func TestASlowBrokerIsNotProbed(t *testing.T) {
	opened := 0
	d := &door{open: func(context.Context, string, string) (net.Conn, error) {
		opened++
		return nil, errors.New("no more connections")
	}}
	for _, err := range []error{context.DeadlineExceeded, os.ErrDeadlineExceeded, kafka.LeaderNotAvailable, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}} {
		if got := d.diagnose(t.Context(), "127.0.0.1:1", err); got != err || opened != 0 {
			t.Errorf("%v becomes %v after %d connections", err, got, opened)
		}
	}
	if _ = d.diagnose(t.Context(), "127.0.0.1:1", io.EOF); opened == 0 {
		t.Error("a broker that breaks off is not probed")
	}
}

// A broker may tell clients of another broker that is not on this machine.
func TestNoPasswordGoesInClearTextToAnyBroker(t *testing.T) {
	opened := false
	d := &door{cfg: Config{SASL: SASL{Mechanism: "PLAIN", Username: "ann"}, Password: secret}, open: func(context.Context, string, string) (net.Conn, error) {
		opened = true
		client, server := net.Pipe()
		t.Cleanup(func() { _ = server.Close() })
		return client, nil
	}}
	if _, err := d.dial(t.Context(), "tcp", "192.0.2.1:9092"); err == nil || !strings.Contains(err.Error(), "clear text") || !opened {
		t.Errorf("%v, want a refusal", err)
	}
}
