//go:build !amd64

package kernel

import (
	"unsafe"

	"github.com/clickloop/clickloop/model/internal/table"
)

// Vector is false: this processor has no vector forms. It is a constant, so that the compiler drops
// every call of one.
const Vector = false

// Prefetch does nothing: the processor is left to guess.
func Prefetch(p unsafe.Pointer, lines int) {}

func prefetchHits(hits *table.Hit, n int, table unsafe.Pointer, strideBytes int) {}
