package scorer

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/stream"
)

// profiles reads what the store knows of the entities that requests name, and how old that is.
type profiles struct {
	set       *features.Set
	store     features.Store
	client    *stream.Client
	now       func() event.Time
	watermark atomic.Int64 // event.Time up to which profiles hold all events; 0 when not known
	warned    atomic.Int64 // event.Time of the last warning of a key
	logger    *slog.Logger
	metrics   *instruments
}

// read reads the profiles of all candidates of the open requests in one round trip, for which it
// waits at most so long.
func (p *profiles) read(ctx context.Context, c *Call, wait time.Duration) {
	c.profiles, c.keys = nil, c.keys[:0]
	for i := range c.Requests {
		q := &c.Requests[i]
		for j := range q.Candidates {
			if q.open() {
				r := q.featureRequest(j)
				c.keys = p.set.Keys(c.keys, &r)
			}
		}
	}
	if len(c.keys) == 0 {
		return
	}
	slices.Sort(c.keys)
	c.keys = slices.Compact(c.keys)
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	found, err := p.store.Read(ctx, c.keys)
	if err != nil {
		p.metrics.degraded.WithLabelValues("profiles").Inc()
		c.basis.WithoutProfiles = true
		var bad *features.KeyError
		if !errors.As(err, &bad) {
			return
		}
		p.warn(bad) // the others were read
	}
	c.profiles = found
}

// warnEvery is how often a key that cannot be read is logged.
const warnEvery = 10 * time.Second

// warn names a key of the store that cannot be read, at most once a period.
func (p *profiles) warn(bad *features.KeyError) {
	now, last := p.now(), p.warned.Load()
	if now.Sub(event.Time(last)) > warnEvery && p.warned.CompareAndSwap(last, int64(now)) {
		p.logger.Warn("a profile cannot be read, scoring without it", "err", bad)
	}
}

// appendAges appends how old the profiles are that were read for c, by entity.
func (p *profiles) appendAges(c *Call, now event.Time) {
	watermark := event.Time(p.watermark.Load())
	if c.profiles == nil || watermark == 0 {
		return
	}
	last := ""
	for _, key := range c.keys { // they are sorted, so an entity's keys stand together
		if entity, _, _ := strings.Cut(key, ":"); entity != last {
			last = entity
			c.ages = append(c.ages, event.Age{Name: entity, Ms: max(int64(now-watermark), 0)})
		}
	}
}

// watermarkEvery is how often the watermark of the profiles is read.
const watermarkEvery = 250 * time.Millisecond

// followWatermark keeps the watermark of the profiles at hand, from which answers state their age.
// While the store or Kafka is away it is unknown, and answers state none.
func (p *profiles) followWatermark(ctx context.Context) error {
	if len(p.set.Names(nil)) == 0 {
		return nil
	}
	tick := time.NewTicker(watermarkEvery)
	defer tick.Stop()
	id, checked := "", time.Time{}
	for {
		if time.Since(checked) > 20*watermarkEvery {
			bounded, cancel := context.WithTimeout(ctx, time.Second)
			id, _ = p.client.TopicID(bounded, event.TopicEvents)
			cancel()
			checked = time.Now()
		}
		p.watermark.Store(int64(p.readWatermark(ctx, id)))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// readWatermark returns the watermark of the profiles that are folded from the topic of this id, 0
// when it is not known.
func (p *profiles) readWatermark(ctx context.Context, id string) event.Time {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	n, err := p.client.Partitions(ctx, event.TopicEvents)
	if err != nil || id == "" {
		return 0
	}
	at, err := p.store.Watermark(ctx, id, n)
	if err != nil {
		return 0
	}
	return at
}
