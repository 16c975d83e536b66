package table

import (
	"unsafe"

	"github.com/clickloop/clickloop/model/internal/codec"
	"github.com/clickloop/clickloop/model/internal/half"
)

// chunkEntries is how many entries are allocated at once.
const (
	chunkShift   = 8
	chunkEntries = 1 << chunkShift
)

// Part is how many floats a part of an entry has: a fixed head and a piece for each field.
type Part struct{ Head, Piece int }

// Size is the part's length in a net of so many fields.
func (p Part) Size(fields int) int { return p.Head + p.Piece*fields }

// Arena holds entries of float32 in chunks, so that it grows without copying and takes no memory
// before it is needed.
//
// An entry is the weights, which serving reads, then what only the optimizer reads. A replica keeps
// no optimizer state, and its weights may have 16 bits, two to a float.
type Arena struct {
	Weights, Kept Part
	Room          int // fields that entries have pieces for
	KeptAt        int // where the optimizer's part begins; the floats of the weights
	Len           int // entries

	stride int // floats of an entry
	half   bool
	chunks [][]float32
}

// NewArena makes an arena without entries. Only a net that learns (full) keeps optimizer state.
func NewArena(weights, kept Part, full, half bool) Arena {
	if !full {
		kept = Part{}
	}
	a := Arena{Weights: weights, Kept: kept, half: half}
	a.resize(0)
	return a
}

func (a *Arena) resize(room int) {
	a.Room, a.KeptAt = room, a.Weights.Size(room)
	a.stride = a.KeptAt + a.Kept.Size(room)
	if a.half {
		a.stride = (a.KeptAt + 1) / 2
	}
	if a.stride > 16 {
		a.stride = (a.stride + 15) &^ 15 // whole cache lines
	}
}

// Used says whether entries hold anything.
func (a *Arena) Used() bool { return a.Weights != Part{} }

// Half says whether weights have 16 bits.
func (a *Arena) Half() bool { return a.half }

// StrideBytes is the distance between neighbours in a chunk.
func (a *Arena) StrideBytes() int { return 4 * a.stride }

// Chunks is where the vector kernels find the chunks' slice headers.
func (a *Arena) Chunks() unsafe.Pointer { return unsafe.Pointer(&a.chunks[0]) }

// At is entry i. The slice holds until the arena makes room for more fields.
func (a *Arena) At(i uint32) []float32 {
	o := int(i&(chunkEntries-1)) * a.stride
	return a.chunks[i>>chunkShift][o : o+a.stride : o+a.stride]
}

// Ptr is where entry i begins.
func (a *Arena) Ptr(i uint32) unsafe.Pointer {
	return unsafe.Pointer(&a.chunks[i>>chunkShift][int(i&(chunkEntries-1))*a.stride])
}

// Add appends an entry of zeros and returns its number.
func (a *Arena) Add() uint32 {
	if a.Len>>chunkShift == len(a.chunks) {
		a.chunks = append(a.chunks, make([]float32, chunkEntries*a.stride))
	}
	a.Len++
	return uint32(a.Len - 1)
}

// Blank is entry i, all zero: the next one, or one that another token had before.
func (a *Arena) Blank(i uint32) []float32 {
	if int(i) == a.Len {
		return a.At(a.Add())
	}
	v := a.At(i)
	clear(v)
	return v
}

// Grow gives every entry room for more fields. The new pieces are zero.
func (a *Arena) Grow(room int) {
	if room <= a.Room {
		return
	}
	if a.Weights.Piece+a.Kept.Piece == 0 {
		a.Room = room
		return
	}
	old := *a
	a.resize(room)
	a.chunks = make([][]float32, len(old.chunks))
	for c, from := range old.chunks {
		to := make([]float32, chunkEntries*a.stride)
		for i := range chunkEntries {
			f, t := from[i*old.stride:(i+1)*old.stride], to[i*a.stride:(i+1)*a.stride]
			if a.half {
				copy(t, f)
				continue
			}
			copy(t, f[:old.KeptAt])
			copy(t[a.KeptAt:], f[old.KeptAt:])
		}
		a.chunks[c], old.chunks[c] = to, nil
	}
}

// EntryBytes is how long an entry is in a checkpoint.
func (a *Arena) EntryBytes(fields int) int {
	return 4 * (a.Weights.Size(fields) + a.Kept.Size(fields))
}

// Encode writes entry i as far as fields reach: the weights, and for a checkpoint (full) also what
// the optimizer reads.
func (a *Arena) Encode(e *codec.Encoder, i uint32, fields int, full bool) {
	v := a.At(i)
	e.Weights(v[:a.Weights.Size(fields)])
	if full {
		e.F32s(v[a.KeptAt:][:a.Kept.Size(fields)])
	}
}

// Decode reads what Encode wrote.
func (a *Arena) Decode(d *codec.Decoder, i uint32, fields int, full bool) {
	if n := a.Weights.Size(fields); a.half {
		d.Halves(a.halves(i)[:n])
	} else {
		d.Weights(a.At(i)[:n])
	}
	if full {
		d.F32s(a.At(i)[a.KeptAt:][:a.Kept.Size(fields)])
	}
}

func (a *Arena) halves(i uint32) []uint16 {
	return unsafe.Slice((*uint16)(a.Ptr(i)), a.KeptAt)
}

// Read is the weights of entry i. Weights of 16 bits are unpacked into work, which grows once.
func (a *Arena) Read(i uint32, work *[]float32) []float32 {
	if a.half {
		return a.unpack(i, work)
	}
	return a.At(i)
}

func (a *Arena) unpack(i uint32, work *[]float32) []float32 {
	if cap(*work) < a.KeptAt {
		*work = make([]float32, a.KeptAt)
	}
	v := (*work)[:a.KeptAt]
	half.Unpack(v, a.halves(i))
	return v
}

// Write sets the weights of entry i. Those of Read without 16 bits are already there.
func (a *Arena) Write(i uint32, v []float32) {
	if a.half {
		half.Pack(a.halves(i)[:len(v)], v)
	}
}

// Clone is an independent copy.
func (a *Arena) Clone() Arena {
	b := *a
	b.chunks = make([][]float32, len(a.chunks))
	for i, c := range a.chunks {
		b.chunks[i] = append([]float32(nil), c...)
	}
	return b
}
