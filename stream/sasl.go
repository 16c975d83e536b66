package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/clickloop/clickloop/internal/field"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// SASL is how to log in to Kafka.
type SASL struct {
	// SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN; empty: no login. PLAIN sends the password itself, and
	// so it needs TLS, but for brokers on this machine
	Mechanism string `yaml:"mechanism"`
	Username  string `yaml:"username"` // as the brokers know it
	// file that holds the password and nothing else; it is read for each connection, so a new
	// password needs no restart. The variable CLICKLOOP_KAFKA_PASSWORD gives it instead
	PasswordFile string `yaml:"password_file"`
}

// Mechanisms are the values of SASL.Mechanism.
var Mechanisms = []string{"SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"}

// Validate returns a *field.Error about the first setting that is wrong. given tells whether the
// password comes from elsewhere.
func (s SASL) Validate(given bool) error {
	switch s.Mechanism {
	case "":
		for _, f := range [][2]string{{"username", s.Username}, {"password_file", s.PasswordFile}} {
			if f[1] != "" {
				return field.Wrong(f[0], "is %q without a mechanism, want sasl.mechanism beside it: %s", f[1], strings.Join(Mechanisms, ", "))
			}
		}
		if given {
			return field.Wrong("mechanism", "is empty, but CLICKLOOP_KAFKA_PASSWORD gives a password, want one of %s", strings.Join(Mechanisms, ", "))
		}
		return nil
	case "SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN":
	default:
		return field.Wrong("mechanism", "is %q, want one of %s", s.Mechanism, strings.Join(Mechanisms, ", "))
	}
	switch {
	case s.Username == "":
		return field.Wrong("username", "is empty, want the user's name beside sasl.mechanism")
	case s.PasswordFile == "" && !given:
		return field.Wrong("password_file", "is empty, want the path of a file with the password, or the password in CLICKLOOP_KAFKA_PASSWORD")
	case s.PasswordFile != "" && given:
		return field.Wrong("password_file", "is %q, and CLICKLOOP_KAFKA_PASSWORD gives a password too, want one of them", s.PasswordFile)
	}
	return nil
}

// clear tells whether logging in to the broker at address sends the password in clear text over a
// network.
func (cfg *Config) clear(address string) bool {
	if cfg.SASL.Mechanism != "PLAIN" || cfg.TLS.Enabled {
		return false
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip := net.ParseIP(host)
	return host != "localhost" && (ip == nil || !ip.IsLoopback())
}

// CheckClear returns a *field.Error when a password would cross a network in clear text.
func (cfg *Config) CheckClear() error {
	for _, b := range cfg.Brokers {
		if cfg.clear(b) {
			return field.Wrong("sasl.mechanism", "is PLAIN, which would send the password to %s in clear text, want tls.enabled: true, or SCRAM-SHA-512", b)
		}
	}
	return nil
}

// mechanism returns kafka-go's half of the login, with the password as it is now.
func (cfg *Config) mechanism() (sasl.Mechanism, error) {
	password := cfg.Password
	if cfg.SASL.PasswordFile != "" {
		b, err := os.ReadFile(cfg.SASL.PasswordFile)
		if err != nil {
			return nil, &AccessError{What: fmt.Sprintf("kafka.sasl.password_file cannot be read: %v", err), Mend: "write the password into that file, readable for this user", Err: err}
		}
		if password = strings.TrimRight(string(b), "\r\n"); password == "" {
			return nil, &AccessError{What: fmt.Sprintf("kafka.sasl.password_file %s is empty", cfg.SASL.PasswordFile), Mend: "write the password into that file"}
		}
	}
	switch cfg.SASL.Mechanism {
	case "PLAIN":
		return plain.Mechanism{Username: cfg.SASL.Username, Password: password}, nil
	case "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, cfg.SASL.Username, password)
	}
	return scram.Mechanism(scram.SHA512, cfg.SASL.Username, password)
}

// login authenticates a connection (KIP-43, KIP-152) before anyone uses it.
func (cfg *Config) login(ctx context.Context, w *wire) error {
	m, err := cfg.mechanism()
	if err != nil {
		return err
	}
	hello, offered := kmsg.NewPtrSASLHandshakeRequest(), kmsg.NewPtrSASLHandshakeResponse()
	hello.Version, hello.Mechanism = 1, m.Name()
	if err := w.ask(hello, offered); err != nil {
		return err
	}
	if err := cfg.refusedMechanism(kafka.Error(offered.ErrorCode), offered.SupportedMechanisms); err != nil {
		return err
	}
	state, out, err := m.Start(ctx)
	for done := false; err == nil && !done; {
		req, resp := kmsg.NewPtrSASLAuthenticateRequest(), kmsg.NewPtrSASLAuthenticateResponse()
		req.Version, req.SASLAuthBytes = 1, out
		if err := w.ask(req, resp); errors.Is(err, io.EOF) { // some brokers refuse without a word
			return cfg.wrongPassword(err)
		} else if err != nil {
			return err
		}
		if code := kafka.Error(resp.ErrorCode); code != 0 {
			return cfg.wrongPassword(code)
		}
		done, out, err = state.Next(ctx, resp.SASLAuthBytes)
	}
	if err != nil { // the broker does not know the password, or its answers are none of SCRAM
		return cfg.wrongPassword(err)
	}
	return nil
}

// refusedMechanism explains the answer to a handshake of SASL.
func (cfg *Config) refusedMechanism(err kafka.Error, offered []string) error {
	switch {
	case err == 0:
		return nil
	case errors.Is(err, kafka.IllegalSASLState):
		return &AccessError{What: "the broker asks for no login on this port", Mend: "give the address of its SASL port, or leave kafka.sasl out", Err: err}
	}
	return &AccessError{What: fmt.Sprintf("the broker does not offer kafka.sasl.mechanism %s, only %s", cfg.SASL.Mechanism, strings.Join(offered, ", ")), Mend: "set kafka.sasl.mechanism to one of them", Err: err}
}

// wrongPassword does not repeat the broker's words: they say less.
func (cfg *Config) wrongPassword(err error) error {
	source := "kafka.sasl.password_file"
	if cfg.SASL.PasswordFile == "" {
		source = "CLICKLOOP_KAFKA_PASSWORD"
	}
	return &AccessError{What: fmt.Sprintf("the broker refuses user %q with this password for %s", cfg.SASL.Username, cfg.SASL.Mechanism),
		Mend: "correct kafka.sasl.username or the password in " + source + "; SCRAM needs the user's credentials for this mechanism on the brokers (kafka-configs.sh --entity-type users)", Err: err}
}
