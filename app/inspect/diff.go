package inspect

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

// Difference is what changed from one model to another.
type Difference struct {
	From      string    `json:"from"`
	To        string    `json:"to"`
	Examples  int64     `json:"examples"` // learned in between
	SameBytes bool      `json:"same_bytes"`
	Settings  []Setting `json:"settings"` // that differ
	// examples on which predictions are compared
	Compared   int     `json:"compared"`
	MeanChange float64 `json:"mean_change"`          // of p
	MeanSize   float64 `json:"mean_size"`            // of the change
	Largest    float64 `json:"largest"`              // change
	LargestAt  string  `json:"largest_at,omitempty"` // the prediction
	// whose influence changed most: second minus first
	Features []Influence `json:"features,omitempty"`
}

// Setting is one that differs.
type Setting struct {
	Name string `json:"name"`
	From string `json:"from"`
	To   string `json:"to"`
}

// Diff compares models by their settings and by what they predict of examples.
func Diff(a, b *Model, examples []event.Example) (Difference, error) {
	d := Difference{From: a.Version(), To: b.Version(), Examples: b.Weights.Examples() - a.Weights.Examples(), Compared: len(examples)}
	d.SameBytes = a.SnapshotHash() == b.SnapshotHash() && a.Deltas == 0 && b.Deltas == 0
	var err error
	if d.Settings, err = settings(a.Weights.Config(), b.Weights.Config()); err != nil {
		return d, err
	}
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
	return d, nil
}

// moved lists features by how much their influence changed.
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

// settings lists what differs between two configurations, by the names of the configuration file.
func settings(a, b model.Config) ([]Setting, error) {
	x, err := flat(a)
	if err != nil {
		return nil, err
	}
	y, err := flat(b)
	if err != nil {
		return nil, err
	}
	names := maps.Clone(x)
	maps.Copy(names, y)
	var differ []Setting
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if x[name] != y[name] {
			differ = append(differ, Setting{name, x[name], y[name]})
		}
	}
	return differ, nil
}

// flat gives a configuration's values by dotted names.
func flat(c model.Config) (map[string]string, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(b, &tree); err != nil {
		return nil, err
	}
	values := map[string]string{}
	flatten(values, "", tree)
	return values, nil
}

func flatten(values map[string]string, name string, v any) {
	below := func(part string) string {
		if name == "" {
			return part
		}
		return name + "." + part
	}
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			flatten(values, below(k), inner)
		}
	case []any:
		for i, inner := range v {
			flatten(values, below(strconv.Itoa(i)), inner)
		}
	case nil:
	default:
		values[name] = fmt.Sprint(v)
	}
}
