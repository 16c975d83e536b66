// Package ingest is the stage that collects clickstream events. The collector accepts them over
// HTTP and writes them to the topic events; the consumer folds the topic into feature profiles.
//
// An event is acknowledged only after Kafka has acknowledged it, and folding is idempotent. So an
// event that is sent twice, delivered twice or interrupted counts once.
//
// A form of requests is a dialect. To add one, write its value and add it to dialects.
package ingest

import (
	"fmt"
	"slices"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
)

// Config is the ingest section of the configuration.
type Config struct {
	// bytes of the body of a request, unpacked; larger bodies get 413
	MaxBody   int `yaml:"max_body"`
	MaxEvents int `yaml:"max_events"` // events in one request
	// bytes of requests that may be at work, and of events that may wait for Kafka; requests
	// beyond it get 503 at once
	MaxWaiting int `yaml:"max_waiting"`
	// events a second that the collector accepts; requests beyond it get 429
	Rate float64 `yaml:"rate"`
	// how long before its receipt an event may have happened, by its type or name, or for all
	// others by "*"; older ones are refused, those of other producers too. Default: no limit,
	// since SDKs keep events for days while a device is offline, and age falsifies no label:
	// receipt decides those. Recorded events are not limited
	MaxAge event.AgeLimits `yaml:"max_age"`
	// how long a request waits for Kafka before it gets 503
	Acknowledge time.Duration `yaml:"acknowledge"`
	Heartbeat   time.Duration `yaml:"heartbeat"` // how often each partition gets the clock
	// origins of websites whose browsers may send, such as https://shop.example; "*" for all,
	// without credentials
	CORSOrigins []string `yaml:"cors_origins"`
}

// DefaultConfig allows 2 MB and 5,000 events a request, and 100,000 events a second.
func DefaultConfig() Config {
	return Config{
		MaxBody: 2 << 20, MaxEvents: 5000, MaxWaiting: 64 << 20, Rate: 100_000, Acknowledge: 5 * time.Second, Heartbeat: time.Second,
	}
}

// Validate names the first field that is wrong.
func (c Config) Validate() error {
	switch {
	case c.MaxBody < 1<<10 || c.MaxBody > 64<<20:
		return field.Wrong("max_body", "is %d, want 1024 to 67108864 bytes", c.MaxBody)
	case c.MaxEvents < 1 || c.MaxEvents > 100_000:
		return field.Wrong("max_events", "is %d, want 1 to 100000", c.MaxEvents)
	case c.MaxWaiting < 4*c.MaxBody:
		return field.Wrong("max_waiting", "is %d, want at least four times max_body (%d): a body is held packed and unpacked", c.MaxWaiting, c.MaxBody)
	case !(c.Rate >= 1):
		return field.Wrong("rate", "is %v, want at least 1 event a second", c.Rate)
	case c.Acknowledge < 10*time.Millisecond || c.Acknowledge > time.Minute:
		return field.Wrong("acknowledge", "is %v, want 10ms to 1m", c.Acknowledge)
	case slices.ContainsFunc(c.CORSOrigins, isWrongOrigin):
		i := slices.IndexFunc(c.CORSOrigins, isWrongOrigin)
		return validateOrigin(fmt.Sprintf("cors_origins[%d]", i), c.CORSOrigins[i])
	case c.Heartbeat < 10*time.Millisecond || c.Heartbeat > time.Minute:
		return field.Wrong("heartbeat", "is %v, want 10ms to 1m: labels wait for it", c.Heartbeat)
	}
	return field.Within("max_age", c.MaxAge.Validate())
}
