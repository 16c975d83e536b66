package inspect

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/learner"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// Verification says whether a replay of the examples topic gives the same model.
type Verification struct {
	Source   string `json:"source"`
	Model    string `json:"model"`
	From     string `json:"from"`     // where the replay began
	Replayed int64  `json:"replayed"` // examples
	// hashes of the learned state, or of the last snapshot of a topic
	Expected string `json:"expected"`
	Got      string `json:"got"`
	Same     bool   `json:"same"`
	// for a topic: predictions that were compared at the version after the last delta
	Compared int `json:"compared,omitempty"`
}

// Verify replays the examples topic up to m and compares the weights byte for byte. The replay
// begins at the checkpoint from, or at the start of the topic if from is nil.
func Verify(ctx context.Context, m *Model, from *learner.State, client *stream.Client, progress func(examples int64)) (Verification, error) {
	v := Verification{Source: m.Source, Model: m.Version(), From: "the start of the examples topic"}
	if m.Objective == "" {
		return v, fmt.Errorf("%s does not tell its objective: give a learner's checkpoint, or the topic", m.Source)
	}
	topic := event.TopicExamples(m.Objective)
	if err := client.CheckTopic(ctx, stream.Topic{Name: topic, Partitions: 1}); err != nil {
		// checked first, since TopicID waits until the topic exists
		return v, fmt.Errorf("cannot replay the examples of %q: %w", m.Objective, err)
	}
	id, err := client.TopicID(ctx, topic)
	if err != nil {
		return v, err
	}
	s, err := begin(m, from)
	if err != nil {
		return v, err
	}
	for _, state := range []*learner.State{m.State, from} {
		if state != nil && state.TopicID() != id {
			return v, fmt.Errorf("the examples topic has id %s, the checkpoint is of %s: it was made again since", id, state.TopicID())
		}
	}
	if from != nil {
		v.From = event.ModelVersion(m.Key, from.Net().Examples())
	}
	before := s.Net().Examples()
	report := func() { progress(s.Net().Examples()) }
	if m.State != nil {
		err = s.Replay(ctx, client, learner.Until{Offset: m.State.Next()}, report)
		v.Expected, v.Got = m.Hash(), learner.WeightsHash(s.Net())
		v.Same = v.Expected == v.Got
	} else {
		err = verifyTopic(ctx, m, s, client, &v, report)
	}
	v.Replayed = s.Net().Examples() - before
	return v, err
}

// begin returns the state in which the replay begins.
func begin(m *Model, from *learner.State) (*learner.State, error) {
	switch {
	case from == nil:
		return learner.NewState(m.Objective, m.Weights.Config())
	case from.Objective() != m.Objective:
		return nil, fmt.Errorf("the checkpoint to start from is of objective %q, not %q", from.Objective(), m.Objective)
	case from.Net().Examples() > m.SnapshotAt:
		return nil, fmt.Errorf("the checkpoint to start from has %d examples, but the model has %d: it is the later one", from.Net().Examples(), m.SnapshotAt)
	}
	return from, nil
}

// verifyTopic compares the last snapshot byte for byte at its version, and predictions at the
// version after the last delta.
func verifyTopic(ctx context.Context, m *Model, s *learner.State, client *stream.Client, v *Verification, report func()) error {
	ranges, err := client.Offsets(ctx, event.TopicExamples(m.Objective))
	if err != nil {
		return err
	}
	end := ranges[0].End
	replayTo := func(examples int64) error {
		return s.Replay(ctx, client, learner.Until{Offset: end, Examples: examples}, report)
	}
	if m.SnapshotAt > 0 { // Until.Examples 0 would replay the whole topic
		if err := replayTo(m.SnapshotAt); err != nil {
			return err
		}
	}
	replayed := Model{Snapshot: s.Net().AppendSnapshot(nil)}
	v.Expected, v.Got = m.SnapshotHash(), replayed.SnapshotHash()
	v.Same = bytes.Equal(m.Snapshot, replayed.Snapshot)
	if m.Weights.Examples() > m.SnapshotAt {
		if err := replayTo(m.Weights.Examples()); err != nil {
			return err
		}
	}
	if s.Net().Examples() != m.Weights.Examples() {
		return errors.New("the examples topic ends before the version on the model topic: the learner had examples that are gone")
	}
	examples, err := RecentExamples(ctx, client, m.Objective, 500)
	if err != nil {
		return err
	}
	a, b := s.Net().NewScratch(), m.Weights.NewScratch()
	var x []model.Feature
	for i := range examples {
		x = features.Encode(x[:0], examples[i].Features)
		v.Same = v.Same && s.Net().Predict(x, a) == m.Weights.Predict(x, b)
	}
	v.Compared = len(examples)
	return nil
}
