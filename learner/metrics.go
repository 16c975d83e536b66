package learner

import "github.com/prometheus/client_golang/prometheus"

// instruments are the stage's metrics.
type instruments struct {
	examples  *prometheus.CounterVec // by objective and what became of them
	published *prometheus.CounterVec // bytes by objective and kind
	version   *prometheus.GaugeVec
	behind    *prometheus.GaugeVec
	late      *prometheus.GaugeVec
	pause     prometheus.Histogram
	tokens    *prometheus.GaugeVec
	fields    *prometheus.GaugeVec
	expired   *prometheus.GaugeVec
	slots     *prometheus.GaugeVec
}

func newInstruments(reg prometheus.Registerer) *instruments {
	m := &instruments{
		examples:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_learner_examples_total", Help: "Examples by what became of them: learned, repeated, refused, trimmed."}, []string{"objective", "result"}),
		published: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_learner_published_bytes_total", Help: "Bytes written to the model topic."}, []string{"objective", "kind"}),
		version:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_version_examples", Help: "Examples in the weights published last."}, []string{"objective"}),
		behind:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_behind_examples", Help: "Examples in the topic that are not learned yet."}, []string{"objective"}),
		late:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_behind_seconds", Help: "Age of the newest example when it was learned."}, []string{"objective"}),
		pause:     prometheus.NewHistogram(prometheus.HistogramOpts{Name: "clickloop_learner_checkpoint_pause_seconds", Help: "How long learning stood still at a time while the state was copied for a checkpoint.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 12)}),
		tokens:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_table_tokens", Help: "Tokens that have records of their own; model.table_bits allows 2^table_bits, and later ones share the records of a pool."}, []string{"objective"}),
		fields:    prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_fields", Help: "Fields that are known; model.max_fields are allowed, and later ones share the last."}, []string{"objective"}),
		expired:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_table_expired_tokens", Help: "Tokens that lost their records because they did not come for model.expiry examples."}, []string{"objective"}),
		slots:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_hashed_fill_ratio", Help: "Share of the hashed weights (pairs, linear parts) in use at the last checkpoint: the chance that a new one collides."}, []string{"objective"}),
	}
	if reg != nil {
		reg.MustRegister(m.examples, m.published, m.version, m.behind, m.late, m.pause, m.tokens, m.fields, m.expired, m.slots)
	}
	return m
}
