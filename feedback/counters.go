package feedback

import "github.com/prometheus/client_golang/prometheus"

// counters are the stage's metrics.
type counters struct {
	examples, repeated, conflicts, revised, outcomes, joined *prometheus.CounterVec
	held                                                     *prometheus.GaugeVec
}

func newCounters() *counters {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_feedback_" + name, Help: help}, labels)
	}
	return &counters{
		examples:  counter("examples_total", "Predictions that were decided, by objective and label; none means that the trigger did not happen.", "objective", "label"),
		repeated:  counter("repeated_total", "Predictions that came before and were dropped.", "objective"),
		conflicts: counter("conflicts_total", "Predictions that were dropped because their request was answered with another choice before.", "objective"),
		revised:   counter("revisions_total", "Negatives that were taken back because their positive came late.", "objective"),
		outcomes:  counter("outcome_events_total", "Events from the topic: kept as the outcome of the prediction that they name, whether or not there is one; of a type that makes no label; without a prediction; or refused. The counter joined_outcomes_total has what labels were made of.", "result"),
		joined:    counter("joined_outcomes_total", "Outcomes that were found when their prediction was labelled, by objective and type of event.", "objective", "event"),
		held:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_feedback_held", Help: "1 while an alarm holds examples back."}, []string{"objective"}),
	}
}

// register adds the metrics to reg, which may be nil.
func (c *counters) register(reg prometheus.Registerer, o *outcomes) {
	if reg == nil {
		return
	}
	reg.MustRegister(c.examples, c.repeated, c.conflicts, c.revised, c.outcomes, c.joined, c.held)
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "clickloop_feedback_watermark_timestamp_seconds", Help: "Received time up to which the partitions of events that this process folds are folded.",
	}, func() float64 {
		t, _ := o.Own(1)
		return float64(t) / 1000
	}))
}

// ofLabeler are the metrics of an objective's labeler.
func (c *counters) ofLabeler(objective string) labelCounters {
	return labelCounters{
		examples: c.examples, joined: c.joined,
		repeated: c.repeated.WithLabelValues(objective), conflicts: c.conflicts.WithLabelValues(objective), held: c.held.WithLabelValues(objective),
	}
}
