package scorer

import (
	"strings"
	"time"

	"github.com/clickloop/clickloop/internal/field"
)

// Config is the scorer section of the configuration.
type Config struct {
	// bytes of a request's body; a larger one gets 413
	MaxBody       int `yaml:"max_body"`
	MaxCandidates int `yaml:"max_candidates"` // of one request
	// calls that may be at work at once; further ones get 429
	MaxInFlight int `yaml:"max_in_flight"`
	// bytes of predictions that may wait for Kafka; further requests get 503, or an answer that
	// says "logged":false where they allow that
	MaxWaiting int `yaml:"max_waiting"`
	// folder that keeps predictions until Kafka has acknowledged them, so that they outlive a kill
	// of the process; of one scorer alone, on a disk of this machine. Empty: they are kept in
	// memory
	Spool string `yaml:"spool"`
	// bytes of answers that are remembered, so that a request that is sent again gets the same
	MaxRemembered int `yaml:"max_remembered"`
	// candidates not chosen that a prediction lists; of more it has the number and a hash
	MaxOthers int `yaml:"max_others"`
	// how long a call waits for profiles before it is scored without them
	ProfileWait time.Duration `yaml:"profile_wait"`
	// how long an answer waits for Kafka where the request wants it ("log":"acknowledged"); then it
	// says "acknowledged":false, and the prediction is written later
	PublishWait time.Duration `yaml:"publish_wait"`
	// how long a process that stops goes on writing predictions that wait for Kafka; those that it
	// has not acknowledged by then are counted and logged, and kept by a spool
	Drain time.Duration `yaml:"drain"`
	// share of requests in which the choice is random
	Epsilon float64 `yaml:"epsilon"`
	// probability that is answered before the first weights of an objective that has no prior of
	// its own
	Prior float64 `yaml:"prior"`
	Seed  uint64  `yaml:"seed"` // of the random choices
}

// DefaultConfig explores nothing, keeps no spool, and waits 20 ms for profiles and, where it is
// asked to, 50 ms for Kafka.
func DefaultConfig() Config {
	return Config{
		MaxBody: 1 << 20, MaxCandidates: 500, MaxInFlight: 256, MaxWaiting: 64 << 20, MaxRemembered: 32 << 20, MaxOthers: 20,
		ProfileWait: 20 * time.Millisecond, PublishWait: 50 * time.Millisecond, Drain: 6 * time.Second, Prior: 0.01, Seed: 1,
	}
}

// Validate names the first field that is wrong.
func (c Config) Validate() error {
	switch {
	case c.MaxBody < 1<<10 || c.MaxBody > 64<<20:
		return field.Wrong("max_body", "is %d, want 1024 to 67108864 bytes", c.MaxBody)
	case c.MaxCandidates < 1 || c.MaxCandidates > 10_000:
		return field.Wrong("max_candidates", "is %d, want 1 to 10000", c.MaxCandidates)
	case c.MaxInFlight < 1:
		return field.Wrong("max_in_flight", "is %d, want at least 1", c.MaxInFlight)
	case c.MaxWaiting < 1<<20:
		return field.Wrong("max_waiting", "is %d, want at least 1048576 bytes", c.MaxWaiting)
	case c.Spool != strings.TrimSpace(c.Spool) || c.Spool == "." || c.Spool == "/":
		return field.Wrong("spool", "is %q, want the path of a folder for nothing else", c.Spool)
	case c.MaxRemembered < 1<<20:
		return field.Wrong("max_remembered", "is %d, want at least 1048576 bytes", c.MaxRemembered)
	case c.MaxOthers < 0 || c.MaxOthers > 200:
		return field.Wrong("max_others", "is %d, want 0 to 200: a prediction has at most 20 KiB", c.MaxOthers)
	case c.ProfileWait < time.Millisecond || c.ProfileWait > time.Minute:
		return field.Wrong("profile_wait", "is %v, want 1ms to 1m", c.ProfileWait)
	case c.PublishWait < time.Millisecond || c.PublishWait > time.Minute:
		return field.Wrong("publish_wait", "is %v, want 1ms to 1m", c.PublishWait)
	case c.Drain < 0 || c.Drain > time.Hour:
		return field.Wrong("drain", "is %v, want 0 (not at all) to 1h; keep it below what kills a process that does not end (10s for docker stop, 30s on Kubernetes)", c.Drain)
	case !(c.Epsilon >= 0 && c.Epsilon <= 1):
		return field.Wrong("epsilon", "is %v, want 0 to 1", c.Epsilon)
	case !(c.Prior > 0 && c.Prior < 1):
		return field.Wrong("prior", "is %v, want between 0 and 1", c.Prior)
	}
	return nil
}
