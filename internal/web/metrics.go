package web

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Port is one of the two ports of a process.
type Port string

// The ports of a process. A Server without a Port is public.
const (
	Public Port = "public"
	Admin  Port = "admin"
)

// Reasons why a server closes a connection.
const (
	closedFull      = "full"
	closedReplaced  = "replaced"
	closedMemory    = "memory"
	closedNoRequest = "no_request"
	closedBody      = "body"
	closedAnswer    = "answer"
)

// Reasons why a port refuses a call.
const (
	OtherPort   = "other_port"
	Host        = "host"
	Origin      = "origin"
	ContentType = "content_type"
)

// Metrics count what servers close and refuse. A nil Metrics counts nothing.
type Metrics struct {
	open            *prometheus.GaugeVec
	closed, refused *prometheus.CounterVec
	responses       map[Port]map[int]prometheus.Counter // by status
}

// NewMetrics registers the metrics of the servers of a process.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "clickloop_http_connections", Help: "Open connections, by port: public, admin.",
		}, []string{"port"}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "clickloop_http_closed_total",
			Help: "Connections that the server closed, by port and reason: full (a new one found no room); replaced (the longest idle one made room); memory (it held unsent bodies or unread answers the longest); no_request (no header came in time); body (no whole body came in time); answer (the answer was not read in time).",
		}, []string{"port", "reason"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "clickloop_http_refused_total",
			Help: "Calls that a port refused before any stage saw them, by port and reason: other_port (the other port has the call); host, origin, content_type (the call could come from a page in a browser).",
		}, []string{"port", "reason"}),
	}
	responses := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "clickloop_http_responses_total", Help: "Answers, by port and status code; other stands for codes that no handler is known to use.",
	}, []string{"port", "code"})
	m.responses = map[Port]map[int]prometheus.Counter{}
	for _, p := range []Port{Public, Admin} {
		m.responses[p] = map[int]prometheus.Counter{0: responses.WithLabelValues(string(p), "other")}
		for _, code := range codes {
			m.responses[p][code] = responses.WithLabelValues(string(p), strconv.Itoa(code))
		}
		m.open.WithLabelValues(string(p))
		for _, reason := range []string{closedFull, closedReplaced, closedMemory, closedNoRequest, closedBody, closedAnswer} {
			m.closed.WithLabelValues(string(p), reason)
		}
	}
	reg.MustRegister(m.open, m.closed, m.refused, responses)
	return m
}

// codes are the statuses that handlers of stages answer with.
var codes = []int{
	http.StatusOK, http.StatusAccepted, http.StatusNoContent, http.StatusFound, http.StatusNotModified,
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed,
	http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusTooManyRequests,
	http.StatusInternalServerError, http.StatusServiceUnavailable,
}

// answered counts an answer by its status; 0 is that of a handler that set none.
func (m *Metrics) answered(p Port, status int) {
	if m == nil {
		return
	}
	if status == 0 {
		status = http.StatusOK
	}
	if p == "" {
		p = Public
	}
	of := m.responses[p]
	c := of[status]
	if c == nil {
		c = of[0]
	}
	if c != nil {
		c.Inc()
	}
}

// Refused counts a call.
func (m *Metrics) Refused(p Port, reason string) {
	if m != nil {
		m.refused.WithLabelValues(string(p), reason).Inc()
	}
}

// close counts a connection that the server closes.
func (m *Metrics) close(p Port, reason string) {
	if m != nil {
		m.closed.WithLabelValues(string(p), reason).Inc()
	}
}

// opened counts open connections, n more.
func (m *Metrics) opened(p Port, n float64) {
	if m != nil {
		m.open.WithLabelValues(string(p)).Add(n)
	}
}
