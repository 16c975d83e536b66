package config

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	kinds "github.com/clickloop/clickloop/event/objective"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/signing"
)

// SignKeyVariable is the variable that may hold the secrets of feedback.sign_key, a line each.
const SignKeyVariable = "CLICKLOOP_SIGN_KEY"

func secretsOfVariable() string { return os.Getenv("CLICKLOOP_SIGN_KEY") }

// SignKeys returns the keys that sign predictions, from the file or from the variable, and nil
// where neither is given.
func (c *Config) SignKeys(logger *slog.Logger) (*signing.Ring, error) {
	if path := c.Feedback.SignKey; path != "" {
		keys, err := signing.Open(path, logger)
		if err != nil {
			return nil, fmt.Errorf("feedback.sign_key %w", err)
		}
		return keys, nil
	}
	secrets := secretsOfVariable()
	if secrets == "" {
		return nil, nil
	}
	keys, err := signing.Hold(secrets)
	if err != nil {
		return nil, fmt.Errorf("the variable %s %w", SignKeyVariable, err)
	}
	return keys, nil
}

// validateSigning checks what can be known of the file without reading it: stages that do not sign
// need not be able to.
func (c *Config) validateSigning() error {
	path := c.Feedback.SignKey
	if strings.TrimSpace(path) != path || strings.ContainsRune(path, 0) {
		return field.Wrong("feedback.sign_key", "is %q, want the path of a file", path)
	}
	if info, err := os.Stat(path); path != "" && err == nil && info.IsDir() {
		return field.Wrong("feedback.sign_key", "is %q, which is a folder, want a file of keys", path)
	}
	return nil
}

// validateMaxAge refuses limits that contradict a guard which holds labels: it waits for events
// that an outage has delayed, and those would be refused when they come.
func (c *Config) validateMaxAge() error {
	if !c.Feedback.Guard.Hold {
		return nil
	}
	for _, o := range c.Objectives {
		kind := kinds.KindOf(o)
		for _, name := range append(kind.Events, kind.Trigger) {
			if limit := c.Ingest.MaxAge.Limit(name, ""); limit > 0 && limit < c.Feedback.OutcomeTTL {
				return field.Wrong("ingest.max_age", "lets %s events be %v old, and feedback.guard.hold waits for events that an outage has delayed: want at least feedback.outcome_ttl (%v), or no hold",
					name, limit, c.Feedback.OutcomeTTL)
			}
		}
	}
	return nil
}
