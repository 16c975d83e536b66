package web

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestAnswersAreCountedByStatus(t *testing.T) {
	m := NewMetrics(prometheus.NewRegistry())
	for _, status := range []int{0, 200, 503, 299, 599} {
		m.answered(Public, status)
	}
	f := func(status int, want float64) {
		t.Helper()
		if is := testutil.ToFloat64(m.responses[Public][status]); is != want {
			t.Errorf("%v answers of status %d, want %v", is, status, want)
		}
	}
	m.answered("", 204) // a server without a port is public
	f(200, 2)
	f(204, 1)
	f(503, 1)
	f(0, 2) // other codes
	var none *Metrics
	none.answered(Public, 200)
}
