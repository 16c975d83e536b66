//go:build !amd64

package model

import "unsafe"

var vector, vectorHalf = false, false // no vector forms for this processor

func toHalfAVX(dst *uint16, src *float32, n int)   { panic("BUG: no vector instructions here") }
func fromHalfAVX(dst *float32, src *uint16, n int) { panic("BUG: no vector instructions here") }
func readFirstHalfAVX(toks *tok, n int, chunks unsafe.Pointer, strideBytes int, e, a *float32, rowBytes int) float32 {
	panic("BUG: no vector instructions here")
}
func readSecondHalfAVX(toks *tok, n int, chunks unsafe.Pointer, strideBytes int, lin, e *float32) {
	panic("BUG: no vector instructions here")
}

func axpy(dst, src []float32, x float32)           { axpyGo(dst, src, x) }
func ffmDot(a []float32, fields, room int) float32 { return ffmDotGo(a, fields, room) }
func ffmStep(v, acc, a []float32, field, room int, gx, rate float32) {
	ffmStepGo(v, acc, a, field, room, gx, rate)
}
func prefetchHits(hits *hit, n int, table unsafe.Pointer, strideBytes int) {}
func prefetch(p unsafe.Pointer, lines int)                                 {}

func dot(a, b []float32) float32 { return dotGo(a, b) }

func adagradAll(w, acc, g []float32, x, rate float32) { adagradGo(w, acc, g, x, rate) }

func readFirstAVX(toks *tok, n int, chunks unsafe.Pointer, strideBytes int, e, a *float32, rowBytes int) float32 {
	panic("BUG: no vector instructions here")
}

func readSecondAVX(toks *tok, n int, chunks unsafe.Pointer, strideBytes int, lin, e *float32) {
	panic("BUG: no vector instructions here")
}

func stepSecondAVX(toks *tok, n int, chunks unsafe.Pointer, strideBytes int, de *float32, p *stepArgs) float64 {
	panic("BUG: no vector instructions here")
}

func stepFirstAVX(toks *tok, n int, chunks unsafe.Pointer, strideBytes int, a *float32, room int, de, square *float32, p *stepArgs) float64 {
	panic("BUG: no vector instructions here")
}

func hiddenAVX(h *float32, fields *uint16, n int, chunks unsafe.Pointer, strideBytes int, e *float32) {
	panic("BUG: no vector instructions here")
}

func backBlockAVX(fields *uint16, n int, chunks unsafe.Pointer, strideBytes int, e, de, square, dh *float32, rate float32) {
	panic("BUG: no vector instructions here")
}

func backEachAVX(fields *uint16, n int, chunks unsafe.Pointer, strideBytes int, e, de, dh *float32, rate float32) {
	panic("BUG: no vector instructions here")
}

func outputAVX(h, out *float32) float32 { panic("BUG: no vector instructions here") }

func backOutputAVX(d, acc, h, dh *float32, grad, rate float32) {
	panic("BUG: no vector instructions here")
}

func addRowsAVX(az, inv, x *float64, dims *uint16, n, lanes int) {
	panic("BUG: no vector instructions here")
}

func subtractSquareAVX(inv, az *float64, lanes int) { panic("BUG: no vector instructions here") }
