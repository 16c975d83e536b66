package feedback

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/event/objective"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/metrics"
	"github.com/clickloop/clickloop/internal/retry"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

// evaluator measures an objective's examples and writes evaluations: of each minute, hour and day
// of the examples' own time once it has passed, and of all since the start. Of all since the start
// it writes the whole each minute and the segments each hour.
//
// The topics are its memory: it reads examples from their start, and leaves out windows that are in
// evaluations already. Every process does that, to answer /v1/evaluation; the one that owns the
// examples' partition in the group writes. A process that becomes the owner reads from the start
// again, so that no window is missing between the last owner's and its own.
type evaluator struct {
	*task
	guard  Guard
	seen   *evaluated
	owner  atomic.Bool
	gained chan struct{} // has room for one: this process has become the owner

	mu    sync.Mutex
	all   *window
	model string
	point metrics.Point // scratch of add
	// the newest window of each name that has passed; one without width: none has
	passed map[string]window
}

func (e *evaluator) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return e.join(ctx) })
	group.Go(func() error { return e.evaluate(ctx) })
	return group.Wait()
}

// join keeps owner true while this process owns the examples' partition.
func (e *evaluator) join(ctx context.Context) error {
	topic := event.TopicExamples(e.objective.Name)
	return e.client.Join(ctx, "evaluations."+e.objective.Name, []string{topic}, func(ctx context.Context, g *stream.Generation) error {
		owner := g.Has(topic, 0)
		if before := e.owner.Swap(owner); owner && !before {
			select {
			case e.gained <- struct{}{}:
			default: // the last one is not taken yet
			}
		}
		<-ctx.Done()
		return ctx.Err()
	})
}

// evaluate folds examples until ctx ends, from the start whenever this process becomes the owner.
func (e *evaluator) evaluate(ctx context.Context) error {
	for {
		if err := e.foldUntilGained(ctx); err != nil && ctx.Err() == nil {
			e.logger.Warn("cannot evaluate, beginning again", "err", err)
			retry.Sleep(ctx, time.Second) // ctx is asked below
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

var errGained = errors.New("this process owns the examples' partition now")

// foldUntilGained returns nil when this process has become the owner.
func (e *evaluator) foldUntilGained(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-e.gained:
			cancel(errGained)
		case <-ctx.Done():
		}
	}()
	err := e.fold(ctx)
	cancel(nil)
	<-watched
	if context.Cause(ctx) == errGained {
		return nil
	}
	return err
}

// writtenRange is how many offsets of evaluations are read at once, from the end, until the newest
// minute is found. Blocks of networks that are learned anew may stand behind it.
const writtenRange = 100_000

// written returns the newest start of each name of window that is in evaluations. It reads step
// offsets at once.
func (e *evaluator) written(ctx context.Context, step int64) (map[string]event.Time, error) {
	newest := map[string]event.Time{}
	ranges, err := e.client.Offsets(ctx, event.TopicEvaluations)
	if err != nil {
		return nil, err
	}
	var v event.Evaluation
	for p, rg := range ranges {
		for to := rg.End; to > rg.First && newest["1m"] == 0; to -= step {
			err := e.client.ReadRange(ctx, event.TopicEvaluations, p, max(rg.First, to-step), to, func(r *stream.Record) error {
				if v.UnmarshalJSON(r.Value) == nil && v.Objective == e.objective.Name {
					newest[v.Window] = max(newest[v.Window], v.Start)
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return newest, nil
}

// isWritten says whether a window that is to be closed is in evaluations. Windows are written in
// order, and minutes before the hours and days that end with them. So the newest minute proves that
// every window which ended before it is written, even a day that lies too far back to be found.
func isWritten(w *window, newest map[string]event.Time) bool {
	return w.start <= newest[w.name] || w.start+w.width <= newest["1m"]
}

// fold reads the examples from their start.
func (e *evaluator) fold(ctx context.Context) error {
	// a process that becomes the owner meanwhile begins again, with what the last owner has written
	owner := e.owner.Load()
	written, err := e.written(ctx, writtenRange)
	if err != nil {
		return err
	}
	var (
		water   event.HighWater
		x       event.Example
		windows = []*window{newWindow(e.kind, e.shown, "1m", minute), newWindow(e.kind, e.shown, "1h", hour), newWindow(e.kind, e.shown, "1d", day)}
		out     []event.Evaluation
	)
	e.mu.Lock()
	e.all, e.passed = newWindow(e.kind, e.shown, "all", 0), map[string]window{}
	for _, w := range windows {
		e.passed[w.name] = window{name: w.name}
	}
	e.mu.Unlock()
	r := e.client.NewReader(event.TopicExamples(e.objective.Name), 0, 0).As("evaluations." + e.objective.Name)
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
				continue // the learner writes the dead letters of what cannot be read
			}
			if x.P == 0 && x.Model == "" {
				continue // predicted for other objectives only: there is nothing to measure
			}
			out = e.add(out, windows, &x, written)
		}
		e.seen.note(out)
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
	e.point = objective.PointOf(x)
	for _, w := range windows {
		if w.passed(x) {
			if !isWritten(w, written) {
				out = e.close(out, w)
			}
			e.passed[w.name] = *w // open gives w parts of its own
			w.open(x)
		}
		w.addPoint(x, &e.point)
	}
	e.all.passed(x)
	e.all.addPoint(x, &e.point)
	e.model = x.Model
	return out
}

// close appends a window's evaluations; with a minute and an hour, those of all since the start.
func (e *evaluator) close(out []event.Evaluation, w *window) []event.Evaluation {
	end := w.start + w.width
	name := e.objective.Name
	switch w.name {
	case "1d":
		return w.evaluations(out, name, e.model, end, "")
	case "1m":
		out = w.evaluations(out, name, e.model, end, e.guard.judge(w.tally))
		return append(out, e.all.evaluation(name, e.model, end, e.all.whole, nil))
	default:
		out = w.evaluations(out, name, e.model, end, "")
		// the whole comes with the minute
		return append(out, e.all.evaluations(nil, name, e.model, end, "")[1:]...)
	}
}

// write writes evaluations if this process is the owner. While ownership moves, two processes may
// write the same windows, with the same numbers: these follow from the examples alone.
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
	// no dead letters: evaluations can be computed again from the examples
	if large := (*stream.TooLargeError)(nil); errors.As(err, &large) {
		e.logger.Error("evaluations were not written: they are larger than their topic takes", "count", len(large.Records), "err", large)
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot write evaluations: %w", err)
	}
	return nil
}

// newest returns the evaluations of the newest window of a name that has passed, or of all since
// the start: the whole, then its segments. The error lists the names of windows.
func (e *evaluator) newest(name string) ([]event.Evaluation, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	none := []event.Evaluation{{Objective: e.objective.Name, Window: name}}
	if name == "" || name == "all" {
		if e.all == nil {
			none[0].Window = "all"
			return none, nil
		}
		return e.all.evaluations(nil, e.objective.Name, e.model, 0, ""), nil
	}
	if w, ok := e.passed[name]; ok {
		if w.width == 0 {
			return none, nil
		}
		return w.evaluations(nil, e.objective.Name, e.model, w.start+w.width, ""), nil
	}
	names := append(slices.Sorted(maps.Keys(e.passed)), "all")
	return nil, field.Wrong("window", "is %.40q, want one of %s", name, strings.Join(names, ", "))
}
