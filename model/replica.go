package model

import "fmt"

// Replica is a net that only predicts, at the version of the last message applied to it, with the
// very bits of the net that published it. Any number of goroutines may Predict at once, each with
// its own Scratch; Apply must be alone.
type Replica struct {
	c *core // nil: nothing yet
}

// NewReplica makes a replica of nothing: it predicts one half until a snapshot comes.
func NewReplica() *Replica { return &Replica{} }

// Examples is the version: how many examples the weights have learned.
func (r *Replica) Examples() int64 {
	if r.c == nil {
		return 0
	}
	return r.c.n
}

// Config is that of the net that published the weights; the zero value before a snapshot.
func (r *Replica) Config() Config {
	if r.c == nil {
		return Config{}
	}
	return r.c.cfg
}

// NewScratch makes a Scratch. Any Scratch serves any replica or net.
func (r *Replica) NewScratch() *Scratch { return &Scratch{} }

// Predict is Net.Predict.
func (r *Replica) Predict(x []Feature, s *Scratch) float64 {
	if r.c == nil {
		return 0.5
	}
	return r.c.predict(x, s)
}

// PredictClasses is Net.PredictClasses.
func (r *Replica) PredictClasses(dst []float64, x []Feature, s *Scratch) []float64 {
	if r.c == nil {
		return append(dst, 0.5, 0.5)
	}
	return r.c.predictClasses(dst, x, s)
}

// Clone is an independent copy.
func (r *Replica) Clone() *Replica {
	if r.c == nil {
		return &Replica{}
	}
	c := newCore(r.c.cfg, false, r.c.half)
	c.n, c.pooled = r.c.n, r.c.pooled
	c.fields, c.index = r.c.fields.clone(), r.c.index.clone()
	c.a, c.b, c.f, c.g, c.h = r.c.a.clone(), r.c.b.clone(), r.c.f.clone(), r.c.g.clone(), r.c.h.clone()
	copy(c.dense, r.c.dense)
	copy(c.num, r.c.num)
	c.list = append([]uint32(nil), r.c.list...)
	return &Replica{c}
}

// Apply takes a message of AppendSnapshot or AppendDelta, whole or in the pieces that make it up. A
// delta to a version that is reached already does nothing. Errors, after which the replica is as
// before: ErrGap (a delta from another version), ErrShape, ErrChecksum, ErrNotModel.
func (r *Replica) Apply(msg ...[]byte) error {
	kind, d, err := open(msg)
	if err != nil {
		return fmt.Errorf("cannot apply weights: %w", err)
	}
	if kind == snapshotMagic {
		d.readBits()
		c := decodeState(d, false)
		if d.err != nil {
			return fmt.Errorf("cannot apply a snapshot: %w", d.err)
		}
		r.c = c
		return nil
	}
	if err := r.applyDelta(d); err != nil {
		return fmt.Errorf("cannot apply a delta: %w", err)
	}
	return nil
}

func (r *Replica) applyDelta(d *dec) error {
	if r.c == nil {
		return fmt.Errorf("%w: no snapshot has come yet", ErrGap)
	}
	d.readBits()
	origin, from, to := d.u64(), int64(d.num(0)), int64(d.num(0))
	switch {
	case d.err != nil:
		return d.err
	case origin != r.c.origin:
		return fmt.Errorf("%w: its configuration differs", ErrShape)
	case d.half != r.c.half:
		return fmt.Errorf("%w: its weights have another number of bits", ErrShape)
	case to <= r.c.n && from <= to:
		return nil
	case from != r.c.n || to < from:
		return fmt.Errorf("%w: it leads from version %d to %d, this is %d", ErrGap, from, to, r.c.n)
	}
	// The first pass reads everything and changes nothing, so that the second cannot fail half-way.
	dry := *d
	if r.c.delta(&dry, false); dry.err == nil && !dry.ends() {
		dry.fail("it has too many bytes")
	}
	if dry.err != nil {
		return dry.err
	}
	if r.c.delta(d, true); d.err != nil {
		panic("BUG: a delta that was checked cannot be applied: " + d.err.Error())
	}
	r.c.n = to
	return nil
}

// delta reads a delta's body from the pooled mark on; with apply it also takes it over.
func (c *core) delta(d *dec, apply bool) {
	pooled := d.num(0) == 1
	fields := c.deltaFields(d, apply)
	c.deltaOps(d, fields, apply)
	keys := c.deltaKeys(d, apply)
	if apply {
		c.pooled = pooled
	}
	size := func(a *arena) int { return a.fixS + a.perS*fields }
	for range d.num(1) {
		i := d.num(0)
		if d.err != nil || i < 1 || i >= keys {
			d.fail("a token is not known")
			return
		}
		for _, a := range []*arena{&c.a, &c.b} {
			if a.len == 0 {
				continue
			}
			if apply {
				d.record(a, uint32(i), size(a))
			} else {
				d.take(d.weightBytes(size(a)))
			}
		}
	}
	for _, a := range []*arena{&c.f, &c.g} {
		for i := range fields {
			if a.stride == 0 {
				break
			}
			if apply {
				d.record(a, uint32(i), size(a))
			} else {
				d.take(d.weightBytes(size(a)))
			}
		}
	}
	c.deltaRest(d, fields, apply)
}

func (c *core) deltaFields(d *dec, apply bool) int {
	before, more := d.num(0), d.num(8)
	if d.err == nil && (before != len(c.fields.hashes) || before+more > c.cfg.MaxFields) {
		d.fail("it knows %d fields, not %d", before, len(c.fields.hashes))
	}
	if d.err != nil {
		return 0 // what was read is no number of fields, and memory is taken by it
	}
	var fresh []uint64
	for range more {
		h := d.u64()
		for _, o := range fresh {
			if o == h {
				d.fail("a field comes twice")
			}
		}
		if c.fields.find(h) >= 0 {
			d.fail("a field comes twice")
		}
		fresh = append(fresh, h)
	}
	if apply && more > 0 {
		for _, h := range fresh {
			c.fields.add(h)
		}
		c.growFields(before)
	}
	return before + more
}

func (c *core) deltaOps(d *dec, fields int, apply bool) {
	lengths := make([]int, fields)
	for i := range min(fields, len(c.fields.codes)) {
		lengths[i] = len(c.fields.codes[i].sorted)
	}
	for range d.num(10) {
		f, victim, v := d.num(0), d.num(0)-1, d.f64()
		if d.err != nil || f >= fields || !finite(v) || victim >= lengths[f] || victim < 0 && lengths[f] == reservoirSize {
			d.fail("a number has no place")
			return
		}
		if victim < 0 {
			lengths[f]++
		}
		if apply {
			c.fields.codes[f].put(victim, v)
		}
	}
}

func (c *core) deltaKeys(d *dec, apply bool) int {
	before, more := d.num(0), d.num(8)
	if d.err == nil && (before != len(c.index.keys) || before+more > 1<<c.cfg.TableBits+1) {
		d.fail("it knows %d tokens, not %d", before, len(c.index.keys))
		return 0
	}
	for range more {
		k := d.u64()
		if apply {
			c.index.push(k)
			c.addZero()
		}
	}
	return c.deltaLives(d, before+more, apply)
}

// deltaLives reads which tokens records got and lost, and returns how many records there are then.
func (c *core) deltaLives(d *dec, records int, apply bool) int {
	for range d.num(9) {
		r, key := d.num(0), d.u64()
		if d.err != nil || !c.index.exact || r < 1 || r > records || r == records && records > 1<<c.cfg.TableBits {
			d.fail("a record is out of place")
			return 0
		}
		if r == records {
			records++
		}
		if apply {
			c.live(uint32(r), key)
		}
	}
	return records
}

// live gives a record to a token, or takes it away.
func (c *core) live(r uint32, key uint64) {
	if int(r) == len(c.index.keys) {
		c.index.push(key)
		c.addZero()
		return
	}
	if c.index.keys[r] != 0 {
		c.index.remove(r)
	}
	if key != 0 {
		c.index.give(key, r)
	}
}

func (c *core) deltaRest(d *dec, fields int, apply bool) {
	n := d.num(1 + d.weightBytes(c.h.serve))
	if n > 0 && c.h.serve == 0 {
		d.fail("it has hashed weights where none belong")
		return
	}
	for range n {
		i := d.num(0)
		if d.err != nil || i >= 1<<c.h.bits {
			d.fail("a hashed weight is out of place")
			return
		}
		if apply {
			c.h.decode(d, uint32(i))
		} else {
			d.take(d.weightBytes(c.h.serve))
		}
	}
	if apply {
		c.decodeServed(d)
		return
	}
	// Into copies: a dry run keeps the replica as it is.
	t := core{dense: make([]float32, len(c.dense)), num: make([]float64, len(c.num))}
	t.fields.hashes = make([]uint64, fields)
	t.decodeServed(d)
}
