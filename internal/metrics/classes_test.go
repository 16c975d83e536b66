package metrics

import (
	"math"
	"reflect"
	"testing"
)

// The figures are those of scikit-learn's classification_report and log_loss, which anyone can
// check by hand.
func TestMetricsOfClassesAreThoseByHand(t *testing.T) {
	c := NewClasses(3)
	for _, e := range []struct {
		p     []float64
		class int
		w     float64
	}{
		{[]float64{0.7, 0.2, 0.1}, 0, 1},
		{[]float64{0.2, 0.5, 0.3}, 0, 1},
		{[]float64{0.1, 0.8, 0.1}, 1, 2},
		{[]float64{0.4, 0.4, 0.2}, 1, 1}, // equal: the first
	} {
		c.Add(e.p, e.class, e.w)
	}
	r := c.Result()
	near(t, "log loss", r.LogLoss, -(math.Log(0.7)+math.Log(0.2)+2*math.Log(0.8)+math.Log(0.4))/5, 1e-12)
	near(t, "normalized entropy", r.NormalizedEntropy, r.LogLoss/-(0.4*math.Log(0.4)+0.6*math.Log(0.6)), 1e-12)
	near(t, "accuracy", r.Accuracy, 3.0/5, 1e-12)
	want := []ClassScore{{1.0 / 2, 1.0 / 2, 1.0 / 2, 2}, {2.0 / 3, 2.0 / 3, 2.0 / 3, 3}, {math.NaN(), math.NaN(), math.NaN(), 0}}
	for i, w := range want {
		got := r.Classes[i]
		near(t, "precision", got.Precision, w.Precision, 1e-12)
		near(t, "recall", got.Recall, w.Recall, 1e-12)
		near(t, "F1", got.F1, w.F1, 1e-12)
		near(t, "support", got.Support, w.Support, 0)
	}
	near(t, "macro precision", r.Macro.Precision, (1.0/2+2.0/3)/2, 1e-12)
	near(t, "macro recall", r.Macro.Recall, (1.0/2+2.0/3)/2, 1e-12)
	near(t, "macro F1", r.Macro.F1, (1.0/2+2.0/3)/2, 1e-12)
	if want := [][]float64{{1, 1, 0}, {1, 2, 0}, {0, 0, 0}}; r.Examples != 4 || !reflect.DeepEqual(r.Confusion, want) {
		t.Errorf("%d examples, confusion %v, want 4, %v", r.Examples, r.Confusion, want)
	}
}

// A class that is only predicted lowers the macro averages, one that is not predicted has no
// precision.
func TestClassesThatAreOnlyPredictedOrNeverCountAsNothing(t *testing.T) {
	c := NewClasses(3)
	c.Add([]float64{0, 1, 0}, 0, 1)
	r := c.Result()
	near(t, "log loss", r.LogLoss, -math.Log(clamp), 1e-9)
	near(t, "precision of what was never predicted", r.Classes[0].Precision, math.NaN(), 0)
	near(t, "recall of what never was", r.Classes[1].Recall, math.NaN(), 0)
	near(t, "macro F1", r.Macro.F1, 0, 0)
	near(t, "macro recall", r.Macro.Recall, 0, 0)
	near(t, "normalized entropy of one class", r.NormalizedEntropy, math.NaN(), 0)
	near(t, "accuracy of nothing", NewClasses(2).Result().Accuracy, math.NaN(), 0)
}

func TestTheConfusionMatrixIsBounded(t *testing.T) {
	if r := NewClasses(MaxConfusion).Result(); len(r.Confusion) != MaxConfusion {
		t.Errorf("%d rows, want %d", len(r.Confusion), MaxConfusion)
	}
	many := NewClasses(MaxConfusion + 1)
	many.Add(make([]float64, MaxConfusion+1), MaxConfusion, 1)
	if r := many.Result(); r.Confusion != nil || r.Classes[MaxConfusion].Support != 1 {
		t.Errorf("%v, want no matrix above %d classes", r.Confusion, MaxConfusion)
	}
}
