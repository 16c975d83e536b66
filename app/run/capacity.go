package run

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/clickloop/clickloop/features"
	"github.com/prometheus/client_golang/prometheus"
)

// capacityEvery is how often Redis is asked for its memory.
const capacityEvery = 5 * time.Second

// capacity watches the memory of Redis. A Redis that evicts keys loses profiles without any error,
// and a full one stops all folds. The log, the metrics and /readyz report both.
type capacity struct {
	client *features.RedisClient
	logger *slog.Logger

	used, limit, keys prometheus.Gauge
	evicted           prometheus.Counter

	mu     sync.Mutex
	asked  bool
	before int64 // keys that Redis had evicted when this process began
	last   int64 // keys that Redis had evicted at the last request
	faults []string
}

// newCapacity registers the metrics.
func newCapacity(client *features.RedisClient, logger *slog.Logger, reg prometheus.Registerer) *capacity {
	c := &capacity{
		client: client, logger: logger,
		used:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "clickloop_redis_used_bytes", Help: "Memory that Redis uses, in bytes."}),
		limit:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "clickloop_redis_max_bytes", Help: "Memory limit of Redis (maxmemory), in bytes; 0 means no limit."}),
		keys:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "clickloop_redis_keys", Help: "Keys that Redis holds: profiles, outcomes, positions, and what others keep there."}),
		evicted: prometheus.NewCounter(prometheus.CounterOpts{Name: "clickloop_redis_evicted_keys_total", Help: "Keys that Redis has evicted to free memory since this process started. Their profiles and outcomes are lost."}),
	}
	reg.MustRegister(c.used, c.limit, c.keys, c.evicted)
	return c
}

// run asks Redis until ctx ends. A Redis that does not answer is left to other checks, and one that
// refuses to tell its memory is a warning. The embedded
// Redis does not report its memory; it has no limit, and is not watched.
func (c *capacity) run(ctx context.Context) error {
	tick := time.NewTicker(capacityEvery)
	defer tick.Stop()
	for {
		bounded, cancel := context.WithTimeout(ctx, 2*time.Second)
		now, ok, err := features.ReadCapacity(bounded, c.client)
		cancel()
		if err == nil && !ok {
			return nil
		}
		var fault *features.RedisFault
		switch {
		case err == nil:
			c.update(now)
		case errors.As(err, &fault):
			c.unwatched(fault)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// update records an answer of Redis, and logs faults when they change.
func (c *capacity) update(now features.Capacity) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used.Set(float64(now.Used))
	c.limit.Set(float64(now.Max))
	c.keys.Set(float64(now.Keys))
	if !c.asked {
		c.asked, c.before, c.last = true, now.Evicted, now.Evicted
	} else if now.Evicted < c.last { // Redis has restarted
		c.before, c.last = 0, 0
	}
	c.evicted.Add(float64(now.Evicted - c.last))
	grew := now.Evicted > c.last
	c.last = now.Evicted
	faults := now.Faults(c.before)
	if grew || len(faults) != len(c.faults) {
		for _, f := range faults {
			if grew || !slices.Contains(c.faults, f) {
				c.logger.Error("Redis: " + f)
			}
		}
	}
	c.faults = faults
}

// unwatched records that Redis refuses to tell its memory: the stage works on, without a warning
// before its memory is full.
func (c *capacity) unwatched(fault error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := "its memory is not watched: " + fault.Error()
	if !slices.Equal(c.faults, []string{text}) {
		c.logger.Warn("Redis: " + text)
	}
	c.faults = []string{text}
}

// warnings returns the present faults.
func (c *capacity) warnings() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.faults)
}
