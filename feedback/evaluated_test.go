package feedback

import (
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestEvaluationsAreToldByObjectiveAndWindow(t *testing.T) {
	e := newEvaluated()
	reg := prometheus.NewRegistry()
	e.register(reg)
	auc, loss := 0.7, 0.2
	e.note([]event.Evaluation{
		{Objective: "click", Window: "1m", End: 60_000, Examples: 10, Positives: 3, AUC: &auc, LogLoss: &loss},
		{Objective: "click", Window: "1m", Segment: event.Fields{{Name: "device"}}, Examples: 4}, // a segment has no series
	})
	if is := testutil.ToFloat64(e.examples.WithLabelValues("click", "1m")); is != 10 {
		t.Errorf("%v examples are told, want 10", is)
	}
	if n, err := testutil.GatherAndCount(reg, "clickloop_feedback_evaluation_auc"); n != 1 || err != nil {
		t.Errorf("%d series of the AUC, want 1 (%v)", n, err)
	}
	e.note([]event.Evaluation{{Objective: "click", Window: "1m", End: 120_000, Examples: 2, LogLoss: &loss}})
	if n, _ := testutil.GatherAndCount(reg, "clickloop_feedback_evaluation_auc"); n != 0 {
		t.Error("the AUC of another window stands where the newest has none")
	}
	if is := testutil.ToFloat64(e.end.WithLabelValues("click", "1m")); is != 120 {
		t.Errorf("the window ends at %v, want 120", is)
	}
}
