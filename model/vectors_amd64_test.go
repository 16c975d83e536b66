package model

import (
	"github.com/clickloop/clickloop/model/internal/half"
	"github.com/clickloop/clickloop/model/internal/kernel"
)

// useVectors turns the vector forms on or off, and returns whether they were on.
func useVectors(on bool) (was bool) {
	was = kernel.Vector
	kernel.Vector, half.Vector = on, on
	return was
}
