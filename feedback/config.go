package feedback

import (
	"time"

	"github.com/clickloop/clickloop/internal/field"
)

// Config is the feedback section of the configuration.
type Config struct {
	// how long outcomes are kept beyond the longest window; labels that come later wait until
	// outcomes are folded again
	OutcomeTTL time.Duration `yaml:"outcome_ttl"`
	Batch      int           `yaml:"batch"` // examples written at once
	// how long after its window an event still revises the label, for objectives with revisions;
	// revisions are written then; 0: half of outcome_ttl
	ReviseWithin time.Duration `yaml:"revise_within"`
	Guard        Guard         `yaml:"guard"`
	// file of secrets, one a line of at least 16 bytes, such as openssl rand -hex 32 makes; the
	// first signs predictions in the scorer, and feedback verifies the tokens of events by all of
	// them. It is read again when it changes. Instead of a file, CLICKLOOP_SIGN_KEY may hold the
	// secrets. Empty: nothing is signed, and every event counts
	SignKey string `yaml:"sign_key"`
}

// Guard says what raises an alarm in evaluations. A band at its widest raises none.
type Guard struct {
	// predictions that are judged together; fewer are noise
	MinExamples int64 `yaml:"min_examples"`
	// predicted over actual below it raises an alarm
	CalibrationLow  float64 `yaml:"calibration_low"`
	CalibrationHigh float64 `yaml:"calibration_high"` // or above it
	RateLow         float64 `yaml:"rate_low"`         // positives over examples below it
	RateHigh        float64 `yaml:"rate_high"`        // or above it
	// a share of predictions whose trigger happened below it
	CoverageLow float64 `yaml:"coverage_low"`
	// hold examples back while an alarm stands, until the bands are met again or a person releases
	// them (POST /v1/feedback/release)
	Hold bool `yaml:"hold"`
}

// DefaultConfig keeps outcomes for a day beyond the longest window and alarms when predictions are
// off by a factor of 2 over 2,000 predictions.
func DefaultConfig() Config {
	return Config{
		OutcomeTTL: 24 * time.Hour, Batch: 2000,
		Guard: Guard{MinExamples: 2000, CalibrationLow: 0.5, CalibrationHigh: 2, RateHigh: 1},
	}
}

// Validate names the first field that is wrong.
func (c Config) Validate() error {
	g := c.Guard
	switch {
	case c.OutcomeTTL < time.Minute:
		return field.Wrong("outcome_ttl", "is %v, want at least 1m", c.OutcomeTTL)
	case c.Batch < 1 || c.Batch > 10_000:
		return field.Wrong("batch", "is %d, want 1 to 10000", c.Batch)
	case c.ReviseWithin < 0 || c.ReviseWithin > c.OutcomeTTL/2:
		return field.Wrong("revise_within", "is %v, want 0 to half of outcome_ttl (%v): outcomes are needed until then", c.ReviseWithin, c.OutcomeTTL/2)
	case g.MinExamples < 1:
		return field.Wrong("guard.min_examples", "is %d, want at least 1", g.MinExamples)
	case !(g.CalibrationLow >= 0 && g.CalibrationLow < 1):
		return field.Wrong("guard.calibration_low", "is %v, want 0 (never) to below 1", g.CalibrationLow)
	case !(g.CalibrationHigh > 1):
		return field.Wrong("guard.calibration_high", "is %v, want above 1", g.CalibrationHigh)
	case !(g.RateLow >= 0 && g.RateLow < 1):
		return field.Wrong("guard.rate_low", "is %v, want 0 (never) to below 1", g.RateLow)
	case !(g.RateHigh > g.RateLow && g.RateHigh <= 1):
		return field.Wrong("guard.rate_high", "is %v, want above rate_low (%v) to 1 (never)", g.RateHigh, g.RateLow)
	case !(g.CoverageLow >= 0 && g.CoverageLow <= 1):
		return field.Wrong("guard.coverage_low", "is %v, want 0 (never) to 1", g.CoverageLow)
	}
	return nil
}

// Revises is how long after its window an event still revises a label.
func (c Config) Revises() time.Duration {
	if c.ReviseWithin == 0 {
		return c.OutcomeTTL / 2
	}
	return c.ReviseWithin
}
