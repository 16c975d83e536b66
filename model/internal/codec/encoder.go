// Package codec writes and reads the bytes of checkpoints and of messages on the model topic:
// little-endian values, counts as varints, served weights of 32 or 16 bits. A Decoder never trusts
// a count: it takes no memory that the bytes left could not fill.
package codec

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"math"
	"math/bits"
	"unsafe"

	"github.com/clickloop/clickloop/model/internal/half"
)

// Encoder appends values to Buf. One of NewWriter hands Buf on whenever it has grown.
type Encoder struct {
	Buf  []byte
	Half bool // served weights have 16 bits

	w   io.Writer // nil: only the sum is wanted
	sum hash.Hash // nil: everything stays in Buf
	n   int64
	err error
}

const spillBytes = 1 << 16

// NewWriter makes an Encoder that writes to w, or to nowhere when w is nil: head, then what is
// appended, then its SHA-256.
func NewWriter(w io.Writer, head string) *Encoder {
	e := &Encoder{w: w, sum: sha256.New()}
	e.write([]byte(head))
	return e
}

func (e *Encoder) write(b []byte) {
	if e.w != nil && e.err == nil {
		var n int
		n, e.err = e.w.Write(b)
		e.n += int64(n)
	}
}

// Close writes what is left and the SHA-256. It returns that, the number of bytes written, and the
// first error.
func (e *Encoder) Close() (sum [sha256.Size]byte, n int64, err error) {
	e.flush()
	e.sum.Sum(sum[:0])
	e.write(sum[:])
	return sum, e.n, e.err
}

func (e *Encoder) flush() {
	e.sum.Write(e.Buf)
	e.write(e.Buf)
	e.Buf = e.Buf[:0]
}

// Spill hands Buf on if it has grown. It must be called now and then while much is appended.
func (e *Encoder) Spill() {
	if len(e.Buf) >= spillBytes && e.sum != nil {
		e.flush()
	}
}

// Bytes appends bytes without a count.
func (e *Encoder) Bytes(b []byte) {
	e.Buf = append(e.Buf, b...)
	e.Spill()
}

// U64 appends eight bytes.
func (e *Encoder) U64(v uint64) { e.Buf = binary.LittleEndian.AppendUint64(e.Buf, v) }

// U32 appends four bytes.
func (e *Encoder) U32(v uint32) { e.Buf = binary.LittleEndian.AppendUint32(e.Buf, v) }

// F64 appends a float of eight bytes.
func (e *Encoder) F64(v float64) { e.U64(math.Float64bits(v)) }

// Num appends a count, which is not negative.
func (e *Encoder) Num(v int) { e.Buf = binary.AppendUvarint(e.Buf, uint64(v)) }

// Bool appends a count of 0 or 1.
func (e *Encoder) Bool(v bool) {
	if v {
		e.Num(1)
	} else {
		e.Num(0)
	}
}

// Zeros appends n zero bytes.
func (e *Encoder) Zeros(n int) { e.Buf = append(e.Buf, make([]byte, n)...) }

// Text appends bytes behind their count.
func (e *Encoder) Text(v []byte) {
	e.Num(len(v))
	e.Bytes(v)
}

// littleEndian says that memory has the order of the encoding, so that floats are copied whole.
var littleEndian = func() bool {
	x := uint16(1)
	return *(*byte)(unsafe.Pointer(&x)) == 1
}()

// F32s appends floats without a count.
func (e *Encoder) F32s(v []float32) {
	if littleEndian && len(v) > 0 {
		e.Buf = append(e.Buf, unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), 4*len(v))...)
		return
	}
	for _, f := range v {
		e.U32(math.Float32bits(f))
	}
}

// F64s appends floats behind their count.
func (e *Encoder) F64s(v []float64) {
	e.Num(len(v))
	for _, f := range v {
		e.F64(f)
	}
}

// Sorted appends floats in order of size behind their count. Each is written as its difference from
// the one before, with the bytes reversed: the low bits of whole numbers are zeros and take no
// room.
func (e *Encoder) Sorted(v []float64) {
	e.Num(len(v))
	var last uint64
	for _, f := range v {
		b := math.Float64bits(f)
		e.Buf = binary.AppendUvarint(e.Buf, bits.ReverseBytes64(b^last))
		last = b
	}
}

// Weights appends served weights without a count.
func (e *Encoder) Weights(v []float32) {
	if !e.Half {
		e.F32s(v)
		return
	}
	at := len(e.Buf)
	e.Zeros(2 * len(v))
	if !littleEndian || len(v) == 0 {
		for i, f := range v {
			binary.LittleEndian.PutUint16(e.Buf[at+2*i:], half.Of(f))
		}
		return
	}
	half.Pack(unsafe.Slice((*uint16)(unsafe.Pointer(&e.Buf[at])), len(v)), v)
}

// Pieces is an Encoder that grows without moving what it holds: to move many megabytes would be a
// pause. Room must be called before each value.
type Pieces struct {
	Encoder
	full, spare [][]byte
}

const pieceBytes = 1 << 20

// Room makes room for one more value of at most size bytes.
func (p *Pieces) Room(size int) {
	if cap(p.Buf)-len(p.Buf) >= size {
		return
	}
	if len(p.Buf) > 0 {
		p.full = append(p.full, p.Buf)
	}
	if n := len(p.spare); n > 0 {
		p.Buf, p.spare = p.spare[n-1][:0], p.spare[:n-1]
		return
	}
	p.Buf = make([]byte, 0, max(pieceBytes, size))
}

// Each visits the pieces in their order.
func (p *Pieces) Each(do func([]byte)) {
	for _, b := range p.full {
		do(b)
	}
	do(p.Buf)
}

// Recycle empties the pieces. Their memory is used again.
func (p *Pieces) Recycle() Pieces {
	r := Pieces{spare: append(p.spare, p.full...)}
	if p.Buf != nil {
		r.spare = append(r.spare, p.Buf)
	}
	return r
}
