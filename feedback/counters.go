package feedback

import (
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/instrument"
	"github.com/prometheus/client_golang/prometheus"
)

// counters are the stage's metrics.
type counters struct {
	examples, repeated, conflicts, revised, outcomes, joined, tokens, shown, refused *prometheus.CounterVec
	held                                                                             *prometheus.GaugeVec

	predicted, actual *prometheus.CounterVec
	delay, waiting    *prometheus.GaugeVec
	alarm             *prometheus.GaugeVec
	rewound           prometheus.Counter
	evaluated         evaluated
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
		predicted: counter("predicted_positives_total", "Sum of the served probabilities of examples, each by its weight, when their labels were written. Its increase divided by that of clickloop_feedback_actual_positives_total is predicted over actual.", "objective"),
		actual:    counter("actual_positives_total", "Sum of the labels of examples, each by its weight, when they were written. Both sums leave out examples that were shown otherwise than predicted.", "objective"),
		delay:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_feedback_label_delay_seconds", Help: "How long the oldest prediction of the last batch had been due when its label was written: its window had ended, and labels waited for the watermark. Recorded times have none."}, []string{"objective"}),
		waiting:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_feedback_waiting_predictions", Help: "Predictions that are read and wait in memory for their label. Those behind them wait in Kafka."}, []string{"objective"}),
		rewound:   prometheus.NewCounter(prometheus.CounterOpts{Name: "clickloop_feedback_rewinds_total", Help: "Times that a partition of events was folded again from before what this process had folded: the store of outcomes was emptied or restored, or did not keep outcomes for long enough."}),
		evaluated: newEvaluated(),
		alarm:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_feedback_alarm", Help: "1 while the guard raises an alarm about the objective's labels, whether it holds them back or not, else 0."}, []string{"objective"}),
		held:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_feedback_held", Help: "1 while an alarm holds back the objective's examples, else 0."}, []string{"objective"}),
	}
}

// register adds the metrics to reg, which may be nil.
func (c *counters) register(reg prometheus.Registerer, o *outcomes) {
	if reg == nil {
		return
	}
	instrument.Begin(c.outcomes, []string{"kept", "other_type", "no_prediction", "token", "refused"})
	c.evaluated.register(reg)
	reg.MustRegister(c.alarm, c.predicted, c.actual, c.delay, c.waiting, c.rewound, &watermarkOf{outcomes: o, desc: prometheus.NewDesc("clickloop_feedback_watermark_timestamp_seconds",
		"Receipt time up to which this process has folded its partitions of events, as seconds since 1970; recorded time in a replay. A process that folds none any more, as while Kafka is away, keeps its last one; one that never did has none.", nil, nil)})
	reg.MustRegister(c.examples, c.repeated, c.conflicts, c.revised, c.outcomes, c.joined, c.tokens, c.shown, c.refused, c.held)
}

// watermarkOf collects the watermark of a process. It keeps the last one: while Kafka is away a
// process folds no partition, and a series that vanished then would let an alert sleep.
type watermarkOf struct {
	outcomes *outcomes
	desc     *prometheus.Desc
	last     atomic.Int64 // milliseconds
}

// Describe implements prometheus.Collector.
func (w *watermarkOf) Describe(ch chan<- *prometheus.Desc) { ch <- w.desc }

// Collect implements prometheus.Collector.
func (w *watermarkOf) Collect(ch chan<- prometheus.Metric) {
	if t, ok := w.outcomes.Own(1); ok && t > 0 {
		w.last.Store(int64(t))
	}
	if t := w.last.Load(); t > 0 {
		ch <- prometheus.MustNewConstMetric(w.desc, prometheus.GaugeValue, float64(t)/1000)
	}
}

// ofLabeler are the metrics of an objective's labeler.
func (c *counters) ofLabeler(objective string) labelCounters {
	none, positive, negative := c.examples.WithLabelValues(objective, "none"), c.examples.WithLabelValues(objective, "positive"), c.examples.WithLabelValues(objective, "negative")
	c.revised.WithLabelValues(objective)
	return labelCounters{
		none: none, positive: positive, negative: negative, predicted: c.predicted.WithLabelValues(objective), actual: c.actual.WithLabelValues(objective),
		alarm: c.alarm.WithLabelValues(objective), delay: c.delay.WithLabelValues(objective), waiting: c.waiting.WithLabelValues(objective), joined: c.joined, shown: c.shown,
		repeated: c.repeated.WithLabelValues(objective), conflicts: c.conflicts.WithLabelValues(objective), held: c.held.WithLabelValues(objective),
	}
}

// delayed notes how long the oldest of due predictions had been due.
func (c *labelCounters) delayed(due, now event.Time) {
	c.delay.Set(max(time.Duration(now-due)*time.Millisecond, 0).Seconds())
}

func (c *labelCounters) noteAlarm(alarm string) {
	if alarm != "" {
		c.alarm.Set(1)
	} else {
		c.alarm.Set(0)
	}
}
