package instrument

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestCountersBeginAtZero(t *testing.T) {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "drops_total", Help: "Drops."}, []string{"stage", "reason"})
	Begin(c, []string{"a", "b"}, []string{"late", "large"})
	want := `# HELP drops_total Drops.
# TYPE drops_total counter
drops_total{reason="large",stage="a"} 0
drops_total{reason="large",stage="b"} 0
drops_total{reason="late",stage="a"} 0
drops_total{reason="late",stage="b"} 0
`
	if err := testutil.CollectAndCompare(c, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

func TestLatenciesRiseAndAreNotShared(t *testing.T) {
	longer := Latencies(1, 2)
	if !slices.IsSorted(longer) || longer[0] != .00025 || longer[len(longer)-1] != 2 {
		t.Errorf("the buckets are %v", longer)
	}
	if all := Latencies(); all[len(all)-1] != .25 {
		t.Errorf("the buckets are %v after others asked for longer ones", all)
	}
}

func TestWithoutARegistererNothingIsRegistered(t *testing.T) {
	Register(nil, prometheus.NewGauge(prometheus.GaugeOpts{Name: "g"}))
	reg := prometheus.NewRegistry()
	Register(reg, prometheus.NewGauge(prometheus.GaugeOpts{Name: "g", Help: "G."}))
	if n, err := testutil.GatherAndCount(reg, "g"); n != 1 || err != nil {
		t.Errorf("%d series, %v", n, err)
	}
}
