package model

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// vector says whether the vector forms run. They give the same bits as the plain ones, so a model
// may move between machines.
var vector = cpu.X86.HasAVX2

// vectorHalf says whether the vector forms for halves run; F16C, which they need, came to
// processors before FMA did.
var vectorHalf = cpu.X86.HasAVX2 && cpu.X86.HasFMA

//go:noescape
func toHalfAVX(dst *uint16, src *float32, n int)

//go:noescape
func fromHalfAVX(dst *float32, src *uint16, n int)

//go:noescape
func readFirstHalfAVX(toks *tok, n int, chunks unsafe.Pointer, strideBytes int, e, a *float32, rowBytes int) float32

//go:noescape
func readSecondHalfAVX(toks *tok, n int, chunks unsafe.Pointer, strideBytes int, lin, e *float32)

//go:noescape
func axpyAVX(dst, src *float32, n int, x float32)

//go:noescape
func ffmDotAVX(a *float32, fields, room int) float32

//go:noescape
func ffmStepAVX(v, acc, col *float32, room, strideBytes int, gx, rate float32)

//go:noescape
func hiddenAVX(h *float32, fields *uint16, n int, chunks unsafe.Pointer, strideBytes int, e *float32)

//go:noescape
func backBlockAVX(fields *uint16, n int, chunks unsafe.Pointer, strideBytes int, e, de, square, dh *float32, rate float32)

//go:noescape
func backEachAVX(fields *uint16, n int, chunks unsafe.Pointer, strideBytes int, e, de, dh *float32, rate float32)

//go:noescape
func outputAVX(h, out *float32) float32

//go:noescape
func backOutputAVX(d, acc, h, dh *float32, grad, rate float32)

//go:noescape
func readFirstAVX(toks *tok, n int, chunks unsafe.Pointer, strideBytes int, e, a *float32, rowBytes int) float32

//go:noescape
func readSecondAVX(toks *tok, n int, chunks unsafe.Pointer, strideBytes int, lin, e *float32)

//go:noescape
func dotAVX(a, b *float32, n int) float32

//go:noescape
func adagradAVX(w, acc, grad *float32, n int, x, rate float32)

//go:noescape
func prefetchHits(hits *hit, n int, table unsafe.Pointer, strideBytes int)

//go:noescape
func prefetch(p unsafe.Pointer, lines int)

//go:noescape
func stepSecondAVX(toks *tok, n int, chunks unsafe.Pointer, strideBytes int, de *float32, p *stepArgs) float64

//go:noescape
func stepFirstAVX(toks *tok, n int, chunks unsafe.Pointer, strideBytes int, a *float32, room int, de, square *float32, p *stepArgs) float64

//go:noescape
func addRowsAVX(az, inv, x *float64, dims *uint16, n, lanes int)

//go:noescape
func subtractSquareAVX(inv, az *float64, lanes int)

func axpy(dst, src []float32, x float32) {
	if !vector || len(dst)&7 != 0 || len(dst) == 0 {
		axpyGo(dst, src, x)
		return
	}
	axpyAVX(&dst[0], &src[0], len(dst), x)
}

func ffmDot(a []float32, fields, room int) float32 {
	if !vector || fields < 2 {
		return ffmDotGo(a, fields, room)
	}
	return ffmDotAVX(&a[0], fields, room)
}

// ffmStep: room is a multiple of 4.
func ffmStep(v, acc, a []float32, field, room int, gx, rate float32) {
	if !vector {
		ffmStepGo(v, acc, a, field, room, gx, rate)
		return
	}
	ffmStepAVX(&v[0], &acc[0], &a[field*4], room, room*16, gx, rate)
}

func dot(a, b []float32) float32 {
	if !vector || len(a)&7 != 0 || len(a) == 0 {
		return dotGo(a, b)
	}
	return dotAVX(&a[0], &b[0], len(a))
}

func adagradAll(w, acc, g []float32, x, rate float32) {
	if !vector || len(w)&7 != 0 || len(w) == 0 {
		adagradGo(w, acc, g, x, rate)
		return
	}
	adagradAVX(&w[0], &acc[0], &g[0], len(w), x, rate)
}
