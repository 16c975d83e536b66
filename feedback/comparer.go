package feedback

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/retry"
	"github.com/clickloop/clickloop/stream"
)

// comparer compares the networks of an objective that has several. Every process folds the topic
// evaluations, to answer /v1/networks; the one that owns the evaluations of the objective writes
// comparisons to it. The last written comparison of each pair is read from the topic too, so a
// restart, or another owner, writes on where the last one stopped.
type comparer struct {
	*task
	owner *atomic.Bool // the evaluator's

	mu       sync.Mutex
	networks *networks
	written  map[[2]string]*event.Evaluation // the last of each pair, by network and versus
}

func newComparer(t *task, owner *atomic.Bool) *comparer {
	c := &comparer{task: t, owner: owner}
	c.reset()
	return c
}

func (c *comparer) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.networks, c.written = newNetworks(&c.objective), map[[2]string]*event.Evaluation{}
}

// run compares until ctx ends.
func (c *comparer) run(ctx context.Context) error {
	for {
		if err := c.fold(ctx); err != nil && ctx.Err() == nil {
			c.logger.Warn("cannot compare networks, beginning again", "err", err)
			retry.Sleep(ctx, time.Second) // ctx is asked below
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// fold reads the evaluations from their start. It writes comparisons whenever it has read to the
// end: before, it does not know which were written.
func (c *comparer) fold(ctx context.Context) error {
	c.reset()
	r := c.client.NewReader(event.TopicEvaluations, 0, 0)
	defer r.Close()
	for {
		records, err := r.Next(ctx)
		if errors.Is(err, stream.ErrTrimmed) {
			continue
		}
		if err != nil {
			return err
		}
		c.read(records)
		if r.Offset() < r.End() || !c.owner.Load() {
			continue
		}
		if err := c.write(ctx); err != nil {
			return err
		}
	}
}

// read folds records.
func (c *comparer) read(records []stream.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range records {
		var v event.Evaluation
		if string(records[i].Key) != c.objective.Name || v.UnmarshalJSON(records[i].Value) != nil {
			continue
		}
		switch v.Window {
		case event.WindowBlock:
			c.networks.add(&v)
		case event.WindowNetworks:
			c.written[[2]string{v.Network, v.Versus}] = &v
		}
	}
}

// write writes the comparisons that are due. While ownership moves, two processes may write the
// same one.
func (c *comparer) write(ctx context.Context) error {
	var records []stream.Record
	var out []event.Evaluation
	for _, v := range c.newest() {
		if due(&v, c.written[[2]string{v.Network, v.Versus}]) {
			out = append(out, v)
			records = append(records, stream.Record{Key: []byte(v.Objective), Value: v.AppendJSON(nil), Headers: c.client.MessageHeaders(event.SchemaEvaluation)})
		}
	}
	if len(records) == 0 {
		return nil
	}
	if err := c.client.Produce(ctx, event.TopicEvaluations, records); err != nil {
		return fmt.Errorf("cannot write comparisons of networks: %w", err)
	}
	for i := range out {
		c.written[[2]string{out[i].Network, out[i].Versus}] = &out[i]
	}
	return nil
}

// newest returns the comparisons of all pairs, as of the blocks that were read.
func (c *comparer) newest() []event.Evaluation {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.networks.evaluations()
}

// CompareNetworks compares all pairs of an objective's networks by the blocks that are on the topic
// evaluations now: an evaluation of window networks for each. It needs no running stage.
func CompareNetworks(ctx context.Context, client *stream.Client, o event.Objective) ([]event.Evaluation, error) {
	ranges, err := client.Offsets(ctx, event.TopicEvaluations)
	if err != nil {
		return nil, err
	}
	c := newComparer(&task{objective: o}, nil)
	err = client.ReadRange(ctx, event.TopicEvaluations, 0, ranges[0].First, ranges[0].End, func(r *stream.Record) error {
		c.read([]stream.Record{*r})
		return nil
	})
	return c.newest(), err
}
