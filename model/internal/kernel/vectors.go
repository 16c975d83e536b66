// Package kernel is the inner loops of the network, in plain Go and as AVX2 forms. It moves floats
// and knows nothing of examples.
//
// The plain forms define the results. Sums go in a fixed order of lanes, and products are rounded
// before they are added. The vector forms agree with them bit for bit, so a model may move between
// machines. They use no fused multiply-add and no approximate reciprocals.
package kernel

import "github.com/clickloop/clickloop/model/internal/arith"

// Axpy adds x*src to dst.
func Axpy(dst, src []float32, x float32) {
	if Vector && len(dst)&7 == 0 && len(dst) > 0 {
		axpyAVX(&dst[0], &src[0], len(dst), x)
		return
	}
	src = src[:len(dst)]
	for i := range dst {
		dst[i] += float32(x * src[i])
	}
}

// Dot is a . b in eight lanes.
func Dot(a, b []float32) float32 {
	if Vector && len(a)&7 == 0 && len(a) > 0 {
		return dotAVX(&a[0], &b[0], len(a))
	}
	var l [8]float32
	b = b[:len(a)]
	for i := range a {
		l[i&7] += float32(a[i] * b[i])
	}
	return fold8(&l)
}

// fold8 adds lanes two by two.
func fold8(l *[8]float32) float32 {
	return ((l[0] + l[1]) + (l[2] + l[3])) + ((l[4] + l[5]) + (l[6] + l[7]))
}

// AdaGrad moves weights whose gradients are x*g, each with its own accumulator.
func AdaGrad(w, acc, g []float32, x, rate float32) {
	if Vector && len(w)&7 == 0 && len(w) > 0 {
		adagradAVX(&w[0], &acc[0], &g[0], len(w), x, rate)
		return
	}
	acc, g = acc[:len(w)], g[:len(w)]
	for i := range w {
		adagrad(&w[i], &acc[i], float32(x*g[i]), rate)
	}
}

func adagrad(w, acc *float32, g, rate float32) {
	*acc += float32(g * g)
	*w -= float32(float32(rate*arith.Rsqrt32(*acc)) * g)
}

// VectorSize is the length of a field-aware vector that the kernels handle.
const VectorSize = 4

// FFMDot is the sum over fields f < h of sums[f][h] . sums[h][f], in four lanes, by rows. Each row
// holds room vectors.
func FFMDot(sums []float32, fields, room int) float32 {
	if Vector && fields > 1 {
		return ffmDotAVX(&sums[0], fields, room)
	}
	var total [4]float32
	for f := range fields {
		var sum [4]float32
		for h := f + 1; h < fields; h++ {
			p, q := sums[(f*room+h)*4:][:4], sums[(h*room+f)*4:][:4]
			for k := range 4 {
				sum[k] += float32(p[k] * q[k])
			}
		}
		for k := range 4 {
			total[k] += sum[k]
		}
	}
	return (total[0] + total[1]) + (total[2] + total[3])
}

// FFMColumn adds sums[f][h] . sums[h][f] to the four lanes of row f in rows, for all fields f < h.
// Columns from the first on, and then FFMTotal, give FFMDot: each row's products are added in the
// same order.
func FFMColumn(rows, sums []float32, h, room int) {
	if h == 0 {
		return
	}
	if Vector {
		ffmColumnAVX(&rows[0], &sums[h*4], &sums[h*room*4], h, room)
		return
	}
	for f := range h {
		p, q, to := sums[(f*room+h)*4:][:4], sums[(h*room+f)*4:][:4], rows[f*4:][:4]
		for k := range 4 {
			to[k] += float32(p[k] * q[k])
		}
	}
}

// FFMTotal adds up the lanes of rows.
func FFMTotal(rows []float32) float32 {
	var total [4]float32
	for f := 0; f+4 <= len(rows); f += 4 {
		for k := range 4 {
			total[k] += rows[f+k]
		}
	}
	return (total[0] + total[1]) + (total[2] + total[3])
}

// FFMStep moves a token's vectors v[h] against gx*sums[h][field], each with one accumulator. room
// is a multiple of 4.
func FFMStep(v, acc, sums []float32, field, room int, gx, rate float32) {
	if Vector {
		ffmStepAVX(&v[0], &acc[0], &sums[field*4], room, room*16, gx, rate)
		return
	}
	for h := range room {
		col, w := sums[(h*room+field)*4:][:4], v[h*4:][:4]
		g0, g1, g2, g3 := float32(gx*col[0]), float32(gx*col[1]), float32(gx*col[2]), float32(gx*col[3])
		sum := (float32(g0*g0) + float32(g1*g1)) + (float32(g2*g2) + float32(g3*g3))
		acc[h] += float32(sum * 0.25)
		st := float32(rate * arith.Rsqrt32(acc[h]))
		w[0] -= float32(st * g0)
		w[1] -= float32(st * g1)
		w[2] -= float32(st * g2)
		w[3] -= float32(st * g3)
	}
}

// Dims is the width of a Newton matrix.
const Dims = 64

// AddRows sets the first lanes of az to the matrix inverse times x, of which only dims are not
// zero.
func AddRows(az *[Dims]float64, inverse []float64, x *[Dims]float64, dims []uint16, lanes int) {
	if Vector {
		addRowsAVX(&az[0], &inverse[0], &x[0], &dims[0], len(dims), lanes)
		return
	}
	clear(az[:lanes])
	for _, d := range dims {
		v, x := inverse[int(d)*Dims:][:Dims], x[d]
		for i := range lanes {
			az[i] += float64(x * v[i])
		}
	}
}

// SubtractSquare takes az az' from the matrix inverse.
func SubtractSquare(inverse []float64, az *[Dims]float64, lanes int) {
	if Vector {
		subtractSquareAVX(&inverse[0], &az[0], lanes)
		return
	}
	for i := range lanes {
		v, a := inverse[i*Dims:][:Dims], az[i]
		for j := range lanes {
			v[j] -= float64(a * az[j])
		}
	}
}
