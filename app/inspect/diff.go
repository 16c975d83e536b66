package inspect

import (
	"math"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

// Difference is what changed from one model to another.
type Difference struct {
	From      string `json:"from"`
	To        string `json:"to"`
	Examples  int64  `json:"examples"` // learned in between
	SameBytes bool   `json:"same_bytes"`
	// whose values differ
	Settings []model.Difference `json:"settings"`

	Compared   int     `json:"compared"`             // examples that both have predicted
	MeanChange float64 `json:"mean_change"`          // of the probability
	MeanSize   float64 `json:"mean_size"`            // of these changes, without their sign
	Largest    float64 `json:"largest"`              // of these changes
	LargestAt  string  `json:"largest_at,omitempty"` // its prediction
	// change of their influence, the largest first
	Features []Influence `json:"features,omitempty"`
}

// Diff compares models by their settings and by their predictions of examples.
func Diff(a, b *Model, examples []event.Example) Difference {
	d := Difference{From: a.Version(), To: b.Version(), Examples: b.Weights.Examples() - a.Weights.Examples(), Compared: len(examples)}
	d.SameBytes = a.SnapshotHash() == b.SnapshotHash() && a.Deltas == 0 && b.Deltas == 0
	d.Settings = a.Weights.Config().Differences(b.Weights.Config())
	sa, sb := a.Weights.NewScratch(), b.Weights.NewScratch()
	var x []model.Feature
	for i := range examples {
		x = features.Encode(x[:0], examples[i].Features)
		change := b.Weights.Predict(x, sb) - a.Weights.Predict(x, sa)
		d.MeanChange += change / float64(len(examples))
		d.MeanSize += math.Abs(change) / float64(len(examples))
		if math.Abs(change) > math.Abs(d.Largest) {
			d.Largest, d.LargestAt = change, examples[i].Prediction
		}
	}
	d.Features = moved(a, b, examples)
	return d
}

// moved lists the features by the change of their influence.
func moved(a, b *Model, examples []event.Example) []Influence {
	before, _ := Influences(a.Weights, examples)
	after, _ := Influences(b.Weights, examples)
	was := map[string]Influence{}
	for _, f := range before {
		was[f.Feature] = f
	}
	for i := range after {
		f := &after[i]
		f.Mean -= was[f.Feature].Mean
		f.Absolute -= was[f.Feature].Absolute
	}
	slices.SortStableFunc(after, func(x, y Influence) int {
		return int(math.Copysign(1, math.Abs(y.Absolute)+math.Abs(y.Mean)-math.Abs(x.Absolute)-math.Abs(x.Mean)))
	})
	return after
}
