package kernel

import "unsafe"

// The vector forms, which kernel_amd64.s defines. Other processors have none: there Vector is a
// constant false, and nothing calls them.

//go:noescape
func axpyAVX(dst, src *float32, n int, x float32)

//go:noescape
func dotAVX(a, b *float32, n int) float32

//go:noescape
func adagradAVX(w, acc, grad *float32, n int, x, rate float32)

//go:noescape
func ffmDotAVX(a *float32, fields, room int) float32

//go:noescape
func ffmColumnAVX(rows, column, row *float32, h, room int)

//go:noescape
func ffmStepAVX(v, acc, col *float32, room, strideBytes int, gx, rate float32)

//go:noescape
func layerForwardAVX(h *float32, fields *uint16, n int, chunks unsafe.Pointer, strideBytes int, e *float32)

//go:noescape
func layerBackJAVX(fields *uint16, n int, chunks unsafe.Pointer, strideBytes int, e, de, square, dh *float32, rate float32)

//go:noescape
func layerBackQAVX(fields *uint16, n int, chunks unsafe.Pointer, strideBytes int, e, de, dh *float32, rate float32)

//go:noescape
func outputAVX(h, out *float32) float32

//go:noescape
func outputBackAVX(d, acc, h, dh *float32, grad, rate float32)

//go:noescape
func readJAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, e, a *float32, rowBytes int) float32

//go:noescape
func readJHalfAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, e, a *float32, rowBytes int) float32

//go:noescape
func readCQPAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, lin, e *float32)

//go:noescape
func readCQPHalfAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, lin, e *float32)

//go:noescape
func stepJAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, a *float32, room int, de, square *float32, p *Step) float64

//go:noescape
func stepCQPAVX(tokens *Token, n int, chunks unsafe.Pointer, strideBytes int, de *float32, p *Step) float64

//go:noescape
func addRowsAVX(az, inv, x *float64, dims *uint16, n, lanes int)

//go:noescape
func subtractSquareAVX(inv, az *float64, lanes int)

//go:noescape
func scoreAVX(out *float32, n int, rows *uint16, width, relu int, shift, weight *float32)
