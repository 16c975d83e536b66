package story

import (
	"context"
	"errors"
	"math"

	"github.com/clickloop/clickloop/app/inspect"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// maxWeights bounds the bytes of the model topic that are read to make old weights again.
const maxWeights = 256 << 20

// because explains a probability by the weights that answered, if the model topic still has them,
// and else by the newest ones.
func (s *search) because(ctx context.Context, o *event.Objective, told *Objective) (*Because, error) {
	if told.Model == "" {
		return nil, errors.New("no weights answered")
	}
	key, examples, err := event.ParseModelVersion(told.Model)
	if err != nil {
		return nil, err
	}
	b := &Because{Version: told.Model, Same: true, Source: "made again from the topic " + event.TopicModel(key)}
	served, err := weights.Rebuild(ctx, s.Client, key, examples, s.place.Written, maxWeights)
	if errors.Is(err, weights.ErrGone) || errors.Is(err, model.ErrGap) {
		newest, err := inspect.Open(ctx, event.TopicModel(key), func() (*stream.Client, error) { return s.Client, nil })
		if err != nil {
			return nil, err
		}
		served = newest.Weights
		b.Version, b.Same, b.Source = newest.Version(), false, "the newest on the topic "+event.TopicModel(key)
		s.note("%s: the topic does not hold the weights of %s any more, so the newest explain: %s", o.Name, told.Model, b.Version)
	} else if err != nil {
		return nil, err
	}
	explain(b, served, s.own.Features)
	if b.Same && told.P != nil && math.Abs(b.P-*told.P) > 1e-9 {
		s.note("%s: the weights of %s give %v for these features, and %v was served", o.Name, b.Version, b.P, *told.P)
	}
	return b, nil
}

// explain fills b by what weights say of features.
func explain(b *Because, w *model.Replica, facts event.Fields) {
	var x model.Explanation
	scratch := w.NewScratch()
	encoded := features.Encode(nil, facts)
	w.Explain(&x, encoded, scratch)
	b.P = w.Predict(encoded, scratch)
	if raw := scratch.Raw(); raw != b.P {
		b.Raw = &raw
	}
	b.Logit, b.Base, b.Rest = x.Logit, x.Base, x.Rest
	if z := math.Log(b.P / (1 - b.P)); b.Raw != nil && !math.IsInf(z, 0) && !math.IsNaN(z) {
		b.Calibration = z - x.Logit
	}
	b.Shifts = []Shift{}
	for _, c := range x.Contributions {
		name := nameOf(c.Field, facts)
		if name == "" {
			b.Rest += c.Shift
			continue
		}
		b.Shifts = append(b.Shifts, Shift{name, c.Shift})
	}
}

func nameOf(hash uint64, facts event.Fields) string {
	for i := range facts {
		if model.FieldHash(facts[i].Name) == hash {
			return facts[i].Name
		}
	}
	return ""
}
