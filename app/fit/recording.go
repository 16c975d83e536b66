package fit

import (
	"cmp"
	"context"

	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/event/objective"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/feedback"
	"github.com/clickloop/clickloop/internal/repeats"
	"github.com/clickloop/clickloop/model"
)

// lockstep replays a recording in memory, tick by tick as the live loop does. A request sees the
// profiles and weights of all earlier ticks and none of its own tick. A label is learned at the
// first tick that begins after its window. With the same data, seed and configuration the weights
// are those of the live loop in lockstep, bit for bit.
type lockstep struct {
	run      *Run
	name     string
	kind     *objective.Kind
	types    feedback.EventTypes // events that decide labels
	goal     event.Objective
	shows    *feedback.Showings // nil: nothing is declared as shown
	set      *features.Set
	profiles *features.Memory
	outcomes *features.Memory
	ids      repeats.Window
	offset   int64       // of the next event
	pending  []unlearned // in the order of (time, row)

	// memory that is used again
	keys    []string
	updates []features.Update
	fields  event.Fields
}

// unlearned is a prediction whose label is not due yet.
type unlearned struct {
	example
	id string
	at event.Time
	p  float64
}

// Recording learns the first limit rows of rec, 0 for all.
func (r *Run) Recording(ctx context.Context, rec *recording.Recording, cfg features.Config, limit int64) error {
	set, err := features.Compile(cfg)
	if err != nil {
		return err
	}
	goal := rec.Objective()
	l := &lockstep{
		goal: goal, shows: feedback.ShowingsOf([]event.Objective{goal}, set.Shown()),
		run: r, name: rec.Name(), kind: objective.KindOf(goal), types: feedback.TypesOf([]event.Objective{goal}),
		set: set, profiles: features.NewMemory(), outcomes: features.NewMemory(),
	}
	for tick, err := range rec.Ticks(rec.Tick(), limit) {
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
		if err := l.tick(ctx, tick); err != nil {
			return err
		}
	}
	return nil
}

// Suspects returns the columns of a recording that are probably known only after the outcome.
func (r *Run) Suspects() []Suspect { return r.leaks.suspects() }

func (l *lockstep) tick(ctx context.Context, tick *recording.Tick) error {
	if err := l.fold(ctx, tick.Events); err != nil {
		return err
	}
	if err := l.learn(ctx, tick.Start); err != nil {
		return err
	}
	for i := range tick.Rows {
		if err := l.predict(ctx, &tick.Rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// fold folds events into profiles and outcomes. Repeats of an event count once.
func (l *lockstep) fold(ctx context.Context, events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	from := l.offset
	l.updates = l.updates[:0]
	var outcomes []features.Update
	for i := range events {
		e := &events[i]
		outcomes = feedback.OutcomeUpdate(outcomes, e, l.offset, l.types, l.shows)
		if !l.ids.Repeat(e.ID, e.Received) {
			l.updates = l.set.Updates(l.updates, e, l.offset)
		}
		l.offset++
	}
	to := features.Position{TopicID: "memory", Next: l.offset, Received: events[len(events)-1].Received}
	if err := l.profiles.Apply(ctx, from, to, l.updates); err != nil {
		return err
	}
	return l.outcomes.Apply(ctx, from, to, outcomes)
}

// learn learns every prediction whose label is due by t, in order.
func (l *lockstep) learn(ctx context.Context, t event.Time) error {
	n := 0
	for n < len(l.pending) && l.kind.Due(l.pending[n].at) <= t {
		n++
	}
	if n == 0 {
		return nil
	}
	l.keys = l.keys[:0]
	for i := range l.pending[:n] {
		l.keys = append(l.keys, l.pending[i].id)
	}
	found, err := l.outcomes.Read(ctx, l.keys)
	if err != nil {
		return err
	}
	for i := range l.pending[:n] {
		u := &l.pending[i]
		y, ok := l.kind.Label(u.at, feedback.OutcomeOf(found[u.id]))
		if !ok {
			continue
		}
		u.y = y
		l.set.Shown().PutEncoded(u.x, feedback.ShownBy(found[u.id], &l.goal, l.kind.Due(u.at), false))
		if err := l.run.learn(&u.example, u.p); err != nil {
			return err
		}
	}
	l.pending = append(l.pending[:0], l.pending[n:]...)
	return nil
}

// predict scores a row as the scorer does.
func (l *lockstep) predict(ctx context.Context, row *recording.Row) error {
	request := features.Request{Time: row.Time, User: row.User, Ad: row.Ad, Campaign: row.Campaign, Context: row.Context}
	l.keys = l.set.Keys(l.keys[:0], &request)
	profiles, err := l.profiles.Read(ctx, l.keys)
	if err != nil {
		return err
	}
	l.fields = l.set.Assemble(l.fields[:0], &request, profiles)
	x := features.Encode(make([]model.Feature, 0, len(l.fields)), l.fields)
	l.pending = append(l.pending, unlearned{
		example: example{x: x, w: row.Weight, place: Place{File: l.name, Row: int(row.N)}},
		id:      event.PredictionID(row.Request, 0), at: row.Time, p: l.run.predict(x),
	})
	y := 0.0
	if row.Positive {
		y = 1
	}
	l.run.leaks.fields(row.Context, y)
	l.run.rows.Add(1)
	return nil
}
