package feedback

import (
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/prometheus/client_golang/prometheus"
)

// factsPrefix marks the field of an outcome that holds what was shown: the type of the trigger
// follows. No type of an event begins with a control character.
const factsPrefix = "\x01"

// triggerOf is the type of the events that say what was shown: the trigger, or the impression where
// every prediction becomes an example.
func triggerOf(o *event.Objective) string {
	if o.Trigger == event.TriggerPrediction {
		return event.TypeImpression
	}
	return o.Trigger
}

// Showings reads what was shown from the events of some objectives' triggers. A nil Showings reads
// nothing.
type Showings struct {
	shown    *features.Shown
	triggers map[string]bool
	// told of values that are not of their fact's kind; nil: nobody
	refused func(name string, v event.Value)
}

// ShowingsOf returns nil where nothing is declared as shown.
func ShowingsOf(objectives []event.Objective, shown *features.Shown) *Showings {
	if len(shown.Served()) == 0 {
		return nil
	}
	s := &Showings{shown: shown, triggers: map[string]bool{}}
	for i := range objectives {
		s.triggers[triggerOf(&objectives[i])] = true
	}
	return s
}

// appendOps appends what a trigger says was shown: all facts of one event as one value, so that
// they stay together. Of several events that bring any, the first that was received stays.
func (s *Showings) appendOps(ops []features.Op, e *event.Event) []features.Op {
	if s == nil {
		return ops
	}
	value := ""
	for i, name := range [...]string{e.Type, e.Name()} {
		if !s.triggers[name] || i > 0 && name == e.Type {
			continue
		}
		if value == "" {
			facts := s.shown.Of(nil, e, s.refused)
			if len(facts) == 0 {
				return ops
			}
			value = string(facts.AppendJSON(nil))
			if e.Time != e.Received {
				value += happened + strconv.FormatInt(int64(e.Time), 10)
			}
		}
		ops = append(ops, features.Op{Kind: features.OpFirst, Field: factsPrefix + name, Time: e.Received, Value: value})
	}
	return ops
}

// ShownBy returns what an outcome says was shown for an objective, from an event that counts for
// its label: one that was received until the label is due, or, with late, that happened until then.
func ShownBy(p features.Profile, o *event.Objective, due event.Time, late bool) event.Fields {
	received, text, ok := features.SplitStamped(p.Fields[factsPrefix+triggerOf(o)])
	if !ok {
		return nil
	}
	end := strings.LastIndexByte(text, '}') + 1
	at := received
	if ms, earlier := strings.CutPrefix(text[end:], happened); earlier {
		if t, err := strconv.ParseInt(ms, 10, 64); err == nil {
			at = event.Time(t)
		}
	}
	if late && at > due || !late && received > due {
		return nil
	}
	var facts event.Fields
	if facts.UnmarshalJSON([]byte(text[:end])) != nil {
		return nil // another program's
	}
	return facts
}

// shownRefusals counts and logs values that are not of their fact's kind. Folds of several
// partitions share one.
type shownRefusals struct {
	count  *prometheus.CounterVec // by fact
	logger *slog.Logger

	mu     sync.Mutex
	warned time.Time
}

// note counts a value, and names one in warnEvery.
func (r *shownRefusals) note(name string, v event.Value) {
	r.count.WithLabelValues(name).Inc()
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if now.Sub(r.warned) <= warnEvery {
		return
	}
	r.warned = now
	text := v.AppendJSON(nil)
	r.logger.Warn("events bring a value that is not of its fact's kind: it is left out", "fact", name, "value", string(text[:min(len(text), 60)]),
		"remedy", "send a number where features.shown serves a number, else one text of at most 256 bytes")
}
