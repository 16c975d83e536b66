package feedback

import (
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/metrics"
)

// Spans of evaluations.
const (
	minute = event.Time(60_000)
	hour   = 60 * minute
	day    = 24 * hour
)

// maxSegments bounds the values of segments that a window tells apart; what comes beyond is left
// out of the parts, not of the whole.
const maxSegments = 200

// window is a span of time with its metrics.
type window struct {
	name  string
	width event.Time // 0 for all time
	start event.Time
	acc   *metrics.Accumulator
	tally tally
	parts map[string]*part // by segment name and value
	order []*part          // as they came
}

type part struct {
	field event.Field
	acc   *metrics.Accumulator
}

func newWindow(name string, width event.Time) *window {
	w := &window{name: name, width: width}
	w.reset()
	return w
}

func (w *window) reset() {
	w.acc, w.parts, w.order, w.tally = metrics.New(), map[string]*part{}, nil, tally{}
}

// add counts an example that was served a probability.
func (w *window) add(x *event.Example) {
	w.acc.Add(x.P, x.Y, x.W)
	t := tally{predictions: 1, examples: 1, expected: x.P, weight: x.W, predicted: x.W * x.P}
	if x.Y > 0 {
		t.positives, t.actual = 1, x.W
	}
	w.tally = w.tally.plus(t)
	for _, f := range x.Segment {
		key := f.Name + "=" + f.Value.Text()
		p := w.parts[key]
		if p == nil {
			if len(w.parts) >= maxSegments {
				continue
			}
			p = &part{f, metrics.New()}
			w.parts[key] = p
			w.order = append(w.order, p)
		}
		p.acc.Add(x.P, x.Y, x.W)
	}
}

// passed says whether an example lies behind the window, which is then to be closed; the first
// example opens it.
func (w *window) passed(x *event.Example) bool {
	if w.width == 0 {
		if w.start == 0 || x.Time < w.start {
			w.start = x.Time
		}
		return false
	}
	start := x.Time - x.Time%w.width
	if w.start == 0 {
		w.start = start
	}
	return start > w.start
}

// open empties the window for the span of x.
func (w *window) open(x *event.Example) {
	w.start = x.Time - x.Time%w.width
	w.reset()
}

// evaluations appends what the window measures as a whole, and of each of its segments.
func (w *window) evaluations(dst []event.Evaluation, objective, model string, end event.Time, alarm string) []event.Evaluation {
	whole := w.evaluation(objective, model, end, w.acc, nil)
	whole.Alarm = alarm
	dst = append(dst, whole)
	for _, p := range w.order {
		dst = append(dst, w.evaluation(objective, model, end, p.acc, event.Fields{p.field}))
	}
	return dst
}

func (w *window) evaluation(objective, model string, end event.Time, acc *metrics.Accumulator, segment event.Fields) event.Evaluation {
	m, sums := acc.Result(), acc.Sums()
	return event.Evaluation{
		Objective: objective, Window: w.name, Start: w.start, End: end, Examples: m.Examples, Positives: m.Positives,
		LogLoss: &m.LogLoss, NormalizedEntropy: &m.NormalizedEntropy, AUC: &m.AUC, PredictedOverActual: &m.PredictedOverActual, ECE: &m.ECE,
		Weight: &sums.Weight, Predicted: &sums.Predicted, Actual: &sums.Actual, LogLossSum: &sums.Loss,
		Segment: segment, Model: model,
	}
}
