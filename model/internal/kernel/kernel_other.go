//go:build !amd64

package kernel

import (
	"unsafe"

	"github.com/clickloop/clickloop/model/internal/table"
)

// Vector is false: there are no vector forms for this processor.
var Vector = false

// Prefetch does nothing: the processor is left to guess.
func Prefetch(p unsafe.Pointer, lines int) {}

func prefetchHits(hits *table.Hit, n int, table unsafe.Pointer, strideBytes int) {}

const noVectors = "BUG: no vector instructions here"

func axpyAVX(dst, src *float32, n int, x float32) { panic(noVectors) }

func dotAVX(a, b *float32, n int) float32 { panic(noVectors) }

func adagradAVX(w, acc, grad *float32, n int, x, rate float32) { panic(noVectors) }

func ffmDotAVX(a *float32, fields, room int) float32 { panic(noVectors) }

func ffmStepAVX(v, acc, col *float32, room, strideBytes int, gx, rate float32) { panic(noVectors) }

func layerForwardAVX(h *float32, fields *uint16, n int, chunks unsafe.Pointer, strideBytes int, e *float32) {
	panic(noVectors)
}

func layerBackJAVX(fields *uint16, n int, chunks unsafe.Pointer, strideBytes int, e, de, square, dh *float32, rate float32) {
	panic(noVectors)
}

func layerBackQAVX(fields *uint16, n int, chunks unsafe.Pointer, strideBytes int, e, de, dh *float32, rate float32) {
	panic(noVectors)
}

func outputAVX(h, out *float32) float32 { panic(noVectors) }

func outputBackAVX(d, acc, h, dh *float32, grad, rate float32) { panic(noVectors) }

func readJAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, e, a *float32, rowBytes int) float32 {
	panic(noVectors)
}

func readJHalfAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, e, a *float32, rowBytes int) float32 {
	panic(noVectors)
}

func readCQPAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, lin, e *float32) {
	panic(noVectors)
}

func readCQPHalfAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, lin, e *float32) {
	panic(noVectors)
}

func stepJAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, a *float32, room int, de, square *float32, p *Step) float64 {
	panic(noVectors)
}

func stepCQPAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, de *float32, p *Step) float64 {
	panic(noVectors)
}

func addRowsAVX(az, inv, x *float64, dims *uint16, n, lanes int) { panic(noVectors) }

func subtractSquareAVX(inv, az *float64, lanes int) { panic(noVectors) }
