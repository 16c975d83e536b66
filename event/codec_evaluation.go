package event

// AppendJSON appends e as one line of JSON, without a newline. Metrics that are nil, NaN or
// infinite are left out.
func (e *Evaluation) AppendJSON(dst []byte) []byte {
	l := newLine(dst)
	l.Text("objective", e.Objective)
	l.Text("window", e.Window)
	l.time("start", e.Start)
	l.time("end", e.End)
	l.Integer("examples", e.Examples)
	l.Integer("positives", e.Positives)
	l.DefinedNumber("log_loss", e.LogLoss)
	l.DefinedNumber("normalized_entropy", e.NormalizedEntropy)
	l.DefinedNumber("auc", e.AUC)
	l.DefinedNumber("predicted_over_actual", e.PredictedOverActual)
	l.DefinedNumber("ece", e.ECE)
	l.DefinedNumber("weight", e.Weight)
	l.DefinedNumber("predicted", e.Predicted)
	l.DefinedNumber("actual", e.Actual)
	l.DefinedNumber("log_loss_sum", e.LogLossSum)
	l.optionalFacts("segment", e.Segment)
	l.OptionalText("model", e.Model)
	l.OptionalText("alarm", e.Alarm)
	return l.End()
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
