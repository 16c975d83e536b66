package feedback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

// evaluator folds an objective's examples into metrics and writes them to evaluations: of each
// minute, hour and day of the examples' own time when it has passed, and of all since the start:
// the whole each minute, its segments each hour. The topic is its memory: it begins at the topic's
// start and leaves out windows that are written already.
//
// Every process folds, to answer /v1/evaluation; the one that owns the topic's partition in the
// group writes. One that comes to own it folds again from the start, so that no window is missing
// in between.
type evaluator struct {
	objective event.Objective
	client    *stream.Client
	cfg       Guard
	logger    *slog.Logger

	owner  atomic.Bool
	gained chan struct{} // has room for one: this process owns the partition now

	mu    sync.Mutex
	all   *window
	model string
	// the newest window of each name that has passed; one without width: none has
	passed map[string]window
}

func (e *evaluator) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return e.join(ctx) })
	group.Go(func() error { return e.again(ctx) })
	return group.Wait()
}

// join keeps owner true while this process owns the examples' partition.
func (e *evaluator) join(ctx context.Context) error {
	topic := event.TopicExamples(e.objective.Name)
	return e.client.Join(ctx, "evaluations."+e.objective.Name, []string{topic}, func(ctx context.Context, g *stream.Generation) error {
		if g.Has(topic, 0) && !e.owner.Swap(true) {
			select {
			case e.gained <- struct{}{}:
			default: // it was told and has not looked yet
			}
		} else if !g.Has(topic, 0) {
			e.owner.Store(false)
		}
		<-ctx.Done()
		return ctx.Err()
	})
}

// again folds until ctx ends, from the start whenever the partition was gained.
func (e *evaluator) again(ctx context.Context) error {
	for {
		if err := e.once(ctx); err != nil && ctx.Err() == nil {
			e.logger.Warn("cannot evaluate, beginning again", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// once folds until the partition is gained or something fails.
func (e *evaluator) once(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := make(chan struct{})
	defer func() { cancel(); <-watched }()
	gained := false
	go func() {
		defer close(watched)
		select {
		case <-e.gained:
			gained = true
			cancel()
		case <-ctx.Done():
		}
	}()
	err := e.fold(ctx)
	cancel()
	<-watched
	if gained {
		return nil
	}
	return err
}

// written returns the newest start of each kind of window that is in the topic.
func (e *evaluator) written(ctx context.Context) (map[string]event.Time, error) {
	newest := map[string]event.Time{}
	ranges, err := e.client.Offsets(ctx, event.TopicEvaluations)
	if err != nil {
		return nil, err
	}
	const look = 100_000
	var v event.Evaluation
	for p, rg := range ranges {
		err := e.client.ReadRange(ctx, event.TopicEvaluations, p, max(rg.First, rg.End-look), rg.End, func(r *stream.Record) error {
			if v.UnmarshalJSON(r.Value) == nil && v.Objective == e.objective.Name {
				newest[v.Window] = max(newest[v.Window], v.Start)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return newest, nil
}

// isWritten says whether a window that is to be closed is in the topic. Windows are written in
// order and minutes before what ends with them, so the newest minute tells of all windows that
// ended before it: of a day it may lie too far back to have been found.
func isWritten(w *window, newest map[string]event.Time) bool {
	return w.start <= newest[w.name] || w.start+w.width <= newest["1m"]
}

// fold reads the examples from their start.
func (e *evaluator) fold(ctx context.Context) error {
	// one that becomes the owner on the way begins again, with what the last one has written
	owner := e.owner.Load()
	written, err := e.written(ctx)
	if err != nil {
		return err
	}
	var (
		water   event.HighWater
		x       event.Example
		windows = []*window{newWindow("1m", minute), newWindow("1h", hour), newWindow("1d", day)}
		out     []event.Evaluation
	)
	e.mu.Lock()
	e.all, e.passed = newWindow("all", 0), map[string]window{}
	for _, w := range windows {
		e.passed[w.name] = window{name: w.name}
	}
	e.mu.Unlock()
	r := e.client.NewReader(event.TopicExamples(e.objective.Name), 0, 0)
	defer r.Close()
	for {
		records, err := r.Read(ctx)
		if errors.Is(err, stream.ErrTrimmed) {
			continue
		}
		if err != nil {
			return err
		}
		out = out[:0]
		for i := range records {
			if err := x.UnmarshalJSON(records[i].Value); err != nil || x.Validate() != nil || x.Revision || !water.Fresh(x.Source, false) {
				continue // what cannot be read is the learner's to bury
			}
			if x.P == 0 && x.Model == "" {
				continue // predicted for other objectives only: there is nothing to measure
			}
			out = e.add(out, windows, &x, written)
		}
		if !owner {
			continue
		}
		if err := e.write(ctx, out); err != nil {
			return err
		}
	}
}

// add counts x, having closed the windows that it lies behind.
func (e *evaluator) add(out []event.Evaluation, windows []*window, x *event.Example, written map[string]event.Time) []event.Evaluation {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, w := range windows {
		if w.passed(x) {
			if !isWritten(w, written) {
				out = e.close(out, w)
			}
			e.passed[w.name] = *w // open gives w parts of its own
			w.open(x)
		}
		w.add(x)
	}
	e.all.passed(x)
	e.all.add(x)
	e.model = x.Model
	return out
}

// close appends a window's evaluations, and with a minute's those since the start.
func (e *evaluator) close(out []event.Evaluation, w *window) []event.Evaluation {
	end := w.start + w.width
	name := e.objective.Name
	switch w.name {
	case "1d":
		return w.evaluations(out, name, e.model, end, "")
	case "1m":
		out = w.evaluations(out, name, e.model, end, e.cfg.judge(w.tally))
		return append(out, e.all.evaluation(name, e.model, end, e.all.acc, nil))
	default:
		out = w.evaluations(out, name, e.model, end, "")
		// the whole is written each minute
		return append(out, e.all.evaluations(nil, name, e.model, end, "")[1:]...)
	}
}

// write is for the owner alone. While ownership moves, two may write the same windows: the same
// numbers, since they are functions of the topic.
func (e *evaluator) write(ctx context.Context, out []event.Evaluation) error {
	if !e.owner.Load() {
		return nil
	}
	records := make([]stream.Record, len(out))
	headers := e.client.MessageHeaders(event.SchemaEvaluation)
	for i := range out {
		records[i] = stream.Record{Key: []byte(out[i].Objective), Value: out[i].AppendJSON(nil), Headers: headers}
	}
	err := e.client.Produce(ctx, event.TopicEvaluations, records)
	// they can be computed again from the examples
	if large := (*stream.TooLargeError)(nil); errors.As(err, &large) {
		e.logger.Error("evaluations were not written: they are larger than their topic takes", "count", len(large.Records), "err", large)
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot write evaluations: %w", err)
	}
	return nil
}

// of are the evaluations of the newest window of that name that has passed, or of all since the
// start: the whole, then its segments. The error names the windows that there are.
func (e *evaluator) of(name string) ([]event.Evaluation, error) {
	if name == "" || name == "all" {
		return e.current(), nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if w, ok := e.passed[name]; ok {
		if w.width == 0 {
			return []event.Evaluation{{Objective: e.objective.Name, Window: name}}, nil
		}
		return w.evaluations(nil, e.objective.Name, e.model, w.start+w.width, ""), nil
	}
	names := append(slices.Sorted(maps.Keys(e.passed)), "all")
	return nil, &event.Error{Field: "window", Reason: fmt.Sprintf("is %.40q, want one of %s", name, strings.Join(names, ", "))}
}

// current are the evaluations since the start, as they are now: the whole, then its segments.
func (e *evaluator) current() []event.Evaluation {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.all == nil {
		return []event.Evaluation{{Objective: e.objective.Name, Window: "all"}}
	}
	return e.all.evaluations(nil, e.objective.Name, e.model, 0, "")
}
