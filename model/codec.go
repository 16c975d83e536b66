package model

import (
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"math"
	"math/bits"
	"unsafe"
)

// enc appends little-endian values to b. With a writer it hands b on, through the hash, whenever it
// has grown.
type enc struct {
	b   []byte
	w   io.Writer
	sum hash.Hash
	n   int64
	err error

	half bool // served weights have 16 bits
}

func (e *enc) u64(v uint64)  { e.b = binary.LittleEndian.AppendUint64(e.b, v) }
func (e *enc) u32(v uint32)  { e.b = binary.LittleEndian.AppendUint32(e.b, v) }
func (e *enc) zeros(n int)   { e.b = append(e.b, make([]byte, n)...) }
func (e *enc) num(v int)     { e.b = binary.AppendUvarint(e.b, uint64(v)) }
func (e *enc) f64(v float64) { e.u64(math.Float64bits(v)) }

// littleEndian says that memory is as the encoding is, so that floats are copied whole.
var littleEndian = func() bool {
	x := uint16(1)
	return *(*byte)(unsafe.Pointer(&x)) == 1
}()

func (e *enc) f32s(v []float32) {
	if littleEndian && len(v) > 0 {
		e.b = append(e.b, unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), 4*len(v))...)
		return
	}
	for _, f := range v {
		e.b = binary.LittleEndian.AppendUint32(e.b, math.Float32bits(f))
	}
}

func (e *enc) f64s(v []float64) {
	e.num(len(v))
	for _, f := range v {
		e.f64(f)
	}
}

// sorted writes numbers in order of size: of each, what differs from the one before, the ends of
// whole numbers being zeros that take no room.
func (e *enc) sorted(v []float64) {
	e.num(len(v))
	var last uint64
	for _, f := range v {
		b := math.Float64bits(f)
		e.b = binary.AppendUvarint(e.b, bits.ReverseBytes64(b^last))
		last = b
	}
}

func (e *enc) text(v []byte) {
	e.num(len(v))
	e.b = append(e.b, v...)
}

// spill hands on what has gathered.
func (e *enc) spill(least int) {
	if len(e.b) < least || e.sum == nil {
		return
	}
	e.sum.Write(e.b)
	if e.w != nil && e.err == nil {
		var n int
		n, e.err = e.w.Write(e.b)
		e.n += int64(n)
	}
	e.b = e.b[:0]
}

// dec reads what enc wrote. After the first error it gives zeros.
type dec struct {
	b []byte
	// what follows b, in pieces: a message of hundreds of megabytes is not copied together
	rest   [][]byte
	more   int           // bytes that follow b: of rest, or at most so many that are coming
	coming <-chan []byte // pieces behind rest
	err    error
	half   bool // served weights have 16 bits
}

func (d *dec) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrShape, fmt.Sprintf(format, args...))
	}
	d.b, d.rest, d.more, d.coming = nil, nil, 0, nil
}

// left is how many bytes were not read yet, or at most so many while there are some coming.
func (d *dec) left() int { return len(d.b) + d.more }

// ends says that all was read.
func (d *dec) ends() bool {
	for len(d.b) == 0 && d.more > 0 {
		d.next()
	}
	return len(d.b) == 0
}

func (d *dec) take(n int) []byte {
	for len(d.b) == 0 && d.more > 0 {
		d.next()
	}
	if d.err != nil || n < 0 || n > d.left() {
		d.fail("it ends early")
		return nil
	}
	if n > len(d.b) {
		return d.across(n)
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

// next goes on to the next piece; there is none, and more is 0, when no more come.
func (d *dec) next() {
	if d.coming == nil {
		d.b, d.rest = d.rest[0], d.rest[1:]
		d.more -= len(d.b)
		return
	}
	b, ok := <-d.coming
	if d.b = b; !ok {
		d.more = 0
		return
	}
	d.more = max(d.more-len(b), 0)
}

// across is take of what lies in more than one piece.
func (d *dec) across(n int) []byte {
	v := make([]byte, 0, n)
	for len(v) < n {
		if len(d.b) == 0 && d.more == 0 {
			d.fail("it ends early")
			return nil
		}
		if len(d.b) == 0 {
			d.next()
		}
		k := min(n-len(v), len(d.b))
		v, d.b = append(v, d.b[:k]...), d.b[k:]
	}
	return v
}

// uvarint reads a number; n is not positive when there is none.
func (d *dec) uvarint() (v uint64, n int) {
	if len(d.b) >= binary.MaxVarintLen64 || d.more == 0 {
		if v, n = binary.Uvarint(d.b); n > 0 {
			d.b = d.b[n:]
		}
		return v, n
	}
	var b []byte
	for len(b) < binary.MaxVarintLen64 && (len(b) == 0 || b[len(b)-1] >= 0x80) {
		b = append(b, d.take(1)...)
		if d.err != nil {
			return 0, 0
		}
	}
	return binary.Uvarint(b)
}

func (d *dec) u64() uint64 {
	if v := d.take(8); v != nil {
		return binary.LittleEndian.Uint64(v)
	}
	return 0
}

func (d *dec) u32() uint32 {
	if v := d.take(4); v != nil {
		return binary.LittleEndian.Uint32(v)
	}
	return 0
}

func (d *dec) f64() float64 { return math.Float64frombits(d.u64()) }

// num reads a number of things of which each takes at least size bytes of what is left.
func (d *dec) num(size int) int {
	left := d.left()
	v, n := d.uvarint()
	if n <= 0 || v > uint64(1<<40) || size > 0 && v > uint64(left/size) {
		d.fail("a count is wrong")
		return 0
	}
	return int(v)
}

func (d *dec) f32s(v []float32) {
	b := d.take(4 * len(v))
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

func (d *dec) f64s() []float64 {
	v := make([]float64, d.num(8))
	for i := range v {
		v[i] = d.f64()
	}
	return v
}

// sorted reads what enc.sorted wrote.
func (d *dec) sorted() []float64 {
	v := make([]float64, d.num(1))
	var last uint64
	for i := range v {
		x, n := d.uvarint()
		if n <= 0 {
			d.fail("it ends early")
			return nil
		}
		last ^= bits.ReverseBytes64(x)
		v[i] = math.Float64frombits(last)
	}
	return v
}

// fixed reads a list that must be as long as v.
func (d *dec) fixed(v []float64, name string) {
	w := d.f64s()
	if d.err == nil && len(w) != len(v) {
		d.fail("%s has %d values, not %d", name, len(w), len(v))
		return
	}
	copy(v, w)
}
