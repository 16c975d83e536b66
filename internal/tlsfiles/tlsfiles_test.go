package tlsfiles

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	a := &authority{}
	a.cert, a.key = a.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(time.Hour)})
	a.file = filepath.Join(t.TempDir(), "ca.pem")
	writePEM(t, a.file, "CERTIFICATE", a.cert.Raw)
	return a
}

// sign makes a key and signs a certificate for it; an authority without one signs its own.
func (a *authority) sign(t *testing.T, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// issue writes a certificate for name, valid until a time, over the files of s.
func (a *authority) issue(t *testing.T, s Server, name string, until time.Time) {
	t.Helper()
	cert, key := a.sign(t, &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until})
	raw, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, s.KeyFile, "EC PRIVATE KEY", raw)
	writePEM(t, s.CertFile, "CERTIFICATE", cert.Raw)
}

func writePEM(t *testing.T, path, kind string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// pair returns paths of a certificate that issue writes.
func pair(t *testing.T) Server {
	dir := t.TempDir()
	return Server{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
}

// serve answers every connection over TLS with one byte, and returns its address.
func serve(t *testing.T, cfg *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if cfg == nil {
				_, _ = io.WriteString(conn, "-ERR what is this\r\n")
				_, _ = io.CopyN(io.Discard, conn, 1)
			} else {
				_, _ = tls.Server(conn, cfg).Write([]byte("x"))
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String()
}

// dial returns the error of a connection, with its first byte.
func dial(t *testing.T, c Client, address string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err = c.Handshake(ctx, conn, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = io.ReadFull(conn, make([]byte, 1))
	return Explain(err)
}

func TestFaultsOfHandshakesAreNamed(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	f := func(name string, server func(s Server) *tls.Config, client Client, kind Kind, words ...string) {
		t.Helper()
		client.Enabled = true
		err := dial(t, client, serve(t, server(pair(t))))
		var fault *Fault
		if kind == 0 && err == nil {
			return
		}
		if !errors.As(err, &fault) || fault.Kind != kind {
			t.Errorf("%s: %v, want a fault of kind %d", name, err, kind)
			return
		}
		for _, w := range append(words, "mend it: ") {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v does not say %q", name, err, w)
			}
		}
	}
	config := func(s Server) *tls.Config {
		t.Helper()
		cfg, err := s.Config(slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return cfg
	}
	until := time.Now().Add(time.Hour)
	good := func(s Server) *tls.Config { ours.issue(t, s, "kafka.test", until); return config(s) }
	trusting := Client{CAFile: ours.file, ServerName: "kafka.test"}
	f("all right", good, trusting, 0)
	f("wrong name", good, Client{CAFile: ours.file}, WrongName, "127.0.0.1", "kafka.test", "tls.server_name")
	f("system's authorities", good, Client{ServerName: "kafka.test"}, UnknownAuthority, "CN=test authority", "tls.ca_file")
	f("another authority", good, Client{CAFile: other.file, ServerName: "kafka.test"}, UnknownAuthority, "tls.ca_file")
	ended := time.Now().Add(-time.Hour)
	f("expired", func(s Server) *tls.Config { ours.issue(t, s, "kafka.test", ended); return config(s) }, trusting, Expired, ended.UTC().Format("2006-01-02 15:04"))
	f("plain text", func(Server) *tls.Config { return nil }, trusting, NoTLS, "plain text")
	for version, name := range map[uint16]string{tls.VersionTLS12: "TLS 1.2", tls.VersionTLS13: "TLS 1.3"} {
		asking := func(s Server) *tls.Config {
			cfg := good(s)
			cfg.ClientAuth, cfg.MaxVersion, cfg.ClientCAs = tls.RequireAndVerifyClientCert, version, x509.NewCertPool()
			cfg.ClientCAs.AddCert(ours.cert)
			return cfg
		}
		f("no client certificate in "+name, asking, trusting, CertificateWanted, "tls.cert_file")
		own, foreign := pair(t), pair(t)
		ours.issue(t, own, "client", until)
		other.issue(t, foreign, "client", until)
		showing := trusting
		showing.CertFile, showing.KeyFile = own.CertFile, own.KeyFile
		f("a client certificate in "+name, asking, showing, 0)
		showing.CertFile, showing.KeyFile = foreign.CertFile, foreign.KeyFile
		f("another authority's client certificate in "+name, asking, showing, CertificateRefused, "unknown certificate authority")
	}
}

func TestAServerThatClosesTheHandshakeSeemsToSpeakPlainText(t *testing.T) {
	err := explainHandshake(io.EOF)
	var fault *Fault
	if !errors.As(err, &fault) || fault.Kind != NoTLS || !errors.Is(err, io.EOF) {
		t.Errorf("%v, want a fault of kind %d", err, NoTLS)
	}
}

func TestErrorsThatAreNoFaultsOfTLSStayAsTheyAre(t *testing.T) {
	other := errors.New("other")
	if Explain(other) != other || Explain(nil) != nil {
		t.Error("Explain changes errors that it does not know")
	}
	fault := Plain("127.0.0.1:1", io.EOF)
	if err := error(fault); Explain(err) != err {
		t.Error("Explain changes a fault")
	}
}

func TestACertificateThatChangesIsShownSoon(t *testing.T) {
	a, s := newAuthority(t), pair(t)
	a.issue(t, s, "one.test", time.Now().Add(time.Hour))
	var log bytes.Buffer
	p := &served{Server: s, logger: slog.New(slog.NewTextHandler(&log, nil))}
	first, err := loadPair(s.CertFile, s.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	p.pair, p.seen = &first, s.stamp()
	f := func(want string) {
		t.Helper()
		p.at = time.Time{} // the last look is long ago
		if got := p.current().Leaf.DNSNames[0]; got != want {
			t.Errorf("the certificate is for %s, want %s", got, want)
		}
	}
	f("one.test")
	if err := os.WriteFile(s.CertFile, []byte("-----BEGIN"), 0o600); err != nil {
		t.Fatal(err)
	}
	f("one.test")
	if !strings.Contains(log.String(), "cannot be used") {
		t.Errorf("the log says nothing of half a file: %s", &log)
	}
	a.issue(t, s, "second.test", time.Now().Add(time.Hour))
	f("second.test")
	a.issue(t, s, "third.test", time.Now().Add(time.Hour))
	p.at = time.Now()
	if got := p.current().Leaf.DNSNames[0]; got != "second.test" {
		t.Errorf("files are looked at more than once a second: %s", got)
	}
}

func TestSettingsThatContradictAreNamed(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(Client{}.Validate(), "")
	f(Client{Enabled: true}.Validate(), "")
	f(Client{CAFile: "a"}.Validate(), `ca_file is "a", but TLS is off`)
	f(Client{ServerName: "a"}.Validate(), `server_name is "a", but TLS is off`)
	f(Client{Enabled: true, CertFile: "a"}.Validate(), `cert_file is "a" without key_file`)
	f(Client{Enabled: true, KeyFile: "a"}.Validate(), `key_file is "a" without cert_file`)
	f(Server{KeyFile: "a"}.Validate(), `key_file is "a" without cert_file`)
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	config := func(c Client) error { c.Enabled = true; _, err := c.Config("h"); return err }
	f(config(Client{CAFile: "none.pem"}), "ca_file cannot be read: open none.pem")
	f(config(Client{CAFile: empty}), "ca_file is ")
	f(config(Client{CertFile: "none.pem", KeyFile: "none.pem"}), "cert_file cannot be read")
	f(config(Client{CertFile: empty, KeyFile: "none.pem"}), "key_file cannot be read")
	f(config(Client{CertFile: empty, KeyFile: empty}), "cert_file is ")
	_, err := Server{CertFile: empty, KeyFile: empty}.Config(slog.New(slog.DiscardHandler))
	f(err, "cert_file is ")
}

func TestConfigIsNilWithoutTLS(t *testing.T) {
	client, err := Client{}.Config("h")
	server, err2 := Server{}.Config(slog.New(slog.DiscardHandler))
	if client != nil || server != nil || err != nil || err2 != nil {
		t.Errorf("%v, %v, %v, %v", client, server, err, err2)
	}
}
