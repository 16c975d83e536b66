package access

import "github.com/prometheus/client_golang/prometheus"

// newRequests registers the counter of calls, unless reg is nil. Its labels are bounded: names are
// configured.
func newRequests(reg prometheus.Registerer) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "clickloop_http_requests_total",
		Help: "Calls of events, the scorer and administrators (scope), by the name of the client's key (empty without one) and by outcome: allowed, unauthorized (no or a wrong key), forbidden (a key for other calls), and the limit that refused them: key_rate, key_bytes, address_rate, address_bytes.",
	}, []string{"scope", "client", "outcome"})
	if reg != nil {
		reg.MustRegister(c)
	}
	return c
}

func (g *Gate) count(name string, s Scope, o outcome) {
	g.requests.WithLabelValues(string(s), name, string(o)).Inc()
}
