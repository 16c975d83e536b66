// Package tlsfiles is TLS whose certificates and keys are files: settings of both sides, files that
// are read again when they change, and faults in plain words.
package tlsfiles

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"

	"github.com/clickloop/clickloop/internal/field"
)

// Client is how to reach a server over TLS. TLS 1.2 is the oldest version that it speaks.
type Client struct {
	Enabled bool `yaml:"enabled"` // speak TLS; without it the other settings here are refused
	// file of the authorities (PEM) that may sign the server's certificate; empty: those of the
	// operating system
	CAFile string `yaml:"ca_file"`
	// file of the certificate (PEM, with its chain) that this client shows; empty: none
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"` // file of the private key (PEM) of cert_file
	// name that the server's certificate must have; empty: the host of the address that is dialed
	ServerName string `yaml:"server_name"`
}

// Validate returns a *field.Error about the first setting that contradicts another. It reads no
// file; Config does.
func (c Client) Validate() error {
	if !c.Enabled {
		for _, s := range [][2]string{{"ca_file", c.CAFile}, {"cert_file", c.CertFile}, {"key_file", c.KeyFile}, {"server_name", c.ServerName}} {
			if s[1] != "" {
				return field.Wrong(s[0], "is %q, but TLS is off, want enabled: true beside it", s[1])
			}
		}
	}
	return checkPair(c.CertFile, c.KeyFile)
}

// checkPair refuses a certificate without its key, and a key without its certificate.
func checkPair(certFile, keyFile string) error {
	switch {
	case certFile != "" && keyFile == "":
		return field.Wrong("cert_file", "is %q without key_file, want both", certFile)
	case keyFile != "" && certFile == "":
		return field.Wrong("key_file", "is %q without cert_file, want both", keyFile)
	}
	return nil
}

// Config reads the files and returns the configuration of one connection to host, or nil when TLS
// is off. It returns a *field.Error that names the file that is missing or wrong. A caller who asks
// for each connection anew follows the files when they change.
func (c Client) Config(host string) (*tls.Config, error) {
	if !c.Enabled {
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if c.ServerName != "" {
		cfg.ServerName = c.ServerName
	}
	if c.CAFile != "" {
		b, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, field.Wrong("ca_file", "cannot be read: %v", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(b) {
			return nil, field.Wrong("ca_file", "is %q, which holds no certificate, want PEM (-----BEGIN CERTIFICATE-----)", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := loadPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, err
		}
		// Among cfg.Certificates, one of an authority that the server does not name would stay at
		// home, and the server would say that there is none.
		cfg.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return cfg, nil
}

// Handshake makes conn speak TLS with the server at address (host:port), and returns a *Fault when
// they do not agree. With TLS off it returns conn as it is. It closes conn when it returns an
// error.
func (c Client) Handshake(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	cfg, err := c.Config(host)
	if cfg == nil && err == nil {
		return conn, nil
	}
	if err == nil {
		secure := tls.Client(conn, cfg)
		if err = secure.HandshakeContext(ctx); err == nil {
			return secure, nil
		}
		err = explainHandshake(err)
	}
	_ = conn.Close() // the reason why it is given up is err
	return nil, err
}

// loadPair reads a certificate and its key. Its error is about cert_file or key_file, and tells
// nothing of the key.
func loadPair(certFile, keyFile string) (tls.Certificate, error) {
	cert, err := os.ReadFile(certFile)
	if err != nil {
		return tls.Certificate{}, field.Wrong("cert_file", "cannot be read: %v", err)
	}
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return tls.Certificate{}, field.Wrong("key_file", "cannot be read: %v", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return tls.Certificate{}, field.Wrong("cert_file", "is %q, which makes no pair with key_file %q, want a certificate and its own private key, both PEM: %v", certFile, keyFile, err)
	}
	return pair, nil
}
