package backend

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/tlsfiles"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// ConfigFile is the file of the sections kafka and redis for services with TLS and users, from
// CLICKLOOP_TEST_CONFIG, or "" when the services under test take plain text. It lies in the folder
// of scripts/services.sh start --secure.
func ConfigFile() string { return os.Getenv("CLICKLOOP_TEST_CONFIG") }

// ServicesDir is the folder of scripts/services.sh that holds ConfigFile.
func ServicesDir() string { return filepath.Dir(ConfigFile()) }

// TLS is how to reach the Kafka under test.
func TLS() tlsfiles.Client {
	if ConfigFile() == "" {
		return tlsfiles.Client{}
	}
	return tlsfiles.Client{Enabled: true, CAFile: filepath.Join(ServicesDir(), "tls/ca.pem")}
}

// Login is a user of the Kafka under test, in the form of stream.SASL.
type Login struct{ Mechanism, Username, PasswordFile string }

// User is a user of the Kafka under test; empty when that wants no login.
func User(name string) Login {
	if ConfigFile() == "" {
		return Login{}
	}
	return Login{Mechanism: "SCRAM-SHA-512", Username: name, PasswordFile: filepath.Join(ServicesDir(), "passwords", name)}
}

// Administrator is the user who may do anything.
func Administrator() Login { return User("admin") }

// Secured tells how to reach brokers as the administrator. It is plain text for others than those
// of the services under test.
func Secured(brokers []string) (tlsfiles.Client, Login) {
	if strings.Join(brokers, ",") != os.Getenv("CLICKLOOP_TEST_KAFKA") {
		return tlsfiles.Client{}, Login{}
	}
	return TLS(), Administrator()
}

// Franz are options for clients of tests' own that reach the broker at one of these addresses as
// the administrator.
func Franz(brokers ...string) []kgo.Opt {
	opts := []kgo.Opt{kgo.SeedBrokers(brokers...)}
	by, login := Secured(brokers)
	if !by.Enabled {
		return opts
	}
	cfg, err := by.Config("127.0.0.1")
	if err != nil {
		panic(err)
	}
	return append(opts, kgo.DialTLSConfig(cfg), kgo.SASL(scram.Auth{User: login.Username, Pass: password(login)}.AsSha512Mechanism()))
}

// password reads the password of a user.
func password(l Login) string {
	text, err := os.ReadFile(l.PasswordFile)
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(text))
}

// Authority signs certificates for one test.
type Authority struct {
	CAFile string
	dir    string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

// NewAuthority writes the certificate of a new authority to CAFile.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	a := &Authority{dir: t.TempDir()}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	s := a.issue(t, "ca", template, time.Now().Add(time.Hour))
	a.CAFile = s.CertFile
	return a
}

// Server issues a certificate for localhost and 127.0.0.1, or for other names, valid until a time.
func (a *Authority) Server(t testing.TB, until time.Time, names ...string) tlsfiles.Server {
	t.Helper()
	template := &x509.Certificate{Subject: pkix.Name{CommonName: "server"}, DNSNames: names}
	if len(names) == 0 {
		template.DNSNames, template.IPAddresses = []string{"localhost"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	return a.issue(t, rand.Text(), template, until)
}

// issue signs a certificate for a new key and writes both. The first one signs itself.
func (a *Authority) issue(t testing.TB, name string, template *x509.Certificate, until time.Time) tlsfiles.Server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert == nil {
		a.cert, a.key = template, key
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-2*time.Hour), until
	raw, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s := tlsfiles.Server{CertFile: filepath.Join(a.dir, name+".pem"), KeyFile: filepath.Join(a.dir, name+".key")}
	for path, block := range map[string]*pem.Block{s.CertFile: {Type: "CERTIFICATE", Bytes: raw}, s.KeyFile: {Type: "EC PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// ServerConfig reads what Server has issued.
func ServerConfig(t testing.TB, s tlsfiles.Server) *tls.Config {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}
}
