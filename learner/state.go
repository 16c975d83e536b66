package learner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/modelfile"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// State is a network and its position in an examples topic, outside of a running learner. Tools
// inspect and replay it.
type State struct {
	core  *core
	about modelfile.About
}

// NewState returns the State of an objective that has learned nothing.
func NewState(objective string, cfg model.Config) (*State, error) {
	net, err := model.New(cfg)
	if err != nil {
		return nil, err
	}
	return &State{core: &core{net: net, at: position{Objective: objective}, resumed: -1}}, nil
}

// ReadState reads a checkpoint of a learner, or a model of fit. The latter has no objective and no
// position in a topic.
func ReadState(path string) (*State, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := &core{resumed: -1}
	var about modelfile.About
	if bytes.HasPrefix(b, []byte(checkpointMagic)) {
		var p position
		var net *model.Net
		p, net, err = decodeCheckpoint(b)
		c.restore(p, net)
	} else {
		c.net, about, err = modelfile.Read(bytes.NewReader(b))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot use %s: %w", path, err)
	}
	return &State{c, about}, nil
}

// Net is the network. Learning with it makes the State's position wrong.
func (s *State) Net() *model.Net { return s.core.net }

// About is what fit has written about how it read its files.
func (s *State) About() modelfile.About { return s.about }

// Objective is empty for a model of fit.
func (s *State) Objective() string { return s.core.at.Objective }

// Network is empty for the default one.
func (s *State) Network() string { return s.core.at.Network }

// Next is the offset of the first example that is not learned, in the topic with the id TopicID.
func (s *State) Next() int64 { return s.core.at.Next }

// TopicID is that of the examples topic.
func (s *State) TopicID() string { return s.core.at.TopicID }

// Epoch is the epoch of the learner that wrote the checkpoint.
func (s *State) Epoch() int64 { return s.core.at.Epoch }

// Marks are the highest predictions learned, one for each of their partitions.
func (s *State) Marks() []event.Source { return s.core.seen.Marks() }

// Until is where Replay ends: at whichever comes first.
type Until struct {
	Offset   int64 // the first that is not learned
	Examples int64 // 0: no bound
}

// Replay learns the examples topic from s.Next on, as the learner does, and calls progress after
// every batch. It returns an error when the topic does not hold these examples any more.
func (s *State) Replay(ctx context.Context, client *stream.Client, until Until, progress func()) error {
	objective := s.Objective()
	ranges, err := client.Offsets(ctx, event.TopicExamples(objective))
	if err != nil {
		return err
	}
	if end := ranges[0].End; end < until.Offset {
		return fmt.Errorf("the topic ends at offset %d, but the model has learned up to %d: the broker lost examples", end, until.Offset)
	}
	if first := ranges[0].First; first > s.Next() {
		return fmt.Errorf("the topic begins at offset %d, but %d is needed: its retention has removed examples", first, s.Next())
	}
	if until.Examples == 0 {
		until.Examples = math.MaxInt64
	}
	r := client.NewReader(event.TopicExamples(objective), 0, s.Next())
	defer r.Close()
	d := decoder{objective: objective}
	var b batch
	for s.Next() < until.Offset && s.core.net.Examples() < until.Examples {
		records, err := r.Next(ctx)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			s.core.at.Next = r.Offset()
		}
		for len(records) > 0 && records[0].Offset < until.Offset && s.core.net.Examples() < until.Examples {
			n := int(min(int64(len(records)), batchExamples, until.Offset-records[0].Offset, until.Examples-s.core.net.Examples()))
			d.decode(&b, records[:n], r.End())
			if n == len(records) {
				b.next = r.Offset()
			}
			if _, err := s.core.learn(&b); err != nil {
				return errors.Join(err, r.Close())
			}
			records = records[n:]
			progress()
		}
	}
	return nil
}
