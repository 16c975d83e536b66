package model

import (
	"slices"
	"unsafe"

	"github.com/clickloop/clickloop/model/internal/half"
	"github.com/clickloop/clickloop/model/internal/kernel"
	"github.com/clickloop/clickloop/model/internal/table"
)

// joint is an example in two parts: the features that all candidates of a request have in common,
// which Share prepares, and a candidate's own. Field-aware networks on servers keep such a context
// cache (Škrlj et al., A Bag of Tricks for Scaling CPU-based Deep FFMs to more than 300m
// Predictions per Second, 2024).
//
// Sums of floats depend on their order, and PredictJoint must give the bits of Predict. A field's
// sums (embeddings, vectors, encodings) are its own tokens' alone, so those of shared fields stay
// where they are in the Scratch. Sums over tokens and over fields go in the order of the example:
// what stands before the candidate's first feature is kept summed up, and of what stands behind it
// the products are kept.
type joint struct {
	core     *core
	examples int64     // of core
	x        []Feature // shared
	whole    []Feature // of a candidate that is predicted by itself
	separate bool      // so are all candidates

	// of the shared features: how many tokens and how many new fields stand before each, and before
	// the end
	tokensBefore, fieldsBefore []int32
	tokens                     []kernel.Token
	slots                      []table.Hit
	present                    []uint16
	ordinal                    []int32 // by field: its place in present, -1 for fields that are not shared
	over, uncapped             bool    // weights of a field were capped; exceed the bound but were not
	products                   []lanes // by token: x times its linear weights
	sums                       []lanes // by token, and of all: the products of those before it
	crosses                    crosses
	pairs                      pairSums
	layers                     [2]prefixes
	logits                     []float64 // of T after each field

	own         row // the candidate's features; reps and numbers are those of the joined row
	ownProducts []lanes
	pieces      []piece // of the candidate: all that stands behind the kept sums, in order
	before      []uint16
	first       int // shared features before the candidate's first
}

// lanes are x times the linear weights of C, Q, P and J; a plain net uses the first.
type lanes [4]float32

// piece is a run of features, all shared or all the candidate's.
type piece struct {
	own                bool
	tokens, tokensEnd  int32
	present, presentTo int32
}

// Share prepares s for examples that have the features x in common. It keeps a copy of x, and costs
// about as much as two predictions.
func (r *Replica) Share(x []Feature, s *Scratch) {
	s.joint.x, s.joint.core = append(s.joint.x[:0], x...), nil
	if r.c.engine != nil {
		r.c.share(s)
	}
}

// PredictShared is Predict of an example that joins the features of the last Share with x, to the
// bit. Feature x[i] stands behind the first after[i] shared ones, and after must not descend; nil
// puts all of x behind all shared ones. It costs what x takes, and once a request what it has to
// prepare again when s was used for anything else since Share.
//
// An example is predicted whole, with no gain, if x has a field that is shared, if the output is a
// softmax, or if a field's weights must be bounded (row.capFields) because of what x adds.
func (r *Replica) PredictShared(x []Feature, after []int32, s *Scratch) float64 {
	if r.c.engine == nil {
		s.row.raw, s.row.served = 0.5, 0.5
		return 0.5
	}
	return r.c.predictShared(x, after, s)
}

func (c *core) predictShared(x []Feature, after []int32, s *Scratch) float64 {
	j := &s.joint
	if j.core != c || j.examples != c.examples || !s.row.joint && !j.separate {
		c.share(s)
	}
	if !j.separate && !j.take(c, x, after, s) {
		s.row.present = append(s.row.present, j.own.present...) // to be cleared
		j.separate = true
	}
	if j.separate {
		return c.predict(j.join(x, after), s)
	}
	s.row.base, s.row.reach = c.base.num[numBase], c.base.reach()
	c.calibration.keys(j.x, x, &s.row.keys)
	s.row.raw = c.engine.predictJoint(s)
	s.row.served = c.calibration.serve(s.row.raw, &s.row.keys)
	return s.row.served
}

// join is a whole example.
func (j *joint) join(x []Feature, after []int32) []Feature {
	j.whole = j.whole[:0]
	from := 0
	for i := range x {
		at := j.place(after, i)
		j.whole = append(append(j.whole, j.x[from:at]...), x[i])
		from = at
	}
	j.whole = append(j.whole, j.x[from:]...)
	return j.whole
}

// place is how many shared features stand before the candidate's i-th.
func (j *joint) place(after []int32, i int) int {
	if after == nil {
		return len(j.x)
	}
	return int(after[i])
}

// share encodes the shared features into s.row and prepares the engine.
func (c *core) share(s *Scratch) {
	j, r := &s.joint, &s.row
	j.core, j.examples, j.separate = c, c.examples, false
	e := c.encoder(r, s, false)
	s.grow(e.known)
	r.reset(e.known)
	j.tokensBefore, j.fieldsBefore = j.tokensBefore[:0], j.fieldsBefore[:0]
	note := func() {
		j.tokensBefore = append(j.tokensBefore, int32(len(r.tokens)))
		j.fieldsBefore = append(j.fieldsBefore, int32(len(r.present)))
	}
	for i := range j.x {
		note()
		e.feature(j.x, i)
	}
	note()
	j.over, j.uncapped = c.capWeights(&e, r, s)
	c.closeReps(r)
	j.tokens = append(j.tokens[:0], r.tokens...)
	j.slots = append(j.slots[:0], r.slots...)
	j.present = append(j.present[:0], r.present...)
	j.ordinal = slices.Grow(j.ordinal[:0], e.known)[:e.known]
	for f := range j.ordinal {
		j.ordinal[f] = -1
	}
	for i, f := range j.present {
		j.ordinal[f] = int32(i)
	}
	j.own.present, j.before = j.own.present[:0], j.before[:0] // s.row.reset has cleared theirs
	j.separate = !c.engine.share(s)
	r.joint = true
}

// capWeights does to encoded features what encode does, and says whether it has bounded any
// weights, and whether some exceed the bound that would be bounded if another feature did too.
func (c *core) capWeights(e *encoder, r *row, s *Scratch) (over, uncapped bool) {
	switch {
	case c.cfg.Numbers == "raw":
		return false, false
	case e.over:
		r.capFields(s.squares)
		return true, false
	}
	return false, slices.ContainsFunc(r.present, func(f uint16) bool { return s.squares[f] > maxSquare })
}

// take encodes a candidate's features in the place of the former candidate's, and joins them with
// the shared ones in s.row. It is false if the example must be predicted whole.
func (j *joint) take(c *core, x []Feature, after []int32, s *Scratch) bool {
	r, own := &s.row, &j.own
	j.before, own.present = own.present, j.before[:0]
	for _, f := range j.before {
		r.reps[f].n, r.reps[f].seen, r.numbers[f] = 0, false, 0
	}
	own.tokens, own.slots, own.reps, own.numbers = own.tokens[:0], own.slots[:0], r.reps, r.numbers
	j.pieces, j.first = j.pieces[:0], len(j.x)
	if len(x) > 0 {
		j.first = j.place(after, 0)
	}
	c.prefetchTokens(x)
	e := c.encoder(own, s, false)
	e.place = len(j.x)
	from := j.first
	for i := range x {
		if at := j.place(after, i); at > from {
			j.addShared(from, at)
			from = at
		}
		tokens, fields := len(own.tokens), len(own.present)
		if f := e.feature(x, i); f >= 0 && j.ordinal[f] >= 0 {
			return false
		}
		j.addOwn(tokens, fields)
		for _, t := range own.tokens[tokens:] {
			for _, a := range c.byToken {
				kernel.PrefetchWeights(a, t.Read)
			}
		}
	}
	j.addShared(from, len(j.x))
	// A shared field that acts apart is left out by forward, and its sums stay as they are.
	alone := false
	c.eachApart(own, func(int) { alone = true })
	over, uncapped := c.capWeights(&e, own, s)
	if alone || over && j.uncapped {
		return false
	}
	if j.over && uncapped {
		own.capFields(s.squares)
	}
	j.fill(r)
	return true
}

// prefetchTokens calls for where the entries of categories are found.
func (c *core) prefetchTokens(x []Feature) {
	if !c.needs.entries {
		return
	}
	for i := range x {
		if x[i].Kind == Token {
			kernel.Prefetch(c.tokens.Home(tokenKey(&x[i])), 1)
		}
	}
}

// addShared adds the shared features from from on to those before to.
func (j *joint) addShared(from, to int) {
	if to > from {
		j.pieces = append(j.pieces, piece{false, j.tokensBefore[from], j.tokensBefore[to], j.fieldsBefore[from], j.fieldsBefore[to]})
	}
}

// addOwn adds the candidate's tokens and fields from there on.
func (j *joint) addOwn(tokens, fields int) {
	if n := len(j.pieces); n == 0 || !j.pieces[n-1].own {
		j.pieces = append(j.pieces, piece{own: true, tokens: int32(tokens), present: int32(fields)})
	}
	p := &j.pieces[len(j.pieces)-1]
	p.tokensEnd, p.presentTo = int32(len(j.own.tokens)), int32(len(j.own.present))
}

// fill makes r the row of the whole example, without its slots: nobody learns it.
func (j *joint) fill(r *row) {
	r.tokens = append(r.tokens[:0], j.tokens[:j.tokensBefore[j.first]]...)
	r.present = append(r.present[:0], j.present[:j.fieldsBefore[j.first]]...)
	for _, p := range j.pieces {
		tokens, present := j.tokens, j.present
		if p.own {
			tokens, present = j.own.tokens, j.own.present
		}
		r.tokens = append(r.tokens, tokens[p.tokens:p.tokensEnd]...)
		r.present = append(r.present, present[p.present:p.presentTo]...)
	}
}

// kept is how many fields stand before the candidate's first feature.
func (j *joint) kept() int { return int(j.fieldsBefore[j.first]) }

// setProducts sets the products of the shared tokens, and their sums.
func (j *joint) setProducts(products []lanes) {
	j.products = products
	j.sums = append(j.sums[:0], lanes{})
	var sum lanes
	for i := range products {
		sum.add(&products[i])
		j.sums = append(j.sums, sum)
	}
}

// sum adds up the products of all tokens in their order.
func (j *joint) sum() lanes {
	sum := j.sums[j.tokensBefore[j.first]]
	for _, p := range j.pieces {
		products := j.products
		if p.own {
			products = j.ownProducts
		}
		for i := p.tokens; i < p.tokensEnd; i++ {
			sum.add(&products[i])
		}
	}
	return sum
}

func (l *lanes) add(by *lanes) {
	for k := range l {
		l[k] += by[k]
	}
}

// weightAt is the i-th weight of an entry.
func weightAt(a *table.Arena, entry uint32, i int) float32 {
	v := a.Ptr(entry)
	if a.Half() {
		return half.Float(*(*uint16)(unsafe.Add(v, 2*i)))
	}
	return *(*float32)(unsafe.Add(v, 4*i))
}

// prefixes are the inputs of a layer's units after each of the shared fields.
type prefixes struct {
	units int
	sums  []float32
}

// begin starts with the biases.
func (p *prefixes) begin(biases []float32) {
	p.units, p.sums = len(biases), append(p.sums[:0], biases...)
}

// next appends a copy of the last inputs, to which a field is to be added.
func (p *prefixes) next() []float32 {
	p.sums = append(p.sums, p.sums[len(p.sums)-p.units:]...)
	return p.sums[len(p.sums)-p.units:]
}

// after are the inputs after so many fields.
func (p *prefixes) after(fields int) []float32 { return p.sums[fields*p.units:][:p.units] }

// replace clears the rows of the former candidate's fields, and notes those of the present fields.
func (s *fieldSums) replace(former, present []uint16, k int) {
	for _, f := range former {
		clear(s.sums[int(f)*s.room*k:][:s.room*k])
	}
	s.dirty = append(s.dirty[:0], present...)
}

// pairSums multiply the field-aware sums of pairs of fields. Columns (kernel.FFMColumn) are added
// up once for all candidates as far as no field before them is a candidate's.
type pairSums struct {
	shared  []uint16  // fields, by their numbers
	from    int       // columns of fields below it are in sums; 0: none yet
	sums    []float32 // by field, kernel.VectorSize lanes
	rows    []float32 // likewise, of a candidate
	columns []uint16  // of a candidate
}

func (p *pairSums) begin(shared []uint16) {
	p.shared, p.from = append(p.shared[:0], shared...), -1
	slices.Sort(p.shared)
}

// dot is kernel.FFMDot of sums, of whose rows those of the own fields are a candidate's.
func (p *pairSums) dot(sums []float32, fields, room int, own []uint16) float32 {
	first := fields
	for _, f := range own {
		first = min(first, int(f))
	}
	if p.from < 0 || first < p.from {
		p.addUp(sums, fields, room, first)
	}
	p.columns = p.columns[:0]
	for _, f := range p.shared {
		if int(f) >= p.from {
			p.columns = append(p.columns, f)
		}
	}
	p.columns = append(p.columns, own...)
	if 2*len(p.columns) > len(p.shared)+len(own) {
		return kernel.FFMDot(sums, fields, room)
	}
	slices.Sort(p.columns)
	p.rows = append(p.rows[:0], p.sums...)
	for _, h := range p.columns {
		kernel.FFMColumn(p.rows, sums, int(h), room)
	}
	return kernel.FFMTotal(p.rows)
}

// addUp adds up the columns of the shared fields below from.
func (p *pairSums) addUp(sums []float32, fields, room, from int) {
	p.from = from
	p.sums = slices.Grow(p.sums[:0], fields*kernel.VectorSize)[:fields*kernel.VectorSize]
	clear(p.sums)
	for _, h := range p.shared {
		if int(h) < from {
			kernel.FFMColumn(p.sums, sums, int(h), room)
		}
	}
}
