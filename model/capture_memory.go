package model

// section is a part of the copy with a fixed place for each token.
type section struct {
	size  int
	slabs [][]byte // memory of earlier copies lies in them, and behind their end
}

const slabRecords = 256

// fit makes room for the slabs of so many tokens, without their memory.
func (t *section) fit(size, tokens int) {
	if t.size = size; size == 0 {
		t.slabs = nil
		return
	}
	n := (tokens + slabRecords - 1) / slabRecords
	if t.slabs = t.slabs[:cap(t.slabs)]; len(t.slabs) < n {
		t.slabs = append(t.slabs, make([][]byte, n-len(t.slabs))...)
	}
	t.slabs = t.slabs[:n]
}

// slab is slab i with memory; fresh says that it was taken just now.
func (t *section) slab(i int) (b []byte, fresh bool) {
	size := t.size * slabRecords
	if b = t.slabs[i]; len(b) == size {
		return b, false
	}
	if fresh = cap(b) < size; fresh {
		b = make([]byte, size)
	}
	t.slabs[i] = b[:size]
	return t.slabs[i], fresh
}

// pieces is an encoding that grows without moving what is there, as moving many megabytes would be
// a pause.
type pieces struct {
	enc
	full, spare [][]byte
}

const pieceBytes = 1 << 20

// room makes room for one more value of at most size bytes.
func (p *pieces) room(size int) {
	if cap(p.b)-len(p.b) >= size {
		return
	}
	if len(p.b) > 0 {
		p.full = append(p.full, p.b)
	}
	if n := len(p.spare); n > 0 {
		p.b, p.spare = p.spare[n-1][:0], p.spare[:n-1]
		return
	}
	p.b = make([]byte, 0, max(pieceBytes, size))
}

// at is token i's place, counted from 1.
func (t *section) at(i uint32) []byte {
	b, _ := t.slab(int(i-1) / slabRecords)
	return b[int(i-1)%slabRecords*t.size:][:t.size]
}

// Reserve takes about so many bytes of the memory that a copy of the whole state (full), or of the
// served weights, needs, and returns what is to be given to StartCapture or StartSnapshot, and
// whether it is enough as things are. The memory of reuse, an earlier Capture of which nothing is
// needed any more, is part of it; it may be nil. A copy that is begun without takes its memory as
// examples come to the records, all of it within a few batches: a long pause.
func (n *Net) Reserve(reuse *Capture, full bool, bytes int) (*Capture, bool) {
	if reuse == nil {
		reuse = &Capture{}
	}
	reuse.lay(&n.core, full, !full && n.serveHalf)
	for _, t := range reuse.sections() {
		for i := range t.slabs {
			if bytes <= 0 {
				return reuse, false
			}
			if b, fresh := t.slab(i); fresh {
				touchPages(b)
				bytes -= len(b)
			}
		}
	}
	return reuse, true
}

func (s *Capture) sections() [4]*section { return [4]*section{&s.keys, &s.used, &s.a, &s.b} }

// lay says what will be copied.
func (s *Capture) lay(c *core, full, half bool) {
	s.c, s.full, s.half = c, full, half
	s.fields, s.tokens = len(c.fields.hashes), len(c.index.keys)-1
	used := 0
	if full && c.life.used != nil {
		used = 4
	}
	s.keys.fit(8, s.tokens)
	s.used.fit(used, s.tokens)
	s.a.fit(s.recordSize(&c.a), s.tokens)
	s.b.fit(s.recordSize(&c.b), s.tokens)
}

// recycle takes over the memory of r.
func (s *Capture) recycle(r *Capture) {
	s.head, s.layers, s.tail, s.was = r.head, r.layers, r.tail, r.was[:0]
	s.keys, s.used, s.a, s.b = r.keys, r.used, r.a, r.b
	s.sparse.spare = append(r.sparse.spare, r.sparse.full...)
	if r.sparse.b != nil {
		s.sparse.spare = append(s.sparse.spare, r.sparse.b)
	}
	*r = Capture{}
}
