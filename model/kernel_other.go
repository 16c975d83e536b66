//go:build !amd64

package model

import "unsafe"

var vector = false // no vector forms for this processor

func axpy(dst, src []float32, x float32)           { axpyGo(dst, src, x) }
func ffmDot(a []float32, fields, room int) float32 { return ffmDotGo(a, fields, room) }
func ffmStep(v, acc, a []float32, field, room int, gx, rate float32) {
	ffmStepGo(v, acc, a, field, room, gx, rate)
}
func hiddenAdd(h *[hidden]float32, e *[embed]float32, w *[embed * hidden]float32) { hiddenGo(h, e, w) }
func backBlock(w *[embed * hidden]float32, acc *[hidden]float32, e, de *[embed]float32, dh *[hidden]float32, rate float32) {
	backBlockGo(w, acc, e, de, dh, rate)
}
func backEach(w, acc *[embed * hidden]float32, e, de *[embed]float32, dh *[hidden]float32, rate float32) {
	backEachGo(w, acc, e, de, dh, rate)
}
func prefetch(p unsafe.Pointer, lines int) {}

func dot(a, b []float32) float32 { return dotGo(a, b) }

func adagradAll(w, acc, g []float32, x, rate float32) { adagradGo(w, acc, g, x, rate) }

func readFirstAVX(toks *tok, n int, chunks unsafe.Pointer, strideBytes int, e, a *float32, rowBytes int) float32 {
	panic("BUG: no vector instructions here")
}

func readSecondAVX(toks *tok, n int, chunks unsafe.Pointer, strideBytes int, lin, e *float32) {
	panic("BUG: no vector instructions here")
}

func stepSecondAVX(toks *tok, n int, chunks unsafe.Pointer, strideBytes int, grad, wealth, de *float32, lead, rate float32) float64 {
	panic("BUG: no vector instructions here")
}
