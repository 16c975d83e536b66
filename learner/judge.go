package learner

import "math"

// judged is the progressive validation loss: how good the network's predictions were of examples
// whose labels it had not learned. Networks that learn the same examples are compared by the loss
// over the same 10,000 offsets, which the fields call a block.
type judged struct {
	Examples int64   `json:"examples"` // since this process began to learn
	LogLoss  float64 `json:"log_loss"` // mean by weight
	Blocks   int64   `json:"blocks"`   // completed by this process
	Block    int64   `json:"block"`    // first offset of the last one
	BlockLog float64 `json:"block_log_loss"`

	all, block loss
	blockStart int64 // of the block under way
	partial    bool  // the block under way began before this process
	started    bool
}

// loss is a sum of log losses by weight.
type loss struct{ sum, weight float64 }

func (l *loss) add(sum, weight float64) { l.sum, l.weight = l.sum+sum, l.weight+weight }

func (l *loss) mean() float64 {
	if l.weight == 0 {
		return 0
	}
	return l.sum / l.weight
}

const judgedOffsets = 10_000

// add judges the predictions of examples [from, to). It leaves out revisions, which undo an
// example, and predictions that are no probabilities.
func (j *judged) add(f *fresh, from, to int) {
	for i := from; i < to; i++ {
		e, p := f.examples[i], f.predictions[i]
		j.enter(e.offset)
		if e.revision || !(e.weight > 0) || !(p >= 0 && p <= 1) {
			continue
		}
		p = min(max(p, 1e-15), 1-1e-15)
		sum := -e.weight * (e.label*math.Log(p) + (1-e.label)*math.Log1p(-p))
		j.all.add(sum, e.weight)
		j.block.add(sum, e.weight)
		j.Examples++
	}
	j.LogLoss = j.all.mean()
}

// enter completes the block under way when offset lies in another one.
func (j *judged) enter(offset int64) {
	start := offset - offset%judgedOffsets
	switch {
	case !j.started:
		j.started, j.partial = true, offset != start
	case start == j.blockStart:
		return
	default:
		if !j.partial {
			j.Blocks, j.Block, j.BlockLog = j.Blocks+1, j.blockStart, j.block.mean()
		}
		j.partial = false
	}
	j.blockStart, j.block = start, loss{}
}
