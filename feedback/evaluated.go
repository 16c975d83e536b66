package feedback

import (
	"github.com/clickloop/clickloop/event"
	"github.com/prometheus/client_golang/prometheus"
)

// evaluated tells the figures of the newest window of each name, of the whole and of no segment:
// segments are on the topic, and would be too many series.
type evaluated struct {
	end, examples, positives *prometheus.GaugeVec
	figures                  []figure
}

// figure is a number of evaluations that may be missing, as where there are no positives.
type figure struct {
	gauge *prometheus.GaugeVec
	of    func(*event.Evaluation) *float64
}

func newEvaluated() evaluated {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_feedback_evaluation_" + name, Help: help + " Of the newest window of each name that this process has seen pass: 1m, 1h, 1d, all."}, []string{"objective", "window"})
	}
	return evaluated{
		end:       gauge("end_timestamp_seconds", "End of the window, in the examples' own time, as seconds since 1970."),
		examples:  gauge("examples", "Examples in the window."),
		positives: gauge("positives", "Positive examples in the window."),
		figures: []figure{
			{gauge("log_loss", "Mean log loss of the served probabilities (progressive validation loss), in nats."), func(v *event.Evaluation) *float64 { return v.LogLoss }},
			{gauge("normalized_entropy", "Log loss divided by that of predicting the mean: below 1 is better than the mean."), func(v *event.Evaluation) *float64 { return v.NormalizedEntropy }},
			{gauge("auc", "Area under the ROC curve."), func(v *event.Evaluation) *float64 { return v.AUC }},
			{gauge("predicted_over_actual", "Predicted positives divided by actual ones; 1 is calibrated."), func(v *event.Evaluation) *float64 { return v.PredictedOverActual }},
			{gauge("ece", "Expected calibration error."), func(v *event.Evaluation) *float64 { return v.ECE }},
		},
	}
}

func (e *evaluated) register(reg prometheus.Registerer) {
	reg.MustRegister(e.end, e.examples, e.positives)
	for _, f := range e.figures {
		reg.MustRegister(f.gauge)
	}
}

// note takes evaluations in the order in which their windows passed.
func (e *evaluated) note(passed []event.Evaluation) {
	for i := range passed {
		v := &passed[i]
		if len(v.Segment) > 0 {
			continue
		}
		e.end.WithLabelValues(v.Objective, v.Window).Set(float64(v.End) / 1000)
		e.examples.WithLabelValues(v.Objective, v.Window).Set(float64(v.Examples))
		e.positives.WithLabelValues(v.Objective, v.Window).Set(float64(v.Positives))
		for _, f := range e.figures {
			if value := f.of(v); value != nil {
				f.gauge.WithLabelValues(v.Objective, v.Window).Set(*value)
			} else { // no number is better than that of another window
				f.gauge.DeleteLabelValues(v.Objective, v.Window)
			}
		}
	}
}
