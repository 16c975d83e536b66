package model

import (
	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/table"
)

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
	apart      apart
	base       base
	fields     fields
	weights
	calibration *calibration // nil: none

	// encoding writes what follows, while another goroutine reads what comes before
	_        [64]byte
	examples int64 // learned
	tokens   table.Table
	changes  changes
	capture  *Capture    // under way, nil for none
	waiting  *[]newEntry // where new entries wait for their start; nil: they get it at once
	filled   int         // hashed weights in use when they were last copied
}

// engine is what is computed over a core: the mixture or a plain network. It is called once an
// example or a batch, never in an inner loop. It lays out the core's weights when it is made.
type engine interface {
	// startToken sets the entries of a new token to their random start.
	startToken(e newEntry)
	// startField sets the entries of a new field, one of so many.
	startField(field, fields int)

	// predict changes nothing but the scratch. The calibration comes after it.
	predict(r *row, s *Scratch) float64
	// share prepares the scratch for rows that have what is in s.row in common. It is false if such
	// rows must be predicted whole.
	share(s *Scratch) bool
	// predictJoint is predict of s.row, which joins what share prepared with a candidate's own.
	predictJoint(s *Scratch) float64
	// learn predicts a row, then learns its label, and has the calibration learn it. It returns the
	// served probability. The error wraps ErrDiverged.
	learn(r *row, s *Scratch) (float64, error)
	// learnBatch does that for all examples, and returns how many it learned before an error.
	learnBatch(n *Net, in examples) (int, error)
}

var (
	_ engine = (*mixture)(nil)
	_ engine = (*plain)(nil)
)

// needs is what the engine wants of each token of an example.
type needs struct {
	entries bool    // an entry in the table
	slots   bool    // a slot in the hashed table
	crosses []cross // slots of pairs and triples of tokens
	// how the field-aware vectors of a new entry start: the weights' standard deviation, and each
	// vector's accumulator (0: it has none)
	vectorDeviation, vectorStart float64
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
	c := &core{cfg: cfg, apart: apartOf(cfg.Apart), origin: lineage(cfg), full: full, half: half}
	c.tokens = table.New(table.Limits{Bits: cfg.TableBits, Admission: cfg.Admission, Expiry: cfg.Expiry}, full)
	c.calibration = newCalibration(&cfg, full)
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
	k.calibration = c.calibration.clone()
	return k
}

func (c *core) predict(x []Feature, s *Scratch) float64 {
	c.encode(x, &s.row, s, false)
	s.row.base, s.row.reach = c.base.num[numBase], c.base.reach()
	c.calibration.keys(x, nil, &s.row.keys)
	s.row.raw = c.engine.predict(&s.row, s)
	s.row.served = c.calibration.serve(s.row.raw, &s.row.keys)
	return s.row.served
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
		list(&c.changes, &c.changes.keys, keyChange{entry, key})
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
		c.startVectors(v, c.tokens.Keys[i], before, now, -1)
		c.tokensJT.Write(uint32(i), v)
	}
}

// startVectors sets a token's vectors for the fields from to to-1 in its weights and optimizer
// state v. The vector for its own field stays zero; own is -1 when the field is not known. The
// accumulators start for all fields that the entry has room for: a root of zero must never be
// divided by.
func (c *core) startVectors(v []float32, key uint64, from, to, own int) {
	a, h := &c.tokensJT, arith.Mix(c.cfg.Seed^0xFF, key)
	k := a.Weights.Piece
	if k == 0 {
		return
	}
	for f := from; f < to; f++ {
		if f != own {
			arith.Normals(v[a.Weights.Head+f*k:][:k], h, f*k, c.needs.vectorDeviation)
		}
	}
	if c.full && c.needs.vectorStart > 0 {
		fill(v[a.KeptAt+a.Kept.Head:][from:a.Room], float32(c.needs.vectorStart))
	}
}
