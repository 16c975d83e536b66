package inspect

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// Influence is how much a feature, or one of its values, moves predictions: model.Explain, over the
// examples that have it. It does not depend on the parts that the network is made of.
type Influence struct {
	Feature  string  `json:"feature"`
	Value    string  `json:"value,omitempty"` // of a string; empty for the whole feature
	Examples int     `json:"examples"`
	Mean     float64 `json:"mean"`     // towards the positive, or against it
	Absolute float64 `json:"absolute"` // mean size
}

// Influences measures features, and values of features, over examples. The strongest comes first.
func Influences(w *model.Replica, examples []event.Example) (byFeature, byValue []Influence) {
	type sum struct {
		n              int
		mean, absolute float64
	}
	all, values := map[string]sum{}, map[[2]string]sum{}
	s := w.NewScratch()
	var x []model.Feature
	var shifts []model.Contribution
	for i := range examples {
		fields := examples[i].Features
		x = features.Encode(x[:0], fields)
		shifts = w.Explain(shifts[:0], x, s)
		for j := range fields {
			hash := model.FieldHash(fields[j].Name)
			shift := shifts[slices.IndexFunc(shifts, func(c model.Contribution) bool { return c.Field == hash })].Shift
			add := func(a sum) sum { return sum{a.n + 1, a.mean + shift, a.absolute + math.Abs(shift)} }
			all[fields[j].Name] = add(all[fields[j].Name])
			if fields[j].Value.Kind == event.String {
				k := [2]string{fields[j].Name, fields[j].Value.Str}
				values[k] = add(values[k])
			}
		}
	}
	for name, a := range all {
		byFeature = append(byFeature, Influence{name, "", a.n, a.mean / float64(a.n), a.absolute / float64(a.n)})
	}
	for k, a := range values {
		byValue = append(byValue, Influence{k[0], k[1], a.n, a.mean / float64(a.n), a.absolute / float64(a.n)})
	}
	slices.SortFunc(byFeature, stronger)
	slices.SortFunc(byValue, stronger)
	return byFeature, byValue
}

func stronger(a, b Influence) int {
	return cmp.Or(cmp.Compare(b.Absolute, a.Absolute), cmp.Compare(a.Feature, b.Feature), cmp.Compare(a.Value, b.Value))
}

// RecentExamples reads the last n examples of an objective's topic. It leaves out records that are
// no examples.
func RecentExamples(ctx context.Context, client *stream.Client, objective string, n int64) ([]event.Example, error) {
	topic := event.TopicExamples(objective)
	if err := client.CheckTopic(ctx, stream.Topic{Name: topic, Partitions: 1}); err != nil {
		// here and not below: Offsets waits until the topic exists
		return nil, fmt.Errorf("cannot read the examples of %q: %w", objective, err)
	}
	ranges, err := client.Offsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	var examples []event.Example
	end := ranges[0].End
	r := client.NewReader(topic, 0, max(ranges[0].First, end-n))
	defer r.Close()
	for at := max(ranges[0].First, end-n); at < end; at = r.Offset() {
		records, err := r.Next(ctx)
		if err != nil && !errors.Is(err, stream.ErrTrimmed) {
			return nil, err
		}
		for i := range records {
			if e, err := event.ParseExample(records[i].Value); err == nil {
				examples = append(examples, e)
			}
		}
	}
	return examples, nil
}

// FileExamples reads at most n examples from a file of JSON lines, such as kcat writes of an
// examples topic.
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
