package table

import (
	"unsafe"

	"github.com/clickloop/clickloop/model/internal/codec"
	"github.com/clickloop/clickloop/model/internal/half"
)

// Hit is one weighted place in a Hashed table. The vector kernels know its layout.
type Hit struct {
	Slot uint32
	X    float32
}

// Hashed is a table without keys: a token's slot is where its hash falls, and two tokens may share
// one. It is allocated when it is first written, and the system gives it memory page by page as
// slots are touched.
type Hashed struct {
	Bits, Served, Stride int       // slots are 2^Bits; floats that serving reads, floats of a slot
	Values               []float32 // nil: nothing was written, or weights have 16 bits

	zero   []float32
	half   bool // a replica's: halves holds the weights, Values nothing
	halves []uint16
	memory chan []float32 // being taken by another goroutine; nil for none
}

// NewHashed makes an empty table. Only a net that learns (full) keeps more than is served.
func NewHashed(bits, served, stride int, full, half bool) Hashed {
	if !full {
		stride = served
	}
	return Hashed{Bits: bits, Served: served, Stride: stride, zero: make([]float32, stride), half: half}
}

// Slot is where a key falls.
func (t *Hashed) Slot(key uint64) uint32 { return uint32(key >> (64 - t.Bits)) }

// At is a slot to be read.
func (t *Hashed) At(i uint32) []float32 {
	if t.Values == nil {
		return t.zero
	}
	return t.Values[int(i)*t.Stride:][:t.Stride:t.Stride]
}

// Make is a slot to be written.
func (t *Hashed) Make(i uint32) []float32 {
	if t.Values == nil {
		if t.memory == nil {
			t.Values = make([]float32, t.Stride<<t.Bits)
		} else {
			t.Values, t.memory = <-t.memory, nil
		}
	}
	return t.Values[int(i)*t.Stride:][:t.Stride:t.Stride]
}

// Weight is the k-th served weight of a slot.
func (t *Hashed) Weight(i uint32, k int) float32 {
	switch {
	case t.Values != nil:
		return t.Values[int(i)*t.Stride+k]
	case t.halves != nil:
		return half.Float(t.halves[int(i)*t.Served+k])
	}
	return 0
}

// Dot adds the hits' first weights to sum, each times its x.
func (t *Hashed) Dot(sum float32, hits []Hit) float32 {
	if v, stride := t.Values, t.Stride; v != nil {
		for _, h := range hits {
			sum += float32(h.X * v[int(h.Slot)*stride])
		}
	} else if t.halves != nil {
		for _, h := range hits {
			sum += float32(h.X * t.Weight(h.Slot, 0))
		}
	}
	return sum
}

// Expect has another goroutine take the memory and touch all of it.
func (t *Hashed) Expect() {
	if t.Values == nil && t.memory == nil && t.Stride > 0 {
		t.memory = takeMemory[float32](t.Stride << t.Bits)
	}
}

// takeMemory has another goroutine take memory for so many numbers, and touch every page of it.
func takeMemory[T uint64 | float32](n int) chan []T {
	done := make(chan []T, 1)
	go func() {
		v := make([]T, n)
		TouchPages(v)
		done <- v
	}()
	return done
}

const pageBytes = 4096

// TouchPages writes to every page of fresh memory, so that the system gives it now: it takes its
// time for each page.
func TouchPages[T byte | uint64 | float32](v []T) {
	for i := 0; i < len(v); i += pageBytes / int(unsafe.Sizeof(v[0])) {
		v[i] = 0
	}
}

// AnyNonZero says whether a float of v is not zero.
func AnyNonZero(v []float32) bool {
	for _, f := range v {
		if f != 0 {
			return true
		}
	}
	return false
}

// Decode reads a slot's served weights.
func (t *Hashed) Decode(d *codec.Decoder, i uint32) {
	if !t.half {
		d.Weights(t.Make(i)[:t.Served])
		return
	}
	if t.halves == nil {
		t.halves = make([]uint16, t.Served<<t.Bits)
	}
	d.Halves(t.halves[int(i)*t.Served:][:t.Served])
}

// Clone is an independent copy.
func (t *Hashed) Clone() Hashed {
	b := *t
	b.Values, b.halves = append([]float32(nil), t.Values...), append([]uint16(nil), t.halves...)
	return b
}
