package model

import (
	"slices"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/half"
	"github.com/clickloop/clickloop/model/internal/kernel"
)

// Retrieval finds the items of a catalogue that a network will score best, without scoring them
// all. The network's logit, as a function of the item, is nearly a sum of
//
//	- what the item says by itself (linear weights, encodings, products of its own vectors),
//	- products of its field-aware vectors with the context's sums, and
//	- perceptrons over the sum of the item's and the context's inputs of hidden units,
//
// so an item becomes a vector that does not depend on the context, and a context becomes a Query.
// Scores are good for an order only. What is left out is said at Query.

// Space says how items become vectors for a network: which of its fields are the items', and where
// in a vector things lie. It does not change. A network that has got new fields needs a new one.
//
// A value of an item's field has a vector of Width weights: for each field of contexts, k weights
// of the field-aware part. An item has a vector of ItemWidth: inputs of hidden units, then sums,
// then the vector of the value of one field of its own, such as its id.
type Space struct {
	hashes  []uint64 // of the network's fields
	context []uint16 // those that contexts have
	items   []bool   // by field: items have it
	k       int      // weights of one field-aware vector
	relu    int      // inputs of hidden units
	sums    int      // what is multiplied with one weight for all items
	Width   int
}

// pad rounds a width up to a multiple of the kernel's lanes.
func pad(n int) int { return (n + kernel.ScoreLanes - 1) / kernel.ScoreLanes * kernel.ScoreLanes }

// ItemWidth is how many weights an item's vector has.
func (sp *Space) ItemWidth() int { return sp.relu + pad(sp.sums) + sp.Width }

// retriever is what an engine tells of the vectors of items. Rows are encoded by the caller.
type retriever interface {
	// shape is the weights of a field-aware vector, of inputs of hidden units, and of sums.
	shape() (k, relu, sums int)
	// vectors returns the sums of field-aware vectors: room vectors of k for each field.
	vectors(r *row, s *Scratch) (v []float32, room int)
	// item sets what an item adds to the inputs of hidden units and to sums; vectors came before.
	item(r *row, s *Scratch, relu, sums []float32)
	// query sets the context's side of relu and sums, and the context's own logit as base, and
	// returns the weight of products of field-aware vectors; vectors came before.
	query(r *row, s *Scratch, q *Query) (weight float32)
	// addPairs calls q.addPair for the pairs of fields whose tokens have weights together, the
	// first of a key first, and returns the weight of these weights; query came before.
	addPairs(q *Query, r *row) (weight float32)
}

var (
	_ retriever = (*mixture)(nil)
	_ retriever = (*plain)(nil)
)

// NewSpace returns the Space of a catalogue whose items have these fields, by the hashes of their
// names. It is nil before a snapshot.
func (r *Replica) NewSpace(items []uint64) *Space {
	if r.c.engine == nil {
		return nil
	}
	sp := &Space{hashes: slices.Clone(r.c.fields.hashes)}
	sp.k, sp.relu, sp.sums = r.c.engine.(retriever).shape()
	for i, h := range sp.hashes {
		of := slices.Contains(items, h)
		sp.items = append(sp.items, of)
		if !of {
			sp.context = append(sp.context, uint16(i))
		}
	}
	sp.Width = pad(sp.k * len(sp.context))
	return sp
}

// Fits says whether vectors of the space can be made by this replica, and queries for them.
func (r *Replica) Fits(sp *Space) bool {
	if r.c.engine == nil || !slices.Equal(sp.hashes, r.c.fields.hashes) {
		return false
	}
	k, relu, sums := r.c.engine.(retriever).shape()
	return k == sp.k && relu == sp.relu && sums == sp.sums
}

// retrieveScratch is working memory of vectors.
type retrieveScratch struct {
	floats  []float32
	context []Feature
}

func (s *retrieveScratch) of(n int) []float32 {
	if cap(s.floats) < n {
		s.floats = make([]float32, n)
	}
	clear(s.floats[:n])
	return s.floats[:n]
}

// ValueVector sets dst, of Width, to the vector of a value of one field of items, which x encodes.
// A field that the network does not know has a vector of zeros. The replica must fit.
func (r *Replica) ValueVector(dst []uint16, sp *Space, x []Feature, s *Scratch) {
	v := s.retrieve.of(sp.Width)
	if len(x) > 0 && sp.k > 0 {
		r.c.encode(x, &s.row, s, false)
		sums, room := r.c.engine.(retriever).vectors(&s.row, s)
		sp.gather(v, sums, room, r.c.fields.find(x[0].Field))
	}
	half.Pack(dst, v)
}

// gather sets v to a field's vectors for the fields of contexts.
func (sp *Space) gather(v, sums []float32, room, field int) {
	if field < 0 || sp.k == 0 {
		return
	}
	row := sums[field*room*sp.k:][:room*sp.k]
	for i, c := range sp.context {
		copy(v[i*sp.k:][:sp.k], row[int(c)*sp.k:])
	}
}

// ItemVector sets dst, of ItemWidth, to the vector of an item, which x encodes with all its fields.
// own is the field, by the hash of its name, whose value's vector is part of it. The replica must
// fit.
func (r *Replica) ItemVector(dst []uint16, sp *Space, x []Feature, own uint64, s *Scratch) {
	v := s.retrieve.of(sp.ItemWidth())
	e := r.c.engine.(retriever)
	r.c.encode(x, &s.row, s, false)
	s.row.base, s.row.reach = r.c.base.num[numBase], r.c.base.reach()
	sums, room := e.vectors(&s.row, s)
	e.item(&s.row, s, v[:sp.relu], v[sp.relu:][:sp.sums])
	sp.gather(v[sp.relu+pad(sp.sums):], sums, room, r.c.fields.find(own))
	half.Pack(dst, v)
}

// Query is a context's side of the scores of items. It is used again and again, and allocates
// nothing once it has grown.
//
// The mixture, and the layers behind the first of a plain perceptron, count by their slopes at the
// context alone. A perceptron of one layer of relu counts exactly. Scores leave out weights that
// tokens have together in threes, and in pairs as long as the network has not chosen the pairs of
// fields. A Query reads weights of its replica: it is of use as long as that does not change.
type Query struct {
	shift  []float32   // of the inputs of hidden units
	weight []float32   // of an item's vector
	fields [][]float32 // by field of the network: weights of its values' vectors
	sp     *Space

	// the logit of the prediction is about base and the score
	base float32

	core   *core
	pairs  []queryPair
	tokens []repToken // of the context, in pairs
	by     float32    // weight of pairs
}

// queryPair is a pair of a field of items and one of the context, with the context's tokens.
type queryPair struct {
	field    int
	first    bool // the item's token is the first of the key
	from, to int  // in Query.tokens
}

// Query sets q to the query of a context, which x encodes: the features that do not depend on the
// item. Features of items' fields are left out. own is that of ItemVector. The replica must fit.
func (r *Replica) Query(q *Query, sp *Space, x []Feature, own uint64, s *Scratch) {
	e := r.c.engine.(retriever)
	s.retrieve.context = s.retrieve.context[:0]
	for _, f := range x {
		if at := r.c.fields.find(f.Field); at >= 0 && !sp.items[at] {
			s.retrieve.context = append(s.retrieve.context, f)
		}
	}
	r.c.encode(s.retrieve.context, &s.row, s, false)
	s.row.base, s.row.reach = r.c.base.num[numBase], r.c.base.reach()
	resize(sp.relu, &q.shift)
	resize(sp.ItemWidth(), &q.weight)
	clear(q.weight)
	q.sp = sp
	sums, room := e.vectors(&s.row, s)
	by := e.query(&s.row, s, q)
	for j, h := range q.shift {
		q.base -= float32(q.weight[j] * max(h, 0)) // the hidden units have it in every score
	}
	for len(q.fields) < len(sp.hashes) {
		q.fields = append(q.fields, nil)
	}
	for f := range sp.hashes {
		if sp.items[f] {
			resize(sp.Width, &q.fields[f])
			sp.spread(q.fields[f], sums, room, f, by)
		}
	}
	if f := r.c.fields.find(own); f >= 0 && sp.items[f] {
		copy(q.weight[sp.relu+pad(sp.sums):], q.fields[f])
	}
	q.setPairs(r.c, &s.row)
}

// setPairs lists the pairs of a field of items and one of the row's context.
func (q *Query) setPairs(c *core, r *row) {
	q.core, q.pairs, q.tokens = c, q.pairs[:0], q.tokens[:0]
	q.by = c.engine.(retriever).addPairs(q, r)
}

// addPair adds a pair of fields if one of them is the items' and the row has the other. What an
// item's own tokens have in pairs is in its sums.
func (q *Query) addPair(r *row, first, second int) {
	item, context, isFirst := first, second, true
	if q.sp.items[second] {
		item, context, isFirst = second, first, false
	}
	if !q.sp.items[item] || q.sp.items[context] || r.reps[context].n == 0 {
		return
	}
	p := &r.reps[context]
	from := len(q.tokens)
	q.tokens = append(q.tokens, p.tokens[:p.n]...)
	q.pairs = append(q.pairs, queryPair{item, isFirst, from, len(q.tokens)})
}

// spread sets v to by times the vectors of the context's fields for an item's field.
func (sp *Space) spread(v, sums []float32, room, field int, by float32) {
	for i, c := range sp.context {
		from := sums[(int(c)*room+field)*sp.k:]
		for j := range sp.k {
			v[i*sp.k+j] = float32(by * from[j])
		}
	}
}

// Probability is about the prediction for an item of this score.
func (q *Query) Probability(score float32) float64 {
	return arith.Sigmoid(min(max(float64(q.base+score), -50), 50))
}

// Items sets out to the scores of items by their vectors, which stand one behind the other.
func (q *Query) Items(out []float32, vectors []uint16) {
	kernel.Score(out, vectors, q.shift, q.weight)
}

// Values sets out to what values of one field, by the hash of its name, add to the scores of their
// items. It returns false when they add nothing.
func (q *Query) Values(out []float32, field uint64, vectors []uint16) bool {
	f := slices.Index(q.sp.hashes, field)
	if f < 0 || !q.sp.items[f] || q.sp.Width == 0 {
		return false
	}
	kernel.Score(out, vectors, nil, q.fields[f])
	return true
}

// Tokens are the tokens of values of one field, as they enter pairs.
type Tokens struct {
	ends   []uint32 // by value: where its tokens end
	tokens []repToken
}

// AppendTokens adds a value of a field, which x encodes.
func (r *Replica) AppendTokens(t *Tokens, x []Feature, s *Scratch) {
	if len(x) > 0 {
		if f := r.c.fields.find(x[0].Field); f >= 0 {
			r.c.encode(x, &s.row, s, false)
			p := &s.row.reps[f]
			t.tokens = append(t.tokens, p.tokens[:p.n]...)
		}
	}
	t.ends = append(t.ends, uint32(len(t.tokens)))
}

// Ends says where each value's tokens end.
func (t *Tokens) Ends() []uint32 { return t.ends }

// Bytes is how much memory t takes.
func (t *Tokens) Bytes() int { return 4*cap(t.ends) + 16*cap(t.tokens) }

// Pairs adds to out what values of one field, by the hash of its name, have in pairs with the
// context's tokens. It returns false when that is nothing.
func (q *Query) Pairs(out []float32, field uint64, t *Tokens) bool {
	f, any := slices.Index(q.sp.hashes, field), false
	for i := range q.pairs {
		if p := &q.pairs[i]; p.field == f {
			q.addWeights(out, p, t)
			any = true
		}
	}
	return any
}

func (q *Query) addWeights(out []float32, p *queryPair, t *Tokens) {
	from := uint32(0)
	for i, end := range t.ends {
		var sum float32
		for _, a := range t.tokens[from:end] {
			for _, b := range q.tokens[p.from:p.to] {
				key := pairKey(b.key, a.key)
				if p.first {
					key = pairKey(a.key, b.key)
				}
				sum += float32(a.x * b.x * q.core.hashed.Weight(q.core.hashed.Slot(key), 0))
			}
		}
		out[i] += float32(q.by * sum)
		from = end
	}
}
