package kernel

import (
	"unsafe"

	"github.com/clickloop/clickloop/model/internal/table"
	"golang.org/x/sys/cpu"
)

// Vector says whether the vector forms run. Tests turn them off.
var Vector = cpu.X86.HasAVX2

// Prefetch calls for so many cache lines from p on.
//
//go:noescape
func Prefetch(p unsafe.Pointer, lines int)

//go:noescape
func prefetchHits(hits *table.Hit, n int, table unsafe.Pointer, strideBytes int)
