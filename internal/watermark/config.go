// Package watermark says up to which time a partition of events is complete, from the heartbeats in
// it. It is pure: records and times come as arguments, so whoever folds the same records decides
// the same.
//
// A heartbeat vouches for its own collector only: every event that this collector received before
// it stands before it in the partition. So the watermark is the smallest, over the living
// collectors, of the last heartbeat of each. It never goes back; what comes behind it counts as
// received after it.
package watermark

import (
	"time"

	"github.com/clickloop/clickloop/internal/field"
)

// Config is the watermark section of the configuration: when a collector's heartbeats count. Every
// stage that folds events must have the same.
type Config struct {
	// a collector whose last heartbeat is further behind the newest holds nothing back any more;
	// what it writes later counts as received then
	Lease time.Duration `yaml:"lease"`
	// a heartbeat that is further ahead of the clocks of Kafka or of the reader is not believed
	Ahead time.Duration `yaml:"ahead"`
}

// DefaultConfig waits ten seconds for a silent collector and believes clocks that differ by five.
func DefaultConfig() Config { return Config{Lease: 10 * time.Second, Ahead: 5 * time.Second} }

// OrDefault is c, checked, or the default when c is zero.
func (c Config) OrDefault() (Config, error) {
	if c == (Config{}) {
		c = DefaultConfig()
	}
	return c, c.Validate()
}

// Validate names the first field that is wrong.
func (c Config) Validate() error {
	switch {
	case c.Lease < 100*time.Millisecond || c.Lease > time.Hour:
		return field.Wrong("lease", "is %v, want 100ms to 1h: labels wait so long for a collector that is gone", c.Lease)
	case c.Ahead < 10*time.Millisecond || c.Ahead > c.Lease/2:
		return field.Wrong("ahead", "is %v, want 10ms to half of lease (%v), or one fast clock could leave the others out", c.Ahead, c.Lease/2)
	}
	return nil
}
