package model

import "slices"

// add gives one token its record and appends it to the row. A token, or one that a record is given
// to, is read as unknown in the example that brings it, as Predict reads it.
func (c *core) add(r *row, s *Scratch, field int, key uint64, x float64, learn bool) {
	s.square[field] += float64(x * x)
	t := tok{field: uint32(field), x: float32(x)}
	if c.plain != nil {
		if c.plain.linear {
			r.slots = append(r.slots, hit{c.h.slot(key), t.x})
		}
		if !c.plain.tokens {
			r.toks = append(r.toks, t)
			return
		}
	}
	own := c.index.find(key)
	t.learn = own
	if own == 0 && s.pooled {
		t.learn = c.index.find(c.poolKey(key))
	}
	if t.learn < s.fresh && !(learn && c.isBorn(t.learn)) {
		t.read = t.learn
	}
	if learn {
		if own == 0 {
			t.learn = c.meet(key, field, s.pooled, t.learn)
		}
		c.touch(t.learn)
	}
	r.toks = append(r.toks, t)
}

// meet is for a token without a record of its own that is to be learned; shared is that of the
// pool, if there is one.
func (c *core) meet(key uint64, field int, pooled bool, shared uint32) uint32 {
	admitted := c.admit(key)
	switch {
	case pooled && (!admitted || len(c.life.free) == 0):
		if shared == 0 {
			shared = c.newToken(c.poolKey(key), field, true)
		}
		return shared
	case !admitted:
		return 0
	}
	return c.newToken(key, field, false)
}

// touch marks a record that is about to change.
func (c *core) touch(i uint32) {
	if i == 0 {
		return
	}
	if c.changes.on {
		c.changes.tokens.set(i)
	}
	if c.capture != nil {
		c.capture.touch(i)
	}
	if c.life.used != nil && c.life.used[i] != forever {
		c.life.used[i] = c.stamp()
	}
}

// newToken makes a record; when the table is full the token shares one of the pool. The key is the
// pool's already when pooled.
func (c *core) newToken(key uint64, field int, pooled bool) uint32 {
	if len(c.life.free) > 0 && !pooled {
		return c.reuse(key, field)
	}
	limit := 1 << c.cfg.TableBits
	if len(c.index.keys) >= limit-limit/16 {
		c.pooled = true
	}
	if c.pooled && !pooled {
		key = c.poolKey(key)
		if r := c.index.find(key); r != 0 {
			return r
		}
		pooled = true
	}
	r, ok := c.index.insert(key)
	// chosen to collide: this one is not learned, and must not take the table from the others
	if !ok {
		return 0
	}
	if c.cfg.Expiry > 0 && c.full {
		used := c.stamp()
		if pooled {
			used = forever // the pool stays
		}
		c.life.used = append(c.life.used[:r], used)
	}
	c.noteLife(r, key)
	c.addRecords(fresh{key, field, r})
	return r
}

func (c *core) poolKey(key uint64) uint64 {
	return mix(kindPool, key%(1<<c.cfg.TableBits/16))
}

// fresh is a token that has a number and no records yet, or those of a token that expired.
type fresh struct {
	key    uint64
	field  int
	record uint32
}

// addRecords gives a key its records, started from its hash: at once, or when those who learn have
// come so far.
func (c *core) addRecords(f fresh) {
	if c.waiting != nil {
		*c.waiting = append(*c.waiting, f)
		return
	}
	c.addFirst(f)
	c.addSecond(f)
}

func (c *core) addFirst(f fresh) {
	if c.a.stride > 0 {
		v := c.a.blank(f.record)
		c.startToken(v, f.key)
		c.startPieces(v, f.key, 0, len(c.fields.hashes), f.field)
	}
}

func (c *core) addSecond(f fresh) {
	if c.b.stride > 0 {
		c.startSecond(c.b.blank(f.record), f.key)
	}
}

// blank is record i, the next one or one that was used before, all zero.
func (a *arena) blank(i uint32) []float32 {
	if int(i) == a.len {
		return a.at(a.add())
	}
	v := a.at(i)
	clear(v)
	return v
}

// life decides which tokens have records: Config.Admission and Config.Expiry.
type life struct {
	sketch sketch
	used   []uint32 // by record: when it was last learned; nil without expiry
	free   []uint32 // records without a token, the next one to be given last
	hand   uint32   // the record that was looked at last
	gone   int64    // tokens that expired
	born   []uint32 // records that were used before and got a token in the present example
}

// lifeOp says that a record got a token, or lost it (key 0).
type lifeOp struct {
	record uint32
	key    uint64
}

const (
	stampExamples = 16 // from one stamp to the next
	forever       = 1<<32 - 1
)

// leastExpiry is far more than the examples of a block.
var leastExpiry int64 = 10_000

// stamp is the time in examples.
func (c *core) stamp() uint32 { return uint32(c.n / stampExamples) }

func (c *core) isBorn(i uint32) bool { return len(c.life.born) > 0 && slices.Contains(c.life.born, i) }

// admit counts a sighting of a token without a record and says whether it may have one now.
func (c *core) admit(key uint64) bool {
	if c.cfg.Admission <= 1 {
		return true
	}
	if c.life.sketch.counts == nil {
		c.life.sketch.counts = make([]uint8, sketchCounts(&c.cfg))
	}
	return c.life.sketch.add(key) >= c.cfg.Admission
}

// reuse gives a token the record of one that expired.
func (c *core) reuse(key uint64, field int) uint32 {
	last := len(c.life.free) - 1
	r := c.life.free[last]
	if c.capture != nil {
		c.capture.touch(r)
	}
	if !c.index.give(key, r) {
		return 0
	}
	c.life.free, c.life.used[r] = c.life.free[:last], c.stamp()
	c.life.born = append(c.life.born, r)
	c.noteLife(r, key)
	c.addRecords(fresh{key, field, r})
	return r
}

func (c *core) noteLife(r uint32, key uint64) {
	if !c.changes.on || c.cfg.Expiry == 0 {
		return
	}
	if len(c.changes.lives) == maxOps {
		c.changes.lost, c.changes.lives = true, c.changes.lives[:0]
	}
	c.changes.lives = append(c.changes.lives, lifeOp{r, key})
}

// expire looks at a few records after each example, so that each is looked at twice within
// Config.Expiry examples, and takes those from tokens that were not seen for so long. Who learns
// apart comes to the examples before in their order, and to the record's next token after them: for
// that a token must not expire within a block.
func (c *core) expire() {
	records := uint32(len(c.index.keys))
	if c.cfg.Expiry == 0 || records == 1 {
		return
	}
	now, most := c.stamp(), uint32(c.cfg.Expiry/stampExamples)
	for range 1 + 2*int64(records)/c.cfg.Expiry {
		if c.life.hand++; c.life.hand >= records {
			c.life.hand = 1
		}
		r := c.life.hand
		if c.index.keys[r] == 0 || c.life.used[r] == forever || now-c.life.used[r] <= most {
			continue
		}
		if c.capture != nil {
			c.capture.touch(r)
		}
		c.index.remove(r)
		c.life.free = append(c.life.free, r)
		c.life.gone++
		c.noteLife(r, 0)
	}
}

// sketch counts sightings of tokens in a fixed place, never too few until it forgets half: a
// count-min sketch with conservative update that halves its counts as TinyLFU does (Einziger,
// Friedman, Manes, 2017). It forgets when four counts are touched for every two there are: by then,
// of tokens that came once, one in forty counts as seen before.
type sketch struct {
	counts []uint8 // a power of two of them
	adds   int
}

const sketchRows = 4

// sketchCounts is how many counts a sketch has: so many that it remembers half as many sightings as
// the table has records, and 260,000 at least.
func sketchCounts(c *Config) int { return 4 << max(c.TableBits, 19) }

// add counts one sighting of key and returns how many there were.
func (s *sketch) add(key uint64) int {
	if s.adds++; s.adds >= len(s.counts)/8 {
		s.forget()
	}
	var at [sketchRows]*uint8
	m, least := uint64(len(s.counts)-1), uint8(255)
	for i := range at {
		at[i] = &s.counts[mix(key, uint64(i+1)*hashC)&m]
		least = min(least, *at[i])
	}
	if least == 255 {
		return 255
	}
	for _, p := range at {
		if *p == least {
			*p++
		}
	}
	return int(least) + 1
}

// forget halves all counts.
func (s *sketch) forget() {
	for i := range s.counts {
		s.counts[i] /= 2
	}
	s.adds /= 2
}

// encodeLife writes what decides the fate of tokens.
func (c *core) encodeLife(e *enc) {
	if c.cfg.Expiry > 0 {
		e.num(int(c.life.hand))
		e.num(int(c.life.gone))
		e.num(len(c.life.free))
		for _, r := range c.life.free {
			e.num(int(r))
		}
	}
	if c.cfg.Admission > 1 {
		e.num(c.life.sketch.adds)
		e.text(c.life.sketch.counts)
	}
}

func (c *core) decodeLife(d *dec, records int) {
	if c.cfg.Expiry > 0 {
		c.life.hand, c.life.gone = uint32(d.num(0)), int64(d.num(0))
		for range d.num(1) {
			r := d.num(0)
			if r < 1 || r >= records {
				d.fail("a free record is not there")
				return
			}
			c.life.free = append(c.life.free, uint32(r))
		}
	}
	if c.cfg.Admission > 1 {
		c.life.sketch.adds = d.num(0)
		counts := slices.Clone(d.take(d.num(1)))
		if n := len(counts); n != 0 && n != sketchCounts(&c.cfg) {
			d.fail("the sketch has %d counts", n)
		}
		if len(counts) > 0 {
			c.life.sketch.counts = counts
		}
	}
}
