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
	"github.com/clickloop/clickloop/internal/tracing"
	"github.com/clickloop/clickloop/stream"
)

// profiles reads what the store knows of the entities that requests name, and how old that is.
type profiles struct {
	set       *features.Set
	used      bool // some feature is an aggregate of a profile
	store     features.Store
	breaker   *breaker
	cache     *profileCache // nil: none
	client    *stream.Client
	now       func() event.Time
	watermark atomic.Int64 // event.Time up to which profiles hold all events; 0 when not known
	warned    atomic.Int64 // event.Time of the last warning of a key
	logger    *slog.Logger
	metrics   *instruments
}

// readTogether is the most keys of a read that says how fast the store is. Larger ones take their
// time.
const readTogether = 200

// read reads the profiles of all candidates of the open requests in one round trip. At the deadline
// it goes on without those that have not come. While the breaker is open it does not ask at all. A
// replay asks always, and for all of them: it wants the profiles however long they take.
func (p *profiles) read(ctx context.Context, c *Call, deadline time.Time, recorded bool) {
	c.profiles, c.keys, c.marks = nil, c.keys[:0], c.marks[:0]
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
	if p.cache == nil || recorded {
		c.profiles = p.ask(ctx, c, c.keys, deadline, recorded)
		return
	}
	p.readCached(ctx, c, deadline)
}

// ask reads the profiles of keys from the store. It returns nil when none could be read.
func (p *profiles) ask(ctx context.Context, c *Call, keys []string, deadline time.Time, recorded bool) map[string]features.Profile {
	wait := time.Until(deadline)
	if wait <= 0 || !recorded && p.breaker.open() {
		p.without(c)
		return nil
	}
	part := tracing.Part(ctx, "read profiles")
	defer part.End()
	bounded, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	found, err := p.store.Read(bounded, keys)
	var bad *features.KeyError
	switch {
	case err == nil:
		p.breaker.succeeded()
		return found
	case errors.As(err, &bad):
		p.breaker.succeeded()
		p.warn(bad) // the others were read
	case recorded, ctx.Err() != nil, bounded.Err() != nil && !c.tells(wait, deadline, len(keys)):
	default:
		p.fail(err, wait)
	}
	p.without(c)
	return found
}

// tells says whether a read of n keys that had not come at the deadline, after a wait, says
// anything about the store. It does not where the call had lost its time before, or the process is
// late.
func (c *Call) tells(wait time.Duration, deadline time.Time, n int) bool {
	allowed := wait
	if !c.Began.IsZero() {
		allowed = deadline.Sub(c.Began)
	}
	return wait >= max(breakerLeast, allowed/2) && n <= readTogether && time.Since(deadline) < breakerLate
}

// readCached reads the profiles that the cache does not have, and notes how old the others are.
func (p *profiles) readCached(ctx context.Context, c *Call, deadline time.Time) {
	now, all := time.Now(), make(map[string]features.Profile, len(c.keys))
	mark := event.Time(p.watermark.Load()) // what is read now is not older
	c.asked = c.asked[:0]
	for _, key := range c.keys {
		of, cached := p.cache.get(key, now)
		if !cached {
			c.asked, of.watermark = append(c.asked, key), mark
		}
		c.marks = append(c.marks, of.watermark)
		all[key] = of.profile
	}
	c.profiles = all
	if len(c.asked) == 0 {
		return
	}
	found := p.ask(ctx, c, c.asked, deadline, false)
	for _, key := range c.asked {
		profile, some := found[key]
		if found == nil || profile.Unknown() {
			all[key] = features.UnknownProfile()
			continue
		}
		if all[key] = profile; some || !c.basis.WithoutProfiles {
			p.cache.put(key, cachedProfile{profile, now, mark})
		}
	}
}

// without notes that c is scored without some profiles.
func (p *profiles) without(c *Call) {
	p.metrics.noProfiles.Inc()
	c.basis.WithoutProfiles = true
}

// fail tells the breaker of a read that failed, or had not come after a wait.
func (p *profiles) fail(err error, wait time.Duration) {
	if p.breaker.failed(time.Now(), wait) {
		p.metrics.breaker.Set(1)
		p.logger.Warn("Redis does not answer in time: requests are scored without profiles, and wait for none, until it does", "err", err)
	}
}

// probeKey is the key of no entity: reading it tells how fast the store is.
const probeKey = ":probe"

// probe closes the breaker when the store answers in time again.
func (p *profiles) probe(ctx context.Context) error {
	tick := time.NewTicker(breakerEvery)
	defer tick.Stop()
	for {
		if !p.breaker.open() {
			select {
			case <-p.breaker.opened:
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, p.breaker.trialWait())
		_, err := p.store.Read(bounded, []string{probeKey})
		end, _ := bounded.Deadline()
		late := bounded.Err() != nil && time.Since(end) >= breakerLate
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case late: // the process is: that says nothing about the store
		case p.breaker.tried(err == nil || errors.As(err, new(*features.KeyError))):
			p.metrics.breaker.Set(0)
			p.logger.Info("Redis answers in time again: requests are scored with profiles")
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// noteMissing names the entities of q of which some profile was not read.
func (p *profiles) noteMissing(c *Call, q *Request) {
	var few [8]string
	a, from := &q.Answer, len(c.missing)
	a.NoProfiles = true
	for j := range q.Candidates {
		r := q.featureRequest(j)
		for _, key := range p.set.Keys(few[:0], &r) {
			if profile := c.profiles[key]; c.profiles != nil && !profile.Unknown() {
				a.NoProfiles = false
				continue
			}
			if name := entityOf(key); !slices.Contains(c.missing[from:], name) {
				c.missing = append(c.missing, name)
			}
		}
	}
	a.Missing = c.missing[from:]
	a.WithoutProfiles, a.NoProfiles = len(a.Missing) > 0, a.NoProfiles && len(a.Missing) > 0
}

// entityOf is the entity of a profile's key, such as user.
func entityOf(key string) string {
	name, _, _ := strings.Cut(key, ":")
	return name
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
	from := len(c.ages)
	for i, key := range c.keys { // they are sorted, so an entity's keys stand together
		if profile := c.profiles[key]; profile.Unknown() {
			continue
		}
		entity, as := entityOf(key), watermark
		if len(c.marks) > 0 && c.marks[i] != 0 {
			as = c.marks[i]
		}
		if n := len(c.ages); n == from || c.ages[n-1].Name != entity {
			c.ages = append(c.ages, event.Age{Name: entity})
		}
		last := &c.ages[len(c.ages)-1]
		last.Ms = max(last.Ms, int64(now-as))
	}
}

// watermarkEvery is how often the watermark of the profiles is read.
const watermarkEvery = 250 * time.Millisecond

// followWatermark keeps the watermark of the profiles at hand, from which answers state their age.
// While the store or Kafka is away it is unknown, and answers state none.
func (p *profiles) followWatermark(ctx context.Context) error {
	if !p.used {
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
