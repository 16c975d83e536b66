package ingest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// loopEvents are the events of the loop by the names that track calls give them, of which only the
// letters count.
var loopEvents = map[string]string{
	"impression": event.TypeImpression, "adimpression": event.TypeImpression, "adviewed": event.TypeImpression,
	"click": event.TypeClick, "adclick": event.TypeClick, "adclicked": event.TypeClick,
	"conversion": event.TypeConversion, "ordercompleted": event.TypeConversion,
}

// item is the call as an event of the loop. index is its place in the batch.
func (s *segmentCall) item(now event.Time, index int) item {
	it := item{raw: s.part.Text}
	if s.batch {
		it.place = s.part.Place("batch", index)
	}
	it.event, it.err = s.event(now)
	it.notes = s.notes
	return it
}

func (s *segmentCall) event(now event.Time) (event.Event, error) {
	if err := s.parse(); err != nil {
		return event.Event{ID: s.messageID}, err
	}
	e := event.Event{
		ID: s.messageID, Type: s.kind, User: s.userID, Anonymous: s.anonymousID, Channel: s.channel,
		Context: firstOfName(s.context), Properties: firstOfName(s.properties), Received: now,
	}
	switch {
	case s.kind == "":
		return e, &event.Error{Field: "type", Reason: "is missing, want track, page, identify, screen, group or alias"}
	case s.userID == "" && s.anonymousID == "":
		return e, &event.Error{Field: "userId", Reason: "and anonymousId are missing, want at least one"}
	case s.kind == "track" && s.name == "":
		return e, &event.Error{Field: "event", Reason: "is missing, want the name of what happened"}
	}
	liftAll(&e, &s.notes)
	s.keepNames(&e)
	s.stamp(&e, now)
	if n := size(e.Context) + size(e.Properties); n > event.EventLimits.Fields {
		return e, &event.Error{Field: "context", Reason: fmt.Sprintf("and properties have %d fields with what the batch adds, at most %d are allowed", n, event.EventLimits.Fields)}
	}
	return e, nil
}

// keepNames adds the facts that stand beside a call's properties to them, under Segment's names,
// and gives the loop's own events their type. A property of the same name yields to them, since
// profiles count by these names.
func (s *segmentCall) keepNames(e *event.Event) {
	name := "name"
	if s.kind == "track" {
		name = "event"
		if t, ok := loopEvents[letters(s.name)]; ok {
			e.Type = t
		}
	}
	for _, fact := range [...]struct{ name, value string }{{name, s.name}, {"category", s.category}, {"groupId", s.groupID}, {"previousId", s.previousID}} {
		if fact.value == "" {
			continue
		}
		i := slices.IndexFunc(e.Properties, func(f event.Field) bool { return f.Name == fact.name })
		if i < 0 {
			e.Properties = append(e.Properties, text(fact.name, fact.value))
			continue
		}
		if was := e.Properties[i].Value.Text(); was != fact.value {
			s.notes.cannotUse("properties."+fact.name, "yields to the call's own "+fact.name)
		}
		e.Properties[i] = text(fact.name, fact.value)
	}
}

// size counts fields and elements of lists, as readers of the topic do. A message and its batch may
// each be within bounds and exceed them together.
func size(f event.Fields) int {
	n := len(f)
	for i := range f {
		n += len(f[i].Value.List)
	}
	return n
}

func text(name, value string) event.Field {
	return event.Field{Name: name, Value: event.Value{Kind: event.String, Str: value}}
}

func letters(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// firstOfName keeps the first field of each name. The message's own fields stand before those that
// its batch gives to all messages.
func firstOfName(f event.Fields) event.Fields {
	seen := make(map[string]bool, len(f))
	kept := f[:0]
	for _, x := range f {
		if !seen[x.Name] {
			seen[x.Name] = true
			kept = append(kept, x)
		}
	}
	return kept
}
