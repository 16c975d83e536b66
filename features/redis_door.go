package features

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/settings"
	"github.com/clickloop/clickloop/internal/tlsfiles"
)

// redisDoor opens connections to one Redis. It reads certificates and password anew for each, so a
// change of them needs no restart.
type redisDoor struct {
	user       string // of the ACLs
	file       string // of the password; empty: none
	password   settings.Secret
	tls        tlsfiles.Client
	skipVerify bool
}

// newRedisDoor returns the door of a settled configuration.
func newRedisDoor(cfg RedisConfig) *redisDoor {
	d := &redisDoor{user: cfg.Username, file: cfg.PasswordFile, password: cfg.Password, tls: cfg.TLS}
	if u, err := redisURL(cfg.Address); err == nil {
		d.tls, d.skipVerify = cfg.tls(u), skipsVerify(u)
	}
	return d
}

// patience bounds the opening of a connection. TLS takes two more round trips and some work of a
// server that many clients open connections to at once.
func (d *redisDoor) patience() time.Duration {
	if d.tls.Enabled {
		return 3 * time.Second
	}
	return time.Second
}

// dial opens a connection, with TLS if it is enabled.
func (d *redisDoor) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: d.patience(), KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil || !d.tls.Enabled {
		return conn, err
	}
	secure, err := d.handshake(ctx, conn, address)
	if err != nil {
		_ = conn.Close() // the reason why it is given up is err
		return nil, err
	}
	return secure, nil
}

// handshake makes conn speak TLS.
func (d *redisDoor) handshake(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	cfg, err := d.tls.Config(host)
	if err != nil {
		return nil, field.Within("redis.tls", err)
	}
	cfg.InsecureSkipVerify = d.skipVerify
	secure := tls.Client(conn, cfg)
	err = secure.HandshakeContext(ctx)
	switch {
	case err == nil:
		return secure, nil
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("no answer to the TLS handshake: Redis hangs, or that port speaks plain text (%w)", err)
	}
	return nil, fmt.Errorf("the TLS handshake failed: %w", err)
}

// maxPassword bounds a file of a password, in bytes.
const maxPassword = 64 << 10

// credentials returns user and password for a new connection.
func (d *redisDoor) credentials(context.Context) (user, password string, err error) {
	if d.file == "" {
		return d.user, d.password.Reveal(), nil
	}
	f, err := os.Open(d.file)
	if err != nil {
		return "", "", field.Wrong("redis.password_file", "cannot be read: %v", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPassword+1))
	if err != nil {
		return "", "", field.Wrong("redis.password_file", "cannot be read: %v", err)
	}
	password = strings.TrimRight(string(b), "\r\n")
	if password == "" || len(b) > maxPassword || strings.ContainsAny(password, "\r\n") {
		return "", "", field.Wrong("redis.password_file", "is %q, which holds no password, want one line", d.file)
	}
	return d.user, password, nil
}

// probe opens a connection of its own and returns what an error such as EOF hides: a server that
// wants TLS closes a connection without it, and TLS 1.3 refuses a client's certificate only after
// the handshake, in an alert that is lost when the client has sent a command meanwhile.
func (d *redisDoor) probe(ctx context.Context, network, address string) error {
	ctx, cancel := context.WithTimeout(ctx, d.patience())
	defer cancel()
	if d.tls.Enabled {
		if speaksPlain(ctx, network, address) {
			return tls.RecordHeaderError{Msg: "Redis answers plain text"}
		}
		conn, err := d.dial(ctx, network, address)
		if err != nil {
			return err
		}
		defer conn.Close()
		const alertWithin = 500 * time.Millisecond
		if err := conn.SetReadDeadline(time.Now().Add(alertWithin)); err != nil {
			return err
		}
		if _, err = conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		return err
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	// the certificate does not matter: the connection ends with the question whether there is one
	if err := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx); err != nil && !strings.Contains(err.Error(), "remote error: tls") {
		return nil
	}
	return tlsfiles.Plain(address, errPlain)
}

// speaksPlain tells whether Redis answers a command without TLS, be it by an error.
func speaksPlain(ctx context.Context, network, address string) bool {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return false
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline) // without one, the write or the read fails
	answer := make([]byte, 1)
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return false
	}
	_, err = io.ReadFull(conn, answer)
	return err == nil && (answer[0] == '+' || answer[0] == '-')
}

var errPlain = errors.New("the server closed a connection without TLS")
