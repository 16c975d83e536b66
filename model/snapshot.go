package model

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"slices"
)

// A message to replicas is four letters, the body, and the CRC-32C of all before it. The body
// begins with the bits of a served weight, 32 or 16.
//
// A snapshot's body is the state without the optimizers'. A delta's is: the configuration's hash,
// the versions from and to, new fields, what the reservoirs did, new tokens, the records touched,
// and the small dense rest whole.
const (
	snapshotMagic = "CLS4"
	deltaMagic    = "CLD4"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendSnapshot appends a message that sets a Replica to the net's version, and begins to list
// what changes after it.
func (n *Net) AppendSnapshot(dst []byte) []byte {
	e := n.message(dst, snapshotMagic)
	n.encodeState(e, false)
	n.changes.on = true
	n.settle()
	return seal(e.b, len(dst))
}

// ServeBits sets the bits of a served weight in messages, 32 or 16. The next message is a snapshot.
func (n *Net) ServeBits(bits int) {
	if bits != 16 && bits != 32 {
		panic("BUG: served weights have 16 or 32 bits")
	}
	n.serveHalf, n.changes.on = bits == 16, false
}

// message begins a message.
func (n *Net) message(dst []byte, magic string) *enc {
	return &enc{b: appendBits(append(dst, magic...), n.serveHalf), half: n.serveHalf}
}

func appendBits(dst []byte, half bool) []byte {
	if half {
		return append(dst, 16)
	}
	return append(dst, 32)
}

// readBits reads how many bits a served weight has.
func (d *dec) readBits() {
	switch bits := d.num(0); {
	case bits == 16:
		d.half = true
	case bits != 32:
		d.fail("its weights have %d bits", bits)
	}
}

// AppendDelta appends a message that takes a Replica from the version of the last AppendSnapshot or
// AppendDelta to this one. Its cost goes by what was touched. Before any AppendSnapshot, or when
// too much has changed to list, it is a snapshot.
func (n *Net) AppendDelta(dst []byte) []byte {
	if n.DeltaLost() {
		return n.AppendSnapshot(dst)
	}
	ch, fields := &n.changes, len(n.fields.hashes)
	e := n.message(dst, deltaMagic)
	e.u64(n.origin)
	e.num(int(ch.from))
	e.num(int(n.n))
	e.num(btoi(n.pooled))
	e.num(ch.fields)
	e.num(fields - ch.fields)
	for _, h := range n.fields.hashes[ch.fields:] {
		e.u64(h)
	}
	e.num(len(ch.ops))
	for _, op := range ch.ops {
		e.num(op.field)
		e.num(op.victim + 1)
		e.f64(op.v)
	}
	e.num(ch.keys)
	added := n.index.keys[ch.keys:]
	if n.index.exact {
		added = nil // they are among the lives
	}
	e.num(len(added))
	for _, k := range added {
		e.u64(k)
	}
	e.num(len(ch.lives))
	for _, op := range ch.lives {
		e.num(int(op.record))
		e.u64(op.key)
	}
	n.appendTouched(e, fields)
	return seal(e.b, len(dst))
}

func (n *Net) appendTouched(e *enc, fields int) {
	tokens := n.changes.tokens.list
	left := 0
	for _, i := range tokens {
		left += btoi(!n.isFree(&n.a, int(i)))
	}
	e.num(left)
	for k, i := range tokens {
		if k+recordsAhead < len(tokens) {
			n.prefetchServed(tokens[k+recordsAhead])
		}
		if n.isFree(&n.a, int(i)) {
			continue
		}
		e.num(int(i))
		if n.a.len > 0 {
			e.weights(n.a.served(i, fields))
		}
		if n.b.len > 0 {
			e.weights(n.b.served(i, fields))
		}
	}
	for _, a := range []*arena{&n.f, &n.g} {
		for i := range a.len {
			e.weights(a.served(uint32(i), fields))
		}
	}
	e.num(len(n.changes.hash.list))
	for _, i := range n.changes.hash.list {
		e.num(int(i))
		e.weights(n.h.at(i)[:n.h.serve])
	}
	e.num(len(n.dense))
	e.weights(n.dense)
	e.f64s(n.num)
	e.num(len(n.list))
	for _, p := range n.list {
		e.num(int(p))
	}
	n.settle()
}

// DeltaLost says that AppendDelta would be a snapshot: because there was none yet, or too much has
// changed since the last message to list.
func (n *Net) DeltaLost() bool { return !n.changes.on || n.changes.lost }

// settle makes the present version the one that the next delta starts from.
func (n *Net) settle() {
	ch := &n.changes
	ch.from, ch.fields, ch.keys, ch.lost = n.n, len(n.fields.hashes), len(n.index.keys), false
	ch.ops, ch.lives = ch.ops[:0], ch.lives[:0]
	ch.tokens.clear()
	ch.hash.clear()
}

// lineage tells nets apart that began differently.
func lineage(c Config) uint64 {
	b, err := json.Marshal(c)
	if err != nil {
		panic("BUG: a valid configuration cannot be encoded: " + err.Error())
	}
	return HashBytes(b)
}

func seal(b []byte, from int) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[from:], castagnoli))
}

// open checks the checksum of a message in pieces and gives its kind and body.
func open(msg [][]byte) (kind string, d *dec, err error) {
	d = &dec{rest: slices.Clone(msg)}
	for _, b := range msg {
		d.more += len(b)
	}
	if d.more < 8 {
		return "", nil, fmt.Errorf("%w: %d bytes", ErrNotModel, d.more)
	}
	sum := uint32(0)
	end := dec{rest: msg, more: d.more}
	for left := d.more - 4; left > 0; {
		for len(end.b) == 0 {
			end.next()
		}
		b := end.take(min(left, len(end.b)))
		sum = crc32.Update(sum, castagnoli, b)
		left -= len(b)
	}
	if kind = string(d.take(4)); kind != snapshotMagic && kind != deltaMagic {
		return "", nil, notMessage(kind)
	}
	if sum != end.u32() {
		return "", nil, fmt.Errorf("%w: the message was damaged", ErrChecksum)
	}
	d.cut(4)
	return kind, d, nil
}

// notMessage says why a message that begins so cannot be read.
func notMessage(kind string) error {
	if len(kind) == 4 && (kind[:3] == snapshotMagic[:3] || kind[:3] == deltaMagic[:3]) {
		return fmt.Errorf("%w: its format is %q, this program reads %s and %s: another release wrote it; bring learner and scorer to one release",
			ErrShape, kind, snapshotMagic, deltaMagic)
	}
	return fmt.Errorf("%w: it begins with %q", ErrNotModel, kind)
}

// cut takes the last n bytes away.
func (d *dec) cut(n int) {
	for ; n > 0 && len(d.rest) > 0; d.rest = d.rest[:len(d.rest)-1] {
		last := d.rest[len(d.rest)-1]
		if k := len(last); k > n {
			d.rest[len(d.rest)-1] = last[:k-n]
			d.more -= n
			return
		}
		d.more -= len(last)
		n -= len(last)
	}
	d.b = d.b[:len(d.b)-n]
}
