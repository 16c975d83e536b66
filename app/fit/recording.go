package fit

import (
	"context"

	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/event/objective"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/feedback"
	"github.com/clickloop/clickloop/internal/repeats"
	"github.com/clickloop/clickloop/model"
)

// lockstep plays a recording in memory by the ticks of the live loop: a request sees the profiles
// and weights of all earlier ticks and none of its own, and a label is learned at the first tick
// that begins after its window. With the same data, seed and configuration its weights are those of
// the live loop in lockstep, bit for bit.
type lockstep struct {
	run      *Run
	name     string
	kind     *objective.Kind
	types    feedback.EventTypes // that labels are made of
	set      *features.Set
	profiles *features.Memory
	outcomes *features.Memory
	ids      repeats.Window

	waiting  []waiting // predictions in the order of (time, row)
	keys     []string
	updates  []features.Update
	offset   int64
	features event.Fields
}

// waiting is a prediction whose label is not due.
type waiting struct {
	id string
	n  int // of the row
	at event.Time
	p  float64
	w  float64
	x  []model.Feature
}

// Recording plays rec through r's network.
func (r *Run) Recording(ctx context.Context, rec *recording.Recording, cfg features.Config, limit int64) error {
	set, err := features.Compile(cfg)
	if err != nil {
		return err
	}
	l := &lockstep{run: r, name: rec.Name(), kind: objective.KindOf(rec.Objective()), types: feedback.TypesOf([]event.Objective{rec.Objective()}), set: set, profiles: features.NewMemory(), outcomes: features.NewMemory()}
	for tick, err := range rec.Ticks(rec.Tick(), limit) {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := l.tick(ctx, tick); err != nil {
			return err
		}
	}
	return nil
}

// Suspects are columns of a recording that most likely are known only after the outcome.
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

// fold adds events to profiles and outcomes; an id that came before counts once.
func (l *lockstep) fold(ctx context.Context, events []event.Event) error {
	if len(events) == 0 {
		return nil
	}
	from := l.offset
	l.updates = l.updates[:0]
	var outcomes []features.Update
	for i := range events {
		e := &events[i]
		outcomes = feedback.OutcomeUpdate(outcomes, e, l.offset, l.types)
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

// learn learns every prediction that is due by t, in order.
func (l *lockstep) learn(ctx context.Context, t event.Time) error {
	n := 0
	for n < len(l.waiting) && l.kind.Due(l.waiting[n].at) <= t {
		n++
	}
	if n == 0 {
		return nil
	}
	l.keys = l.keys[:0]
	for i := range l.waiting[:n] {
		l.keys = append(l.keys, l.waiting[i].id)
	}
	found, err := l.outcomes.Read(ctx, l.keys)
	if err != nil {
		return err
	}
	for i := range l.waiting[:n] {
		w := &l.waiting[i]
		y, ok := l.kind.Label(w.at, feedback.OutcomeOf(found[w.id]))
		if !ok {
			continue
		}
		if err := l.run.learn(Place{File: l.name, Row: w.n}, w.x, y, w.w, w.p); err != nil {
			return err
		}
	}
	l.waiting = append(l.waiting[:0], l.waiting[n:]...)
	return nil
}

// predict scores a row as the scorer does.
func (l *lockstep) predict(ctx context.Context, row *recording.Row) error {
	request := features.Request{Time: row.Time, User: row.User, Anonymous: row.Anonymous, Ad: row.Ad, Campaign: row.Campaign, Context: row.Context}
	l.keys = l.set.Keys(l.keys[:0], &request)
	var profiles map[string]features.Profile
	if len(l.keys) > 0 {
		var err error
		if profiles, err = l.profiles.Read(ctx, l.keys); err != nil {
			return err
		}
	}
	l.features = l.set.Assemble(l.features[:0], &request, profiles)
	x := features.Encode(make([]model.Feature, 0, len(l.features)), l.features)
	w := waiting{id: event.PredictionID(row.Request, 0), n: int(row.N), at: row.Time, w: row.Weight, x: x, p: l.run.net.Predict(x, l.run.scratch)}
	l.waiting = append(l.waiting, w)
	l.run.leaks.fields(row.Context, encoded, map[bool]float64{true: 1}[row.Positive])
	l.run.progress.rows.Add(1)
	return nil
}
