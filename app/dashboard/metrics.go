package dashboard

import "github.com/prometheus/client_golang/prometheus"

// instruments are the metrics of the dashboard.
type instruments struct {
	clients   prometheus.Gauge
	refused   prometheus.Counter
	dropped   prometheus.Counter
	records   prometheus.Counter
	malformed *prometheus.CounterVec
	collect   prometheus.Histogram
}

func newInstruments(reg prometheus.Registerer) *instruments {
	m := &instruments{
		clients:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "clickloop_dashboard_clients", Help: "Clients that watch the dashboard's stream."}),
		refused:   prometheus.NewCounter(prometheus.CounterOpts{Name: "clickloop_dashboard_refused_total", Help: "Streams that were refused because dashboard.max_clients were open."}),
		dropped:   prometheus.NewCounter(prometheus.CounterOpts{Name: "clickloop_dashboard_dropped_total", Help: "Streams that were ended because their client did not read in time."}),
		records:   prometheus.NewCounter(prometheus.CounterOpts{Name: "clickloop_dashboard_records_total", Help: "Records that the dashboard has read."}),
		malformed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_dashboard_malformed_total", Help: "Records of a topic that the dashboard could not read, and passed over."}, []string{"topic"}),
		collect: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "clickloop_dashboard_collect_seconds", Help: "Time to read the topics for one state of the dashboard.",
			Buckets: []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 3}}),
	}
	if reg != nil {
		reg.MustRegister(m.clients, m.refused, m.dropped, m.records, m.malformed, m.collect)
	}
	return m
}
