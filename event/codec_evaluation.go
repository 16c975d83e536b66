package event

// AppendJSON appends e as one line of JSON, without a newline. Metrics that are nil, NaN or
// infinite are left out.
func (e *Evaluation) AppendJSON(dst []byte) []byte {
	l := newLine(dst)
	l.must("objective", e.Objective)
	l.must("window", e.Window)
	l.time("start", e.Start)
	l.time("end", e.End)
	l.integer("examples", e.Examples)
	l.integer("positives", e.Positives)
	l.defined("log_loss", e.LogLoss)
	l.defined("normalized_entropy", e.NormalizedEntropy)
	l.defined("auc", e.AUC)
	l.defined("predicted_over_actual", e.PredictedOverActual)
	l.defined("ece", e.ECE)
	l.defined("weight", e.Weight)
	l.defined("predicted", e.Predicted)
	l.defined("actual", e.Actual)
	l.defined("log_loss_sum", e.LogLossSum)
	l.fields("segment", e.Segment, false)
	l.text("model", e.Model)
	l.text("alarm", e.Alarm)
	return l.end()
}

// MarshalJSON is AppendJSON, for encoding/json.
func (e *Evaluation) MarshalJSON() ([]byte, error) { return e.AppendJSON(nil), nil }

// ParseEvaluation reads what AppendJSON writes. An evaluation must have an objective and a window.
func ParseEvaluation(b []byte) (Evaluation, error) {
	var e Evaluation
	err := e.UnmarshalJSON(b)
	return e, err
}

// UnmarshalJSON is ParseEvaluation into e, whose slices are used again: nothing of what e held
// before may still be in use.
func (e *Evaluation) UnmarshalJSON(b []byte) error {
	r := borrow(b, DefaultLimits)
	defer giveBack(r)
	*e = Evaluation{Segment: e.Segment[:0]}
	e.read(r)
	r.need("objective", e.Objective != "")
	r.need("window", e.Window != "")
	return r.End()
}

func (e *Evaluation) read(r *Reader) {
	for r.message(); r.Key(); {
		switch r.Name() {
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
		case "log_loss":
			e.LogLoss = r.defined()
		case "normalized_entropy":
			e.NormalizedEntropy = r.defined()
		case "auc":
			e.AUC = r.defined()
		case "predicted_over_actual":
			e.PredictedOverActual = r.defined()
		case "ece":
			e.ECE = r.defined()
		case "weight":
			e.Weight = r.defined()
		case "predicted":
			e.Predicted = r.defined()
		case "actual":
			e.Actual = r.defined()
		case "log_loss_sum":
			e.LogLossSum = r.defined()
		case "segment":
			e.Segment = r.Fields(e.Segment)
		case "model":
			e.Model = r.Text()
		case "alarm":
			e.Alarm = r.Text()
		default:
			r.Skip()
		}
	}
}

// defined takes a number, or null for a metric that is undefined.
func (r *Reader) defined() *float64 {
	if r.Null() {
		return nil
	}
	f := r.Number()
	return &f
}
