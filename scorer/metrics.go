package scorer

import (
	"errors"

	"github.com/clickloop/clickloop/internal/instrument"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// instruments are the stage's metrics.
type instruments struct {
	requests     *prometheus.CounterVec
	answered     map[string]prometheus.Counter // of requests, by answer
	unknown      prometheus.Counter
	degraded     *prometheus.CounterVec
	noModel      prometheus.Counter // of degraded, as is noProfiles
	noProfiles   prometheus.Counter
	replaced     *prometheus.CounterVec
	predictions  *prometheus.CounterVec
	acknowledged prometheus.Counter // of predictions
	latency      prometheus.Histogram
	weights      *prometheus.CounterVec
	version      *prometheus.GaugeVec
	made         *prometheus.GaugeVec // when the weights came
	breaker      prometheus.Gauge
	refusing     prometheus.Gauge
	queue        prometheus.Gauge
	items        *prometheus.CounterVec
	retrieval    prometheus.Histogram
	registerer   prometheus.Registerer // nil for none
}

func newInstruments(reg prometheus.Registerer) *instruments {
	m := &instruments{
		registerer:  reg,
		requests:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_scorer_requests_total", Help: "Requests, by answer: ok; repeated (the earlier answer was returned again); changed (as repeated, but the request had another user, context or value); conflict (the id was used before with other candidates); refused; busy (refused, since the process has as much work as it can do); unavailable."}, []string{"answer"}),
		unknown:     prometheus.NewCounter(prometheus.CounterOpts{Name: "clickloop_scorer_unknown_fields_total", Help: "Fields of requests that the scorer does not know. Warnings in the answers name them."}),
		degraded:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_scorer_degraded_total", Help: "Calls that were scored without profiles or without weights, by what was missing: profiles, model."}, []string{"missing"}),
		replaced:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_scorer_policy_replaced_total", Help: "Requests for which the greedy policy chose in place of another, by reason: choose (more are to be chosen than the policy can); weights (the network cannot tell how uncertain it is)."}, []string{"reason"}),
		predictions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_scorer_predictions_total", Help: "Predictions, by result: acknowledged; unlogged (too many were waiting, and the request wanted best effort: answered \"logged\":false); lost (Kafka had not acknowledged them when the process ended); spooled (likewise, but kept in the spool); replayed (read from the spool at the start); damaged (lost to damage of the spool); refused (larger than the topic allows)."}, []string{"result"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "clickloop_scorer_call_seconds", Help: "Time from the start of a call to its answer.",
			Buckets: instrument.Latencies(1)}),
		weights: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_scorer_weights_total",
			Help: "Messages read from the model topic, by result: applied; held (older than the served weights); repeated; deposed (from a learner that was replaced); gap (an earlier message is missing); refused; malformed."}, []string{"objective", "result"}),
		version:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_scorer_version_examples", Help: "Number of examples that the served weights have learned."}, []string{"objective"}),
		made:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "clickloop_scorer_version_timestamp_seconds", Help: "Time at which the served weights came from Kafka, as seconds since 1970. Their age is the time since."}, []string{"objective"}),
		breaker:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "clickloop_scorer_breaker_open", Help: "1 while Redis does not answer in time: calls are scored without profiles, and wait for none."}),
		queue:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "clickloop_scorer_queue_seconds", Help: "How long calls queued before they were read, on average in the last moment."}),
		refusing: prometheus.NewGauge(prometheus.GaugeOpts{Name: "clickloop_scorer_refused_ratio", Help: "Share of calls that are refused as busy, since calls queue longer than scorer.max_queue_time."}),
		items: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_scorer_item_records_total",
			Help: "Records read from the topics of catalogues, by result: put; deleted; malformed; full (the catalogue has reached scorer.items.max_items or max_bytes, or has too many fields)."}, []string{"catalogue", "result"}),
		retrieval: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "clickloop_scorer_retrieval_seconds", Help: "Time to find the items of a catalogue that a request is to score, with the profiles of its context.",
			Buckets: instrument.Latencies()}),
	}
	m.begin()
	if reg != nil {
		reg.MustRegister(m.made, m.breaker, m.refusing, m.queue, m.requests, m.unknown, m.degraded, m.replaced, m.predictions, m.latency, m.weights, m.version, m.items, m.retrieval)
	}
	return m
}

// answerNames are the values of the label answer.
var answerNames = []string{"ok", "repeated", "changed", "conflict", "refused", "busy", "unavailable"}

// begin makes the series of counters, so that the first event of each is seen.
func (m *instruments) begin() {
	m.answered = map[string]prometheus.Counter{}
	for _, a := range answerNames {
		m.answered[a] = m.requests.WithLabelValues(a)
	}
	instrument.Begin(m.predictions, []string{"acknowledged", "unlogged", "lost", "spooled", "replayed", "damaged", "refused"})
	instrument.Begin(m.replaced, []string{"choose", "weights"})
	m.acknowledged = m.predictions.WithLabelValues("acknowledged")
	m.noModel, m.noProfiles = m.degraded.WithLabelValues("model"), m.degraded.WithLabelValues("profiles")
}

// observeQueue makes metrics of what waits for Kafka in b.
func (m *instruments) observeQueue(b *stream.Batcher) {
	if m.registerer == nil {
		return
	}
	m.registerer.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "clickloop_scorer_waiting_predictions", Help: "Predictions that wait for Kafka's acknowledgement."}, func() float64 { n, _ := b.Waiting(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "clickloop_scorer_waiting_bytes", Help: "Bytes of predictions that wait for Kafka's acknowledgement. At scorer.max_waiting requests are refused."}, func() float64 { _, n := b.Waiting(); return float64(n) }),
	)
}

// countAnswer counts a request by how it was answered.
func (m *instruments) countAnswer(answer string) { m.answered[answer].Inc() }

// countAnswers counts the requests of a call by how they were answered.
func (m *instruments) countAnswers(c *Call) {
	for i := range c.Requests {
		switch a := &c.Requests[i].Answer; {
		case a.Err == errConflict:
			m.countAnswer("conflict")
		case errors.As(a.Err, new(unavailable)):
			m.countAnswer("unavailable")
		case a.Err != nil:
			m.countAnswer("refused")
		case a.Changed:
			m.countAnswer("changed")
		case a.Repeated:
			m.countAnswer("repeated")
		default:
			m.countAnswer("ok")
		}
	}
}

func (m *instruments) countPredictions(result string, n int) {
	m.predictions.WithLabelValues(result).Add(float64(n))
}

// served notes the version that an objective's requests are answered with.
func (m *instruments) served(objective string, r *replicas) {
	n, at := r.version()
	m.version.WithLabelValues(objective).Set(float64(n))
	m.made.WithLabelValues(objective).Set(float64(at) / 1000)
}
