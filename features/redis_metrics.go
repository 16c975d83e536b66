package features

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/clickloop/clickloop/internal/instrument"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// RedisMetrics measure the requests of a process to Redis.
type RedisMetrics struct {
	seconds  *prometheus.HistogramVec
	failures *prometheus.CounterVec
}

// NewRedisMetrics registers the metrics.
func NewRedisMetrics(reg prometheus.Registerer) *RedisMetrics {
	m := &RedisMetrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "clickloop_redis_request_seconds",
			Help:    "Time of a round trip to Redis, failed ones included, by who asked: ingest, scorer, feedback, bidder, ledger, process (checks of readiness and memory). A round trip may carry many commands.",
			Buckets: instrument.Latencies(1, 3),
		}, []string{"client"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "clickloop_redis_failures_total",
			Help: "Round trips to Redis that brought no answer in time, or a refusal such as of a full memory, by who asked.",
		}, []string{"client"}),
	}
	instrument.Register(reg, m.seconds, m.failures)
	return m
}

// Observe measures the requests of c under the name of who asks, one of a few. It is called before
// the first request.
func (c *RedisClient) Observe(m *RedisMetrics, client string) {
	o := &redisObserver{seconds: m.seconds.WithLabelValues(client), failures: m.failures.WithLabelValues(client)}
	c.observer = o
	c.client.AddHook(o)
}

// redisObserver measures the requests of one client. A nil one measures nothing.
type redisObserver struct {
	seconds  prometheus.Observer
	failures prometheus.Counter
}

var _ redis.Hook = (*redisObserver)(nil)

// done notes a request that began at a time. The caller's own end is no failure, and neither is an
// answer about a key or a script.
func (o *redisObserver) done(began time.Time, err error) {
	if o == nil {
		return
	}
	o.seconds.Observe(time.Since(began).Seconds())
	switch {
	case err == nil, errors.Is(err, redis.Nil), errors.Is(err, context.Canceled), errors.As(err, new(*KeyError)):
	case redis.HasErrorPrefix(err, "NOSCRIPT"), redis.HasErrorPrefix(err, wrongTypePrefix), redis.HasErrorPrefix(err, badKey):
	default:
		o.failures.Inc()
	}
}

// DialHook implements redis.Hook.
func (o *redisObserver) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook implements redis.Hook.
func (o *redisObserver) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		began := time.Now()
		err := next(ctx, cmd)
		o.done(began, err)
		return err
	}
}

// ProcessPipelineHook implements redis.Hook.
func (o *redisObserver) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		began := time.Now()
		err := next(ctx, cmds)
		o.done(began, err)
		return err
	}
}
