package run

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/internal/access"
	"github.com/clickloop/clickloop/internal/field"
)

// certificates are the TLS settings of both ports; nil for a port of plain HTTP.
type certificates struct{ public, admin *tls.Config }

// readCertificates reads the certificates that the configuration names.
func readCertificates(cfg config.Config, logger *slog.Logger) (c certificates, err error) {
	if c.public, err = cfg.HTTPS.Config(logger); err != nil {
		return c, field.Within("https", err)
	}
	c.admin, err = cfg.AdminHTTPS.Config(logger)
	return c, field.Within("admin_https", err)
}

// ExpirySoon is how long before its end a certificate is warned of.
const ExpirySoon = 7 * 24 * time.Hour

// warnings tells which certificates end soon.
func (c certificates) warnings(now time.Time) (all []string) {
	for _, port := range []struct {
		setting string
		cfg     *tls.Config
	}{{"https", c.public}, {"admin_https", c.admin}} {
		leaf := shown(port.cfg)
		switch {
		case leaf == nil:
		case now.After(leaf.NotAfter):
			all = append(all, fmt.Sprintf("the certificate of %s expired at %s: renew it", port.setting, leaf.NotAfter.UTC().Format(time.RFC3339)))
		case leaf.NotAfter.Sub(now) < ExpirySoon:
			all = append(all, fmt.Sprintf("the certificate of %s expires at %s: renew it", port.setting, leaf.NotAfter.UTC().Format(time.RFC3339)))
		}
	}
	return all
}

// shown returns the certificate that a port shows now, or nil.
func shown(cfg *tls.Config) *x509.Certificate {
	if cfg == nil {
		return nil
	}
	pair, err := cfg.GetCertificate(nil)
	if err != nil {
		return nil
	}
	return pair.Leaf
}

// warnEvery is how often a certificate that ends soon is logged.
const warnEvery = 12 * time.Hour

// run logs certificates that end soon, until ctx ends.
func (c certificates) run(ctx context.Context, logger *slog.Logger) error {
	if c.public == nil && c.admin == nil {
		return nil
	}
	tick := time.NewTicker(warnEvery)
	defer tick.Stop()
	for {
		for _, warning := range c.warnings(time.Now()) {
			logger.Warn(warning)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// url returns the URL of a port of this process.
func (l *Loop) url(address string, cfg *tls.Config) string {
	if cfg != nil {
		return "https://" + address
	}
	return "http://" + address
}

// newTransport returns a transport for calls of this process to itself. It accepts the certificates
// that the process shows and no other, whatever names they have.
func (c certificates) newTransport() http.RoundTripper {
	if c.public == nil && c.admin == nil {
		return http.DefaultTransport
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
		for _, cfg := range []*tls.Config{c.public, c.admin} {
			if own := shown(cfg); own != nil && own.Equal(s.PeerCertificates[0]) {
				return nil
			}
		}
		return errors.New("another process answers at this process's address")
	}}
	return t
}

// client calls this process, with its own key. Without a timeout the caller's context ends calls.
func (l *Loop) client(timeout time.Duration) *http.Client {
	return &http.Client{Timeout: timeout, Transport: access.Bearer{Key: l.gate.Own(), Next: l.transport}}
}

// isLoopback tells whether only this machine reaches a listener.
func isLoopback(l net.Listener) bool {
	tcp, ok := l.Addr().(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
