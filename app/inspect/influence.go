package inspect

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// Influence is how far a feature, or one of its values, moves predictions: the contributions of
// model.Explain over the examples that have it. It is the same measure for every kind of network,
// and the one that answers are explained with.
type Influence struct {
	Feature  string  `json:"feature"`
	Value    string  `json:"value,omitempty"` // of a string; empty for the whole feature
	Examples int     `json:"examples"`
	Mean     float64 `json:"mean"`     // shift of the logit; above 0 towards the positive
	Absolute float64 `json:"absolute"` // mean size of the shift
}

// influences sums up shifts by feature, or by feature and value.
type influences map[[2]string]*Influence

func (m influences) add(feature, value string, shift float64) {
	key := [2]string{feature, value}
	f := m[key]
	if f == nil {
		f = &Influence{Feature: feature, Value: value}
		m[key] = f
	}
	f.Examples++
	f.Mean += shift
	f.Absolute += math.Abs(shift)
}

// means returns the means of the sums, the strongest first.
func (m influences) means() (list []Influence) {
	for _, f := range m {
		n := float64(f.Examples)
		list = append(list, Influence{f.Feature, f.Value, f.Examples, f.Mean / n, f.Absolute / n})
	}
	slices.SortFunc(list, stronger)
	return list
}

// Influences measures features, and values of features, over examples. The strongest comes first.
func Influences(w *model.Replica, examples []event.Example) (byFeature, byValue []Influence) {
	whole, values := influences{}, influences{}
	s := w.NewScratch()
	var x []model.Feature
	var why model.Explanation
	for i := range examples {
		x = features.Encode(x[:0], examples[i].Features)
		w.Explain(&why, x, s)
		for _, f := range examples[i].Features {
			hash := model.FieldHash(f.Name)
			at := slices.IndexFunc(why.Contributions, func(c model.Contribution) bool { return c.Field == hash })
			if at < 0 {
				continue // one of very many fields, which are explained together
			}
			shift := why.Contributions[at].Shift
			whole.add(f.Name, "", shift)
			if f.Value.Kind == event.String {
				values.add(f.Name, f.Value.Str, shift)
			}
		}
	}
	return whole.means(), values.means()
}

func stronger(a, b Influence) int {
	return cmp.Or(cmp.Compare(b.Absolute, a.Absolute), cmp.Compare(a.Feature, b.Feature), cmp.Compare(a.Value, b.Value))
}

// RecentExamples reads the last n records of an objective's topic, and skips those that are no
// examples.
func RecentExamples(ctx context.Context, client *stream.Client, objective string, n int64) ([]event.Example, error) {
	topic := event.TopicExamples(objective)
	if err := client.CheckTopic(ctx, stream.Topic{Name: topic, Partitions: 1}); err != nil {
		// checked first, since Offsets waits until the topic exists
		return nil, fmt.Errorf("cannot read the examples of %q: %w", objective, err)
	}
	ranges, err := client.Offsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	var examples []event.Example
	err = client.ReadRange(ctx, topic, 0, max(ranges[0].First, ranges[0].End-n), ranges[0].End, func(r *stream.Record) error {
		if e, err := event.ParseExample(r.Value); err == nil {
			examples = append(examples, e)
		}
		return nil
	})
	return examples, err
}

// FileExamples reads the first n examples of a file of JSON lines, such as the output of kcat for
// an examples topic.
func FileExamples(path string, n int) ([]event.Example, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var examples []event.Example
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for line := 1; lines.Scan() && len(examples) < n; line++ {
		e, err := event.ParseExample(lines.Bytes())
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, line, err)
		}
		examples = append(examples, e)
	}
	return examples, lines.Err()
}
