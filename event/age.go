package event

import (
	"maps"
	"slices"
	"time"

	"github.com/clickloop/clickloop/internal/field"
)

// AgeLimits say how long before its receipt an event may have happened, by its name, else by its
// type, else for AnyType. Without an entry it may be as old as it likes.
type AgeLimits map[string]time.Duration

// AnyType stands for every type without an entry of its own.
const AnyType = "*"

// shortestAge is the least that an AgeLimits may allow: clocks of clients are wrong by as much.
const shortestAge = time.Minute

// Validate names the first entry that is wrong.
func (l AgeLimits) Validate() error {
	for _, name := range slices.Sorted(maps.Keys(l)) {
		limit := l[name]
		switch {
		case name == "" || name == TypeHeartbeat || len(name) > MaxIDBytes:
			return field.Wrong(name, "is a limit of %.80q, want a type or name of events, or *", name)
		case limit < shortestAge:
			return field.Wrong(name, "is %v, want at least %v: clocks of clients are wrong by as much", limit, shortestAge)
		}
	}
	return nil
}

// Limit is the limit of events of a type that have a name, which may be empty; 0 for none.
func (l AgeLimits) Limit(eventType, name string) time.Duration {
	for _, key := range [...]string{name, eventType, AnyType} {
		if limit, ok := l[key]; ok && key != "" {
			return limit
		}
	}
	return 0
}

// Check refuses a completed event that happened too long before its receipt. The error is an
// *Error about time.
func (l AgeLimits) Check(e *Event) error {
	if len(l) == 0 || e.Type == TypeHeartbeat {
		return nil
	}
	if limit := l.Limit(e.Type, e.Name()); limit > 0 && e.Received.Sub(e.Time) > limit {
		return field.Wrong("time", "is %s, more than %v before its receipt at %s, as ingest.max_age allows", e.Time, limit, e.Received)
	}
	return nil
}
