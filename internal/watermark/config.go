// Package watermark says up to which time a partition of events is complete, from the heartbeats in
// it. It is pure: records and times come as arguments, so that all who fold the same records decide
// the same.
//
// A heartbeat vouches for its own collector only: every event that this collector received before
// it stands before it in the partition. So the watermark is the smallest of the last heartbeats of
// all living collectors. It never goes back. An event that stands behind it counts as received
// after it.
package watermark

import (
	"time"

	"github.com/clickloop/clickloop/internal/field"
)

// Config is the watermark section of the configuration: when a collector's heartbeats count. It
// must be the same for every stage that folds events.
type Config struct {
	// a collector whose last heartbeat lies further behind the newest is not waited for any more;
	// an event that it writes later counts as received then
	Lease time.Duration `yaml:"lease"`
	// a heartbeat that lies further ahead of Kafka's clock or the reader's is not believed
	Ahead time.Duration `yaml:"ahead"`
}

// DefaultConfig waits ten seconds for a silent collector, and believes clocks that are up to five
// seconds ahead.
func DefaultConfig() Config { return Config{Lease: 10 * time.Second, Ahead: 5 * time.Second} }

// OrDefault returns c, or the default when c is zero, and what is wrong with it.
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
