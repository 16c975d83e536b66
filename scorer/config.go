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
	// expression by which candidates are ranked where a request brings none, such as p.click *
	// candidate.value; empty: the probability of the first objective times the candidate's value
	Value string `yaml:"value"`
	// calls that may be at work at once; further ones get 503
	MaxInFlight int `yaml:"max_in_flight"`
	// how long calls may queue before they are read, on average; above it, a share of them get 503.
	// 0: only max_in_flight bounds them
	MaxQueueTime time.Duration `yaml:"max_queue_time"`
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
	// how long after its arrival a call waits for profiles, unless it says tmax_ms; then it is
	// scored without those that have not come
	TMax         time.Duration `yaml:"tmax"`
	ProfileCache CacheConfig   `yaml:"profile_cache"` // off by default
	// how long an answer waits for Kafka where the request wants it ("log":"acknowledged"); then it
	// says "acknowledged":false, and the prediction is written later
	PublishWait time.Duration `yaml:"publish_wait"`
	// how long a process that stops goes on writing predictions that wait for Kafka; those that it
	// has not acknowledged by then are counted and logged, and kept by a spool
	Drain time.Duration `yaml:"drain"`
	// how candidates are chosen: greedy, epsilon:SHARE, softmax:TEMPERATURE, thompson or
	// thompson:SCALE; empty: epsilon with the share of the setting epsilon, greedy where that is 0
	Policy string `yaml:"policy"`
	// share of requests in which the choice is random: the same as policy epsilon:SHARE
	Epsilon float64 `yaml:"epsilon"`
	// probability that is answered before the first weights of an objective that has no prior of
	// its own
	Prior float64 `yaml:"prior"`
	Seed  uint64  `yaml:"seed"` // of the random choices

	Items Items `yaml:"items"` // catalogues of items, from which requests may choose
}

// DefaultConfig explores nothing, keeps no spool, and waits 20 ms for profiles and, where it is
// asked to, 50 ms for Kafka.
func DefaultConfig() Config {
	return Config{
		MaxBody: 1 << 20, MaxCandidates: 1000, MaxInFlight: 256, MaxQueueTime: 2 * time.Millisecond, MaxWaiting: 64 << 20, MaxRemembered: 32 << 20, MaxOthers: 20,
		TMax: 20 * time.Millisecond, ProfileCache: CacheConfig{MaxAge: time.Second}, PublishWait: 50 * time.Millisecond, Drain: 6 * time.Second, Prior: 0.01, Seed: 1,
		Items: Items{MaxItems: 250_000, MaxBytes: 512 << 20, Limit: 100},
	}
}

// Uncertain says whether the policy goes by how uncertain predictions are, which not every network
// can tell.
func (c Config) Uncertain() bool { return policyOf(&c).uncertain }

// maxTMax is the longest time that a request may allow.
const maxTMax = time.Minute

// Validate names the first field that is wrong.
func (c Config) Validate() error {
	switch {
	case c.MaxBody < 1<<10 || c.MaxBody > 64<<20:
		return field.Wrong("max_body", "is %d, want 1024 to 67108864 bytes", c.MaxBody)
	case c.MaxCandidates < 1 || c.MaxCandidates > 10_000:
		return field.Wrong("max_candidates", "is %d, want 1 to 10000", c.MaxCandidates)
	case c.MaxInFlight < 1:
		return field.Wrong("max_in_flight", "is %d, want at least 1", c.MaxInFlight)
	case c.MaxQueueTime < 0 || c.MaxQueueTime > time.Second || c.MaxQueueTime > 0 && c.MaxQueueTime < 50*time.Microsecond:
		return field.Wrong("max_queue_time", "is %v, want 0 (no bound) or 50us to 1s", c.MaxQueueTime)
	case c.MaxWaiting < 1<<20:
		return field.Wrong("max_waiting", "is %d, want at least 1048576 bytes", c.MaxWaiting)
	case c.Spool != strings.TrimSpace(c.Spool) || c.Spool == "." || c.Spool == "/":
		return field.Wrong("spool", "is %q, want the path of a folder for nothing else", c.Spool)
	case c.MaxRemembered < 1<<20:
		return field.Wrong("max_remembered", "is %d, want at least 1048576 bytes", c.MaxRemembered)
	case c.MaxOthers < 0 || c.MaxOthers > 200:
		return field.Wrong("max_others", "is %d, want 0 to 200: a prediction has at most 20 KiB", c.MaxOthers)
	case c.TMax < time.Millisecond || c.TMax > maxTMax:
		return field.Wrong("tmax", "is %v, want 1ms to 1m", c.TMax)
	case c.PublishWait < time.Millisecond || c.PublishWait > time.Minute:
		return field.Wrong("publish_wait", "is %v, want 1ms to 1m", c.PublishWait)
	case c.Drain < 0 || c.Drain > time.Hour:
		return field.Wrong("drain", "is %v, want 0 (not at all) to 1h; keep it below what kills a process that does not end (10s for docker stop, 30s on Kubernetes)", c.Drain)
	case !(c.Epsilon >= 0 && c.Epsilon <= 1):
		return field.Wrong("epsilon", "is %v, want 0 to 1", c.Epsilon)
	case c.Epsilon > 0 && c.Policy != "":
		return field.Wrong("epsilon", "is %v, and policy is %s: leave one of them out, or write policy: epsilon:%v", c.Epsilon, c.Policy, c.Epsilon)
	case !(c.Prior > 0 && c.Prior < 1):
		return field.Wrong("prior", "is %v, want between 0 and 1", c.Prior)
	}
	if c.Policy != "" {
		if _, err := parsePolicy(c.Policy); err != nil {
			return err
		}
	}
	if err := c.Items.validate(); err != nil {
		return err
	}
	return field.Within("profile_cache", c.ProfileCache.validate())
}

// CheckValue says whether Value is an expression over these objectives. The error names the column.
func (c Config) CheckValue(objectives []string) error {
	if c.Value == "" {
		return nil
	}
	_, err := compileValuation(c.Value, objectives)
	return err
}
