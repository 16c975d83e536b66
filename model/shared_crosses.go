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
	ends     []int32 // of the products of one pair or triple of shared fields
	// of a candidate: the places of the weights, and where those of each pair or triple end
	hits    []table.Hit
	hitEnds []int32
}

// term is a pair or triple of fields, or every pair.
type term struct {
	fields [3]int // -1 in the place of a third field: a pair
	every  bool
	at     int // among ends: its first pair of fields
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

// find looks up where the weights of a candidate's pairs and triples are, and calls for them.
func (t *crosses) find(c *core, j *joint, r *row) {
	t.hits, t.hitEnds = t.hits[:0], t.hitEnds[:0]
	t.each(j, r, func(f, g, third int) {
		t.hits = c.crossHits(t.hits, r, f, g, third)
		t.hitEnds = append(t.hitEnds, int32(len(t.hits)))
	}, func(int) {})
	kernel.PrefetchHits(&c.hashed, t.hits)
}

// addTo follows find. It adds the weights of all terms of the joined row to sum.
func (t *crosses) addTo(sum float32, c *core, j *joint, r *row) float32 {
	at, term := int32(0), 0
	t.each(j, r, func(int, int, int) {
		sum = c.hashed.Dot(sum, t.hits[at:t.hitEnds[term]])
		at, term = t.hitEnds[term], term+1
	}, func(at int) {
		for _, p := range t.products[t.ends[at-1]:t.ends[at]] {
			sum += p
		}
	})
	return sum
}

// each goes over all terms of the joined row in their order: own gets the fields of those with a
// field of the candidate's, kept the places of the others.
func (t *crosses) each(j *joint, r *row, own func(f, g, third int), kept func(at int)) {
	for i := range t.terms {
		m := &t.terms[i]
		f, g, third := m.fields[0], m.fields[1], m.fields[2]
		switch {
		case m.every:
			t.eachPair(j, r, m.at, own, kept)
		case j.ordinal[f] < 0 || j.ordinal[g] < 0 || third >= 0 && j.ordinal[third] < 0:
			own(f, g, third)
		default:
			kept(m.at)
		}
	}
}

// eachPair goes over every pair of fields.
func (t *crosses) eachPair(j *joint, r *row, at int, own func(f, g, third int), kept func(at int)) {
	for i, f := range r.present {
		of := int(j.ordinal[f])
		for _, g := range r.present[:i] {
			if og := int(j.ordinal[g]); of >= 0 && og >= 0 {
				kept(at + of*(of-1)/2 + og)
			} else {
				own(int(min(f, g)), int(max(f, g)), -1)
			}
		}
	}
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
