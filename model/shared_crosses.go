package model

import (
	"github.com/clickloop/clickloop/model/internal/kernel"
	"github.com/clickloop/clickloop/model/internal/table"
)

// crosses are the weights of tokens that stand together, in the order in which a prediction adds
// them: those of shared fields are looked up once.
type crosses struct {
	terms    []term
	products []float32
	ends     []int32     // of the products of one pair or triple of shared fields
	hits     []table.Hit // of a candidate: the places of its weights
	runs     []run       // of a candidate: what is added, in order
}

// term is a pair or triple of fields, or every pair.
type term struct {
	fields [3]int // -1 in the place of a third field: a pair
	every  bool
	at     int // among ends: its first pair of fields
}

// run is a piece of a candidate's hits or of the products.
type run struct {
	own      bool
	from, to int32
}

// begin starts anew. Then add and addEvery list the terms.
func (t *crosses) begin() {
	t.terms, t.products, t.ends = t.terms[:0], t.products[:0], append(t.ends[:0], 0)
}

// add lists a pair or triple of fields.
func (t *crosses) add(c *core, r *row, f, g, third int) {
	t.terms = append(t.terms, term{fields: [3]int{f, g, third}, at: len(t.ends)})
	t.look(c, r, f, g, third)
}

// addEvery lists every pair of fields.
func (t *crosses) addEvery(c *core, r *row) {
	t.terms = append(t.terms, term{every: true, at: len(t.ends)})
	for i, f := range r.present {
		for _, g := range r.present[:i] {
			t.look(c, r, int(min(f, g)), int(max(f, g)), -1)
		}
	}
}

// look appends the products of shared fields.
func (t *crosses) look(c *core, r *row, f, g, third int) {
	t.hits = c.crossHits(t.hits[:0], r, f, g, third)
	for _, h := range t.hits {
		t.products = append(t.products, float32(h.X*c.hashed.Weight(h.Slot, 0)))
	}
	t.ends = append(t.ends, int32(len(t.products)))
}

// find looks up where the weights of a candidate's pairs and triples are, calls for them, and lists
// in which order they and those of shared fields are added.
func (t *crosses) find(c *core, j *joint, r *row) {
	t.hits, t.runs = t.hits[:0], t.runs[:0]
	for i := range t.terms {
		m := &t.terms[i]
		f, g, third := m.fields[0], m.fields[1], m.fields[2]
		switch {
		case m.every:
			t.findEvery(c, j, r, m.at)
		case j.ordinal[f] < 0 || j.ordinal[g] < 0 || third >= 0 && j.ordinal[third] < 0:
			t.own(c, r, f, g, third)
		default:
			t.kept(m.at, m.at+1)
		}
	}
	kernel.PrefetchHits(&c.hashed, t.hits)
}

// findEvery finds every pair of fields. Those of the shared fields before the candidate's first
// stand together, and so do those of a later shared field with them.
func (t *crosses) findEvery(c *core, j *joint, r *row, at int) {
	first := j.kept()
	t.kept(at, at+first*(first-1)/2)
	for i := first; i < len(r.present); i++ {
		f := r.present[i]
		of := int(j.ordinal[f])
		row, from := at+of*(of-1)/2, 0
		if of >= 0 {
			t.kept(row, row+first)
			from = first
		}
		for _, g := range r.present[from:i] {
			if og := int(j.ordinal[g]); of >= 0 && og >= 0 {
				t.kept(row+og, row+og+1)
			} else {
				t.own(c, r, int(min(f, g)), int(max(f, g)), -1)
			}
		}
	}
}

// kept adds the products of shared fields: from the pair or triple from to before to.
func (t *crosses) kept(from, to int) {
	if a, b := t.ends[from-1], t.ends[to-1]; a < b {
		t.runs = append(t.runs, run{false, a, b})
	}
}

// own adds the weights of fields of which one is the candidate's.
func (t *crosses) own(c *core, r *row, f, g, third int) {
	from := int32(len(t.hits))
	t.hits = c.crossHits(t.hits, r, f, g, third)
	if n := len(t.runs); n == 0 || !t.runs[n-1].own {
		t.runs = append(t.runs, run{true, from, from})
	}
	t.runs[len(t.runs)-1].to = int32(len(t.hits))
}

// addTo follows find. It adds the weights of all terms of the joined row to sum.
func (t *crosses) addTo(sum float32, c *core) float32 {
	for _, p := range t.runs {
		if p.own {
			sum = c.hashed.Dot(sum, t.hits[p.from:p.to])
			continue
		}
		for _, product := range t.products[p.from:p.to] {
			sum += product
		}
	}
	return sum
}

// crossHits appends the slots of all pairs of tokens of two fields, or of triples of three.
func (c *core) crossHits(dst []table.Hit, r *row, f, g, third int) []table.Hit {
	a, b := &r.reps[f], &r.reps[g]
	for _, p := range a.tokens[:a.n] {
		for _, q := range b.tokens[:b.n] {
			key, x := pairKey(p.key, q.key), float32(p.x*q.x)
			if third < 0 {
				dst = append(dst, table.Hit{Slot: c.hashed.Slot(key), X: x})
				continue
			}
			k := &r.reps[third]
			for _, t := range k.tokens[:k.n] {
				dst = append(dst, table.Hit{Slot: c.hashed.Slot(pairKey(key, t.key)), X: float32(x * t.x)})
			}
		}
	}
	return dst
}
