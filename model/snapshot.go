package model

import (
	"fmt"

	"github.com/clickloop/clickloop/model/internal/codec"
	"github.com/clickloop/clickloop/model/internal/kernel"
)

// A message to replicas is four letters, the body, and the CRC-32C of all before it. The body
// begins with the bits of a served weight, 32 or 16.
//
// A snapshot's body is the state without the optimizers'. A delta's is: the configuration's hash,
// the versions from and to, new fields, what happened to samples of numbers, new tokens, the
// entries and slots that were learned, the dense weights whole, and the calibration's slices that
// were learned.
const (
	snapshotMagic = "CLS4"
	deltaMagic    = "CLD4"
)

// lineage tells nets apart that began differently.
func lineage(c Config) uint64 { return HashBytes(encodeConfig(c)) }

// ServeBits sets the bits of a served weight in messages, 32 or 16. The next message is a snapshot.
func (n *Net) ServeBits(bits int) {
	if bits != 16 && bits != 32 {
		panic("BUG: served weights have 16 or 32 bits")
	}
	n.serveHalf, n.changes.on = bits == 16, false
}

// AppendSnapshot appends a message that sets a Replica to the net's version, and begins to list
// what changes after it.
func (n *Net) AppendSnapshot(dst []byte) []byte {
	e := newMessage(dst, snapshotMagic, n.serveHalf)
	stateWriter{core: n.core, e: e}.write()
	n.changes.on = true
	n.settle()
	return codec.Seal(e.Buf, len(dst))
}

// DeltaLost says that AppendDelta would be a snapshot: because there was none yet, or too much has
// changed since the last message to list.
func (n *Net) DeltaLost() bool { return !n.changes.on || n.changes.lost }

// AppendDelta appends a message that takes a Replica from the version of the last AppendSnapshot or
// AppendDelta to this one. Its cost goes by what was touched. Before any AppendSnapshot, or when
// too much has changed to list, it is a snapshot.
func (n *Net) AppendDelta(dst []byte) []byte {
	if n.DeltaLost() {
		return n.AppendSnapshot(dst)
	}
	ch, e := &n.changes, newMessage(dst, deltaMagic, n.serveHalf)
	e.U64(n.origin)
	e.Num(int(ch.from))
	e.Num(int(n.examples))
	e.Bool(n.tokens.Pooled)
	e.Num(ch.fields)
	encodeHashes(e, n.fields.hashes[ch.fields:])
	e.Num(len(ch.numbers))
	for _, c := range ch.numbers {
		e.Num(c.field)
		e.Num(c.victim + 1)
		e.F64(c.value)
	}
	e.Num(ch.known)
	added := n.tokens.Keys[ch.known:]
	if n.tokens.Expires() {
		added = nil // they are among the changes of keys
	}
	encodeHashes(e, added)
	e.Num(len(ch.keys))
	for _, c := range ch.keys {
		e.Num(int(c.entry))
		e.U64(c.key)
	}
	n.appendEntries(e)
	n.appendSlots(e)
	n.encodeDense(e)
	n.calibration.encodeChanges(e)
	n.settle()
	return codec.Seal(e.Buf, len(dst))
}

func encodeHashes(e *codec.Encoder, hashes []uint64) {
	e.Num(len(hashes))
	for _, h := range hashes {
		e.U64(h)
	}
}

// entriesAhead is how far ahead of their turn entries are called for.
const entriesAhead = 8

// appendEntries appends the entries of tokens that were learned, and those of all fields.
func (n *Net) appendEntries(e *codec.Encoder) {
	touched, fields := n.changes.entries.List, len(n.fields.hashes)
	left := 0
	for _, i := range touched {
		if !n.tokens.IsFree(i) {
			left++
		}
	}
	e.Num(left)
	for k, i := range touched {
		if k+entriesAhead < len(touched) {
			for _, a := range n.byToken {
				kernel.PrefetchWeights(a, touched[k+entriesAhead])
			}
		}
		if n.tokens.IsFree(i) {
			continue
		}
		e.Num(int(i))
		for _, a := range n.byToken {
			a.Encode(e, i, fields, false)
		}
	}
	stateWriter{core: n.core, e: e}.layers()
}

// appendSlots appends the hashed weights that were learned.
func (n *Net) appendSlots(e *codec.Encoder) {
	touched := n.changes.slots.List
	e.Num(len(touched))
	for _, i := range touched {
		e.Num(int(i))
		e.Weights(n.hashed.At(i)[:n.hashed.Served])
	}
}

// newMessage begins a message behind dst.
func newMessage(dst []byte, magic string, half bool) *codec.Encoder {
	e := &codec.Encoder{Buf: append(dst, magic...), Half: half}
	bits := 32
	if half {
		bits = 16
	}
	e.Num(bits)
	return e
}

// readBits reads how many bits a served weight has.
func readBits(d *codec.Decoder) {
	switch bits := d.Num(0); {
	case bits == 16:
		d.Half = true
	case bits != 32:
		d.Fail("its weights have %d bits", bits)
	}
}

// open checks the checksum of a message in pieces, and returns its kind and body.
func open(message [][]byte) (kind string, d *codec.Decoder, err error) {
	size := 0
	for _, b := range message {
		size += len(b)
	}
	if size < len(snapshotMagic)+codec.SumBytes {
		return "", nil, fmt.Errorf("%w: %d bytes", ErrNotModel, size)
	}
	d, intact := codec.Open(message)
	if kind = string(d.Take(len(snapshotMagic))); kind != snapshotMagic && kind != deltaMagic {
		return "", nil, notMessage(kind)
	}
	if !intact {
		return "", nil, fmt.Errorf("%w: the message was damaged", ErrChecksum)
	}
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
