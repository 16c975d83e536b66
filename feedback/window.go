package feedback

import (
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/event/objective"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/metrics"
)

// Widths of windows.
const (
	minute = event.Time(60_000)
	hour   = 60 * minute
	day    = 24 * hour
)

// maxSegments is how many values of segments a window measures. It leaves out those that come
// later, and tells how many examples have one of these; the whole counts them all the same.
const maxSegments = 200

// window measures the examples of a span of time, as a whole and by segment.
type window struct {
	kind  *objective.Kind
	shown *features.Shown
	name  string
	width event.Time // 0 for all time
	start event.Time
	whole objective.Measure
	tally tally
	parts map[string]*part // by segment name and value
	order []*part          // as they came
	// examples with a segment that is not measured
	leftOut int64
	key     []byte        // scratch of addPoint
	point   metrics.Point // scratch of add
}

// part is a segment: the examples that have one value of one field.
type part struct {
	field   event.Field
	measure objective.Measure
}

func newWindow(kind *objective.Kind, shown *features.Shown, name string, width event.Time) *window {
	w := &window{kind: kind, shown: shown, name: name, width: width}
	w.reset()
	return w
}

func (w *window) reset() {
	w.whole, w.parts, w.order, w.tally, w.leftOut = w.kind.Measure(), map[string]*part{}, nil, tally{}, 0
}

// add counts an example.
func (w *window) add(x *event.Example) {
	w.point = objective.PointOf(x)
	w.addPoint(x, &w.point)
}

// addPoint is add for an example of which objective.PointOf is known.
func (w *window) addPoint(x *event.Example, point *metrics.Point) {
	w.whole.Add(point)
	w.tally.predictions++
	w.tally.add(x, w.shown.Same(x.Features))
	complete := true
	for _, f := range x.Segment {
		w.key = append(append(append(w.key[:0], f.Name...), '='), f.Value.Text()...)
		p := w.parts[string(w.key)]
		if p == nil {
			if len(w.parts) >= maxSegments {
				complete = false
				continue
			}
			p = &part{f, w.kind.Part()}
			w.parts[string(w.key)] = p
			w.order = append(w.order, p)
		}
		p.measure.Add(point)
	}
	if !complete {
		w.leftOut++
	}
}

// passed says whether an example lies behind the window, which is then to be closed. The first
// example gives the window its start.
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

// evaluations appends the evaluation of the whole, then one of each segment.
func (w *window) evaluations(dst []event.Evaluation, name, model string, end event.Time, alarm string) []event.Evaluation {
	whole := w.evaluation(name, model, end, w.whole, nil)
	whole.Alarm = alarm
	dst = append(dst, whole)
	for _, p := range w.order {
		dst = append(dst, w.evaluation(name, model, end, p.measure, event.Fields{p.field}))
	}
	return dst
}

func (w *window) evaluation(name, model string, end event.Time, measure objective.Measure, segment event.Fields) event.Evaluation {
	v := event.Evaluation{Objective: name, Window: w.name, Start: w.start, End: end, Segment: segment, Model: model}
	if measure.Fill(&v); len(segment) == 0 {
		v.SegmentsLeftOut = w.leftOut
	}
	return v
}
