package tlsfiles

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// Server is the certificate that a server shows. TLS 1.2 is the oldest version that it speaks.
type Server struct {
	CertFile string `yaml:"cert_file"` // file of the certificate (PEM, with its chain); empty: no TLS
	KeyFile  string `yaml:"key_file"`  // file of the private key (PEM) of cert_file
}

// Enabled tells whether the server speaks TLS.
func (s Server) Enabled() bool { return s.CertFile != "" }

// Validate returns a *field.Error when one of the two files is given without the other.
func (s Server) Validate() error { return checkPair(s.CertFile, s.KeyFile) }

// checkEvery is how often a server looks whether its files have changed, at most.
const checkEvery = time.Second

// Config reads the files and returns a configuration whose certificate follows them: a connection
// that comes a second after they have changed sees the new ones. While the new ones are wrong, such
// as half-written, the certificate stays as it was, and logger tells why. It returns a *field.Error
// for files that are wrong at first, and nil when TLS is off.
func (s Server) Config(logger *slog.Logger) (*tls.Config, error) {
	if !s.Enabled() {
		return nil, nil
	}
	pair, err := loadPair(s.CertFile, s.KeyFile)
	if err != nil {
		return nil, err
	}
	p := &served{Server: s, logger: logger, pair: &pair, seen: s.stamp(), at: time.Now()}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.current(), nil },
	}, nil
}

// stamp is the state of two files by which a change is seen.
type stamp [2]struct {
	changed time.Time
	size    int64
}

func (s Server) stamp() (now stamp) {
	for i, path := range []string{s.CertFile, s.KeyFile} {
		if info, err := os.Stat(path); err == nil {
			now[i].changed, now[i].size = info.ModTime(), info.Size()
		}
	}
	return now
}

// served is the certificate in use.
type served struct {
	Server
	logger *slog.Logger

	mu   sync.Mutex
	pair *tls.Certificate
	seen stamp     // of the files when they were read last
	at   time.Time // when they were looked at last
}

// current returns the certificate, read again when its files have changed.
func (p *served) current() *tls.Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.at) < checkEvery {
		return p.pair
	}
	p.at = time.Now()
	now := p.stamp()
	if now == p.seen {
		return p.pair
	}
	p.seen = now
	pair, err := loadPair(p.CertFile, p.KeyFile)
	if err != nil {
		p.logger.Warn("the certificate has changed and cannot be used, showing the one before", "cert_file", p.CertFile, "err", err)
		return p.pair
	}
	p.pair = &pair
	p.logger.Info("showing a new certificate", "cert_file", p.CertFile, "until", pair.Leaf.NotAfter)
	return p.pair
}
