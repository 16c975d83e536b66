// Package instrument holds what the metrics of all stages have in common: the buckets of latencies,
// and counters that begin at 0.
//
// The one invariant: a series exists before its first event. Prometheus computes increase() from
// two samples, so an event that creates its series is invisible to every alert.
package instrument

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// latencies are the upper bounds of buckets, in seconds, from 0.25 ms to 250 ms: a scorer answers
// within a few milliseconds, and an auction waits for about a hundred.
var latencies = []float64{.00025, .0005, .001, .002, .003, .005, .0075, .01, .015, .025, .05, .1, .25}

// Latencies returns the buckets of a request's duration in seconds. Longer ones are added behind
// 250 ms, for calls that may take longer.
func Latencies(longer ...float64) []float64 { return slices.Concat(latencies, longer) }

// Begin makes the series of a counter for every combination of the values of its labels, each at 0.
// The values of each label are given in the order of the counter's labels.
func Begin(c *prometheus.CounterVec, values ...[]string) *prometheus.CounterVec {
	begin(c, nil, values)
	return c
}

func begin(c *prometheus.CounterVec, before []string, values [][]string) {
	if len(values) == 0 {
		c.WithLabelValues(before...)
		return
	}
	for _, v := range values[0] {
		begin(c, append(slices.Clip(before), v), values[1:])
	}
}

// Register adds collectors to reg, unless it is nil.
func Register(reg prometheus.Registerer, all ...prometheus.Collector) {
	if reg != nil {
		reg.MustRegister(all...)
	}
}
