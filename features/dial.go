package features

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/clickloop/clickloop/internal/field"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

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
type RedisClient struct {
	client *redis.Client
	door   *redisDoor
	role   Role
	lanes  *lanes // nil unless role is Serving
	// nil unless Observe was called
	observer *redisObserver
}

// DialRedis returns a client that connects when it is first used; the caller closes it. It is the
// only place that knows how to reach Redis.
func DialRedis(cfg RedisConfig, role Role) (*RedisClient, error) {
	// the library would print each failed dial; callers get the error and report it once
	logging.Disable()
	err := cfg.Validate()
	if err == nil {
		cfg, err = cfg.Settle(func(string) bool { return false })
	}
	if err != nil {
		return nil, field.Within("redis", err)
	}
	options, err := parseRedisURL(cfg.Address)
	if err != nil {
		return nil, fmt.Errorf("the address of Redis: %w", err)
	}
	door := newRedisDoor(cfg)
	options.Dialer, options.TLSConfig = door.dial, nil
	if cfg.PasswordFile != "" || cfg.Password.Given() {
		options.CredentialsProviderContext = door.credentials
	}
	options.Protocol = 3
	options.DialTimeout = door.patience()
	options.DialerRetries = 1
	options.ContextTimeoutEnabled = true
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	options.MinIdleConns = idleConns
	options.ConnMaxIdleTime = cmp.Or(options.ConnMaxIdleTime, idleFor)
	options.ReadTimeout, options.WriteTimeout, options.PoolTimeout = 3*time.Second, 3*time.Second, 5*time.Second
	options.MaxRetries, options.PoolSize = -1, 8*runtime.GOMAXPROCS(0)
	if role == Serving {
		options.MaxRetries, options.PoolSize = 1, 16*runtime.GOMAXPROCS(0)
		options.MinRetryBackoff, options.MaxRetryBackoff = time.Millisecond, 5*time.Millisecond
	}
	c := &RedisClient{client: redis.NewClient(options), door: door, role: role}
	if role == Serving {
		c.lanes = newLanes(door, c.client.Options())
	}
	return c, nil
}

// idleConns are kept open, so that no call waits for a dial.
const idleConns = 2

// idleFor is how long a connection may be idle before it is opened anew. Load balancers before
// managed services forget idle connections, the hastiest ones after four minutes.
const idleFor = 3 * time.Minute

// Ping asks Redis for a sign of life.
func (c *RedisClient) Ping(ctx context.Context) error {
	return c.door.explain(c.client.Ping(ctx).Err(), nil)
}

// Commands returns the client itself, for the one package beside this that has scripts of its own:
// bidder/ledger.
func (c *RedisClient) Commands() *redis.Client { return c.client }

// Explain returns a fault of credentials or rights as a *RedisFault, in plain words, and other
// errors as they are.
func (c *RedisClient) Explain(err error, rights *Rights) error { return c.door.explain(err, rights) }

// Close closes the connections.
func (c *RedisClient) Close() error {
	if c.lanes != nil {
		c.lanes.close()
	}
	return c.client.Close()
}
