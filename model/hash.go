package model

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

const (
	hashA = 0x9E3779B97F4A7C15
	hashB = 0xD1B54A32D192ED03
	hashC = 0x8CB92BA72F3D8DD7
)

// FieldHash is the hash of a field's name that a Feature carries. It is HashBytes of the name.
func FieldHash(name string) uint64 { return TokenHash(name) }

// TokenHash is the hash of a token's text that a Feature carries. It is HashBytes of the text.
func TokenHash(text string) uint64 {
	return HashBytes(unsafe.Slice(unsafe.StringData(text), len(text)))
}

// HashBytes is the one hash of names and tokens in the program: 64 bits, the same on every machine,
// made for short text. It is not keyed: whoever chooses the tokens can make them collide, which
// costs precision and nothing else.
func HashBytes(b []byte) uint64 {
	n := len(b)
	h := uint64(n)*hashC ^ hashA
	for len(b) > 16 {
		h = mix(binary.LittleEndian.Uint64(b)^h, binary.LittleEndian.Uint64(b[8:])^hashC)
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
	return mix(lo^h, hi^hashC)
}

// mix folds two words into one: the product's halves, which depend on every bit of both.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^hashB, b^hashA)
	return hi ^ lo ^ a
}
