package model

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"
)

// encode writes the whole state in its canonical form: the same learning gives the same bytes,
// however memory happens to lie. Without full, what only the optimizers need is left out.
func (c *core) encodeState(e *enc, full bool) {
	c.encodeHead(e, full)
	for _, k := range c.index.keys[1:] {
		e.u64(k)
		e.spill(1 << 16)
	}
	if full && c.life.used != nil {
		for _, u := range c.life.used[1:] {
			e.u32(u)
			e.spill(1 << 16)
		}
	}
	c.eachArena(func(a *arena, first int) {
		for i := first; i < a.len; i++ {
			if c.isFree(a, i) {
				if full { // every record has its place in a checkpoint
					e.zeros(4 * (a.fixS + a.fixO + (a.perS+a.perO)*len(c.fields.hashes)))
					e.spill(1 << 16)
				}
				continue
			}
			e.weights(a.served(uint32(i), len(c.fields.hashes)))
			if full {
				e.f32s(a.kept(uint32(i), len(c.fields.hashes)))
			}
			e.spill(1 << 16)
		}
	})
	c.encodeSparse(e, full)
	c.encodeTail(e, full)
}

// encodeHead writes what stands before the tokens' keys.
func (c *core) encodeHead(e *enc, full bool) {
	config, err := json.Marshal(c.cfg)
	if err != nil {
		panic("BUG: a valid configuration cannot be encoded: " + err.Error())
	}
	e.text(config)
	e.num(int(c.n))
	e.num(btoi(c.pooled))
	e.num(len(c.fields.hashes))
	for i, h := range c.fields.hashes {
		e.u64(h)
		if full {
			e.num(int(c.fields.codes[i].seen))
		}
		e.sorted(c.fields.codes[i].sorted)
	}
	e.num(len(c.index.keys) - 1)
	if full {
		c.encodeLife(e)
	}
}

// isFree says whether a record is one of a token's that expired.
func (c *core) isFree(a *arena, i int) bool {
	return c.index.exact && (a == &c.a || a == &c.b) && c.index.keys[i] == 0
}

// encodeTail writes what stands behind the hashed weights.
func (c *core) encodeTail(e *enc, full bool) {
	e.num(len(c.dense))
	e.weights(c.dense)
	e.f64s(c.num)
	e.num(len(c.list))
	for _, p := range c.list {
		e.num(int(p))
	}
	if full {
		e.num(len(c.denseO))
		e.f32s(c.denseO)
		e.f64s(c.numO)
		e.f64s(c.wins)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// eachArena visits the arenas that have records, with the first record that is written.
func (c *core) eachArena(do func(a *arena, first int)) {
	do(&c.a, 1)
	do(&c.b, 1)
	do(&c.f, 0)
	do(&c.g, 0)
}

func (c *core) encodeSparse(e *enc, full bool) {
	width := c.h.serve
	if full {
		width = c.h.stride
	}
	var p pieces
	p.half = e.half
	n, last := 0, 0
	c.eachSlot(width, func(i uint32, v []float32) {
		n++
		p.room(binary.MaxVarintLen64 + 4*len(v))
		p.num(int(i) - last)
		last = int(i)
		p.weights(v)
	})
	e.num(n)
	for _, b := range append(p.full, p.b) {
		e.b = append(e.b, b...)
		e.spill(1 << 16)
	}
}

// eachSlot visits the slots that are not all zero.
func (c *core) eachSlot(width int, do func(uint32, []float32)) {
	if c.h.v == nil {
		return
	}
	for i := range 1 << c.h.bits {
		v := c.h.at(uint32(i))[:width]
		for _, f := range v {
			if f != 0 {
				do(uint32(i), v)
				break
			}
		}
	}
}

// decodeState reads what encodeState wrote into a new core.
func decodeState(d *dec, full bool) *core {
	var config Config
	text := d.take(d.num(1))
	if d.err != nil {
		return nil
	}
	j := json.NewDecoder(bytes.NewReader(text))
	j.DisallowUnknownFields()
	if err := j.Decode(&config); err != nil {
		d.fail("its configuration is %v", err)
		return nil
	}
	if err := config.Validate(); err != nil {
		d.fail("its configuration is not valid: %v", err)
		return nil
	}
	c := newCore(config, full, d.half)
	c.n = int64(d.num(0))
	c.pooled = d.num(0) == 1
	c.decodeFields(d, full)
	c.decodeRecords(d, full)
	c.decodeSparse(d, full)
	c.decodeRest(d, full)
	if d.err == nil && !d.ends() {
		d.fail("it has too many bytes")
	}
	return c
}

func (c *core) decodeFields(d *dec, full bool) {
	n := d.num(8)
	if n > c.cfg.MaxFields {
		d.fail("%d fields where %d are allowed", n, c.cfg.MaxFields)
		return
	}
	for range n {
		h := d.u64()
		if c.fields.find(h) >= 0 {
			d.fail("a field comes twice")
			return
		}
		c.fields.add(h)
		r := &c.fields.codes[len(c.fields.codes)-1]
		if full {
			r.seen = uint64(d.num(0))
		}
		r.sorted = d.sorted()
		if !slices.IsSorted(r.sorted) || len(r.sorted) > reservoirSize {
			d.fail("a field's numbers are not in order")
			return
		}
	}
	c.growFields(0)
}

func (c *core) decodeRecords(d *dec, full bool) {
	n := d.num(8)
	if n > 1<<c.cfg.TableBits {
		d.fail("%d tokens where %d are allowed", n, 1<<c.cfg.TableBits)
		return
	}
	if full {
		c.decodeLife(d, n+1)
	}
	c.index.reserve(n)
	for range n {
		c.index.push(d.u64())
		c.addZero()
	}
	if full && c.cfg.Expiry > 0 && n > 0 {
		c.life.used = append(make([]uint32, 0, n+1), 0)
		for range n {
			c.life.used = append(c.life.used, d.u32())
		}
	}
	fields := len(c.fields.hashes)
	c.eachArena(func(a *arena, first int) {
		for i := first; i < a.len && d.err == nil; i++ {
			if c.isFree(a, i) {
				if full {
					d.take(4 * (a.fixS + a.fixO + (a.perS+a.perO)*fields))
				}
				continue
			}
			d.record(a, uint32(i), a.fixS+a.perS*fields)
			if full {
				d.f32s(a.kept(uint32(i), fields))
				c.fillRoom(a, uint32(i))
			}
		}
	})
}

// addZero makes the newest key's records, to be filled from elsewhere.
func (c *core) addZero() {
	if c.a.stride > 0 {
		c.a.add()
	}
	if c.b.stride > 0 {
		c.b.add()
	}
}

// fillRoom starts the accumulators that stand ready for fields to come, which no encoding carries.
func (c *core) fillRoom(a *arena, i uint32) {
	if a == &c.a && a.perO > 0 {
		c.startPieces(a.at(i), c.index.keys[i], len(c.fields.hashes), len(c.fields.hashes), -1)
	}
}

// push is insert for a list of keys that was inserted before: a key without a place keeps its
// record.
func (t *index) push(key uint64) {
	if key == 0 && t.exact {
		t.add(0)
	} else if _, ok := t.insert(key); !ok {
		t.add(key)
	}
}

func (c *core) decodeSparse(d *dec, full bool) {
	width := c.h.serve
	if full {
		width = c.h.stride
	}
	n := d.num(1 + d.weightBytes(width))
	if n > 0 && width == 0 {
		d.fail("it has hashed weights where none belong")
		return
	}
	at := 0
	for range n {
		at += d.num(0)
		if d.err != nil || at >= 1<<c.h.bits {
			d.fail("a hashed weight is out of place")
			return
		}
		if full {
			d.f32s(c.h.make(uint32(at)))
		} else {
			c.h.decode(d, uint32(at))
		}
	}
}

func (c *core) decodeRest(d *dec, full bool) {
	c.decodeServed(d)
	if !full {
		return
	}
	if n := d.num(4); d.err == nil && n != len(c.denseO) {
		d.fail("it has %d optimizer values, not %d", n, len(c.denseO))
		return
	}
	d.f32s(c.denseO)
	d.fixed(c.numO, "the optimizers' part")
	if c.wins = d.f64s(); len(c.wins) > c.cfg.MaxFields*c.cfg.MaxFields {
		d.fail("it has too many pairs of fields")
	}
}

func (c *core) decodeServed(d *dec) {
	if n := d.num(2); d.err == nil && n != len(c.dense) {
		d.fail("it has %d dense weights, not %d", n, len(c.dense))
		return
	}
	d.weights(c.dense)
	d.fixed(c.num, "the dense part")
	list := make([]uint32, d.num(1))
	for i := range list {
		v := d.num(0)
		list[i] = uint32(v)
		if f, g := v>>16, v&0xffff; v >= 1<<32 || f >= g || g >= len(c.fields.hashes) {
			d.fail("a pair of fields is not known")
			return
		}
	}
	c.list = list
}
