package features

import (
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Role says what a Redis client is for.
type Role uint8

const (
	// Serving reads for an answer that somebody waits for. The context of a call says for how long,
	// so that a replay may have more patience than a bid; one retry, at once.
	Serving Role = iota
	// Writing folds: no retry that the store does not know of, timeouts that outlast a busy Redis.
	Writing
)

// DialRedis returns a client for "host:port" or a redis:// or rediss:// URL. It connects when it is
// first used; the caller closes it.
func DialRedis(address string, role Role) (*redis.Client, error) {
	// the library prints each failed dial; whoever calls gets the error and says it once
	logging.Disable()
	options := &redis.Options{Addr: address}
	if strings.Contains(address, "://") {
		var err error
		if options, err = parseRedisURL(address); err != nil {
			return nil, fmt.Errorf("the address of Redis: %w", err)
		}
	}
	options.Protocol = 3
	options.DialTimeout = time.Second
	options.DialerRetries = 1
	options.ContextTimeoutEnabled = true
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	options.MinIdleConns = 2
	options.ReadTimeout, options.WriteTimeout, options.PoolTimeout = 3*time.Second, 3*time.Second, 5*time.Second
	switch role {
	case Serving:
		options.MaxRetries = 1
		options.MinRetryBackoff, options.MaxRetryBackoff = time.Millisecond, 5*time.Millisecond
		options.PoolSize = 16 * runtime.GOMAXPROCS(0)
	case Writing:
		options.MaxRetries = -1
		options.PoolSize = 8 * runtime.GOMAXPROCS(0)
	default:
		panic(fmt.Sprintf("BUG: features: role %d", role))
	}
	return redis.NewClient(options), nil
}

// CheckRedisURL says what is wrong with a redis:// or rediss:// URL. Neither it nor any other error
// repeats the URL, which may hold a password.
func CheckRedisURL(address string) error {
	_, err := parseRedisURL(address)
	return err
}

func parseRedisURL(address string) (*redis.Options, error) {
	const want = "want redis://user:password@host:port/database (rediss:// for TLS)"
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New(want + "; a password's / ? # % @ and : are written as %2F %3F %23 %25 %40 and %3A")
	}
	if u.Scheme != "redis" && u.Scheme != "rediss" && u.Scheme != "unix" {
		return nil, errors.New(want)
	}
	if n, err := strconv.Atoi(u.Port()); u.Scheme != "unix" && (u.Hostname() == "" || u.Port() != "" && (err != nil || n < 1 || n > 65535)) {
		return nil, fmt.Errorf("whose host or port is wrong, %s, the port from 1 to 65535", want)
	}
	options, err := redis.ParseURL(address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", want, err)
	}
	return options, nil
}
