package model

import (
	"math"
	"unsafe"
)

// Serving weights may have 16 bits, on the wire and in a Replica: IEEE 754 half precision, rounded
// to nearest, even on a tie, and held to its range. A replica's weight is always its net's, rounded
// once, so errors do not add up.

const maxHalf = 65504

func toHalf(f float32) uint16 {
	f = min(max(f, -maxHalf), maxHalf)
	x := math.Float32bits(f)
	sign := uint16(x >> 16 & 0x8000)
	x &^= 1 << 31
	if x < 113<<23 { // below 2^-14 a half's steps are 2^-24, those of floats around one half
		return sign | uint16(math.Float32bits(math.Float32frombits(x)+0.5)-math.Float32bits(0.5))
	}
	return sign | uint16((x-112<<23+0xfff+x>>13&1)>>13)
}

func fromHalf(h uint16) float32 {
	sign, m := uint32(h&0x8000)<<16, uint32(h&0x7fff)
	if m < 1<<10 {
		return math.Float32frombits(sign | math.Float32bits(float32(m)*0x1p-24))
	}
	return math.Float32frombits(sign | (m<<13 + 112<<23))
}

// packHalf and unpackHalf convert as many weights as both have room for.
func packHalf(dst []uint16, src []float32) {
	i := 0
	if n := len(src) &^ 7; vectorHalf && n > 0 {
		toHalfAVX(&dst[0], &src[0], n)
		i = n
	}
	for ; i < len(src); i++ {
		dst[i] = toHalf(src[i])
	}
}

func unpackHalf(dst []float32, src []uint16) {
	i := 0
	if n := len(dst) &^ 7; vectorHalf && n > 0 {
		fromHalfAVX(&dst[0], &src[0], n)
		i = n
	}
	for ; i < len(dst); i++ {
		dst[i] = fromHalf(src[i])
	}
}

// halves is record i of an arena of halves.
func (a *arena) halves(i uint32) []uint16 {
	return unsafe.Slice((*uint16)(a.ptr(i)), a.serve)
}

// weights appends what serving reads of record i to dst, as floats.
func (a *arena) weights(dst []float32, i uint32) []float32 {
	if !a.half {
		return append(dst, a.at(i)[:a.serve]...)
	}
	n := len(dst)
	for range a.serve {
		dst = append(dst, 0)
	}
	unpackHalf(dst[n:], a.halves(i))
	return dst
}

// setWeights is the way back.
func (a *arena) setWeights(i uint32, v []float32) {
	if !a.half {
		copy(a.at(i), v)
		return
	}
	packHalf(a.halves(i)[:len(v)], v)
}

// weights appends served weights with the encoder's bits.
func (e *enc) weights(v []float32) {
	if !e.half {
		e.f32s(v)
		return
	}
	at := len(e.b)
	e.b = append(e.b, make([]byte, 2*len(v))...)
	if !littleEndian || len(v) == 0 {
		for i, f := range v {
			h := toHalf(f)
			e.b[at+2*i], e.b[at+2*i+1] = byte(h), byte(h>>8)
		}
		return
	}
	packHalf(unsafe.Slice((*uint16)(unsafe.Pointer(&e.b[at])), len(v)), v)
}

// weightBytes is how long so many served weights are.
func (d *dec) weightBytes(n int) int {
	if d.half {
		return 2 * n
	}
	return 4 * n
}

// weights reads served weights.
func (d *dec) weights(v []float32) {
	if !d.half {
		d.f32s(v)
		return
	}
	b := d.take(2 * len(v))
	if b == nil {
		return
	}
	for i := range v {
		v[i] = fromHalf(uint16(b[2*i]) | uint16(b[2*i+1])<<8)
	}
}

// record reads the first n served weights of an arena's record.
func (d *dec) record(a *arena, i uint32, n int) {
	if !a.half {
		d.weights(a.at(i)[:n])
		return
	}
	if b := d.take(2 * n); b != nil {
		h := a.halves(i)
		for k := range n {
			h[k] = uint16(b[2*k]) | uint16(b[2*k+1])<<8
		}
	}
}
