package tlsfiles

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// Kind is what a handshake failed of.
type Kind int

// The kinds of faults.
const (
	Expired            Kind = iota + 1 // the server's certificate is valid no more, or not yet
	UnknownAuthority                   // the server's certificate is signed by an authority that ca_file does not hold
	WrongName                          // the server's certificate is for other names
	CertificateWanted                  // the server wants a client certificate and was shown none
	CertificateRefused                 // the server does not take the client certificate that it was shown
	NoTLS                              // the other side speaks plain text where TLS is spoken to it
	TLSWanted                          // the other side wants TLS where plain text is spoken to it
)

// Fault is a failed handshake in plain words. Error says what is wrong and how to mend it, with the
// names of settings as they are within a section tls.
type Fault struct {
	Kind Kind
	What string
	Mend string
	Err  error // as crypto/tls gives it
}

func (f *Fault) Error() string { return f.What + "; mend it: " + f.Mend }

// Unwrap returns the error that the fault explains.
func (f *Fault) Unwrap() error { return f.Err }

// Explain returns err as a *Fault if it shows a fault of TLS, and else err itself. It knows what a
// client sees, in the handshake or in the first read after it: TLS 1.3 refuses a client's
// certificate only then.
func Explain(err error) error {
	var known *Fault
	if err == nil || errors.As(err, &known) {
		return err
	}
	if f := explain(err); f != nil {
		f.Err = err
		return f
	}
	return err
}

// explainHandshake is Explain for the error of a handshake: a server that closes the connection in
// it, or answers nothing, may not speak TLS at all.
func explainHandshake(err error) error {
	var timeout net.Error
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.As(err, &timeout) && timeout.Timeout() {
		f := noTLS()
		f.What, f.Err = "the other side did not answer the TLS handshake ("+err.Error()+"): it seems to speak plain text", err
		return f
	}
	return Explain(err)
}

func noTLS() *Fault {
	return &Fault{Kind: NoTLS, What: "the other side speaks plain text, not TLS", Mend: "give the address of its TLS port, or leave tls.enabled out"}
}

// Plain returns the fault of a server at address that wants TLS and was spoken to in plain text.
func Plain(address string, err error) *Fault {
	return &Fault{Kind: TLSWanted, What: address + " wants TLS and was spoken to in plain text", Mend: "set tls.enabled: true (and tls.ca_file, if its authority is your own)", Err: err}
}

func explain(err error) *Fault {
	var (
		invalid   x509.CertificateInvalidError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return expired(invalid.Cert, time.Now())
	case errors.As(err, &authority):
		return &Fault{Kind: UnknownAuthority, What: "the server's certificate is signed by an authority that is not known" + issuer(err),
			Mend: "set tls.ca_file to a file with that authority's certificate (PEM)"}
	case errors.As(err, &name):
		return wrongName(name)
	case errors.As(err, &record):
		return noTLS()
	}
	return refused(err.Error())
}

// refused explains the alerts that a server sends. crypto/tls gives them no type.
func refused(text string) *Fault {
	_, alert, isAlert := strings.Cut(text, "remote error: tls: ")
	if !isAlert {
		return nil
	}
	wanted := func(what string) *Fault {
		return &Fault{Kind: CertificateWanted, What: what, Mend: "set tls.cert_file and tls.key_file to the certificate that the server's operator gave to this client"}
	}
	refused := func(what, mend string) *Fault { return &Fault{Kind: CertificateRefused, What: what, Mend: mend} }
	switch {
	case strings.Contains(alert, "certificate required"):
		return wanted("the server wants a client certificate")
	case strings.Contains(alert, "bad certificate"), strings.Contains(alert, "handshake failure"):
		return wanted("the server refused the handshake (" + alert + "): it wants a client certificate, or another one")
	case strings.Contains(alert, "expired certificate"):
		return refused("the server says that the client certificate has expired", "renew the certificate in tls.cert_file")
	case strings.Contains(alert, "unknown certificate"), strings.Contains(alert, "unsupported certificate"), strings.Contains(alert, "revoked certificate"):
		return refused("the server does not take the client certificate ("+alert+")", "set tls.cert_file to a certificate of an authority that the server knows, and look at its dates")
	}
	return nil
}

func expired(cert *x509.Certificate, now time.Time) *Fault {
	if now.Before(cert.NotBefore) {
		return &Fault{Kind: Expired, What: fmt.Sprintf("the server's certificate is valid only from %s on", day(cert.NotBefore)), Mend: "set this machine's clock right, or wait"}
	}
	return &Fault{Kind: Expired, What: fmt.Sprintf("the server's certificate expired at %s", day(cert.NotAfter)), Mend: "renew it on the server"}
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// issuer names who has signed the server's certificate.
func issuer(err error) string {
	var seen *tls.CertificateVerificationError
	if errors.As(err, &seen) && len(seen.UnverifiedCertificates) > 0 {
		return fmt.Sprintf(" (%s)", seen.UnverifiedCertificates[0].Issuer)
	}
	return ""
}

func wrongName(e x509.HostnameError) *Fault {
	names := append([]string(nil), e.Certificate.DNSNames...)
	for _, ip := range e.Certificate.IPAddresses {
		names = append(names, ip.String())
	}
	const most = 8
	if len(names) > most {
		names = append(names[:most], fmt.Sprintf("and %d more", len(names)-most))
	}
	if len(names) == 0 {
		return &Fault{Kind: WrongName, What: fmt.Sprintf("the server's certificate is not for %s: it has no name at all", e.Host), Mend: "renew it on the server with subject alternative names"}
	}
	return &Fault{Kind: WrongName, What: fmt.Sprintf("the server's certificate is not for %s, only for %s", e.Host, strings.Join(names, ", ")),
		Mend: "dial the server by one of these names, or set tls.server_name to one of them"}
}
