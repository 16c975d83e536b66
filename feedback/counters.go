package feedback

import "github.com/prometheus/client_golang/prometheus"

// counters are the stage's metrics.
type counters struct {
	examples, repeated, conflicts, revised, outcomes, joined, tokens, shown, refused *prometheus.CounterVec
	held                                                                             *prometheus.GaugeVec
}

func newCounters() *counters {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_feedback_" + name, Help: help}, labels)
	}
	return &counters{
		examples:  counter("examples_total", "Predictions whose label was decided, by objective and label; none means that the trigger did not happen.", "objective", "label"),
		repeated:  counter("repeated_total", "Predictions that were dropped because they repeat an earlier one.", "objective"),
		conflicts: counter("conflicts_total", "Predictions that were dropped because their request already had an answer with another choice.", "objective"),
		revised:   counter("revisions_total", "Negative examples that were revised because their positive event came late.", "objective"),
		outcomes:  counter("outcome_events_total", "Events read from the topic, by result: kept (as the outcome of the prediction that they name, even if it does not exist); other_type (makes no label); no_prediction (names none); token (its signed token is not valid); refused. clickloop_feedback_joined_outcomes_total counts the outcomes that labels were made of.", "result"),
		joined:    counter("joined_outcomes_total", "Outcomes that were found when their prediction was labelled, by objective and event type.", "objective", "event"),
		tokens:    counter("tokens_total", "Events that would label a prediction, by what the check of their signed token found: valid; missing; malformed; unknown_key (signed by another deployment, or by a secret that was taken away); mismatch (altered, or of another prediction); expired. Only valid ones label. Counted with feedback.sign_key only.", "result"),
		shown:     counter("shown_total", "Examples, by objective, by fact of features.shown, and by where its value is from: event (the trigger's event brought it) or none (it is null in the example).", "objective", "fact", "from"),
		refused:   counter("shown_refused_total", "Values that events brought for a fact of features.shown and that are not of its kind, such as a word where a number is served, by fact. They count as not brought.", "fact"),
		held:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_feedback_held", Help: "1 while an alarm holds back the objective's examples, else 0."}, []string{"objective"}),
	}
}

// register adds the metrics to reg, which may be nil.
func (c *counters) register(reg prometheus.Registerer, o *outcomes) {
	if reg == nil {
		return
	}
	reg.MustRegister(c.examples, c.repeated, c.conflicts, c.revised, c.outcomes, c.joined, c.tokens, c.shown, c.refused, c.held)
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "clickloop_feedback_watermark_timestamp_seconds", Help: "Receipt time up to which this process has folded its partitions of events.",
	}, func() float64 {
		t, _ := o.Own(1)
		return float64(t) / 1000
	}))
}

// ofLabeler are the metrics of an objective's labeler.
func (c *counters) ofLabeler(objective string) labelCounters {
	return labelCounters{
		examples: c.examples, joined: c.joined, shown: c.shown,
		repeated: c.repeated.WithLabelValues(objective), conflicts: c.conflicts.WithLabelValues(objective), held: c.held.WithLabelValues(objective),
	}
}
