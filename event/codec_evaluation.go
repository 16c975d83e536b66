package event

import (
	"strconv"

	"github.com/clickloop/clickloop/internal/strictjson"
)

// AppendJSON appends e as one line of JSON, without a newline.
func (e *Evaluation) AppendJSON(dst []byte) []byte {
	l := newLine(dst)
	l.Text("objective", e.Objective)
	l.Text("window", e.Window)
	l.time("start", e.Start)
	l.time("end", e.End)
	l.Integer("examples", e.Examples)
	l.Integer("positives", e.Positives)
	l.OptionalInteger("users", e.Users)
	l.OptionalInteger("segments_left_out", e.SegmentsLeftOut)
	for _, m := range e.metrics() {
		l.DefinedNumber(m.name, *m.value)
	}
	for _, m := range e.intervals() {
		l.interval(m.name, *m.value)
	}
	l.calibration(e.Calibration)
	l.counts("scores", e.Scores)
	l.optionalFacts("segment", e.Segment)
	l.OptionalText("model", e.Model)
	l.OptionalText("alarm", e.Alarm)
	l.OptionalText("network", e.Network)
	l.OptionalText("versus", e.Versus)
	if e.Offsets != nil {
		l.counts("offsets", e.Offsets[:])
	}
	l.OptionalText("better", e.Better)
	return l.End()
}

type namedMetric struct {
	name  string
	value **float64
}

// metrics are the numbers of e in the order in which they are written.
func (e *Evaluation) metrics() [15]namedMetric {
	return [...]namedMetric{
		{"log_loss", &e.LogLoss},
		{"normalized_entropy", &e.NormalizedEntropy},
		{"auc", &e.AUC},
		{"predicted_over_actual", &e.PredictedOverActual},
		{"ece", &e.ECE},
		{"brier", &e.Brier},
		{"average_precision", &e.AveragePrecision},
		{"gauc", &e.GAUC},
		{"lift", &e.Lift},
		{"rank_error", &e.RankError},
		{"weight", &e.Weight},
		{"predicted", &e.Predicted},
		{"actual", &e.Actual},
		{"log_loss_sum", &e.LogLossSum},
		{"difference", &e.Difference},
	}
}

type namedInterval struct {
	name  string
	value **Interval
}

func (e *Evaluation) intervals() [5]namedInterval {
	return [...]namedInterval{
		{"log_loss_interval", &e.LogLossInterval},
		{"normalized_entropy_interval", &e.NormalizedEntropyInterval},
		{"auc_interval", &e.AUCInterval},
		{"predicted_over_actual_interval", &e.PredictedOverActualInterval},
		{"difference_interval", &e.DifferenceInterval},
	}
}

// interval adds i unless it is nil or has an end that is no finite number.
func (l *line) interval(name string, i *Interval) {
	if i == nil || !strictjson.Finite(i[0]) || !strictjson.Finite(i[1]) {
		return
	}
	l.Key(name)
	l.Buf = append(l.Buf, '[')
	l.Buf = strictjson.AppendNumber(l.Buf, i[0])
	l.Buf = append(l.Buf, ',')
	l.Buf = strictjson.AppendNumber(l.Buf, i[1])
	l.Buf = append(l.Buf, ']')
}

func (l *line) calibration(bins []CalibrationBin) {
	if len(bins) == 0 {
		return
	}
	l.Key("calibration")
	l.Buf = append(l.Buf, '[')
	for i := range bins {
		if i > 0 {
			l.Buf = append(l.Buf, ',')
		}
		inner := newLine(l.Buf)
		inner.Number("weight", bins[i].Weight)
		inner.Number("predicted", bins[i].Predicted)
		inner.Number("actual", bins[i].Actual)
		l.Buf = inner.End()
	}
	l.Buf = append(l.Buf, ']')
}

func (l *line) counts(name string, counts []int64) {
	if len(counts) == 0 {
		return
	}
	l.Key(name)
	l.Buf = append(l.Buf, '[')
	for i, n := range counts {
		if i > 0 {
			l.Buf = append(l.Buf, ',')
		}
		l.Buf = strconv.AppendInt(l.Buf, n, 10)
	}
	l.Buf = append(l.Buf, ']')
}

// MarshalJSON is AppendJSON, for encoding/json.
func (e *Evaluation) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

// ParseEvaluation reads what AppendJSON writes. An evaluation must have an objective and a window.
func ParseEvaluation(b []byte) (Evaluation, error) {
	var e Evaluation
	err := e.UnmarshalJSON(b)
	return e, err
}

// UnmarshalJSON is ParseEvaluation into e. The slices of e are used again, so nothing that e held
// before may still be in use.
func (e *Evaluation) UnmarshalJSON(b []byte) error {
	r := acquire(b, DefaultLimits)
	defer r.release()
	*e = Evaluation{Segment: e.Segment[:0], Calibration: e.Calibration[:0], Scores: e.Scores[:0]}
	e.read(r)
	r.need("objective", e.Objective != "")
	r.need("window", e.Window != "")
	return r.End()
}

func (e *Evaluation) read(r *Reader) {
	for r.message(); r.Key(); {
		switch name := r.Name(); name {
		case "objective":
			e.Objective = r.Text()
		case "window":
			e.Window = r.Text()
		case "start":
			e.Start = r.Time()
		case "end":
			e.End = r.Time()
		case "examples":
			e.Examples = r.Integer()
		case "positives":
			e.Positives = r.Integer()
		case "users":
			e.Users = r.Integer()
		case "segments_left_out":
			e.SegmentsLeftOut = r.Integer()
		case "calibration":
			e.Calibration = r.calibration(e.Calibration)
		case "scores":
			e.Scores = r.counts(e.Scores)
		case "segment":
			e.Segment = r.Fields(e.Segment)
		case "model":
			e.Model = r.Text()
		case "alarm":
			e.Alarm = r.Text()
		case "network":
			e.Network = r.Text()
		case "versus":
			e.Versus = r.Text()
		case "offsets":
			if o := r.counts(nil); len(o) == 2 {
				e.Offsets = &[2]int64{o[0], o[1]}
			} else {
				r.FailField("offsets", "has not two numbers")
			}
		case "better":
			e.Better = r.Text()
		default:
			e.readMetric(r, name)
		}
	}
}

func (e *Evaluation) readMetric(r *Reader, name string) {
	for _, m := range e.metrics() {
		if m.name == name {
			*m.value = r.defined()
			return
		}
	}
	for _, m := range e.intervals() {
		if m.name == name {
			*m.value = r.interval()
			return
		}
	}
	r.Skip()
}

// interval reads an array of two numbers.
func (r *Reader) interval() *Interval {
	var ends []float64
	for r.Array(); r.Element(); {
		ends = append(ends, r.Number())
	}
	if len(ends) != 2 {
		r.Fail("has not two numbers")
		return nil
	}
	return &Interval{ends[0], ends[1]}
}

func (r *Reader) calibration(dst []CalibrationBin) []CalibrationBin {
	for r.Array(); r.Element(); {
		var b CalibrationBin
		for r.Object(); r.Key(); {
			switch r.Name() {
			case "weight":
				b.Weight = r.Number()
			case "predicted":
				b.Predicted = r.Number()
			case "actual":
				b.Actual = r.Number()
			default:
				r.Skip()
			}
		}
		dst = append(dst, b)
	}
	return dst
}

func (r *Reader) counts(dst []int64) []int64 {
	for r.Array(); r.Element(); {
		dst = append(dst, r.Integer())
	}
	return dst
}
