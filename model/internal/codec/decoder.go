package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"unsafe"

	"github.com/clickloop/clickloop/model/internal/half"
)

// ErrShape is what every error of a Decoder wraps: the bytes have another version, configuration or
// layout.
var ErrShape = errors.New("another shape of model")

// Decoder reads what an Encoder wrote. The bytes may come in pieces: a message of hundreds of
// megabytes is not copied together. After the first error it gives zeros.
type Decoder struct {
	Half bool // served weights have 16 bits

	b      []byte        // being read
	rest   [][]byte      // that follow b
	more   int           // bytes that follow b; with coming at most so many
	coming <-chan []byte // pieces behind rest
	err    error
}

// NewDecoder reads pieces.
func NewDecoder(pieces ...[]byte) *Decoder {
	d := &Decoder{rest: pieces}
	for _, b := range pieces {
		d.more += len(b)
	}
	return d
}

// NewStream reads pieces as they come, at most size bytes, until the channel is closed.
func NewStream(size int, pieces <-chan []byte) *Decoder {
	return &Decoder{more: size, coming: pieces}
}

// Err is the first error.
func (d *Decoder) Err() error { return d.err }

// Fail ends the reading with an error that wraps ErrShape, if it is the first one.
func (d *Decoder) Fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrShape, fmt.Sprintf(format, args...))
	}
	d.b, d.rest, d.more, d.coming = nil, nil, 0, nil
}

// End fails if bytes are left, and returns the first error.
func (d *Decoder) End() error {
	if d.next(); d.err == nil && len(d.b) > 0 {
		d.Fail("it has too many bytes")
	}
	return d.err
}

// left is how many bytes were not read yet; with coming at most so many.
func (d *Decoder) left() int { return len(d.b) + d.more }

// Take reads n bytes. They belong to the caller's pieces and must not be changed.
func (d *Decoder) Take(n int) []byte {
	if len(d.b) == 0 {
		d.next()
	}
	if d.err != nil || n < 0 || n > d.left() {
		d.Fail("it ends early")
		return nil
	}
	if n > len(d.b) {
		return d.across(n)
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

// next goes on to the next piece unless bytes of this one are left. When no more come, b is empty.
func (d *Decoder) next() {
	for len(d.b) == 0 && d.more > 0 {
		if d.coming == nil {
			d.b, d.rest = d.rest[0], d.rest[1:]
			d.more -= len(d.b)
		} else if b, ok := <-d.coming; ok {
			d.b, d.more = b, max(d.more-len(b), 0)
		} else {
			d.more = 0
		}
	}
}

// across is Take of bytes that lie in more than one piece.
func (d *Decoder) across(n int) []byte {
	v := make([]byte, 0, n)
	for len(v) < n {
		if d.next(); len(d.b) == 0 {
			d.Fail("it ends early")
			return nil
		}
		k := min(n-len(v), len(d.b))
		v, d.b = append(v, d.b[:k]...), d.b[k:]
	}
	return v
}

// uvarint reads a number; n is not positive when there is none.
func (d *Decoder) uvarint() (v uint64, n int) {
	if len(d.b) >= binary.MaxVarintLen64 || d.more == 0 {
		if v, n = binary.Uvarint(d.b); n > 0 {
			d.b = d.b[n:]
		}
		return v, n
	}
	var b []byte
	for len(b) < binary.MaxVarintLen64 && (len(b) == 0 || b[len(b)-1] >= 0x80) {
		b = append(b, d.Take(1)...)
		if d.err != nil {
			return 0, 0
		}
	}
	return binary.Uvarint(b)
}

// U64 reads eight bytes.
func (d *Decoder) U64() uint64 {
	if v := d.Take(8); v != nil {
		return binary.LittleEndian.Uint64(v)
	}
	return 0
}

// U32 reads four bytes.
func (d *Decoder) U32() uint32 {
	if v := d.Take(4); v != nil {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

// F64 reads a float of eight bytes.
func (d *Decoder) F64() float64 { return math.Float64frombits(d.U64()) }

// Num reads the count of things that take at least size bytes each. It fails if fewer bytes are
// left.
func (d *Decoder) Num(size int) int {
	left := d.left()
	v, n := d.uvarint()
	if n <= 0 || v > uint64(1<<40) || size > 0 && v > uint64(left/size) {
		d.Fail("a count is wrong")
		return 0
	}
	return int(v)
}

// Bool reads what Encoder.Bool wrote.
func (d *Decoder) Bool() bool { return d.Num(0) == 1 }

// F32s fills v.
func (d *Decoder) F32s(v []float32) {
	b := d.Take(4 * len(v))
	if b == nil {
		return
	}
	if littleEndian && len(v) > 0 {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), 4*len(v)), b)
		return
	}
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
}

// F64s reads floats behind their count.
func (d *Decoder) F64s() []float64 {
	v := make([]float64, d.Num(8))
	for i := range v {
		v[i] = d.F64()
	}
	return v
}

// Fill reads floats behind their count, which must be that of v.
func (d *Decoder) Fill(v []float64, name string) {
	w := d.F64s()
	if d.err == nil && len(w) != len(v) {
		d.Fail("%s has %d values, not %d", name, len(w), len(v))
		return
	}
	copy(v, w)
}

// Sorted reads what Encoder.Sorted wrote.
func (d *Decoder) Sorted() []float64 {
	v := make([]float64, d.Num(1))
	var last uint64
	for i := range v {
		x, n := d.uvarint()
		if n <= 0 {
			d.Fail("it ends early")
			return nil
		}
		last ^= bits.ReverseBytes64(x)
		v[i] = math.Float64frombits(last)
	}
	return v
}

// WeightBytes is how long n served weights are.
func (d *Decoder) WeightBytes(n int) int {
	if d.Half {
		return 2 * n
	}
	return 4 * n
}

// Weights fills v with served weights.
func (d *Decoder) Weights(v []float32) {
	if !d.Half {
		d.F32s(v)
		return
	}
	if b := d.Take(2 * len(v)); b != nil {
		for i := range v {
			v[i] = half.Float(binary.LittleEndian.Uint16(b[2*i:]))
		}
	}
}

// Halves fills v with served weights of 16 bits.
func (d *Decoder) Halves(v []uint16) {
	if b := d.Take(2 * len(v)); b != nil {
		for i := range v {
			v[i] = binary.LittleEndian.Uint16(b[2*i:])
		}
	}
}
