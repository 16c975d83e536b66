package ingest

import (
	"github.com/clickloop/clickloop/internal/instrument"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the metrics of the collector.
type metrics struct {
	verdicts                      *prometheus.CounterVec // of refused requests
	accepted, rejected            prometheus.Counter     // its series of events
	latency                       prometheus.Histogram
	unknown, unreadable, replaced prometheus.Counter // what senders were warned of
}

// newMetrics registers the metrics, unless reg is nil.
func newMetrics(reg prometheus.Registerer) metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	c := metrics{
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "clickloop_ingest_collected_total", Help: "Events received over HTTP, by verdict. The verdicts refused, limited and unavailable count requests instead.",
		}, []string{"verdict"}),
		unknown:    counter("clickloop_ingest_unknown_fields_total", "Fields of events received over HTTP that the collector does not know. Warnings in the answers name them."),
		unreadable: counter("clickloop_ingest_unreadable_fields_total", "Fields in Segment's form, such as revenue, whose values cannot be used. Warnings in the answers name them."),
		replaced:   counter("clickloop_ingest_replaced_characters_total", "Halves of characters (lone surrogates) in events received over HTTP that were replaced by U+FFFD."),
	}
	c.latency = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "clickloop_ingest_request_seconds", Help: "Time from a request that brings events to its answer, which waits for Kafka's acknowledgement.", Buckets: instrument.Latencies(1, 5),
	})
	instrument.Begin(c.verdicts, []string{"accepted", "rejected", "refused", "limited", "unavailable"})
	c.accepted, c.rejected = c.verdicts.WithLabelValues("accepted"), c.verdicts.WithLabelValues("rejected")
	instrument.Register(reg, c.verdicts, c.unknown, c.unreadable, c.replaced, c.latency)
	return c
}

// warned counts the warnings of an answer.
func (c *metrics) warned(w *warnings) {
	c.unknown.Add(float64(w.unknown))
	c.unreadable.Add(float64(w.unreadable))
	c.replaced.Add(float64(w.replaced))
}
