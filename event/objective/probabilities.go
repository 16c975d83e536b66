package objective

import (
	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/metrics"
)

// wholeSize is what is kept of all examples: beyond metrics.Whole, 65,536 examples of users.
var wholeSize = func() metrics.Size {
	s := metrics.Whole
	s.Users, s.Edges = 1<<16, event.ScoreEdges[:]
	return s
}()

// PointOf returns an example as measures take it. The id of its prediction is its identity in the
// bootstrap.
func PointOf(x *event.Example) metrics.Point {
	return metrics.NewPoint(x.P, x.Y, x.W, xxhash.Sum64String(x.Prediction), uint64(x.UserHash))
}

// probabilities measures predictions that are probabilities of the label 1.
func probabilities(size metrics.Size) Measure {
	acc := metrics.NewSized(size)
	return Measure{Add: acc.AddPoint, Fill: func(v *event.Evaluation) {
		m, sums := acc.Result(), acc.Sums()
		v.Examples, v.Positives, v.Users = m.Examples, m.Positives, int64(m.Users)
		v.LogLoss, v.NormalizedEntropy, v.AUC = metrics.Defined(m.LogLoss), metrics.Defined(m.NormalizedEntropy), metrics.Defined(m.AUC)
		v.PredictedOverActual, v.ECE, v.Brier = metrics.Defined(m.PredictedOverActual), metrics.Defined(m.ECE), metrics.Defined(m.Brier)
		v.AveragePrecision, v.GAUC, v.Lift = metrics.Defined(m.AveragePrecision), metrics.Defined(m.GAUC), metrics.Defined(m.Lift)
		if !m.Exact {
			v.RankError = metrics.Defined(m.RankError())
		}
		i := acc.Intervals(&m)
		v.LogLossInterval, v.NormalizedEntropyInterval = interval(i.LogLoss), interval(i.NormalizedEntropy)
		v.AUCInterval, v.PredictedOverActualInterval = interval(i.AUC), interval(i.PredictedOverActual)
		v.Weight, v.Predicted, v.Actual, v.LogLossSum = &sums.Weight, &sums.Predicted, &sums.Actual, &sums.Loss
		if v.Scores = acc.Histogram(); v.Scores != nil {
			for _, p := range m.Parts {
				v.Calibration = append(v.Calibration, event.CalibrationBin(p))
			}
		}
	}}
}

// interval is i for a message, nil when it is undefined.
func interval(i metrics.Interval) *event.Interval {
	if metrics.Defined(i[0]) == nil || metrics.Defined(i[1]) == nil {
		return nil
	}
	return (*event.Interval)(&i)
}
