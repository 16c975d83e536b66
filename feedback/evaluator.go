package feedback

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/metrics"
	"github.com/clickloop/clickloop/stream"
)

// evaluator folds an objective's examples into metrics and writes them to evaluations: of each minute and hour of the examples' own time when it has
// passed, and of all since the start. The topic is its memory: it begins at the topic's start and leaves out windows that are written already.
type evaluator struct {
	objective event.Objective
	client    *stream.Client
	guard     *guard
	logger    *slog.Logger

	mu    sync.Mutex
	all   *window
	model string
}

// window is a span of time with its metrics.
type window struct {
	name  string
	width event.Time
	start event.Time
	acc   *metrics.Accumulator
	parts map[string]*part // by segment name and value
}

type part struct {
	field event.Field
	acc   *metrics.Accumulator
}

// maxSegments bounds the values of segments that a window tells apart; what comes beyond is left out of the parts, not of the whole.
const maxSegments = 200

func (w *window) add(x *event.Example) {
	w.acc.Add(x.P, x.Y, x.W)
	for _, f := range x.Segment {
		key := f.Name + "=" + f.Value.Text()
		p := w.parts[key]
		if p == nil {
			if len(w.parts) >= maxSegments {
				continue
			}
			p = &part{f, metrics.New()}
			w.parts[key] = p
		}
		p.acc.Add(x.P, x.Y, x.W)
	}
}

func newWindow(name string, width event.Time) *window {
	return &window{name: name, width: width, acc: metrics.New(), parts: map[string]*part{}}
}

const minute = event.Time(60_000)

func (e *evaluator) run(ctx context.Context) error {
	written, err := e.written(ctx)
	if err != nil {
		return err
	}
	for {
		err := e.fold(ctx, written)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e.logger.Warn("cannot evaluate, beginning again", "objective", e.objective.Name, "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
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
		if rg.First = max(rg.First, rg.End-look); rg.First >= rg.End {
			continue
		}
		r := e.client.NewReader(event.TopicEvaluations, p, rg.First)
		for r.Offset() < rg.End {
			records, err := r.Read(ctx)
			if err != nil && !errors.Is(err, stream.ErrTrimmed) {
				return nil, errors.Join(err, r.Close())
			}
			for i := range records {
				if v.UnmarshalJSON(records[i].Value) == nil && v.Objective == e.objective.Name {
					newest[v.Window] = max(newest[v.Window], v.Start)
				}
			}
		}
		_ = r.Close()
	}
	return newest, nil
}

// fold reads the examples from their start.
func (e *evaluator) fold(ctx context.Context, written map[string]event.Time) error {
	var (
		water   event.HighWater
		x       event.Example
		windows = []*window{newWindow("1m", minute), newWindow("1h", 60*minute)}
	)
	e.mu.Lock()
	e.all = newWindow("all", 0)
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
		var out []event.Evaluation
		for i := range records {
			if err := x.UnmarshalJSON(records[i].Value); err != nil || x.Revision || !water.Fresh(x.Source, false) {
				continue // what cannot be read is the learner's to bury
			}
			out = e.add(out, windows, &x, written)
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
		start := x.Time - x.Time%w.width
		if w.start == 0 {
			w.start = start
		}
		if start > w.start {
			out = e.close(out, w, written)
			w.start = start
		}
		w.add(x)
	}
	if e.all.start == 0 || x.Time < e.all.start {
		e.all.start = x.Time
	}
	e.all.add(x)
	e.model = x.Model
	return out
}

// close appends a window's evaluations, and with a minute's those since the start, and empties it.
func (e *evaluator) close(out []event.Evaluation, w *window, written map[string]event.Time) []event.Evaluation {
	end := w.start + w.width
	whole := e.evaluation(w.name, w.start, end, w.acc, nil)
	if w.name == "1m" {
		m := w.acc.Result()
		whole.Alarm = e.guard.cfg.judge(m.Examples, m.PredictedOverActual, !math.IsNaN(m.PredictedOverActual) && !math.IsInf(m.PredictedOverActual, 0))
	}
	if w.start > written[w.name] {
		out = append(out, whole)
		for _, p := range w.parts {
			out = append(out, e.evaluation(w.name, w.start, end, p.acc, event.Fields{p.field}))
		}
		if w.name == "1m" {
			out = append(out, e.evaluation("all", e.all.start, end, e.all.acc, nil))
		}
	}
	w.acc, w.parts = metrics.New(), map[string]*part{}
	return out
}

func (e *evaluator) evaluation(name string, start, end event.Time, acc *metrics.Accumulator, segment event.Fields) event.Evaluation {
	m := acc.Result()
	return event.Evaluation{
		Objective: e.objective.Name, Window: name, Start: start, End: end, Examples: m.Examples, Positives: m.Positives,
		LogLoss: &m.LogLoss, NormalizedEntropy: &m.NormalizedEntropy, AUC: &m.AUC, PredictedOverActual: &m.PredictedOverActual, ECE: &m.ECE,
		Segment: segment, Model: e.model,
	}
}

func (e *evaluator) write(ctx context.Context, out []event.Evaluation) error {
	records := make([]stream.Record, len(out))
	headers := e.client.MessageHeaders(event.SchemaEvaluation)
	for i := range out {
		records[i] = stream.Record{Partition: -1, Key: []byte(out[i].Objective), Value: out[i].AppendJSON(nil), Headers: headers}
		if out[i].Window == "1m" && len(out[i].Segment) == 0 && out[i].Examples >= e.guard.cfg.MinExamples {
			e.guard.observe(out[i].Alarm)
		}
	}
	if err := e.client.Produce(ctx, event.TopicEvaluations, records); err != nil {
		return fmt.Errorf("cannot write evaluations: %w", err)
	}
	return nil
}

// current is the evaluation since the start, as it is now.
func (e *evaluator) current() event.Evaluation {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.all == nil {
		return event.Evaluation{Objective: e.objective.Name, Window: "all"}
	}
	return e.evaluation("all", e.all.start, 0, e.all.acc, nil)
}
