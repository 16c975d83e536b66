package stream

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/tlsfiles"
)

// onListener is how the administrator reaches a further listener of scripts/services.sh --secure.
func onListener(t *testing.T, name string) Config {
	t.Helper()
	if backend.ConfigFile() == "" {
		t.Skip("CLICKLOOP_TEST_CONFIG names no services with users")
	}
	port, err := os.ReadFile(filepath.Join(backend.ServicesDir(), "kafka."+name+".port"))
	if err != nil {
		t.Fatal(err)
	}
	return Config{Brokers: []string{"127.0.0.1:" + strings.TrimSpace(string(port))}, Prefix: backend.Prefix(t), Session: backend.Session(),
		TLS: backend.TLS(), SASL: SASL(backend.Administrator())}
}

func TestRealBrokersNameMistakesOfAccess(t *testing.T) {
	mtls, login := onListener(t, "mtls"), onListener(t, "reauth")
	f := func(name string, cfg Config, change func(*Config), words ...string) {
		t.Helper()
		change(&cfg)
		mistake(t, name, cfg, words...)
	}
	f("wrong password", login, func(c *Config) { c.SASL.PasswordFile, c.Password = "", "x" }, `refuses user "admin"`)
	f("plain text to TLS", login, func(c *Config) { c.TLS = tlsfiles.Client{} }, "wants TLS")
	f("plain text without a login to TLS", login, func(c *Config) { c.TLS, c.SASL = tlsfiles.Client{}, SASL{} }, "wants TLS")
	f("no login", login, func(c *Config) { c.SASL = SASL{} }, "wants a login", "SCRAM-SHA-256")
	f("another authority", login, func(c *Config) { c.TLS.CAFile = backend.NewAuthority(t).CAFile }, "tls.ca_file")
	f("wrong name", login, func(c *Config) { c.TLS.ServerName = "kafka.example.com" }, "tls.server_name")
	f("no client certificate", mtls, func(c *Config) { c.SASL = SASL{} }, "tls.cert_file")
	own := func(c *Config) {
		c.TLS.CertFile, c.TLS.KeyFile = filepath.Join(backend.ServicesDir(), "tls/client.pem"), filepath.Join(backend.ServicesDir(), "tls/client.key")
	}
	f("a login where there is none", mtls, own, "asks for no login")
	own(&mtls)
	mtls.SASL = SASL{}
	c, err := Dial(mtls)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.CheckAccess(t.Context()); err != nil {
		t.Errorf("with a client certificate: %v", err)
	}
	err = c.CheckAccess(t.Context(), Need{Group: true, Name: "g", Operations: []string{OpRead}})
	if err == nil || !strings.Contains(err.Error(), "denies Read to User:CN=client on group") {
		t.Errorf("%v, want the ACL that is missing", err)
	}
}

// The listener ends each session after three seconds (KIP-368).
func TestSessionsThatEndLoseNothing(t *testing.T) {
	c, err := Dial(onListener(t, "reauth"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.EnsureTopics(ctx, Topic{Name: "a", Partitions: 1, Retention: time.Hour}); err != nil {
		t.Fatal(err)
	}
	const records = 100
	seen := map[string]bool{}
	joined := make(chan struct{})
	first := true
	done := make(chan error, 1)
	go func() {
		done <- c.Join(ctx, "g", []string{"a"}, func(ctx context.Context, g *Generation) error {
			if first {
				first = false
				close(joined)
			}
			return g.EachPartition(ctx, func(ctx context.Context, topic string, a Assignment) error {
				r := c.NewReader(topic, a.Partition, max(a.Committed, 0))
				defer r.Close()
				for len(seen) < records {
					got, err := r.Read(ctx)
					if err != nil {
						return err
					}
					for _, record := range got {
						seen[string(record.Value)] = true
					}
					if err := g.Commit(ctx, topic, map[int]int64{a.Partition: r.Offset()}); err != nil {
						return err
					}
				}
				cancel()
				return ctx.Err()
			})
		})
	}()
	<-joined
	// for ten seconds: three sessions; the last record may be read before it is acknowledged
	for i := range records {
		if err := c.Produce(t.Context(), "a", []Record{{Value: []byte(strconv.Itoa(i))}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	<-done
	if len(seen) != records {
		t.Errorf("%d of %d records are read", len(seen), records)
	}
}
