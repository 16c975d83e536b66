package scorer

import (
	"math"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/maypok86/otter/v2"
)

// CacheConfig is a cache of profiles in the scorer's memory. It spares Redis reads of entities that
// many requests name, and makes profiles up to MaxAge older than they are in Redis.
type CacheConfig struct {
	Bytes int `yaml:"bytes"` // of all profiles in it, about; 0: no cache
	// how long a profile is used after it was read; age_ms of answers counts it in
	MaxAge time.Duration `yaml:"max_age"`
}

func (c CacheConfig) validate() error {
	switch {
	case c.Bytes != 0 && c.Bytes < 1<<20 || int64(c.Bytes) > 64<<30:
		return field.Wrong("bytes", "is %d, want 0 (no cache) or 1048576 to 68719476736", c.Bytes)
	case c.MaxAge < 10*time.Millisecond || c.MaxAge > time.Hour:
		return field.Wrong("max_age", "is %v, want 10ms to 1h", c.MaxAge)
	}
	return nil
}

// profileCache keeps profiles that were read a moment ago, within bounds of bytes and age. A nil
// cache has none.
type profileCache struct {
	maxAge time.Duration
	known  *otter.Cache[string, cachedProfile]
}

type cachedProfile struct {
	profile   features.Profile
	read      time.Time
	watermark event.Time // that profiles had when it was read
}

// entryBytes is about what the cache itself needs for a profile.
const entryBytes = 200

func newProfileCache(c CacheConfig) *profileCache {
	if c.Bytes == 0 {
		return nil
	}
	return &profileCache{maxAge: c.MaxAge, known: otter.Must(&otter.Options[string, cachedProfile]{
		MaximumWeight: uint64(c.Bytes),
		Weigher: func(key string, p cachedProfile) uint32 {
			return uint32(min(len(key)+p.profile.Bytes()+entryBytes, math.MaxUint32))
		},
		// with an expiry or executor of its own, it would have goroutines that outlive the stage; get
		// looks at the age
		Executor: func(fn func()) { fn() },
	})}
}

// get returns what was read of a key at most maxAge before now.
func (c *profileCache) get(key string, now time.Time) (p cachedProfile, ok bool) {
	p, ok = c.known.GetIfPresent(key)
	return p, ok && now.Sub(p.read) <= c.maxAge
}

// put keeps a profile. The key is the caller's: the cache takes a copy.
func (c *profileCache) put(key string, p cachedProfile) {
	c.known.Set(string([]byte(key)), p)
}
