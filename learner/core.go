package learner

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// core is a network with its place in the topic: records in, weights out, no clock and no Kafka.
type core struct {
	net   *model.Net
	water event.HighWater
	at    position
	run   run

	judged judged
	saved  int64 // examples in the checkpoint it was resumed from, -1 for none
	end    int64 // of the topic when it was resumed
}

// item is one record of the examples topic, decoded.
type item struct {
	offset   int64
	source   event.Source
	revision bool
	y, w     float64
	from, to int // its inputs in decoded.inputs
	key, end int // its key and value in decoded.raw: they lie between start and key, key and end
	start    int
	err      error // why it can never be learned
}

// decoded is a batch of records as the network takes them. It is used again once it was learned.
type decoded struct {
	items  []item
	inputs []model.Feature
	raw    []byte
	// offset behind it: more than the last record's where markers of transactions follow that; 0:
	// not known
	next   int64
	end    int64     // of the topic, as far as known
	newest time.Time // production of the last record
}

// record is the original of an item.
func (d *decoded) record(it *item) stream.Record {
	return stream.Record{Offset: it.offset, Key: bytes.Clone(d.raw[it.start:it.key]), Value: bytes.Clone(d.raw[it.key:it.end])}
}

// decoder turns records into inputs.
type decoder struct {
	objective string
	x         event.Example
}

// decode fills d. It keeps nothing of records.
func (c *decoder) decode(d *decoded, records []stream.Record, end int64) {
	d.items, d.inputs, d.raw, d.next, d.end = d.items[:0], d.inputs[:0], d.raw[:0], 0, end
	for i := range records {
		r := &records[i]
		it := item{offset: r.Offset, from: len(d.inputs), to: len(d.inputs), start: len(d.raw), err: c.parse(r.Value)}
		d.raw = append(d.raw, r.Key...)
		it.key = len(d.raw)
		d.raw = append(d.raw, r.Value...)
		it.end = len(d.raw)
		if it.err == nil {
			d.inputs = features.Encode(d.inputs, c.x.Features)
			it.source, it.revision, it.y, it.w, it.to = c.x.Source, c.x.Revision, c.x.Y, c.x.W, len(d.inputs)
		}
		d.items = append(d.items, it)
		d.newest = r.Time
	}
}

func (c *decoder) parse(value []byte) error {
	if err := c.x.UnmarshalJSON(value); err != nil {
		return err
	}
	if c.x.Objective != c.objective {
		return &event.Error{Field: "objective", Reason: fmt.Sprintf("is %q, but the topic is of %q", c.x.Objective, c.objective)}
	}
	return c.x.Validate()
}

// verdict says what became of an example.
type verdict int

const (
	learned  verdict = iota
	repeated         // it was learned before
	refused          // it can never be learned
	verdicts
)

// refusal is an item that can never be learned.
type refusal struct {
	item *item
	err  error
}

// tally is what became of a batch.
type tally struct {
	counts  [verdicts]int
	refused []refusal
}

// learn takes a batch in its order and moves the position behind it; what is refused leaves the
// weights as they are. An error is of a network that can no longer learn: c must not be used again.
func (c *core) learn(d *decoded) (tally, error) {
	var t tally
	c.run.reset()
	for i := range d.items {
		it := &d.items[i]
		switch {
		case it.err != nil:
			t.refuse(it, it.err)
		case !c.water.Fresh(it.source, it.revision):
			t.counts[repeated]++
		default:
			c.run.add(it, d.inputs)
		}
		c.at.Next = it.offset + 1
	}
	c.at.Next = max(c.at.Next, d.next)
	for at := 0; at < len(c.run.items); {
		before := c.net.Examples()
		err := c.net.LearnBatch(c.run.xs[at:], c.run.ys[at:], c.run.ws[at:], c.run.ps[at:])
		n := int(c.net.Examples() - before)
		if err != nil && !errors.Is(err, model.ErrInput) {
			return t, fmt.Errorf("example at offset %d: %w", c.run.items[min(at+n, len(c.run.items)-1)].offset, err)
		}
		t.counts[learned] += n
		c.judged.add(&c.run, at, at+n)
		at += n
		if err != nil {
			t.refuse(c.run.items[at], err)
			at++
		}
	}
	return t, nil
}

func (t *tally) refuse(it *item, err error) {
	t.counts[refused]++
	t.refused = append(t.refused, refusal{it, err})
}

// run is what is fresh of a batch, as the network takes it.
type run struct {
	items      []*item
	xs         [][]model.Feature
	ys, ws, ps []float64
}

func (r *run) reset() {
	r.items, r.xs, r.ys, r.ws, r.ps = r.items[:0], r.xs[:0], r.ys[:0], r.ws[:0], r.ps[:0]
}

func (r *run) add(it *item, inputs []model.Feature) {
	r.items, r.xs = append(r.items, it), append(r.xs, inputs[it.from:it.to])
	r.ys, r.ws, r.ps = append(r.ys, it.y), append(r.ws, it.w), append(r.ps, 0)
}

// position is what a checkpoint of c says beside the network.
func (c *core) position(epoch int64) position {
	p := c.at
	p.Marks, p.Epoch = c.water.Marks(), epoch
	return p
}
