package model

import (
	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/kernel"
	"github.com/clickloop/clickloop/model/internal/quantile"
	"github.com/clickloop/clickloop/model/internal/table"
)

const (
	kindToken   = 0x51ED270B7F4A7C15
	kindMissing = 0xBF58476D1CE4E5B9
	kindPair    = 0xD6E8FEB86659FD93
)

func tokenKey(f *Feature) uint64 { return arith.Mix(f.Field^kindToken, f.Hash) }

// encoder turns one example into weighted tokens.
//
// When it learns, it also makes the fields and tokens known, and shows each number to its field's
// sample. What an example brings counts from the next example on: so Learn predicts what Predict
// does.
type encoder struct {
	*core
	row     *row
	s       *Scratch
	learns  bool
	known   int    // fields before this example
	entries uint32 // before this example
	pooled  bool   // tokens without an entry shared the pool's before this example
	place   int    // of the first feature in the example
	over    bool   // a token made its field's weights exceed their bound
}

func (c *core) encoder(r *row, s *Scratch, learns bool) encoder {
	return encoder{core: c, row: r, s: s, learns: learns, known: len(c.fields.hashes), entries: uint32(len(c.tokens.Keys)), pooled: c.tokens.Pooled}
}

func (c *core) encode(x []Feature, r *row, s *Scratch, learns bool) {
	if c.needs.slots && !c.needs.entries && c.encodePlainTokens(x, r, s) {
		return
	}
	e := c.encoder(r, s, learns)
	s.grow(e.known)
	r.reset(e.known)
	if learns {
		c.tokens.BeginExample()
	}
	for i := range x {
		e.feature(x, i)
	}
	if e.over && c.cfg.Numbers != "raw" {
		r.capFields(s.squares)
	}
	c.crossFields(r)
}

// feature appends the tokens of feature i, and returns its field, or -1: a field that the example
// brings is known from the next one on.
func (e *encoder) feature(x []Feature, i int) int {
	f := &x[i]
	field := e.s.fieldAt(e.core, e.place+i, f.Field)
	if field < 0 || field >= e.known {
		if field = e.findField(x, i); field < 0 || field >= e.known {
			return -1
		}
	}
	p := &e.row.reps[field]
	if !p.seen {
		p.seen, e.s.squares[field] = true, 0
		e.row.present = append(e.row.present, uint16(field))
	}
	switch f.Kind {
	case Token:
		if f.Value != 0 {
			e.token(p, field, tokenKey(f), min(max(f.Value, -1e18), 1e18))
			e.over = e.over || e.s.squares[field] > maxSquare
		}
	case Missing:
		e.token(p, field, arith.Mix(f.Field^kindMissing, 1), 1)
	case Number:
		e.number(f, p, field)
	}
	return field
}

// findField is the number of a field that the scratch did not remember, or -1. When it learns, it
// makes all new fields of the example known at once.
func (e *encoder) findField(x []Feature, i int) int {
	hash := x[i].Field
	field := e.fields.find(hash)
	if field < 0 && e.learns && len(e.fields.hashes) < e.cfg.MaxFields {
		before := len(e.fields.hashes)
		for i := range x {
			if h := x[i].Field; e.fields.find(h) < 0 && len(e.fields.hashes) < e.cfg.MaxFields {
				e.fields.add(h)
			}
		}
		e.growFields(before)
		field = e.fields.find(hash)
	}
	if field < 0 && len(e.fields.hashes) == e.cfg.MaxFields {
		field = e.cfg.MaxFields - 1
	}
	if field >= 0 {
		e.s.remember(e.place+i, field)
	}
	return field
}

// token appends one token, and lets it stand for its field in pairs while there is room.
func (e *encoder) token(p *rep, field int, key uint64, x float64) {
	e.add(field, key, x)
	p.add(key, x)
}

// number appends a number's tokens.
func (e *encoder) number(f *Feature, p *rep, field int) {
	if e.cfg.Numbers == "raw" {
		e.row.numbers[field] += float32(f.Value)
		e.token(p, field, quantile.ExactKey(f.Field), f.Value)
		return
	}
	sample, code := &e.fields.numbers[field], &e.s.code
	if e.learns { // only the goroutine that learns may remember codes
		code = sample.Lookup(f.Field, f.Value)
	} else {
		sample.Code(code, f.Field, f.Value)
	}
	for i, key := range code.Keys[:code.N] {
		e.add(field, key, code.Xs[i])
	}
	p.add(code.Best, 1)
	if !e.learns {
		return
	}
	if victim, kept := sample.See(e.cfg.Seed, f.Field, f.Value); kept {
		list(&e.changes, &e.changes.numbers, numberChange{field, victim, f.Value})
	}
}

// add appends one token to the row.
func (e *encoder) add(field int, key uint64, x float64) {
	e.s.squares[field] += float64(x * x)
	t := kernel.Token{Field: uint32(field), X: float32(x)}
	if e.needs.slots {
		e.row.slots = append(e.row.slots, table.Hit{Slot: e.hashed.Slot(key), X: t.X})
	}
	if e.needs.entries {
		e.entry(&t, key)
	}
	e.row.tokens = append(e.row.tokens, t)
}

// entry sets the entries that a token reads and learns. It reads as unknown an entry that the
// present example brought, to this token or to one that shares it.
func (e *encoder) entry(t *kernel.Token, key uint64) {
	entry := e.tokens.Find(key)
	own := entry != 0
	if !own && e.pooled {
		entry = e.tokens.FindShared(key)
	}
	t.Learn = entry
	if entry < e.entries && !(e.learns && e.tokens.IsReused(entry)) {
		t.Read = entry
	}
	if !e.learns {
		return
	}
	if !own {
		var created bool
		if t.Learn, created = e.tokens.Admit(key, e.pooled, entry, e.examples); created {
			e.start(newEntry{e.tokens.Keys[t.Learn], int(t.Field), t.Learn})
		}
	}
	e.touch(t.Learn)
}

// start gives a new entry its random start, or leaves that to the goroutines that learn.
func (e *encoder) start(n newEntry) {
	if e.waiting != nil {
		*e.waiting = append(*e.waiting, n)
		return
	}
	e.engine.startToken(n)
}

// encodePlainTokens is encode for the commonest example of a net without entries: a few whole
// tokens of each of some fields, which stood in the same places in the example before. It returns
// false for any other example, and leaves the row unfinished.
func (c *core) encodePlainTokens(x []Feature, r *row, s *Scratch) bool {
	if len(x) > len(s.seen) || c.cfg.Numbers == "raw" {
		return false
	}
	known := len(c.fields.hashes)
	r.reset(known)
	var fields uint64 // a bit for each that was there
	last, run := -1, 0
	crossed := len(c.needs.crosses) > 0
	for i := range x {
		f, field := &x[i], int(s.seen[i])
		if f.Kind != Token || f.Value != 1 || field >= min(known, 64) || c.fields.hashes[field] != f.Field {
			return false
		}
		if run++; field != last {
			if fields>>field&1 != 0 {
				return false
			}
			fields |= 1 << field
			last, run = field, 1
			r.present = append(r.present, uint16(field))
		}
		if run > maxSquare { // their weights are bounded together
			return false
		}
		key := tokenKey(f)
		r.slots = append(r.slots, table.Hit{Slot: c.hashed.Slot(key), X: 1})
		if crossed {
			p := &r.reps[field]
			p.seen = true
			p.tokens[run-1] = repToken{key, 1}
			p.n = int32(run)
		}
	}
	c.crossFields(r)
	return true
}
