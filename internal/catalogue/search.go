package catalogue

import (
	"cmp"
	"slices"

	"github.com/clickloop/clickloop/model"
)

// Search is the working memory of one goroutine that searches.
type Search struct {
	query   model.Query
	scratch model.Scratch
	scores  []float32
	more    []float32
	columns [][]float32 // by column: what each value adds
	found   []scored
}

// scored is an item with its score.
type scored struct {
	score float32
	slot  Slot
}

func (a scored) before(b scored) bool {
	return a.score > b.score || a.score == b.score && a.slot < b.slot
}

// Best appends the m items of a set that the network probably ranks best in a context, best first:
// by probability times the item's value. context is the features that do not depend on the item.
// With fewer than m items it appends all.
//
// r must not change meanwhile; without weights (nil), or with weights for which no vectors have
// been made yet, it takes items that lie evenly in the set, whatever they are.
func (x *Vectors) Best(dst []Slot, v *View, set Set, m int, r *model.Replica, context []model.Feature, s *Search) []Slot {
	n := set.Len()
	g := x.current.Load()
	switch {
	case n <= m:
		return set.appendEvery(dst, 1, n)
	case g == nil || r == nil || !r.Fits(g.space):
		return set.appendEvery(dst, n/m, m)
	}
	r.Query(&s.query, g.space, context, adField, &s.scratch)
	s.scoreValues(g, v)
	s.found = s.found[:0]
	for c, ch := range v.chunks {
		if set.any(c) {
			s.scoreChunk(g, ch, c)
			s.take(v, set, c, m)
		}
	}
	slices.SortFunc(s.found, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.slot, b.slot))
	})
	for _, f := range s.found {
		dst = append(dst, f.slot)
	}
	return dst
}

// scoreValues sets what each value of a column adds to the scores of its items.
func (s *Search) scoreValues(g *generation, v *View) {
	for len(s.columns) < len(v.Columns) {
		s.columns = append(s.columns, nil)
	}
	for i := range s.columns {
		s.columns[i] = s.columns[i][:0]
	}
	for _, i := range g.uses {
		col := v.Columns[i]
		n := len(col.chunks) * chunkItems // values that came after g add nothing
		out := slices.Grow(s.columns[i], n)[:n]
		clear(out)
		any := false
		for c, values := range g.values[i][:min(len(col.chunks), len(g.values[i]))] {
			part := out[c*chunkItems:][:min(chunkItems, len(values.tokens.Ends()))]
			any = s.query.Values(part, col.hash, values.rows) || any
			any = s.query.Pairs(part, col.hash, &values.tokens) || any
		}
		if any {
			s.columns[i] = out
		}
	}
}

// scoreChunk sets the scores of a chunk's items.
func (s *Search) scoreChunk(g *generation, ch *chunk, c int) {
	if len(s.scores) < chunkItems {
		s.scores = make([]float32, chunkItems)
	}
	clear(s.scores)
	if c < len(g.items) {
		items := g.items[c]
		n := len(items.tokens.Ends())
		s.query.Items(s.scores[:n], items.rows)
		s.query.Pairs(s.scores[:n], adField, &items.tokens)
	}
	for i, adds := range s.columns {
		if places := ch.places(i); places != nil && len(adds) > 0 {
			addPlaces(s.scores, adds, places)
		}
	}
}

// addPlaces adds to each score what its item's value adds.
func addPlaces(scores, adds []float32, places []uint32) {
	scores = scores[:len(places)]
	for j, p := range places {
		scores[j] += adds[p]
	}
}

// take keeps the best m of those found before and the chunk's.
func (s *Search) take(v *View, set Set, c, m int) {
	for i, score := range s.scores {
		slot := Slot(c*chunkItems + i)
		if len(s.found) == m && score <= s.found[0].score && !v.valued || !set.Has(slot) {
			continue
		}
		if v.valued {
			score = float32(s.query.Probability(score) * v.chunks[c].values[i])
		}
		s.found = keep(s.found, scored{score, slot}, m)
	}
}

// keep adds one to a heap of at most m, whose worst is the first.
func keep(heap []scored, one scored, m int) []scored {
	if len(heap) < m {
		heap = append(heap, one)
		for i := len(heap) - 1; i > 0; {
			parent := (i - 1) / 2
			if !heap[parent].before(heap[i]) {
				break
			}
			heap[i], heap[parent] = heap[parent], heap[i]
			i = parent
		}
		return heap
	}
	if !one.before(heap[0]) {
		return heap
	}
	heap[0] = one
	for i := 0; ; {
		child := 2*i + 1
		if child >= m {
			return heap
		}
		if child+1 < m && heap[child].before(heap[child+1]) {
			child++
		}
		if !heap[i].before(heap[child]) {
			return heap
		}
		heap[i], heap[child] = heap[child], heap[i]
		i = child
	}
}
