package learner

import (
	"bytes"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/tracing"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// batchExamples is how many examples are learned before the loop looks at the clock and at
// questions.
const batchExamples = 256

// batch is a number of records, decoded for the network. Its memory is used again.
type batch struct {
	examples []example
	inputs   []model.Feature
	raw      []byte // keys and values of the records, one after another
	// offset after the last record; it lies further than one when markers of transactions follow,
	// and is 0 when it is not known
	next   int64
	end    int64     // offset at which the topic ends, as far as known
	newest time.Time // when the last record was produced
}

// example is one record of a batch.
type example struct {
	offset        int64
	source        event.Source
	revision      bool
	label, weight float64
	inputs        span  // of batch.inputs
	key, value    span  // of batch.raw
	err           error // why it can never be learned
	trace         tracing.Trace
}

// span is a part of a slice, without its end.
type span struct{ from, to int }

func (b *batch) inputsOf(e *example) []model.Feature { return b.inputs[e.inputs.from:e.inputs.to] }

// record returns the original of an example.
func (b *batch) record(e *example) stream.Record {
	return stream.Record{Offset: e.offset, Key: bytes.Clone(b.raw[e.key.from:e.key.to]), Value: bytes.Clone(b.raw[e.value.from:e.value.to])}
}

func (b *batch) addRaw(text []byte) span {
	from := len(b.raw)
	b.raw = append(b.raw, text...)
	return span{from, len(b.raw)}
}

// decoder turns records into inputs of a network.
type decoder struct {
	objective string
	tracer    *tracing.Tracer // nil: no traces
	parsed    event.Example
}

// decode fills b with records, of which it keeps nothing.
func (d *decoder) decode(b *batch, records []stream.Record, end int64) {
	b.examples, b.inputs, b.raw, b.next, b.end = b.examples[:0], b.inputs[:0], b.raw[:0], 0, end
	for i := range records {
		r := &records[i]
		e := example{offset: r.Offset, key: b.addRaw(r.Key), value: b.addRaw(r.Value), err: d.parse(r.Value), trace: d.tracer.Of(r.Headers)}
		if x := &d.parsed; e.err == nil {
			e.inputs.from = len(b.inputs)
			b.inputs = features.Encode(b.inputs, x.Features)
			e.inputs.to = len(b.inputs)
			e.source, e.revision, e.label, e.weight = x.Source, x.Revision, x.Y, x.W
		}
		b.examples = append(b.examples, e)
		b.newest = r.Time
	}
}

func (d *decoder) parse(value []byte) error {
	if err := d.parsed.UnmarshalJSON(value); err != nil {
		return err
	}
	if d.parsed.Objective != d.objective {
		return field.Wrong("objective", "is %q, but the topic is of %q", d.parsed.Objective, d.objective)
	}
	return d.parsed.Validate()
}
