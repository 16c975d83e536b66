package learner

import (
	"time"

	"github.com/clickloop/clickloop/internal/instrument"
	"github.com/clickloop/clickloop/model"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// instruments are the metrics of the stage. The label objective is a NetworkKey: the objective, and
// after a dot the network, unless it is the default one.
type instruments struct {
	examples    *prometheus.CounterVec // by objective and what became of them
	published   *prometheus.CounterVec // bytes by objective and kind
	version     *prometheus.GaugeVec
	behind      *prometheus.GaugeVec
	late        *prometheus.GaugeVec
	pause       *prometheus.HistogramVec // by what learning waited for
	tokens      *prometheus.GaugeVec
	fields      *prometheus.GaugeVec
	expired     *prometheus.GaugeVec
	slots       *prometheus.GaugeVec
	slices      *prometheus.GaugeVec // of the calibration, by whether they are in force
	unsliced    *prometheus.GaugeVec
	loss        *prometheus.CounterVec
	judged      *prometheus.CounterVec
	unsaved     *prometheus.CounterVec
	made, saved *prometheus.GaugeVec   // when
	blocks      *prometheus.CounterVec // by objective and result
}

func newInstruments(reg prometheus.Registerer) *instruments {
	f := promauto.With(reg)
	return &instruments{
		examples:  f.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_learner_examples_total", Help: "Examples read from the topic, by result: learned, repeated, refused, trimmed."}, []string{"objective", "result"}),
		published: f.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_learner_published_bytes_total", Help: "Bytes written to the model topic."}, []string{"objective", "kind"}),
		version:   f.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_version_examples", Help: "Number of examples that the last published weights have learned."}, []string{"objective"}),
		behind:    f.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_behind_examples", Help: "Examples on the topic that are not learned yet."}, []string{"objective"}),
		late:      f.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_behind_seconds", Help: "Age of the newest example at the time it was learned."}, []string{"objective"}),
		pause:     f.NewHistogramVec(prometheus.HistogramOpts{Name: "clickloop_learner_pause_seconds", Help: "Duration of each pause of learning, by cause: publish, checkpoint, question (a request for the learner's state).", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 12)}, []string{"cause"}),
		tokens:    f.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_table_tokens", Help: "Tokens with their own entry in the table. The table holds 2^table_bits of them (model.table_bits); later tokens share the entries of a pool."}, []string{"objective"}),
		fields:    f.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_fields", Help: "Fields that the network knows, at most model.max_fields. Later fields share the last one."}, []string{"objective"}),
		expired:   f.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_table_expired_tokens", Help: "Tokens that lost their entries because they did not occur in model.expiry examples."}, []string{"objective"}),
		slots:     f.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_hashed_fill_ratio", Help: "Share of the hashed weights (pairs, linear parts) that were in use at the last checkpoint. It is the probability that a new weight collides."}, []string{"objective"}),
		slices:    f.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_calibration_slices", Help: "Slices of the calibration by state: in_force, or waiting for enough labels. At most model.calibration.max_slices."}, []string{"objective", "state"}),
		unsliced:  f.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_calibration_refused_examples", Help: "Examples whose slice was beyond model.calibration.max_slices. They have the calibration of the parent slice."}, []string{"objective"}),
		loss:      f.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_learner_log_loss_total", Help: "Weighted sum of the log losses of predictions made before their labels were learned. Its rate divided by the rate of clickloop_learner_judged_weight_total is the progressive log loss."}, []string{"objective"}),
		judged:    f.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_learner_judged_weight_total", Help: "Sum of the weights of the predictions that clickloop_learner_log_loss_total counts."}, []string{"objective"}),
		blocks:    f.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_learner_blocks_total", Help: "Blocks of the progressive validation loss for the topic evaluations, by result: written, or lost, which the comparison of networks leaves out."}, []string{"objective", "result"}),
		made:      f.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_version_timestamp_seconds", Help: "Time at which Kafka acknowledged the last published weights, as seconds since 1970."}, []string{"objective"}),
		saved:     f.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_learner_checkpoint_timestamp_seconds", Help: "Time at which the last checkpoint was written, as seconds since 1970. There is none before the first one of this process."}, []string{"objective"}),
		unsaved:   f.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_learner_checkpoint_failures_total", Help: "Checkpoints that could not be written. After a crash, the learner resumes from the checkpoint before."}, []string{"objective"}),
	}
}

// begin makes the series of a network's counters.
func (m *instruments) begin(key string) {
	instrument.Begin(m.examples, []string{key}, append(verdictNames[:], "trimmed"))
	for _, c := range []*prometheus.CounterVec{m.loss, m.judged, m.unsaved} {
		c.WithLabelValues(key)
	}
}

// count counts what became of a batch, and the loss of its predictions: the difference of all
// losses before and after it.
func (m *instruments) count(key string, o *outcome, before, after loss) {
	for v, n := range o.counts {
		if n > 0 {
			m.examples.WithLabelValues(key, verdictNames[v]).Add(float64(n))
		}
	}
	m.loss.WithLabelValues(key).Add(max(after.sum-before.sum, 0))
	m.judged.WithLabelValues(key).Add(after.weight - before.weight)
}

// measure sets the gauges of the lag and of the network's table.
func (m *instruments) measure(key string, l *lag, use *model.Occupancy) {
	m.behind.WithLabelValues(key).Set(float64(l.examples))
	m.late.WithLabelValues(key).Set(l.age.Seconds())
	m.tokens.WithLabelValues(key).Set(float64(use.Tokens))
	m.fields.WithLabelValues(key).Set(float64(use.Fields))
	m.expired.WithLabelValues(key).Set(float64(use.Expired))
	m.slots.WithLabelValues(key).Set(float64(use.Slots) / float64(max(use.MaxSlots, 1)))
	m.slices.WithLabelValues(key, "in_force").Set(float64(use.SlicesInForce))
	m.slices.WithLabelValues(key, "waiting").Set(float64(use.Slices - use.SlicesInForce))
	m.unsliced.WithLabelValues(key).Set(float64(use.SlicesRefused))
}

// tracer returns a function for the loop. It observes the time since its last call, when the loop
// has spent it on one of the causes of the metric.
func (m *instruments) tracer() func(cause string) {
	last := time.Now()
	causes := map[string]prometheus.Observer{}
	for _, cause := range []string{"publish", "checkpoint", "question"} {
		causes[cause] = m.pause.WithLabelValues(cause)
	}
	return func(cause string) {
		now := time.Now()
		took := now.Sub(last)
		last = now
		// with less there was nothing to do
		if histogram := causes[cause]; histogram != nil && took >= 50*time.Microsecond {
			histogram.Observe(took.Seconds())
		}
	}
}

// lag is how far the learner is behind the examples topic, and what was logged about it.
type lag struct {
	examples  int64         // in the topic that are not learned yet
	age       time.Duration // of the newest example when it was learned
	logged    time.Time
	tableFull bool // was logged
}

// logLag measures the lag after a batch and the use of the network's table. It logs a lag that
// matters once in ten seconds, and a full table once.
func (l *learning) logLag(b *batch, now time.Time) {
	l.lag.examples = max(b.end-l.at.Next, 0)
	if len(b.examples) > 0 {
		l.lag.age = max(now.Sub(b.newest), 0)
	}
	use := l.net.Occupancy()
	l.o.metrics.measure(l.o.key, &l.lag, &use)
	if use.Pooled && !l.lag.tableFull {
		l.lag.tableFull = true
		l.o.logger.Warn("the network's table is full: new tokens share records from now on; model.admission and model.expiry keep tokens out that hardly come, a larger model.table_bits has room for more; either starts a new network", "tokens", use.Tokens, "max_tokens", use.MaxTokens)
	}
	if l.lag.examples > farBehind && now.Sub(l.lag.logged) > 10*time.Second {
		l.lag.logged = now
		l.o.logger.Warn("the learner is behind the examples", "examples", l.lag.examples, "seconds", int64(l.lag.age.Seconds()), "learned", l.net.Examples(), "published", max(l.publisher.published, l.takeover.published))
	}
}
