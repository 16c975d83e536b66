package arith

import (
	"encoding/binary"
	"math/bits"
)

// Odd constants without a pattern in their bits.
const (
	OddA = 0x9E3779B97F4A7C15
	OddB = 0xD1B54A32D192ED03
	OddC = 0x8CB92BA72F3D8DD7
)

// Hash is the one hash of names and tokens in the program: 64 bits, made for short text. It is not
// keyed. Whoever chooses the tokens can make them collide, which costs precision and nothing else.
func Hash(b []byte) uint64 {
	n := len(b)
	h := uint64(n)*OddC ^ OddA
	for len(b) > 16 {
		h = Mix(binary.LittleEndian.Uint64(b)^h, binary.LittleEndian.Uint64(b[8:])^OddC)
		b = b[16:]
	}
	var lo, hi uint64
	switch n = len(b); {
	case n >= 8:
		lo, hi = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		lo, hi = uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[n-4:]))
	case n > 0:
		lo = uint64(b[0])<<16 | uint64(b[n>>1])<<8 | uint64(b[n-1])
	}
	return Mix(lo^h, hi^OddC)
}

// Mix folds two words into one, which depends on every bit of both: the halves of their product.
func Mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^OddB, b^OddA)
	return hi ^ lo ^ a
}
