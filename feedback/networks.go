package feedback

import (
	"math"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/sequential"
)

// networks compares the networks of an objective by the blocks that their learners write. It is a
// fold over the topic evaluations: it has no clock and no Kafka.
//
// Two networks are compared over the blocks that both have, in the order of their offsets. So it
// does not matter which of them is ahead, and one that joins late is compared from its first block
// on. A block that comes again with the same sums is a repeat. With other sums it proves that its
// network began anew, under another configuration or over another topic: all before it is dropped.
type networks struct {
	objective string
	series    map[string]*series // by network, empty for the default one
	pairs     []*pair
}

const (
	// confidence is the probability that all intervals of an objective hold at all times at once.
	// Each of its pairs has an equal part of the rest (Bonferroni).
	confidence = 0.95
	// maxSeries is how many blocks of a network are kept for others that have not got there: 65
	// million examples. Beyond it the oldest are given up, and such a network is compared from the
	// next one on.
	maxSeries = 1 << 17
)

// series is the newest blocks of a network, in the order of their offsets.
type series struct{ blocks []blockSums }

// blockSums is a block of a network as far as a comparison needs it.
type blockSums struct {
	from, to            int64 // offsets
	start, end          event.Time
	examples, positives int64
	weight, loss        float64
}

// pair is two networks.
type pair struct {
	network, versus string
	next            int64 // the blocks before this offset are compared, or left out
	compared        sequential.Comparison
	total           totals // of all compared blocks
	told            totals // of those that compared has taken up
}

// totals are the sums of blocks that two networks have in common.
type totals struct {
	from, to            int64
	start, end          event.Time
	examples, positives int64
	weight, loss        float64 // loss is of the first network
}

// newNetworks returns the fold for the networks of o, and all pairs of them.
func newNetworks(o *event.Objective) *networks {
	n := &networks{objective: o.Name, series: map[string]*series{}}
	names := comparedNames(o)
	for i, name := range names {
		n.series[name] = &series{}
		for _, versus := range names[i+1:] {
			n.pairs = append(n.pairs, &pair{network: name, versus: versus})
		}
	}
	return n
}

// comparedNames are the names of an objective's networks as evaluations have them: the default one
// is first and empty, so that no versus is.
func comparedNames(o *event.Objective) []string {
	var names []string
	for _, name := range o.NetworkNames() {
		if name == event.DefaultNetwork {
			names = slices.Insert(names, 0, "")
		} else {
			names = append(names, name)
		}
	}
	return names
}

// add folds an evaluation of window block. It leaves out one that is no whole block of a network of
// the objective.
func (n *networks) add(v *event.Evaluation) {
	s := n.series[v.Network]
	if s == nil || v.Offsets == nil || v.Weight == nil || v.LogLossSum == nil || v.Examples < 1 || !(*v.Weight > 0) || v.Offsets[0] < 0 || v.Offsets[0] >= v.Offsets[1] {
		return
	}
	b := blockSums{v.Offsets[0], v.Offsets[1], v.Start, v.End, v.Examples, v.Positives, *v.Weight, *v.LogLossSum}
	switch s.place(&b) {
	case repeatedBlock:
		return
	case anewBlock:
		s.blocks = s.blocks[:0]
		for _, p := range n.pairs {
			if p.network == v.Network || p.versus == v.Network {
				*p = pair{network: p.network, versus: p.versus}
			}
		}
	}
	s.append(b)
	for _, p := range n.pairs {
		if p.network == v.Network || p.versus == v.Network {
			p.advance(n.series[p.network], n.series[p.versus])
		}
	}
}

type placing int

const (
	nextBlock placing = iota
	repeatedBlock
	anewBlock // its network began anew
)

// place says what a block is to the series.
func (s *series) place(b *blockSums) placing {
	if len(s.blocks) == 0 || b.from >= s.blocks[len(s.blocks)-1].to {
		return nextBlock
	}
	i := s.search(b.from)
	same := i < len(s.blocks) && s.blocks[i].from == b.from
	switch {
	case same && s.blocks[i].sameExamples(b) && math.Abs(s.blocks[i].loss-b.loss) <= 1e-9*b.loss:
		return repeatedBlock
	case same || i == 0:
		return anewBlock
	default:
		return repeatedBlock // of a gap: too late
	}
}

// search returns the index of the first block at or behind an offset.
func (s *series) search(from int64) int {
	i, _ := slices.BinarySearchFunc(s.blocks, from, func(b blockSums, from int64) int { return int(max(-1, min(1, b.from-from))) })
	return i
}

func (s *series) append(b blockSums) {
	if len(s.blocks) == maxSeries {
		s.blocks = slices.Delete(s.blocks, 0, maxSeries/8)
	}
	s.blocks = append(s.blocks, b)
}

// sameExamples says whether two networks' blocks are over the same examples. One of them may have
// refused an example, or the topic was made again and one is of the old one.
func (b *blockSums) sameExamples(o *blockSums) bool {
	return b.to == o.to && b.start == o.start && b.end == o.end && b.examples == o.examples && b.positives == o.positives && b.weight == o.weight
}

// advance compares the blocks that both networks have by now.
func (p *pair) advance(a, b *series) {
	for i, j := a.search(p.next), b.search(p.next); i < len(a.blocks) && j < len(b.blocks); {
		x, y := &a.blocks[i], &b.blocks[j]
		switch {
		case x.from < y.from:
			p.next = x.to
			i++
			continue
		case y.from < x.from:
			p.next = y.to
			j++
			continue
		}
		if x.sameExamples(y) {
			p.add(x, y)
		}
		p.next = max(x.to, y.to)
		i++
		j++
	}
}

// add compares a block of both networks.
func (p *pair) add(x, y *blockSums) {
	t := &p.total
	if t.examples == 0 {
		t.from, t.start = x.from, x.start
	}
	t.to, t.end = x.to, x.end
	t.examples += x.examples
	t.positives += x.positives
	t.weight += x.weight
	t.loss += x.loss
	p.compared.Add(sequential.Block{Examples: x.examples, Positives: x.positives, Weight: x.weight, Difference: y.loss - x.loss})
	if p.compared.Examples() == t.examples {
		p.told = *t
	}
}

// evaluations are the comparisons of all pairs.
func (n *networks) evaluations() []event.Evaluation {
	all := make([]event.Evaluation, len(n.pairs))
	for i, p := range n.pairs {
		all[i] = p.evaluation(n.objective, (1-confidence)/float64(len(n.pairs)))
	}
	return all
}

// evaluation tells how two networks compare; alpha is the probability that their interval ever
// fails.
func (p *pair) evaluation(objective string, alpha float64) event.Evaluation {
	v := event.Evaluation{Objective: objective, Window: event.WindowNetworks, Network: p.network, Versus: p.versus}
	t := &p.told
	if t.examples == 0 {
		return v
	}
	loss, difference := t.loss/t.weight, p.compared.Mean()
	v.Start, v.End, v.Examples, v.Positives, v.Offsets = t.start, t.end, t.examples, t.positives, &[2]int64{t.from, t.to}
	v.Weight, v.LogLoss, v.LogLossSum, v.Difference = &t.weight, &loss, &t.loss, &difference
	low, high, ok := p.compared.Interval(alpha)
	if !ok {
		return v
	}
	v.DifferenceInterval = &event.Interval{low, high}
	switch margin := sequential.LeastBetter * min(loss, loss+difference); {
	case low > margin:
		v.Better = "network"
	case high < -margin:
		v.Better = "versus"
	}
	return v
}

// due says whether a comparison tells enough more than the last one of the pair that was written:
// another verdict, a twentieth more examples, or another hour of the examples' time. So a pair
// writes some 200 records while the examples grow from a block to a hundred million, and one an
// hour.
func due(v, last *event.Evaluation) bool {
	switch {
	case v.Examples == 0:
		return false
	case last == nil, v.Better != last.Better, v.Examples < last.Examples:
		return true
	case v.Examples == last.Examples:
		return false
	default:
		return v.Examples-last.Examples >= last.Examples/20 || v.End/hour != last.End/hour
	}
}
