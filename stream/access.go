package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/clickloop/clickloop/internal/tlsfiles"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AccessError says why Kafka lets this client not in, or not do something, and how to mend it.
type AccessError struct {
	What, Mend string
	Err        error // nil, or what the broker answered
}

func (e *AccessError) Error() string { return e.What + "; mend it: " + e.Mend }

// Unwrap returns what the broker answered.
func (e *AccessError) Unwrap() error { return e.Err }

// door opens the connections to the brokers: TCP, then TLS, then the login. kafka-go does neither
// of the last two, so they are the same for its requests, its groups, and wire.
type door struct {
	cfg  Config
	open func(ctx context.Context, network, address string) (net.Conn, error) // TCP

	passed atomic.Bool                 // a broker has let this client in before
	closed atomic.Pointer[AccessError] // why the last broker did not; nil: it did
}

// dial returns a connection over which requests may be sent. The broker closes it when the session
// of a login ends (KIP-368): whoever used it dials again, as after any other loss.
func (d *door) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.open(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if conn, err = d.secure(ctx, conn, address); err != nil {
		err = accessError(address, err)
		var fault *AccessError
		if errors.As(err, &fault) {
			d.closed.Store(fault)
		}
		return nil, err
	}
	if d.cfg.SASL.Mechanism != "" { // else the first request shows whether the broker takes it
		d.passed.Store(true)
	}
	d.closed.Store(nil)
	return conn, nil
}

// secure closes conn when it returns an error.
func (d *door) secure(ctx context.Context, conn net.Conn, address string) (net.Conn, error) {
	if d.cfg.clear(address) {
		_ = conn.Close()
		return nil, &AccessError{What: "the broker at " + address + " would get the password in clear text", Mend: "set kafka.tls.enabled: true, or kafka.sasl.mechanism: SCRAM-SHA-512"}
	}
	conn, err := d.cfg.TLS.Handshake(ctx, conn, address)
	if err != nil || d.cfg.SASL.Mechanism == "" {
		return conn, err
	}
	w := newWire(conn, d.cfg.ClientID)
	stop, err := w.bound(ctx, attemptTimeout)
	if err == nil {
		err = d.cfg.login(ctx, w)
		if stop() {
			err = errors.Join(err, conn.SetDeadline(noDeadline))
		} else if err == nil {
			err = ctx.Err()
		}
	}
	if err != nil {
		_ = conn.Close()
		return nil, d.diagnose(ctx, address, err)
	}
	return conn, nil
}

// fault returns why no broker lets this client in, if none has ever done so: then another attempt
// would fail alike. Later a broker may be about to be given new certificates or passwords.
func (d *door) fault() *AccessError {
	if d.passed.Load() {
		return nil
	}
	return d.closed.Load()
}

// accessError returns err as an *AccessError about address, if it is a fault of TLS or of the
// login, and else err itself.
func accessError(address string, err error) error {
	var fault *tlsfiles.Fault
	var access *AccessError
	switch err = tlsfiles.Explain(err); {
	case errors.As(err, &access):
		return err
	case errors.As(err, &fault):
		return &AccessError{What: "Kafka at " + address + ": " + fault.What, Mend: fault.Mend + " (all in the section kafka)", Err: err}
	}
	return err
}

// diagnose explains why a broker ended a connection without a word, which it does to whoever speaks
// plain text to it instead of TLS, or does not log in. It asks over connections of its own.
func (d *door) diagnose(ctx context.Context, address string, err error) error {
	var access *AccessError
	if err = accessError(address, err); errors.As(err, &access) || ctx.Err() != nil || !brokenOff(err) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	switch {
	case !d.cfg.TLS.Enabled && d.wantsTLS(ctx, address):
		return accessError(address, tlsfiles.Plain(address, err))
	case d.cfg.SASL.Mechanism == "":
		if offered := d.offered(ctx, address); len(offered) > 0 {
			return &AccessError{What: fmt.Sprintf("Kafka at %s wants a login by one of %v", address, offered), Mend: "set kafka.sasl.mechanism, kafka.sasl.username and kafka.sasl.password_file", Err: err}
		}
	}
	return err
}

// brokenOff tells whether err is what a client sees that speaks otherwise than the broker expects.
// Other faults, such as a broker that is slow or gone, are no reason to send it more.
func brokenOff(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, errNoAnswer)
}

// wantsTLS tells whether the broker at address speaks TLS.
func (d *door) wantsTLS(ctx context.Context, address string) bool {
	conn, err := d.open(ctx, "tcp", address)
	if err != nil {
		return false
	}
	secure, err := tlsfiles.Client{Enabled: true}.Handshake(ctx, conn, address)
	if err == nil {
		_ = secure.Close()
		return true
	}
	var fault *tlsfiles.Fault
	return errors.As(err, &fault) && fault.Kind != tlsfiles.NoTLS
}

// offered returns the mechanisms by which the broker at address lets clients log in; none when it
// wants no login, or does not say.
func (d *door) offered(ctx context.Context, address string) []string {
	conn, err := d.open(ctx, "tcp", address)
	if err != nil {
		return nil
	}
	if conn, err = d.cfg.TLS.Handshake(ctx, conn, address); err != nil {
		return nil
	}
	defer conn.Close()
	w := newWire(conn, d.cfg.ClientID)
	stop, err := w.bound(ctx, dialTimeout)
	if err != nil {
		return nil
	}
	defer stop()
	req, resp := kmsg.NewPtrSASLHandshakeRequest(), kmsg.NewPtrSASLHandshakeResponse()
	req.Version, req.Mechanism = 1, "NONE"
	if err := w.ask(req, resp); err != nil {
		return nil
	}
	return resp.SupportedMechanisms
}
