package learner

import (
	"errors"
	"fmt"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

// core is a network and its position in the examples topic: batches in, weights out, with no clock
// and no Kafka.
type core struct {
	net  *model.Net
	seen event.HighWater // predictions whose examples were learned
	at   position
	// progressive validation of this process
	judged judged
	fresh  fresh

	resumed  int64 // examples in the checkpoint that this process resumed from, -1 for none
	topicEnd int64 // where the examples topic ended then
}

// verdict says what became of an example.
type verdict int

const (
	learned  verdict = iota
	repeated         // it was learned before
	refused          // it can never be learned
	verdicts
)

var verdictNames = [verdicts]string{learned: "learned", repeated: "repeated", refused: "refused"}

// refusal is an example that can never be learned, and why.
type refusal struct {
	example *example
	err     error
}

// outcome is what became of a batch.
type outcome struct {
	counts  [verdicts]int
	refused []refusal
}

func (o *outcome) refuse(e *example, err error) {
	o.counts[refused]++
	o.refused = append(o.refused, refusal{e, err})
}

// learn learns a batch in its order and moves the position past it. A refused example leaves the
// weights as they are. After an error the network can learn no more, and c must not be used again.
func (c *core) learn(b *batch) (outcome, error) {
	var o outcome
	c.fresh.reset()
	if b.trimmed && len(b.examples) > 0 {
		c.judged.skip(b.examples[0].offset)
	}
	for i := range b.examples {
		e := &b.examples[i]
		switch {
		case e.err != nil:
			o.refuse(e, e.err)
		case !c.seen.Fresh(e.source, e.revision):
			o.counts[repeated]++
		default:
			c.fresh.add(e, b.inputsOf(e))
		}
		c.at.Next = e.offset + 1
	}
	c.at.Next = max(c.at.Next, b.next)
	f := &c.fresh
	for at := 0; at < len(f.examples); {
		before := c.net.Examples()
		err := c.net.LearnBatch(f.inputs[at:], f.labels[at:], f.weights[at:], f.predictions[at:])
		n := int(c.net.Examples() - before)
		if err != nil && !errors.Is(err, model.ErrInput) {
			return o, fmt.Errorf("example at offset %d: %w", f.examples[min(at+n, len(f.examples)-1)].offset, err)
		}
		o.counts[learned] += n
		c.judged.add(f, at, at+n, before)
		at += n
		if err != nil {
			o.refuse(f.examples[at], err)
			at++
		}
	}
	c.judged.reach(c.at.Next)
	return o, nil
}

// fresh is the part of a batch that was not learned before, in the form that LearnBatch takes.
type fresh struct {
	examples                     []*example
	inputs                       [][]model.Feature
	labels, weights, predictions []float64
}

func (f *fresh) reset() {
	f.examples, f.inputs = f.examples[:0], f.inputs[:0]
	f.labels, f.weights, f.predictions = f.labels[:0], f.weights[:0], f.predictions[:0]
}

func (f *fresh) add(e *example, inputs []model.Feature) {
	f.examples, f.inputs = append(f.examples, e), append(f.inputs, inputs)
	f.labels, f.weights, f.predictions = append(f.labels, e.label), append(f.weights, e.weight), append(f.predictions, 0)
}

// restore makes c what a checkpoint holds.
func (c *core) restore(p position, net *model.Net) {
	c.net, c.at = net, p
	c.seen.Restore(p.Marks)
	c.judged.resume(p)
}

// position returns the part of a checkpoint of c that is not the network.
func (c *core) position(epoch int64) position {
	p := c.at
	p.Marks, p.Epoch = c.seen.Marks(), epoch
	p.Block, p.Blocks = c.judged.block, slices.Clone(c.judged.done)
	return p
}
