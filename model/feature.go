package model

import (
	"unsafe"

	"github.com/clickloop/clickloop/model/internal/arith"
)

// Kind says what a Feature holds.
type Kind uint8

const (
	// Token is one category or word: Hash identifies it, Value is its weight (1 for a plain
	// category).
	Token Kind = iota
	// Number is a quantity: Value holds it, Hash is 0. Its tokens (quantile bins, a rank, the exact
	// number) are learned online and are part of the network's state.
	Number
	// Missing says that the field is known to have no value; Hash and Value are 0.
	Missing
)

// Feature is one input of the network: a value of a field.
//
// A field with several tokens (a text, a list, a VW namespace) is several consecutive Features of
// the same Field. The order of the Features of an example is part of its meaning: sums are taken in
// it, so the same order gives the same bits.
type Feature struct {
	Field uint64  // hash of the field's name
	Hash  uint64  // hash of the token's text; 0 unless Kind is Token
	Value float64 // weight of the token, or the number
	Kind  Kind
}

// FieldHash is the hash of a field's name that a Feature carries. It is HashBytes of the name.
func FieldHash(name string) uint64 { return TokenHash(name) }

// TokenHash is the hash of a token's text that a Feature carries. It is HashBytes of the text.
func TokenHash(text string) uint64 {
	return arith.Hash(unsafe.Slice(unsafe.StringData(text), len(text)))
}

// HashBytes is the one hash of names and tokens in the program, the same on every machine.
func HashBytes(b []byte) uint64 { return arith.Hash(b) }
