// Package half converts weights to 16 bits and back, for the model topic and for replicas: IEEE 754
// half precision, rounded to nearest, even on a tie, and held to its range. A replica's weight is
// its net's weight rounded once, so errors do not add up.
package half

import "math"

const largest = 65504

// Of rounds a weight.
func Of(f float32) uint16 {
	f = min(max(f, -largest), largest)
	x := math.Float32bits(f)
	sign := uint16(x >> 16 & 0x8000)
	x &^= 1 << 31
	if x < 113<<23 { // below 2^-14 a half's steps are 2^-24, those of floats around one half
		return sign | uint16(math.Float32bits(math.Float32frombits(x)+0.5)-math.Float32bits(0.5))
	}
	return sign | uint16((x-112<<23+0xfff+x>>13&1)>>13)
}

// Float is the way back, which is exact.
func Float(h uint16) float32 {
	sign, m := uint32(h&0x8000)<<16, uint32(h&0x7fff)
	if m < 1<<10 {
		return math.Float32frombits(sign | math.Float32bits(float32(m)*0x1p-24))
	}
	return math.Float32frombits(sign | (m<<13 + 112<<23))
}

// Pack rounds all of src.
func Pack(dst []uint16, src []float32) {
	i := 0
	if n := len(src) &^ 7; Vector && n > 0 {
		packAVX(&dst[0], &src[0], n)
		i = n
	}
	for ; i < len(src); i++ {
		dst[i] = Of(src[i])
	}
}

// Unpack fills dst from src.
func Unpack(dst []float32, src []uint16) {
	i := 0
	if n := len(dst) &^ 7; Vector && n > 0 {
		unpackAVX(&dst[0], &src[0], n)
		i = n
	}
	for ; i < len(dst); i++ {
		dst[i] = Float(src[i])
	}
}

// The vector forms. Where Vector is a constant false, they have no body and no caller.

//go:noescape
func packAVX(dst *uint16, src *float32, n int)

//go:noescape
func unpackAVX(dst *float32, src *uint16, n int)
