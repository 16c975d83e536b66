package features

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	services "github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/settings"
	"github.com/clickloop/clickloop/internal/tlsfiles"
)

// diagnosed is what a client with cfg is told of a Redis before it uses a store.
func diagnosed(t *testing.T, cfg RedisConfig, rights *Rights) error {
	t.Helper()
	client, err := DialRedis(cfg, Writing)
	if err != nil {
		return err
	}
	defer client.Close()
	began := time.Now()
	err = client.Diagnose(t.Context(), rights)
	if took := time.Since(began); took > 4*time.Second+500*time.Millisecond {
		t.Errorf("the answer took %v", took)
	}
	return err
}

func passwordFile(t *testing.T, password string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// isFault checks that an error is a fault which names what is wrong and the mend.
func isFault(t *testing.T, what string, err error, wants ...string) {
	t.Helper()
	var fault *RedisFault
	if !errors.As(err, &fault) {
		t.Errorf("%s: %v is no fault", what, err)
		return
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%s: %v tells the password", what, err)
	}
}

func TestWhatIsWrongWithARedisIsNamed(t *testing.T) {
	ours, other := services.NewAuthority(t), services.NewAuthority(t)
	s := services.NewServer(t, ours, ours.Server(t, time.Now().Add(time.Hour)), "--tls-auth-clients", "no")
	s.Do(t, "ACL", "SETUSER", "ann", "on", ">hunter2", "~*", "+@all")
	s.Do(t, "ACL", "SETUSER", "default", "resetpass")
	good := RedisConfig{Address: s.Address, Username: "ann", PasswordFile: passwordFile(t, "hunter2"), TLS: tlsfiles.Client{Enabled: true, CAFile: ours.CAFile}}
	f := func(what string, change func(c *RedisConfig), wants ...string) {
		t.Helper()
		cfg := good
		change(&cfg)
		err := diagnosed(t, cfg, RightsOf("p.", "profiles", Writing))
		if len(wants) == 0 {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			return
		}
		isFault(t, what, err, wants...)
	}
	f("all right", func(*RedisConfig) {})
	f("a URL", func(c *RedisConfig) {
		*c = RedisConfig{Address: "rediss://ann:hunter2@" + s.Address + "/0", TLS: tlsfiles.Client{CAFile: ours.CAFile}}
	})
	f("a URL that checks nothing", func(c *RedisConfig) {
		*c = RedisConfig{Address: "rediss://ann:hunter2@" + s.Address + "?skip_verify=true"}
	})
	f("a variable", func(c *RedisConfig) { c.PasswordFile, c.Password = "", settings.NewSecret("hunter2") })
	f("unknown authority", func(c *RedisConfig) { c.TLS.CAFile = "" }, "authority that is not known", "redis.tls.ca_file")
	f("another authority", func(c *RedisConfig) { c.TLS.CAFile = other.CAFile }, "authority that is not known", "redis.tls.ca_file")
	f("wrong name", func(c *RedisConfig) { c.TLS.ServerName = "redis.test" }, "not for redis.test, only for localhost, 127.0.0.1", "redis.tls.server_name")
	f("wrong password", func(c *RedisConfig) { c.PasswordFile = passwordFile(t, "hunter22") }, "refuses the password of the user ann", "redis.password_file (", "ACL GETUSER ann")
	f("wrong user", func(c *RedisConfig) { c.Username = "bob" }, "refuses the password of the user bob")
	f("no password", func(c *RedisConfig) { c.Username, c.PasswordFile = "", "" }, "wants a password, and none is given", "redis.password_file or CLICKLOOP_REDIS_PASSWORD")
	f("no TLS", func(c *RedisConfig) { c.TLS = tlsfiles.Client{} }, "wants TLS and was spoken to in plain text", "redis.tls.enabled: true", "rediss://")
	f("no file of the authority", func(c *RedisConfig) { c.TLS.CAFile = "none.pem" }, "redis.tls.ca_file cannot be read")
	f("no file of the password", func(c *RedisConfig) { c.PasswordFile = "none" }, "redis.password_file cannot be read")
	f("an empty file of the password", func(c *RedisConfig) { c.PasswordFile = passwordFile(t, "") }, "redis.password_file", "holds no password")

	expired := ours.Server(t, time.Now().Add(-time.Hour))
	old := services.NewServer(t, ours, expired, "--tls-auth-clients", "no")
	f("expired", func(c *RedisConfig) { *c = RedisConfig{Address: old.Address, TLS: good.TLS} }, "certificate expired at ", "renew it")
	plain := services.NewServer(t, ours, tlsfiles.Server{})
	f("TLS that is not wanted", func(c *RedisConfig) { *c = RedisConfig{Address: plain.Address, TLS: good.TLS} }, "plain text, not TLS", "redis.tls.enabled")
	for _, protocols := range []string{"TLSv1.2", "TLSv1.3"} {
		asking := services.NewServer(t, ours, ours.Server(t, time.Now().Add(time.Hour)), "--tls-auth-clients", "yes", "--tls-protocols", protocols)
		f("no client certificate in "+protocols, func(c *RedisConfig) { *c = RedisConfig{Address: asking.Address, TLS: good.TLS} }, "client certificate", "redis.tls.cert_file")
		own := ours.Server(t, time.Now().Add(time.Hour), "client")
		f("a client certificate in "+protocols, func(c *RedisConfig) {
			*c = RedisConfig{Address: asking.Address, TLS: good.TLS}
			c.TLS.CertFile, c.TLS.KeyFile = own.CertFile, own.KeyFile
		})
	}
}

// A password that was changed in Redis and then in the file heals a running store, and a client
// with the old one is told why it waits.
func TestAPasswordThatIsRotatedHealsByItself(t *testing.T) {
	a := services.NewAuthority(t)
	s := services.NewServer(t, a, a.Server(t, time.Now().Add(time.Hour)), "--tls-auth-clients", "no")
	s.Do(t, "ACL", "SETUSER", "ann", "on", ">first", "~*", "+@all")
	file := passwordFile(t, "first")
	cfg := RedisConfig{Address: s.Address, Username: "ann", PasswordFile: file, TLS: tlsfiles.Client{Enabled: true, CAFile: a.CAFile}}
	for _, role := range []Role{Serving, Writing} {
		s.Do(t, "ACL", "SETUSER", "ann", "resetpass", ">first")
		if err := os.WriteFile(file, []byte("first"), 0o600); err != nil {
			t.Fatal(err)
		}
		client, err := DialRedis(cfg, role)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		store := NewRedis(client, "p.", "profiles", time.Hour)
		read := func() error { _, err := store.Read(t.Context(), []string{"user:1"}); return err }
		if err := read(); err != nil {
			t.Fatal(err)
		}
		s.Do(t, "ACL", "SETUSER", "ann", "resetpass", ">second")
		_ = s.Admin.Do(t.Context(), "CLIENT", "KILL", "USER", "ann").Err()
		var last error
		for range 40 {
			last = read()
		}
		isFault(t, "the old password", last, "refuses the password of the user ann")
		if err := os.WriteFile(file, []byte("second"), 0o600); err != nil {
			t.Fatal(err)
		}
		within(t, 5*time.Second, read)
	}
}

// within repeats fn until it succeeds.
func within(t *testing.T, limit time.Duration, fn func() error) {
	t.Helper()
	end := time.Now().Add(limit)
	for err := fn(); err != nil; err = fn() {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %v", limit, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A Redis with TLS that is killed, restarted, paused and resumed loses no fold, and readers find it
// again.
func TestARedisWithTLSThatFailsIsFoundAgain(t *testing.T) {
	a := services.NewAuthority(t)
	s := services.NewServer(t, a, a.Server(t, time.Now().Add(time.Hour)), "--tls-auth-clients", "no")
	cfg := RedisConfig{Address: s.Address, TLS: tlsfiles.Client{Enabled: true, CAFile: a.CAFile}}
	reader, err := DialRedis(cfg, Serving)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	writer, err := DialRedis(cfg, Writing)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	reads, writes := NewRedis(reader, "p.", "profiles", time.Hour), NewRedis(writer, "p.", "profiles", time.Hour)
	offset := int64(0)
	fold := func() error {
		to := Position{TopicID: "t", Next: offset + 1}
		err := writes.Apply(t.Context(), offset, to, []Update{{Key: "user:1", Offset: offset, Ops: []Op{{Kind: OpAdd, Field: "n", Add: 1}}}})
		if errors.Is(err, ErrMoved) { // its reply was lost
			at, positionErr := writes.Position(t.Context(), "t", 0)
			if positionErr == nil && at.Next == offset+1 {
				return nil
			}
		}
		return err
	}
	read := func() error { _, err := reads.Read(t.Context(), []string{"user:1"}); return err }
	for _, fail := range []func(){
		func() {}, func() { s.Kill(t); s.Start(t) },
		func() {
			s.Signal(t, syscall.SIGSTOP)
			time.AfterFunc(200*time.Millisecond, func() { s.Signal(t, syscall.SIGCONT) })
		},
		func() { _ = s.Admin.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err() },
	} {
		var many sync.WaitGroup
		for range 16 { // a pool of connections, all of which fail
			many.Go(func() { within(t, 5*time.Second, read) })
		}
		many.Wait()
		fail()
		within(t, 10*time.Second, fold)
		within(t, 5*time.Second, read)
		offset++
	}
	got, err := reads.Read(t.Context(), []string{"user:1"})
	if err != nil || got["user:1"].Fields["n"] != "4" {
		t.Errorf("%v, %v", got, err)
	}
}
