package backend

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/tlsfiles"
	"github.com/redis/go-redis/v9"
)

// Server is a real Redis of one test, with TLS where it has a certificate. The test may stop and
// restart it, and change its users.
type Server struct {
	Address string        // of the port that speaks TLS, or else plain text
	Admin   *redis.Client // may do everything

	args []string
	cmd  *exec.Cmd
	log  bytes.Buffer
}

// NewServer starts a Redis that shows a certificate, or speaks plain text when pair has none.
// options are more of its settings. Where no redis-server is installed, it skips the test.
func NewServer(t testing.TB, a *Authority, pair tlsfiles.Server, options ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server is installed")
	}
	free := freeAddresses(t, 2)
	s, admin := &Server{Address: free[0]}, free[1]
	_, port, _ := net.SplitHostPort(s.Address)
	_, adminPort, _ := net.SplitHostPort(admin)
	dir := t.TempDir()
	s.args = append([]string{"--bind", "127.0.0.1", "--dir", dir, "--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction"}, options...)
	if !pair.Enabled() {
		admin = s.Address
		s.args = append(s.args, "--port", port)
	} else {
		s.args = append(s.args, "--port", adminPort, "--tls-port", port, "--tls-cert-file", pair.CertFile, "--tls-key-file", pair.KeyFile, "--tls-ca-cert-file", a.CAFile)
	}
	acl := dir + "/users.acl"
	if err := os.WriteFile(acl, []byte("user default on nopass ~* &* +@all\nuser admin on >adminword ~* &* +@all\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = append(s.args, "--aclfile", acl)
	s.Admin = redis.NewClient(&redis.Options{Addr: admin, Username: "admin", Password: "adminword", DisableIdentity: true})
	t.Cleanup(func() { s.Admin.Close(); s.Kill(t) })
	s.Start(t)
	return s
}

// freeAddresses returns n addresses on which nothing listens. No two are the same.
func freeAddresses(t testing.TB, n int) (all []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		all = append(all, l.Addr().String())
	}
	return all
}

// Start starts the server again after Kill, and waits until it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.cmd = exec.Command("redis-server", s.args...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); s.Admin.Ping(t.Context()).Err() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("redis-server does not answer: %s", s.log.String())
		}
	}
}

// Kill ends the server at once.
func (s *Server) Kill(t testing.TB) {
	t.Helper()
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// Signal sends a signal to the server, such as SIGSTOP.
func (s *Server) Signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// Do sends a command as the administrator, and fails the test if Redis refuses it.
func (s *Server) Do(t testing.TB, words ...string) {
	t.Helper()
	args := make([]any, len(words))
	for i, w := range words {
		args[i] = w
	}
	if err := s.Admin.Do(t.Context(), args...).Err(); err != nil {
		t.Fatalf("%v: %v", words, err)
	}
}
