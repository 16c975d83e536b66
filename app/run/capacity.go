package run

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/clickloop/clickloop/features"
	"github.com/prometheus/client_golang/prometheus"
)

// capacityEvery is how often Redis is asked for its memory.
const capacityEvery = 5 * time.Second

// capacity watches the memory of Redis. A Redis that evicts keys loses profiles without an error,
// and one that is full stops all folds: both are said in the log, in metrics and in /readyz.
type capacity struct {
	client *features.RedisClient
	logger *slog.Logger

	used, limit prometheus.Gauge
	evicted     prometheus.Counter

	mu     sync.Mutex
	asked  bool
	before int64 // keys that were evicted before this process began
	last   int64 // keys that had been evicted when it was asked last
	faults []string
}

func newCapacity(client *features.RedisClient, logger *slog.Logger, reg prometheus.Registerer) *capacity {
	c := &capacity{
		client: client, logger: logger,
		used:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "clickloop_redis_used_bytes", Help: "Memory that Redis uses."}),
		limit:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "clickloop_redis_max_bytes", Help: "Memory that Redis may use (maxmemory); 0: no limit."}),
		evicted: prometheus.NewCounter(prometheus.CounterOpts{Name: "clickloop_redis_evicted_keys_total", Help: "Keys that Redis has thrown away to make room since this process began: profiles and outcomes that are lost."}),
	}
	reg.MustRegister(c.used, c.limit, c.evicted)
	return c
}

// run asks until ctx ends. A Redis that does not answer is another check's to tell, and one that
// does not tell its memory, as the embedded one, has no limit.
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
		if err == nil {
			c.note(now)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// note keeps what Redis says, and logs what is wrong when that changes.
func (c *capacity) note(now features.Capacity) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used.Set(float64(now.Used))
	c.limit.Set(float64(now.Max))
	if !c.asked || now.Evicted < c.last { // at first, and when Redis began anew
		if c.asked {
			c.before = 0
		} else {
			c.before = now.Evicted
		}
		c.asked, c.last = true, c.before
	}
	c.evicted.Add(float64(now.Evicted - c.last))
	more := now.Evicted > c.last
	c.last = now.Evicted
	faults := now.Faults(c.before)
	if more || len(faults) != len(c.faults) {
		for _, f := range faults {
			if more || !slices.Contains(c.faults, f) {
				c.logger.Error("Redis: " + f)
			}
		}
	}
	c.faults = faults
}

// warnings are what is wrong now.
func (c *capacity) warnings() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.faults)
}
