package learner

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// instruments are the stage's metrics. The label objective is a NetworkKey: the objective, and
// another network than the default one behind a dot.
type instruments struct {
	examples  *prometheus.CounterVec // by objective and what became of them
	published *prometheus.CounterVec // bytes by objective and kind
	version   *prometheus.GaugeVec
	behind    *prometheus.GaugeVec
	late      *prometheus.GaugeVec
	pause     *prometheus.HistogramVec // by what learning stood still for
	tokens    *prometheus.GaugeVec
	fields    *prometheus.GaugeVec
	expired   *prometheus.GaugeVec
	slots     *prometheus.GaugeVec
	loss      *prometheus.CounterVec
	judged    *prometheus.CounterVec
	unsaved   *prometheus.CounterVec
}

func newInstruments(reg prometheus.Registerer) *instruments {
	m := &instruments{
		examples:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_learner_examples_total", Help: "Examples by what became of them: learned, repeated, refused, trimmed."}, []string{"objective", "result"}),
		published: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_learner_published_bytes_total", Help: "Bytes written to the model topic."}, []string{"objective", "kind"}),
		version:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_version_examples", Help: "Examples in the weights published last."}, []string{"objective"}),
		behind:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_behind_examples", Help: "Examples in the topic that are not learned yet."}, []string{"objective"}),
		late:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_behind_seconds", Help: "Age of the newest example when it was learned."}, []string{"objective"}),
		pause:     prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "clickloop_learner_pause_seconds", Help: "How long learning stood still at a time, by what for: publish, checkpoint, question.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 12)}, []string{"cause"}),
		tokens:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_table_tokens", Help: "Tokens that have records of their own; model.table_bits allows 2^table_bits, and later ones share the records of a pool."}, []string{"objective"}),
		fields:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_fields", Help: "Fields that are known; model.max_fields are allowed, and later ones share the last."}, []string{"objective"}),
		expired:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_table_expired_tokens", Help: "Tokens that lost their records because they did not come for model.expiry examples."}, []string{"objective"}),
		slots:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_hashed_fill_ratio", Help: "Share of the hashed weights (pairs, linear parts) in use at the last checkpoint: the chance that a new one collides."}, []string{"objective"}),
		loss:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_learner_log_loss_total", Help: "Sum of the log losses of predictions made before their labels were learned, by weight; its rate over that of clickloop_learner_judged_weight_total is the progressive log loss."}, []string{"objective"}),
		judged:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_learner_judged_weight_total", Help: "Sum of the weights of these predictions."}, []string{"objective"}),
	}
	m.unsaved = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_learner_checkpoint_failures_total", Help: "Checkpoints that could not be written: after a crash, learning begins again at the one before."}, []string{"objective"})
	if reg != nil {
		reg.MustRegister(m.examples, m.published, m.version, m.behind, m.late, m.pause, m.tokens, m.fields, m.expired, m.slots, m.loss, m.judged, m.unsaved)
	}
	return m
}

// marker returns a function that notes what a loop spends its time with, from one call to the next.
func (m *instruments) marker() func(what string) {
	last := time.Now()
	publish, checkpoint, question := m.pause.WithLabelValues("publish"), m.pause.WithLabelValues("checkpoint"), m.pause.WithLabelValues("question")
	return func(what string) {
		now := time.Now()
		took := now.Sub(last)
		last = now
		if took < 50*time.Microsecond {
			return // it had nothing to do
		}
		switch what {
		case "publish":
			publish.Observe(took.Seconds())
		case "checkpoint":
			checkpoint.Observe(took.Seconds())
		case "question":
			question.Observe(took.Seconds())
		}
	}
}
