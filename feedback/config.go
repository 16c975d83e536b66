// Package feedback joins predictions with what happened to them, turns each into a labelled example exactly once, and measures how good predictions were.
//
// The one invariant: no label before its evidence. A prediction is decided only after the watermark, the received time up to which every partition of
// events is folded into outcomes, has passed its window. When events stall, labels stall.
package feedback

import (
	"fmt"
	"time"

	"github.com/clickloop/clickloop/event"
)

// Config is the feedback section of the configuration.
type Config struct {
	OutcomeTTL time.Duration `yaml:"outcome_ttl"` // how long outcomes are kept beyond the longest window
	Batch      int           `yaml:"batch"`       // examples written at once
	Guard      Guard         `yaml:"guard"`
}

// Guard says when an evaluation carries an alarm.
type Guard struct {
	MinExamples     int64   `yaml:"min_examples"` // in a window, below which nothing is judged
	CalibrationLow  float64 `yaml:"calibration_low"`
	CalibrationHigh float64 `yaml:"calibration_high"` // predicted over actual above it, or below the low one, raises an alarm
	Hold            bool    `yaml:"hold"`             // hold the examples back while an alarm stands, until a person says go on (POST /v1/feedback/release)
}

// DefaultConfig keeps outcomes for a day beyond the longest window and alarms when predictions are off by a factor of 2 over 2,000 examples.
func DefaultConfig() Config {
	return Config{OutcomeTTL: 24 * time.Hour, Batch: 2000, Guard: Guard{MinExamples: 2000, CalibrationLow: 0.5, CalibrationHigh: 2}}
}

// Validate names the first field that is wrong.
func (c Config) Validate() error {
	switch {
	case c.OutcomeTTL < time.Minute:
		return wrong("outcome_ttl", "is %v, want at least 1m", c.OutcomeTTL)
	case c.Batch < 1 || c.Batch > 10_000:
		return wrong("batch", "is %d, want 1 to 10000", c.Batch)
	case c.Guard.CalibrationLow < 0 || c.Guard.CalibrationLow >= 1:
		return wrong("guard.calibration_low", "is %v, want 0 (never) to below 1", c.Guard.CalibrationLow)
	case c.Guard.CalibrationHigh <= 1:
		return wrong("guard.calibration_high", "is %v, want above 1", c.Guard.CalibrationHigh)
	}
	return nil
}

func wrong(field, format string, args ...any) error {
	return &event.Error{Field: field, Reason: fmt.Sprintf(format, args...)}
}
