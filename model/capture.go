package model

import (
	"encoding/binary"
	"io"

	"github.com/clickloop/clickloop/model/internal/codec"
	"github.com/clickloop/clickloop/model/internal/table"
)

// Capture is the state of a Net at one moment, copied piece by piece while the Net goes on
// learning, so that no learner stands still for a checkpoint or a snapshot. What is about to change
// is copied first.
//
// StartCapture, StartSnapshot and Step belong to the goroutine that learns, and to the time between
// two calls of Learn or LearnBatch. When Step has returned true, WriteTo or AppendTo may be called
// from any goroutine.
type Capture struct {
	core *core
	full bool // for a checkpoint; else for a snapshot
	half bool // weights of 16 bits

	// What is short is encoded at once: the state up to the tokens' keys, the entries of fields,
	// and the part behind the hashed weights.
	head, layers, tail []byte

	slots   slotCopy // they go first: most examples change the same ones
	entries entryCopy
	// each goroutine of a batch copies what it is about to change; else the encoding one does
	apart bool
	done  bool
}

// StartCapture begins a copy of the whole state as it is. The memory of reuse is used again; see
// Reserve. A Capture under way is given up.
func (n *Net) StartCapture(reuse *Capture) *Capture { return n.start(reuse, true, false) }

// StartSnapshot begins a copy of the served weights for AppendTo, with the bits of ServeBits. The
// next AppendDelta leads from here on, so it must be published behind this snapshot. See
// StartCapture.
func (n *Net) StartSnapshot(reuse *Capture) *Capture {
	s := n.start(reuse, false, n.serveHalf)
	n.changes.on = true
	n.settle()
	return s
}

func (n *Net) start(reuse *Capture, full, half bool) *Capture {
	s := &Capture{}
	if reuse != nil {
		s.recycle(reuse)
	}
	s.lay(n.core, full, half)
	s.slots.begin(n.core, full, half)
	s.entries.begin()
	encode := func(b []byte, write func(stateWriter)) []byte {
		e := &codec.Encoder{Buf: b[:0], Half: half}
		write(stateWriter{n.core, e, full})
		return e.Buf
	}
	s.head = encode(s.head, stateWriter.head)
	s.layers = encode(s.layers, stateWriter.layers)
	s.tail = encode(s.tail, stateWriter.tail)
	n.capture = s
	return s
}

// Reserve takes about so many bytes of the memory that a copy of the whole state (full), or of the
// served weights, needs. It returns what StartCapture or StartSnapshot must be given, and whether
// that is enough as things are. reuse, which may be nil, is an earlier Capture of which nothing is
// needed any more; its memory is part of the result. A copy without reserved memory takes it as
// examples come to the entries, all of it within a few batches: a long pause.
func (n *Net) Reserve(reuse *Capture, full bool, bytes int) (*Capture, bool) {
	if reuse == nil {
		reuse = &Capture{}
	}
	reuse.lay(n.core, full, !full && n.serveHalf)
	return reuse, reuse.entries.reserve(bytes)
}

// lay says what will be copied.
func (s *Capture) lay(c *core, full, half bool) {
	s.core, s.full, s.half = c, full, half
	s.entries.lay(c, full, half)
}

// recycle takes over the memory of r.
func (s *Capture) recycle(r *Capture) {
	s.head, s.layers, s.tail = r.head, r.layers, r.tail
	s.entries = r.entries
	s.slots.list.Pieces, s.slots.was = r.slots.list.Recycle(), r.slots.was[:0]
	*r = Capture{}
}

// touch copies an entry that is about to change.
func (s *Capture) touch(entry uint32) {
	if s.entries.waits(entry) && !s.apart {
		s.entries.copy(entry)
	}
}

// Step copies about so many bytes more, and returns true when all is copied.
func (s *Capture) Step(bytes int) bool {
	if s.done {
		return true
	}
	if bytes = s.slots.step(bytes); s.slots.next >= s.slots.end {
		s.entries.step(bytes)
	}
	if s.entries.next > s.entries.tokens && s.slots.next >= s.slots.end {
		s.done, s.core.filled = true, s.slots.list.n
		s.core.capture = nil
	}
	return s.done
}

// each visits the pieces of the copy in their order.
func (s *Capture) each(do func(b []byte)) {
	if !s.done {
		panic("BUG: a capture is written before it is done")
	}
	do(s.head)
	s.entries.each(do, s.full)
	do(s.layers)
	do(binary.AppendUvarint(nil, uint64(s.slots.list.n)))
	s.slots.list.Each(do)
	do(s.tail)
}

// WriteTo writes what Net.WriteTo would have written at the moment of StartCapture. Step must have
// returned true.
func (s *Capture) WriteTo(w io.Writer) (int64, error) {
	return writeFile(w, func(e *codec.Encoder) { s.each(e.Bytes) })
}

// AppendTo appends the message that AppendSnapshot would have made at the moment of StartSnapshot.
// Step must have returned true.
func (s *Capture) AppendTo(dst []byte) []byte {
	e := newMessage(dst, snapshotMagic, s.half)
	s.each(e.Bytes)
	return codec.Seal(e.Buf, len(dst))
}

// slotCopy is the copy of the hashed weights.
type slotCopy struct {
	core      *core
	list      slotList
	width     int
	next, end int // slots to be looked at
	// slots that changed before their turn: where in was they are as they were
	before map[uint32]uint32
	was    []float32
}

func (s *slotCopy) begin(c *core, full, half bool) {
	s.core, s.width, s.before, s.list.Half = c, c.hashed.Served, map[uint32]uint32{}, half
	if full {
		s.width = c.hashed.Stride
	}
	if c.hashed.Values != nil {
		s.end = 1 << c.hashed.Bits
	}
}

// touch keeps a slot that is about to change.
func (s *slotCopy) touch(i uint32) {
	if int(i) < s.next || int(i) >= s.end {
		return
	}
	if _, ok := s.before[i]; !ok {
		s.before[i] = uint32(len(s.was))
		s.was = append(s.was, s.core.hashed.At(i)...)
	}
}

// step copies slots and returns how many of the bytes are left.
func (s *slotCopy) step(bytes int) int {
	for ; bytes > 0 && s.next < s.end; s.next++ {
		i := uint32(s.next)
		v := s.core.hashed.At(i)
		if len(s.before) > 0 {
			if at, ok := s.before[i]; ok {
				v = s.was[at:][:len(v)]
			}
		}
		if v = v[:s.width]; table.AnyNonZero(v) {
			s.list.add(i, v)
		}
		bytes -= 4 * s.core.hashed.Stride
	}
	return bytes
}
