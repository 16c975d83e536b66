package run

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// idle is a stage that does nothing, and is ready or not.
type idle struct{ err error }

func (*idle) Register(_, _ *http.ServeMux)  {}
func (*idle) Run(context.Context) error     { return nil }
func (s *idle) Ready(context.Context) error { return s.err }

func TestReadinessIsToldByStage(t *testing.T) {
	scorer := &idle{errors.New("no weights yet")}
	l := &Loop{registry: prometheus.NewRegistry(), stages: []stage{&idle{}, scorer}}
	l.names = []string{"ingest", "scorer"}
	c := newCondition(l, true)
	f := func(ingest, scorer float64) {
		t.Helper()
		c.ask(t.Context())
		if a, b := testutil.ToFloat64(c.ready.WithLabelValues("ingest")), testutil.ToFloat64(c.ready.WithLabelValues("scorer")); a != ingest || b != scorer {
			t.Errorf("ingest %v, scorer %v; want %v and %v", a, b, ingest, scorer)
		}
	}
	f(1, 0)
	scorer.err = nil
	f(1, 1)
	if testutil.ToFloat64(c.recorded) != 1 {
		t.Error("a loop in recorded time does not say so")
	}
	for _, set := range l.setRecorded {
		set(false)
	}
	if testutil.ToFloat64(c.recorded) != 0 {
		t.Error("the loop has gone over to wall time and does not say so")
	}
}

func TestTheBuildIsNamed(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(newBuildInfo("1.2.3"))
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{}
	for _, l := range families[0].GetMetric()[0].GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	if labels["version"] != "1.2.3" || labels["revision"] == "" || labels["goversion"] == "" {
		t.Errorf("labels %v", labels)
	}
}
