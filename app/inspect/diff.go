package inspect

import (
	"cmp"
	"math"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

// Difference compares two models.
type Difference struct {
	From      string             `json:"from"`
	To        string             `json:"to"`
	Examples  int64              `json:"examples"` // learned in between
	SameBytes bool               `json:"same_bytes"`
	Settings  []model.Difference `json:"settings"` // those that differ

	Compared   int         `json:"compared"`             // examples that both models predicted
	MeanChange float64     `json:"mean_change"`          // of the probability
	MeanSize   float64     `json:"mean_size"`            // mean of the changes without their signs
	Largest    float64     `json:"largest"`              // the change of the largest size
	LargestAt  string      `json:"largest_at,omitempty"` // id of its prediction
	Features   []Influence `json:"features,omitempty"`   // changes of influence, the largest first
}

// Diff compares two models by their settings and by their predictions of examples.
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
	d.Features = changes(a, b, examples)
	return d
}

// changes returns how the influence of each feature changed, the largest change first.
func changes(a, b *Model, examples []event.Example) []Influence {
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
	size := func(f Influence) float64 { return math.Abs(f.Absolute) + math.Abs(f.Mean) }
	slices.SortStableFunc(after, func(x, y Influence) int { return cmp.Compare(size(y), size(x)) })
	return after
}
