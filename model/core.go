package model

import "math"

// core is the state that learning changes, and the forward pass over it. A Net's core is full; a
// Replica's has no optimizer state.
//
// All learned state lies in a few plain containers whose layout the engine (mixture.go, plain.go)
// knows, so that checkpoints, snapshots and deltas need not.
type core struct {
	cfg    Config
	full   bool
	half   bool  // of a Replica: its weights have 16 bits
	n      int64 // examples learned
	fields fields
	index  index
	pooled bool // unknown tokens share the pool's records

	a, b    arena     // by token
	f, g    arena     // by field
	h       sparse    // by hash: pairs, the plain linear part
	dense   []float32 // the rest that is served, and its optimizer's
	denseO  []float32
	num     []float64
	numO    []float64
	list    []uint32 // the pairs of fields chosen
	wins    []float64
	plain   *plain // nil: the mixture
	crosses []cross
	changes changes
	capture *Capture // under way, nil for none
	waiting *[]fresh // where new tokens wait for their records; nil: they get them at once
	life    life
	beliefs beliefs
	filled  int    // hashed weights in use when they were last copied
	origin  uint64 // what tells it apart from nets that began differently
}

// changes is what a delta will carry. It is kept only once a first snapshot was taken.
type changes struct {
	on, lost     bool // lost: too much to list; the next delta is a snapshot
	from         int64
	fields, keys int
	ops          []reservoirOp
	lives        []lifeOp // with expiry: which token each record got or lost
	tokens, hash bitmap
}

type reservoirOp struct {
	field, victim int
	v             float64
}

const maxOps = 1 << 16

func newCore(c Config, full, half bool) *core {
	k := &core{cfg: c, full: full, half: half, index: newIndex(), origin: lineage(c)}
	k.index.most = 1 << c.TableBits
	if k.index.exact = c.Expiry > 0; k.index.exact && full {
		k.life.used = make([]uint32, 1)
	}
	if len(c.Network) == 0 {
		k.layoutMixture()
	} else {
		k.layoutPlain()
	}
	if k.a.stride > 0 || k.a.perS > 0 {
		k.a.add()
	}
	if k.b.stride > 0 {
		k.b.add()
	}
	return k
}

// tok is one weighted token of an example: the record to read (0: unknown so far) and the one to
// learn into.
type tok struct {
	read, learn uint32
	field       uint32
	x           float32
}

// row is one example, encoded.
type row struct {
	toks    []tok
	slots   []hit    // of the plain linear part
	present []uint16 // fields, in order of their first token
	reps    []rep    // by field: its tokens as they enter pairs
	y, w    float64
	n       int64
	fields  int       // known when it was encoded
	base    float64   // logit of the base rate before this example
	reach   float64   // how far members may move the prediction from it
	numbers []float32 // by field, with raw numbers

	_  [64]byte // the two sides write on lines of their own
	z  [members]float64
	_  [64]byte
	zJ float64 // becomes z[memberJ]
	zT float64 // becomes z[memberT]
	_  [64]byte
}

type hit struct {
	slot uint32
	x    float32
}

const maxReps = 8

// rep is how a field enters pairs: by its first few tokens, a number by its heavier bin.
type rep struct {
	n    int32
	seen bool // the field is in the example
	toks [maxReps]repTok
}

type repTok struct {
	key uint64
	x   float32
}

const (
	kindToken   = 0x51ED270B7F4A7C15
	kindExact   = 0x2545F4914F6CDD1D
	kindBin     = 0x9E6C63D0876A9A47
	kindMissing = 0xBF58476D1CE4E5B9
	kindPool    = 0x94D049BB133111EB
	kindPair    = 0xD6E8FEB86659FD93
	binRank     = 100
	binUnknown  = 101
)

const third = 0.57735026918962576451 // 1/sqrt(3): a number's three tokens weigh as much as one

// encode turns an example into weighted tokens. With learn it discovers fields and tokens and lets
// the encoders see the numbers, each after it was encoded.
func (c *core) encode(x []Feature, r *row, s *Scratch, learn bool) {
	if c.plain != nil && !c.plain.tokens && c.plain.linear && c.encodeHashed(x, r, s) {
		return
	}
	s.grow(c)
	r.reset(len(c.fields.hashes))
	s.pooled, s.fresh = c.pooled, uint32(len(c.index.keys))
	if learn {
		c.life.born = c.life.born[:0]
	}
	over, known := false, len(c.fields.hashes)
	// no records: a token is where it falls in the table
	hashed := c.plain != nil && !c.plain.tokens
	for i := range x {
		f := &x[i]
		field := s.fieldOf(c, i, f.Field)
		if field < 0 || field >= known {
			if field = c.lookupField(x, f.Field, learn); field < 0 {
				continue
			}
			s.remember(i, field)
			// learned from its next appearance on, so that Learn predicts what Predict does
			if field >= known {
				continue
			}
		}
		p := &r.reps[field]
		if !p.seen {
			p.seen, s.square[field] = true, 0
			r.present = append(r.present, uint16(field))
		}
		switch f.Kind {
		case Token:
			if f.Value != 0 {
				v, key := min(max(f.Value, -1e18), 1e18), mix(f.Field^kindToken, f.Hash)
				if hashed {
					c.hashedToken(r, s, p, field, key, v)
				} else {
					c.token(r, s, p, field, key, v, learn)
				}
				over = over || s.square[field] > 4
			}
		case Missing:
			c.token(r, s, p, field, mix(f.Field^kindMissing, 1), 1, learn)
		case Number:
			c.number(f, r, s, p, field, learn)
		}
	}
	if over && c.cfg.Numbers != "raw" {
		r.capFields(s)
	}
	c.crossSlots(r)
	r.fields = known
}

// hashedToken is token without its branches.
func (c *core) hashedToken(r *row, s *Scratch, p *rep, field int, key uint64, x float64) {
	s.square[field] += float64(x * x)
	if c.plain.linear {
		r.slots = append(r.slots, hit{c.h.slot(key), float32(x)})
	}
	r.toks = append(r.toks, tok{field: uint32(field), x: float32(x)})
	if p.n < maxReps && len(c.crosses) > 0 {
		p.toks[p.n] = repTok{key, float32(x)}
		p.n++
	}
}

// hashedNumber appends a number's tokens where a token is where it falls in the table.
func (c *core) hashedNumber(r *row, s *Scratch, field int, m *memo) {
	square := s.square[field]
	for i, key := range m.keys[:m.n] {
		x := m.xs[i]
		square += float64(x * x)
		if c.plain.linear {
			r.slots = append(r.slots, hit{c.h.slot(key), float32(x)})
		}
		r.toks = append(r.toks, tok{field: uint32(field), x: float32(x)})
	}
	s.square[field] = square
}

// token appends one token, and makes it the field's representative in pairs while there is room.
func (c *core) token(r *row, s *Scratch, p *rep, field int, key uint64, x float64, learn bool) {
	c.add(r, s, field, key, x, learn)
	if p.n < maxReps {
		p.toks[p.n] = repTok{key, float32(x)}
		p.n++
	}
}

// number gives the exact token, the soft quantile and the rank.
func (c *core) number(f *Feature, r *row, s *Scratch, p *rep, field int, learn bool) {
	if c.cfg.Numbers == "raw" {
		r.numbers[field] += float32(f.Value)
		c.token(r, s, p, field, mix(f.Field^kindExact, 0), f.Value, learn)
		return
	}
	q := &c.fields.codes[field]
	m := &s.memo
	if learn { // only the goroutine that learns may write them down
		m = q.look(f.Field, f.Value)
	} else {
		q.encode(m, f.Field, f.Value)
	}
	if c.plain != nil && !c.plain.tokens {
		c.hashedNumber(r, s, field, m)
	} else {
		for i, key := range m.keys[:m.n] {
			c.add(r, s, field, key, m.xs[i], learn)
		}
	}
	if p.n < maxReps {
		p.toks[p.n] = repTok{m.best, 1}
		p.n++
	}
	if learn {
		c.see(q, field, f)
	}
}

func (c *core) see(q *reservoir, field int, f *Feature) {
	if q.salted != f.Field || q.salt == 0 {
		q.salted, q.salt = f.Field, mix(c.cfg.Seed^kindBin, f.Field)
	}
	victim := q.victim(mix(q.salt, q.seen))
	if victim == -2 {
		return
	}
	q.put(victim, f.Value)
	if c.changes.on {
		if len(c.changes.ops) == maxOps {
			c.changes.lost = true
			c.changes.ops = c.changes.ops[:0]
		}
		c.changes.ops = append(c.changes.ops, reservoirOp{field, victim, f.Value})
	}
}

// lookupField finds a field that the scratch did not remember; with learn a new one is made, with
// all other new ones of the example.
func (c *core) lookupField(x []Feature, hash uint64, learn bool) int {
	if i := c.fields.find(hash); i >= 0 {
		return i
	}
	if learn && len(c.fields.hashes) < c.cfg.MaxFields {
		before := len(c.fields.hashes)
		for i := range x {
			if h := x[i].Field; c.fields.find(h) < 0 && len(c.fields.hashes) < c.cfg.MaxFields {
				c.fields.add(h)
			}
		}
		c.growFields(before)
		if i := c.fields.find(hash); i >= 0 {
			return i
		}
	}
	if len(c.fields.hashes) == c.cfg.MaxFields {
		return c.cfg.MaxFields - 1
	}
	return -1
}

// growFields lays records out for the fields from number before on, and gives their weights a
// start.
func (c *core) growFields(before int) {
	now := len(c.fields.hashes)
	if room := (now + 3) &^ 3; room > c.a.room {
		c.a.relayout(room)
		c.a.resizeEmpty(room)
	}
	for i := before; i < now; i++ {
		if c.g.stride > 0 {
			c.g.add()
		}
		if c.f.stride > 0 {
			c.startField(c.f.at(c.f.add()), i, now)
		}
	}
	var v []float32
	for r := 1; r < c.a.len; r++ {
		if !c.a.half {
			c.startPieces(c.a.at(uint32(r)), c.index.keys[r], before, now, -1)
			continue
		}
		v = c.a.weights(v[:0], uint32(r))
		c.startPieces(v, c.index.keys[r], before, now, -1)
		c.a.setWeights(uint32(r), v)
	}
}

// resizeEmpty keeps the room of an arena without pieces by field in step.
func (a *arena) resizeEmpty(room int) {
	if a.perS+a.perO == 0 {
		a.room = room
	}
}

func (r *row) reset(fields int) {
	for _, f := range r.present {
		r.reps[f].n, r.reps[f].seen = 0, false
		r.numbers[f] = 0
	}
	r.toks, r.slots, r.present = r.toks[:0], r.slots[:0], r.present[:0]
	r.growReps(fields)
}

func (r *row) growReps(fields int) {
	for len(r.reps) < fields {
		r.reps = append(r.reps, rep{})
		r.numbers = append(r.numbers, 0)
	}
}

// capFields bounds the sum of squares in each field: ten thousand words weigh no more than two.
func (r *row) capFields(s *Scratch) {
	for i := range r.toks {
		t := &r.toks[i]
		if q := s.square[t.field]; q > 4 {
			t.x = float32(float64(2/math.Sqrt(q)) * float64(t.x))
			if len(r.slots) > 0 {
				r.slots[i].x = t.x
			}
		}
	}
	for _, f := range r.present {
		if q := s.square[f]; q > 4 {
			p := &r.reps[f]
			for i := range p.n {
				p.toks[i].x = float32(float64(2/math.Sqrt(q)) * float64(p.toks[i].x))
			}
		}
	}
}
