package learner

import (
	"bytes"
	"fmt"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// core is a network with its place in the topic: records in, weights out, no clock and no Kafka.
type core struct {
	net     *model.Net
	scratch *model.Scratch
	water   event.HighWater
	at      position
	saved   int64 // examples in the checkpoint it was resumed from, -1 for none
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
	d.items, d.inputs, d.raw, d.end = d.items[:0], d.inputs[:0], d.raw[:0], end
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
	return nil
}

// verdict says what became of an example.
type verdict int

const (
	learned  verdict = iota
	repeated         // it was learned before
	refused          // it can never be learned
	verdicts
)

// learn takes one example and moves the position behind it. On an error the weights have not changed, and never would.
func (c *core) learn(it *item, inputs []model.Feature) (verdict, error) {
	c.at.Next = it.offset + 1
	if it.err != nil {
		return refused, it.err
	}
	if !c.water.Fresh(it.source, it.revision) {
		return repeated, nil
	}
	if _, err := c.net.Learn(inputs[it.from:it.to], it.y, it.w, c.scratch); err != nil {
		return refused, err
	}
	return learned, nil
}

// position is what a checkpoint of c says beside the network.
func (c *core) position(epoch int64) position {
	p := c.at
	p.Marks, p.Epoch = c.water.Marks(), epoch
	return p
}
