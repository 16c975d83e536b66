package features

import (
	"context"
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

// RedisConfig is the section redis of the configuration.
type RedisConfig struct {
	// Address is host:port, or a redis:// or rediss:// URL.
	Address string `yaml:"address"`
}

// Role says what a client is used for.
type Role uint8

const (
	// Serving reads for somebody who waits for an answer. The context of a call bounds it, so that
	// a replay may have more patience than a bid. There is one retry, at once.
	Serving Role = iota
	// Writing folds. It never retries, because the store must know of a lost reply, and its
	// timeouts outlast a busy Redis.
	Writing
)

// RedisClient is a pool of connections to one Redis. Several goroutines may use it.
type RedisClient struct{ client *redis.Client }

// DialRedis returns a client that connects when it is first used; the caller closes it. It is the
// only place that knows how to reach Redis.
func DialRedis(cfg RedisConfig, role Role) (*RedisClient, error) {
	// the library would print each failed dial; callers get the error and report it once
	logging.Disable()
	options := &redis.Options{Addr: cfg.Address}
	if strings.Contains(cfg.Address, "://") {
		var err error
		if options, err = parseRedisURL(cfg.Address); err != nil {
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
	options.MaxRetries, options.PoolSize = -1, 8*runtime.GOMAXPROCS(0)
	if role == Serving {
		options.MaxRetries, options.PoolSize = 1, 16*runtime.GOMAXPROCS(0)
		options.MinRetryBackoff, options.MaxRetryBackoff = time.Millisecond, 5*time.Millisecond
	}
	return &RedisClient{redis.NewClient(options)}, nil
}

// Ping asks Redis for a sign of life.
func (c *RedisClient) Ping(ctx context.Context) error { return c.client.Ping(ctx).Err() }

// Close closes the connections.
func (c *RedisClient) Close() error { return c.client.Close() }

// CheckRedisURL says what is wrong with a redis:// or rediss:// URL. No error repeats the URL,
// which may hold a password.
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
