package event

// Evaluation is a set of metrics over a window of examples (topic evaluations, key: Objective). A
// metric that is undefined is nil: no NaN is written.
type Evaluation struct {
	Objective string
	Window    string // "1m", "1h", "1d", "all", "guard", "block", or "networks"
	Start     Time
	End       Time
	Examples  int64
	Positives int64
	Users     int64 // users that GAUC is made of
	// examples of the whole that have a segment which is not measured, since there are too many
	SegmentsLeftOut     int64
	LogLoss             *float64
	NormalizedEntropy   *float64
	AUC                 *float64
	PredictedOverActual *float64
	ECE                 *float64
	Brier               *float64 // mean of (p-y)^2
	AveragePrecision    *float64 // area under the curve of precision over recall, as steps
	// AUC within users, weighted by their examples; users of one class are left out
	GAUC *float64
	Lift *float64 // rate of positives in the tenth that is scored highest, over that of all
	// How far AUC, AveragePrecision, ECE and a tenth of Lift may be off, since scores were counted
	// in bins; nil when each score was kept.
	RankError *float64
	// Intervals with a confidence of 95%; nil where none can be told.
	LogLossInterval             *Interval
	NormalizedEntropyInterval   *Interval
	AUCInterval                 *Interval
	PredictedOverActualInterval *Interval
	Calibration                 []CalibrationBin // in the order of scores, of about equal weight
	// Examples by their probability: Scores[i] is up to ScoreEdges[i], the last one above all.
	Scores []int64
	// Sums over the examples, which add up over windows: weights, weighted probabilities, weighted
	// labels, weighted log loss. A window has all of them; an evaluation of the guard has no loss.
	Weight     *float64
	Predicted  *float64
	Actual     *float64
	LogLossSum *float64
	Segment    Fields
	Model      string
	Alarm      string // what left its band; empty when nothing did

	// Network is the network that a block is about, or the first of two that are compared. Empty is
	// the default network.
	Network string
	Versus  string // the second of two networks
	Offsets *[2]int64
	// Difference is the mean log loss of Versus less that of Network, over the same examples.
	Difference         *float64
	DifferenceInterval *Interval // holds at all times at once, however long one watches
	Better             string    // which of the two is better: "network", "versus", or empty while undecided
}

// Interval is a lower and an upper end.
type Interval [2]float64

// CalibrationBin is a part of the examples, with its sums by weight.
type CalibrationBin struct{ Weight, Predicted, Actual float64 }

// ScoreEdges are the upper edges of the parts of Evaluation.Scores but the last.
var ScoreEdges = [...]float64{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}
