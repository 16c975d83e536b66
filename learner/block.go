package learner

import (
	"context"
	"math"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// blockOffsets is how many offsets of the examples topic a block has. The first one is a multiple
// of it, so all networks have the same blocks.
const blockOffsets = 500

// maxBlocks is how many blocks may wait to be written. Beyond it the oldest are given up.
const maxBlocks = 1000

// block is the sums of the judged examples of blockOffsets offsets. A checkpoint holds the one
// under way and those that are not on the topic yet, so no crash loses a block or changes it.
type block struct {
	Start   int64 `json:"start"`             // offset
	Partial bool  `json:"partial,omitempty"` // some of its examples were not judged

	First     int64   `json:"first"` // time of the first example, ms
	Last      int64   `json:"last"`
	Learned   int64   `json:"learned"` // examples in the weights that predicted the last one
	Examples  int64   `json:"examples"`
	Positives int64   `json:"positives"`
	Weight    float64 `json:"weight"`
	Predicted float64 `json:"predicted"` // this and the next two are sums by weight
	Actual    float64 `json:"actual"`
	LogLoss   float64 `json:"log_loss"`
}

// add counts an example with its prediction and its weighted loss.
func (b *block) add(e *example, p, sum float64, learned int64) {
	if b.Examples == 0 {
		b.First = int64(e.time)
	}
	b.Last, b.Learned = int64(e.time), learned
	b.Examples++
	if e.label > 0.5 {
		b.Positives++
	}
	b.Weight += e.weight
	b.Predicted += e.weight * p
	b.Actual += e.weight * e.label
	b.LogLoss += sum
	if sums := b.Weight + b.LogLoss; math.IsInf(sums, 1) {
		*b = block{Start: b.Start, Partial: true} // no JSON could hold it
	}
}

// whole says whether the block can be compared with another network's.
func (b *block) whole() bool { return !b.Partial && b.Examples > 0 }

// evaluation is the block as it stands on the topic evaluations.
func (b *block) evaluation(objective, network, key string) event.Evaluation {
	mean := b.LogLoss / b.Weight
	return event.Evaluation{
		Objective: objective, Window: event.WindowBlock, Start: event.Time(b.First), End: event.Time(b.Last), Examples: b.Examples, Positives: b.Positives, LogLoss: &mean,
		Weight: &b.Weight, Predicted: &b.Predicted, Actual: &b.Actual, LogLossSum: &b.LogLoss,
		Model: event.ModelVersion(key, b.Learned), Network: network, Offsets: &[2]int64{b.Start, b.Start + blockOffsets},
	}
}

// blockWriter writes a network's blocks to the topic evaluations, beside the loop: a slow Kafka
// does not hold up learning. At most one batch is under way.
type blockWriter struct {
	o       *owner
	batches chan []block // has room for one
	done    chan []block // the same: those of a batch that was written, or refused
	busy    bool         // the loop's: a batch is under way
}

func newBlockWriter(o *owner) *blockWriter {
	return &blockWriter{o: o, batches: make(chan []block, 1), done: make(chan []block, 1)}
}

// run writes until ctx ends.
func (w *blockWriter) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case batch := <-w.batches:
			result := "written"
			if err := w.write(ctx, batch); ctx.Err() != nil {
				return ctx.Err() // the last checkpoint holds them
			} else if err != nil {
				// learning goes on: the comparison of networks leaves these blocks out
				result = "lost"
				w.o.logger.Error("blocks of the progressive validation loss were not written", "count", len(batch), "topic", event.TopicEvaluations, "err", err)
			}
			w.o.metrics.blocks.WithLabelValues(w.o.key, result).Add(float64(len(batch)))
			w.done <- batch
		}
	}
}

func (w *blockWriter) write(ctx context.Context, batch []block) error {
	records := make([]stream.Record, len(batch))
	headers := w.o.client.MessageHeaders(event.SchemaEvaluation)
	for i := range batch {
		v := batch[i].evaluation(w.o.objective, w.o.network(), w.o.key)
		records[i] = stream.Record{Key: []byte(v.Objective), Value: v.AppendJSON(nil), Headers: headers}
	}
	return w.o.client.Produce(ctx, event.TopicEvaluations, records)
}
