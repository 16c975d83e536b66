package features

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"syscall"

	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/tlsfiles"
	"github.com/redis/go-redis/v9"
)

// RedisFault is an error of Redis that waiting does not mend: a certificate, a password, a right,
// or a server of the wrong kind. Error says what is wrong and how to mend it.
type RedisFault struct {
	What string
	Mend string // empty when What says it
	Err  error
}

func (f *RedisFault) Error() string {
	if f.Mend == "" {
		return f.What
	}
	return f.What + "; mend it: " + f.Mend
}

// Unwrap returns the error that the fault explains.
func (f *RedisFault) Unwrap() error { return f.Err }

// explain returns err as a *RedisFault if it is one, and else err itself. rights are those that the
// caller needs, or nil.
func (d *redisDoor) explain(err error, rights *Rights) error {
	var known *RedisFault
	if err == nil || errors.As(err, &known) {
		return err
	}
	var wrong *field.Error
	if errors.As(err, &wrong) {
		return &RedisFault{What: wrong.Error(), Err: err}
	}
	var fault *tlsfiles.Fault
	if errors.As(tlsfiles.Explain(err), &fault) {
		mend := strings.ReplaceAll(fault.Mend, "tls.", "redis.tls.")
		if fault.Kind == tlsfiles.TLSWanted {
			mend += ", or write rediss:// in the address"
		}
		return &RedisFault{What: fault.What, Mend: mend, Err: err}
	}
	var reply redis.Error
	if !errors.As(err, &reply) {
		return err
	}
	if f := d.refusal(reply.Error(), rights); f != nil {
		f.Err = err
		return f
	}
	return err
}

// refusal explains an error that Redis answers; nil for one that passes by itself.
func (d *redisDoor) refusal(text string, rights *Rights) *RedisFault {
	text = strings.TrimPrefix(text, "ERR ")
	code, _, _ := strings.Cut(text, " ")
	switch {
	case code == "WRONGPASS", strings.HasPrefix(text, "invalid password"):
		return &RedisFault{What: "Redis refuses the password of the user " + d.name(), Mend: "correct " + d.source() + "; redis-cli ACL GETUSER " + d.name() + " tells whether the user exists and is on"}
	case code == "NOAUTH":
		return &RedisFault{What: "Redis wants a password, and none is given", Mend: "set redis.password_file or " + RedisPassword + ", and redis.username for another user than default"}
	case code == "NOPERM", strings.Contains(text, "ACL failure in script"), strings.HasPrefix(text, "The user executing the script"):
		return d.denied(text, rights)
	case code == "DENIED":
		return &RedisFault{What: "Redis is in protected mode: it has no password and takes connections of its own machine only", Mend: "give its users passwords, and then redis.password_file"}
	case code == "MOVED", code == "CROSSSLOT":
		return &RedisFault{What: "this Redis is a cluster, which is not served: a batch needs all keys in one place", Mend: "give the address of a Redis with cluster mode off"}
	case code == "READONLY":
		return &RedisFault{What: "this Redis is a replica, which takes no writes", Mend: "give the address of the primary; after a failover this passes by itself"}
	}
	return nil
}

// name is the user that Redis knows.
func (d *redisDoor) name() string {
	if d.user == "" {
		return "default"
	}
	return d.user
}

// source names where the password comes from.
func (d *redisDoor) source() string {
	if d.file != "" {
		return "redis.password_file (" + d.file + ")"
	}
	return "the password in redis.address or " + RedisPassword
}

// deniedCommand finds the command in what Redis says of a right that is missing.
var deniedCommand = regexp.MustCompile(`run the '([a-zA-Z|_-]+)' command`)

// denied explains that the user lacks a right. Redis does not tell which key it was about: it is
// one of the caller's own.
func (d *redisDoor) denied(text string, rights *Rights) *RedisFault {
	f := &RedisFault{What: fmt.Sprintf("the user %s lacks a right in Redis (%s)", d.name(), text)}
	grant := ""
	if m := deniedCommand.FindStringSubmatch(text); m != nil {
		f.What = fmt.Sprintf("the user %s may not run %s in Redis", d.name(), strings.ToUpper(m[1]))
		grant = "+" + strings.ToLower(m[1])
	}
	switch {
	case grant == "" && rights != nil && strings.Contains(text, "key"):
		f.What = fmt.Sprintf("the user %s may not use the keys %s* in Redis", d.name(), rights.Keys)
		grant = rights.pattern()
	case grant == "" && rights != nil:
		grant = rights.String()
	case grant == "":
		grant = "COMMAND"
	}
	f.Mend = fmt.Sprintf("ACL SETUSER %s %s; `clickloop acl STAGE` prints all that a stage needs", d.name(), grant)
	return f
}

// Passing tells whether a fault may end without anybody's doing: after a failover, the primary is
// found again.
func (f *RedisFault) Passing() bool { return redis.HasErrorPrefix(f.Err, "READONLY") }

// Diagnose returns nil, or what is wrong with this Redis before a store is used: as a *RedisFault
// when only a person can mend it. rights are those of the caller's store, or nil.
func (c *RedisClient) Diagnose(ctx context.Context, rights *Rights) error {
	err := c.client.Ping(ctx).Err()
	if err == nil && rights != nil {
		err = c.try(ctx, rights)
	}
	explained := c.door.explain(err, rights)
	var fault *RedisFault
	if explained == nil || errors.As(explained, &fault) {
		return explained
	}
	hung := c.door.tls.Enabled && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded))
	if hung || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		options := c.client.Options()
		if hidden := c.door.explain(c.door.probe(ctx, options.Network, options.Addr), rights); errors.As(hidden, &fault) {
			return hidden
		}
	}
	return explained
}
