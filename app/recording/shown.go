package recording

import (
	"fmt"
	"slices"

	"github.com/clickloop/clickloop/event"
)

// shownBy is the type of the events that carry what was shown: the trigger, or the impression where
// every prediction becomes an example.
func (c *spec) shownBy() string {
	if c.Objective.Trigger == event.TriggerPrediction {
		return event.TypeImpression
	}
	return c.Objective.Trigger
}

// checkShown returns an error about columns that no event could carry.
func (c *spec) checkShown() error {
	by := c.shownBy()
	for i, name := range c.Shown {
		switch {
		case name == "" || slices.Contains(c.Shown[:i], name):
			return fmt.Errorf("shown[%d] is %q, want the names of different columns", i, name)
		case name == c.Label || name == c.Time || name == c.User || name == columnOf(c.Ad) || name == columnOf(c.Campaign) || slices.Contains(c.Drop, name):
			return fmt.Errorf("shown[%d] is %q, which is the label, the time, an id or a dropped column, want another", i, name)
		}
	}
	if len(c.Shown) > 0 && !slices.ContainsFunc(c.Events, func(e eventSpec) bool { return e.Type == by }) {
		return fmt.Errorf("shown has %q, which an event of type %s carries, and events has none: add {type: %s, when: always}", c.Shown[0], by, by)
	}
	return nil
}

// Shown returns the columns that only the trigger's event carries.
func (r *Recording) Shown() []string { return r.cfg.Shown }
