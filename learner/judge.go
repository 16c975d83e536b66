package learner

import "math"

// judged is how good the predictions were that the network made of examples before it learned their
// labels. Networks that learn the same examples are compared by the same block of offsets.
type judged struct {
	Examples int64   `json:"examples"` // since this process learns
	LogLoss  float64 `json:"log_loss"` // their mean, by weight
	Blocks   int64   `json:"blocks"`   // whole blocks of 10,000 offsets among them
	Block    int64   `json:"block"`    // first offset of the last one
	BlockLog float64 `json:"block_log_loss"`

	all, block loss
	from       int64 // of the block under way
	part       bool  // it began before this process learned
	began      bool
}

// loss sums log losses by weight.
type loss struct{ sum, weight float64 }

func (l *loss) add(sum, weight float64) { l.sum, l.weight = l.sum+sum, l.weight+weight }

func (l *loss) mean() float64 {
	if l.weight == 0 {
		return 0
	}
	return l.sum / l.weight
}

const judgedBlock = 10_000

// add judges examples [from, to) of a run. Revisions, which undo an example, and predictions that
// are no probabilities are left out.
func (j *judged) add(r *run, from, to int) {
	for i := from; i < to; i++ {
		it, p := r.items[i], r.ps[i]
		j.enter(it.offset)
		if it.revision || !(it.w > 0) || !(p >= 0 && p <= 1) {
			continue
		}
		p = min(max(p, 1e-15), 1-1e-15)
		sum := -it.w * (it.y*math.Log(p) + (1-it.y)*math.Log1p(-p))
		j.all.add(sum, it.w)
		j.block.add(sum, it.w)
		j.Examples++
	}
	j.LogLoss = j.all.mean()
}

// enter ends the block before that of offset.
func (j *judged) enter(offset int64) {
	start := offset - offset%judgedBlock
	switch {
	case !j.began:
		j.began, j.part = true, offset != start
	case start == j.from:
		return
	default:
		if !j.part {
			j.Blocks, j.Block, j.BlockLog = j.Blocks+1, j.from, j.block.mean()
		}
		j.part = false
	}
	j.from, j.block = start, loss{}
}
