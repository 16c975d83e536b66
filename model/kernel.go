package model

// The kernels' plain forms. They define the results: sums go in a fixed order of lanes, products
// are rounded before they are added, a reciprocal root is one division by one root. The vector
// forms must agree bit for bit (kernel_test.go).

// axpyGo: dst += x*src.
func axpyGo(dst, src []float32, x float32) {
	src = src[:len(dst)]
	for i := range dst {
		dst[i] += float32(x * src[i])
	}
}

// dotGo is a . b in eight lanes.
func dotGo(a, b []float32) float32 {
	var l [8]float32
	b = b[:len(a)]
	for i := range a {
		l[i&7] += float32(a[i] * b[i])
	}
	return fold8(&l)
}

// adagradGo moves weights whose gradients are x*g, each with its own accumulator.
func adagradGo(w, acc, g []float32, x, rate float32) {
	acc, g = acc[:len(w)], g[:len(w)]
	for i := range w {
		adagrad(&w[i], &acc[i], float32(x*g[i]), rate)
	}
}

// ffmDotGo is the sum over fields f < h of a[f][h] . a[h][f], in four lanes, by rows.
func ffmDotGo(a []float32, fields, room int) float32 {
	var total [4]float32
	for f := range fields {
		var sum [4]float32
		for h := f + 1; h < fields; h++ {
			p, q := a[(f*room+h)*4:][:4], a[(h*room+f)*4:][:4]
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

// ffmStepGo moves a token's vectors v[h] against gx*col[h], where col[h] is field h's sum for this
// token's field.
func ffmStepGo(v, acc, a []float32, field, room int, gx, rate float32) {
	for h := range room {
		col, w := a[(h*room+field)*4:][:4], v[h*4:][:4]
		g0, g1, g2, g3 := float32(gx*col[0]), float32(gx*col[1]), float32(gx*col[2]), float32(gx*col[3])
		sum := (float32(g0*g0) + float32(g1*g1)) + (float32(g2*g2) + float32(g3*g3))
		acc[h] += float32(sum * 0.25)
		st := float32(rate * rsqrt32(acc[h]))
		w[0] -= float32(st * g0)
		w[1] -= float32(st * g1)
		w[2] -= float32(st * g2)
		w[3] -= float32(st * g3)
	}
}

const (
	embed  = 8
	hidden = 16
)

// hiddenGo adds one field's embedding e, through its weights w[8][16], to the hidden units.
func hiddenGo(h *[hidden]float32, e *[embed]float32, w *[embed * hidden]float32) {
	for d := range embed {
		x, v := e[d], w[d*hidden:][:hidden]
		for j := range hidden {
			h[j] += float32(x * v[j])
		}
	}
}

// fold16 adds sixteen products in eight lanes, then the lanes two by two.
func fold16(a *[hidden]float32, b []float32) float32 {
	var l [8]float32
	for j := range 8 {
		l[j] = float32(a[j]*b[j]) + float32(a[j+8]*b[j+8])
	}
	return fold8(&l)
}

func fold8(l *[8]float32) float32 {
	return ((l[0] + l[1]) + (l[2] + l[3])) + ((l[4] + l[5]) + (l[6] + l[7]))
}

func squares(e *[embed]float32) float32 {
	var l [embed]float32
	for d, v := range e {
		l[d] = float32(v * v)
	}
	return fold8(&l)
}

// backBlockGo gives the embedding's gradient de, the mean of its squares, and moves w by AdaGrad
// with one accumulator for a hidden unit's eight weights.
func backBlockGo(w *[embed * hidden]float32, acc *[hidden]float32, e, de *[embed]float32, dh *[hidden]float32, rate float32) float32 {
	for d := range embed {
		de[d] = fold16(dh, w[d*hidden:][:hidden])
	}
	square := squares(e) * (1.0 / embed)
	var st [hidden]float32
	for j := range hidden {
		acc[j] += float32(float32(dh[j]*dh[j]) * square)
		st[j] = float32(rate*rsqrt32(acc[j])) * dh[j]
	}
	for d := range embed {
		x, v := e[d], w[d*hidden:][:hidden]
		for j := range hidden {
			v[j] -= float32(st[j] * x)
		}
	}
	return squares(de) * (1.0 / embed)
}

const forget = 0.9995

// backEachGo is backBlockGo with one accumulator a weight, which forgets.
func backEachGo(w, acc *[embed * hidden]float32, e, de *[embed]float32, dh *[hidden]float32, rate float32) {
	for d := range embed {
		v, a, x := w[d*hidden:][:hidden], acc[d*hidden:][:hidden], e[d]
		de[d] = fold16(dh, v)
		for j := range hidden {
			g := float32(dh[j] * x)
			a[j] = float32(forget*a[j]) + float32(g*g)
			v[j] -= float32(float32(rate*rsqrt32(a[j])) * g)
		}
	}
}

// outputGo is what the hidden units with inputs h give through the weights out.
func outputGo(h *[hidden]float32, out []float32) float32 {
	var act [hidden]float32
	for j, v := range h {
		if v > 0 {
			act[j] = v
		}
	}
	return fold16(&act, out)
}

// backOutputGo moves a perceptron's biases d[:16] and output weights d[16:32], and gives the
// gradients dh of the hidden units.
func backOutputGo(d, acc []float32, h, dh *[hidden]float32, g, rate float32) {
	for j, v := range h {
		dh[j] = 0
		if v > 0 {
			dh[j] = float32(g * d[netOut+j])
		} else {
			v = 0
		}
		adagrad(&d[netOut+j], &acc[netOut+j], float32(g*v), rate)
		adagrad(&d[netBias+j], &acc[netBias+j], dh[j], rate)
	}
}

// second is a token's record in the second arena: the linear weights of C, Q, P and Q's embedding;
// then their optimizer's.
type second struct {
	secondServed
	t, g [4]float32 // sum of -gx, sum of |gx|
	r    [4]float32 // winnings; then M, the largest |x|
	acc  [embed]float32
}

type secondServed struct {
	w [4]float32 // the last is zero
	e [embed]float32
}

// stepArgs are what a step needs beside the token. Of J: the gradients of its linear part and
// perceptron, and of its field-aware part; its wealth. Of the others: those of C, Q and P.
type stepArgs struct {
	g, wealth     [4]float32
	lead          float32
	rate, rateFFM float32 // of embeddings, of field-aware vectors
}

func readSecondGo(lin *[4]float32, e *[embed]float32, v *secondServed, x float32) {
	for k := range 4 {
		lin[k] += float32(x * v.w[k])
	}
	for d := range embed {
		e[d] += float32(x * v.e[d])
	}
}

// stepSecondGo bets with the gradients of C, Q, P, moves the embedding against x*de, and gives
// (x/M)^2.
func stepSecondGo(v *second, de *[embed]float32, x float32, p *stepArgs) float64 {
	v.r[3] = max(v.r[3], abs32(x)*p.lead)
	m := v.r[3]
	for k := range 3 {
		coin(&v.w[k], &v.t[k], &v.g[k], &v.r[k], m, float32(p.g[k]*x), p.wealth[k])
	}
	for d := range embed {
		gd := float32(x * de[d])
		v.acc[d] = float32(forget*v.acc[d]) + float32(gd*gd)
		v.e[d] -= float32(float32(p.rate*rsqrt32(v.acc[d])) * gd)
	}
	u := x / m
	return float64(float32(u * u))
}

// stepFirstGo is the same for member J's record v, whose optimizer's half is k, in field f of room.
func stepFirstGo(v, k, a []float32, f, room int, de *[embed]float32, square, x float32, p *stepArgs) float64 {
	k[0] = max(k[0], abs32(x)*p.lead)
	u := x / k[0]
	coin(&v[0], &k[1], &k[2], &k[3], k[0], float32(p.g[0]*x), p.wealth[0])
	k[4] += float32(float32(x*x) * square)
	axpyGo(v[4:4+embed], de[:], -float32(float32(p.rate*rsqrt32(k[4]))*x))
	ffmStepGo(v[ffmAt:][:room*ffmK], k[firstKept:][:room], a, f, room, float32(p.g[1]*x), p.rateFFM)
	return float64(float32(u * u))
}
