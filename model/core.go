package model

import "github.com/clickloop/clickloop/model/internal/table"

// core is the state that learning changes. A Net's core is full; a Replica's keeps no optimizer
// state, and its weights may have 16 bits.
//
// All learned state lies in a few plain containers. The engine knows their layout, so checkpoints,
// snapshots and deltas need not.
type core struct {
	cfg        Config
	origin     uint64 // tells it apart from nets that began differently
	full, half bool
	engine     engine
	needs      needs
	base       base
	fields     fields
	weights

	_        [64]byte // encoding writes what follows, while another goroutine reads what comes before
	examples int64    // learned
	tokens   table.Table
	changes  changes
	capture  *Capture    // under way, nil for none
	waiting  *[]newEntry // where new entries wait for their start; nil: they get it at once
	filled   int         // hashed weights in use when they were last copied
}

// needs is what the engine wants of each token of an example.
type needs struct {
	entries bool    // an entry in the table
	slots   bool    // a slot in the hashed table
	crosses []cross // slots of pairs and triples of tokens
}

// weights is what was learned, and in a full core what only the optimizers read.
type weights struct {
	tokensJT, tokensCQP table.Arena  // by token; a plain net uses only the first
	layerJ, layerQ      table.Arena  // by field; a plain net uses only the first
	hashed              table.Hashed // by hash: pairs of tokens, the linear part of a plain net
	dense, denseKept    []float32    // weights and accumulators without a key
	num, numKept        []float64    // the same, in double precision
	pairs               []uint32     // pairs of fields that member P has chosen
	wins                []float64    // what each pair of fields has won

	byToken, byField []*table.Arena // those in use
}

func newCore(cfg Config, full, half bool) *core {
	c := &core{cfg: cfg, origin: lineage(cfg), full: full, half: half}
	c.tokens = table.New(table.Limits{Bits: cfg.TableBits, Admission: cfg.Admission, Expiry: cfg.Expiry}, full)
	if full {
		c.tokens.BeforeChange = c.beforeChange
		c.tokens.Changed = c.keyChanged
	}
	if len(cfg.Network) == 0 {
		c.engine = newMixture(c)
	} else {
		c.engine = newPlain(c)
	}
	for _, a := range []*table.Arena{&c.tokensJT, &c.tokensCQP} {
		if a.Used() {
			a.Add() // entry 0 is all zero: tokens that are not known
			c.byToken = append(c.byToken, a)
		}
	}
	for _, a := range []*table.Arena{&c.layerJ, &c.layerQ} {
		if a.Used() {
			c.byField = append(c.byField, a)
		}
	}
	return c
}

// clone is an independent copy of a replica's core.
func (c *core) clone() *core {
	k := newCore(c.cfg, false, c.half)
	k.examples, k.fields, k.tokens = c.examples, c.fields.clone(), c.tokens.Clone()
	k.tokensJT, k.tokensCQP = c.tokensJT.Clone(), c.tokensCQP.Clone()
	k.layerJ, k.layerQ, k.hashed = c.layerJ.Clone(), c.layerQ.Clone(), c.hashed.Clone()
	copy(k.dense, c.dense)
	copy(k.num, c.num)
	k.pairs = append([]uint32(nil), c.pairs...)
	return k
}

func (c *core) predict(x []Feature, s *Scratch) float64 {
	c.encode(x, &s.row, s, false)
	s.row.base, s.row.reach = c.base.num[numBase], c.base.reach()
	return c.engine.predict(&s.row, s)
}

func (c *core) predictClasses(dst []float64, x []Feature, s *Scratch) []float64 {
	p := c.predict(x, s)
	if c.cfg.Output != "softmax" {
		return append(dst, 1-p, p)
	}
	for _, v := range s.plain.predictions {
		dst = append(dst, float64(v))
	}
	return dst
}

// newEntry is a token that has an entry without its start: the entry is blank, or another token's
// that expired.
type newEntry struct {
	key   uint64
	field int
	entry uint32
}

// touch notes that an entry is about to be learned.
func (c *core) touch(entry uint32) {
	if entry == 0 {
		return
	}
	if c.changes.on {
		c.changes.entries.Set(entry)
	}
	c.beforeChange(entry)
	c.tokens.Seen(entry, c.examples)
}

// beforeChange lets a capture copy an entry that is about to change.
func (c *core) beforeChange(entry uint32) {
	if c.capture != nil {
		c.capture.touch(entry)
	}
}

// keyChanged lists for the next delta that an entry got a key, or lost it (0).
func (c *core) keyChanged(entry uint32, key uint64) {
	if c.tokens.Expires() {
		c.changes.addKey(keyChange{entry, key})
	}
}

// growFields lays out entries for the fields from number before on, and gives their weights a
// start.
func (c *core) growFields(before int) {
	now := len(c.fields.hashes)
	c.tokensJT.Grow((now + 3) &^ 3)
	for i := before; i < now; i++ {
		for _, a := range c.byField {
			a.Add()
		}
		if len(c.byField) > 0 {
			c.engine.startField(i, now)
		}
	}
	var work []float32
	for i := 1; i < c.tokensJT.Len; i++ {
		v := c.tokensJT.Read(uint32(i), &work)
		c.engine.startVectors(v, c.tokens.Keys[i], before, now, -1)
		c.tokensJT.Write(uint32(i), v)
	}
}
