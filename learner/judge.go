package learner

import "math"

// judged is the progressive validation loss: how good the network's predictions were of examples
// whose labels it had not learned. Networks that learn the same examples are compared by the loss
// over the same blocks of offsets.
type judged struct {
	Examples int64   `json:"examples"` // since this process began to learn
	LogLoss  float64 `json:"log_loss"` // mean by weight
	Blocks   int64   `json:"blocks"`   // completed by this process
	Block    int64   `json:"block"`    // first offset of the last one
	BlockLog float64 `json:"block_log_loss"`

	all   loss
	block block   // under way
	done  []block // whole ones that Kafka has not acknowledged
	lost  int64   // whole ones that were given up since too many waited
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

// add judges the predictions of examples [from, to). The weights had learned so many before the
// first of them. It leaves out revisions, which undo an example, and predictions that are no
// probabilities.
func (j *judged) add(f *fresh, from, to int, learned int64) {
	for i := from; i < to; i++ {
		e, p := f.examples[i], f.predictions[i]
		j.reach(e.offset)
		if e.revision || !(e.weight > 0) || !(p >= 0 && p <= 1) {
			continue
		}
		q := min(max(p, 1e-15), 1-1e-15)
		sum := -e.weight * (e.label*math.Log(q) + (1-e.label)*math.Log1p(-q))
		j.all.add(sum, e.weight)
		j.Examples++
		j.block.add(e, p, sum, learned+int64(i-from))
	}
	j.LogLoss = j.all.mean()
}

// reach completes the block under way when next, up to which all examples are judged, lies behind
// it.
func (j *judged) reach(next int64) {
	if next < j.block.Start+blockOffsets {
		return
	}
	if b := j.block; b.whole() {
		j.Blocks, j.Block, j.BlockLog = j.Blocks+1, b.Start, b.LogLoss/b.Weight
		if len(j.done) == maxBlocks {
			j.done = j.done[1:]
			j.lost++
		}
		j.done = append(j.done, b)
	}
	j.block = block{Start: next - next%blockOffsets}
}

// skip begins at next, since examples before it are missing. The block that holds it is partial,
// unless it begins there.
func (j *judged) skip(next int64) {
	j.block = block{Start: next - next%blockOffsets, Partial: next%blockOffsets != 0}
}

// resume goes on where a checkpoint was made. One of an earlier version has no block, so the block
// at its position is partial.
func (j *judged) resume(at position) {
	j.block, j.done = at.Block, at.Blocks
	if at.Next < j.block.Start || at.Next >= j.block.Start+blockOffsets || at.Block == (block{}) {
		j.skip(at.Next)
	}
}

// written forgets the blocks up to the one that starts at last: Kafka has acknowledged them.
func (j *judged) written(last int64) {
	for len(j.done) > 0 && j.done[0].Start <= last {
		j.done = j.done[1:]
	}
}
