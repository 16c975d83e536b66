package model

import "unsafe"

// jScratch is the working memory of member J.
type jScratch struct {
	a      []float32 // [field][field][4]: sums of x times vectors; rows of absent fields are zero
	room   int
	dirty  []uint16  // rows of a that are not zero
	e, de  []float32 // by field: summed embedding, its gradient
	square []float32 // by field: mean square of de
	h      [hidden]float32
	part   float32 // logit of the linear part
	net    float64 // linear + perceptron + base
}

func (s *jScratch) begin(c *core, r *row) {
	if s.room != c.a.room {
		s.room = c.a.room
		s.a = make([]float32, s.room*s.room*ffmK)
		s.e, s.de, s.square = make([]float32, s.room*embed), make([]float32, s.room*embed), make([]float32, s.room)
		s.dirty = s.dirty[:0]
	}
	for _, f := range s.dirty {
		clear(s.a[int(f)*s.room*ffmK:][:s.room*ffmK])
	}
	s.dirty = append(s.dirty[:0], r.present...)
	for _, f := range r.present {
		*(*[embed]float32)(s.e[int(f)*embed:]) = [embed]float32{}
	}
}

// forwardJ sets the member's logit; the scratch keeps what learning needs.
func (c *core) forwardJ(r *row, s *jScratch) {
	s.begin(c, r)
	lin := c.readFirst(r, s)
	s.h = *(*[hidden]float32)(c.dense[netBias:])
	for _, f := range r.present {
		hiddenAdd(&s.h, (*[embed]float32)(s.e[int(f)*embed:]), (*[embed * hidden]float32)(c.f.ptr(uint32(f))))
	}
	net := c.outputNet(0, &s.h)
	s.part = lin
	s.net = r.base + (float64(lin)+c.num[constAt[1]])/c.num[meanAt[1]] + float64(net)
	r.zJ = s.net + float64(ffmDot(s.a, len(c.fields.hashes), s.room))
}

// outputNet is the output of perceptron net over the hidden units' inputs.
func (c *core) outputNet(net int, h *[hidden]float32) float32 {
	var act [hidden]float32
	for j, v := range h {
		if v > 0 {
			act[j] = v
		}
	}
	d := c.dense[net*netLen:]
	return fold16(&act, d[netOut:netOut+hidden]) + d[netConst]
}

// backNet learns perceptron net's output and biases, and gives the hidden units' gradients.
func (c *core) backNet(net int, h, dh *[hidden]float32, g, rate float32) {
	d, acc := c.dense[net*netLen:][:netLen], c.denseO[net*netLen:][:netLen]
	for j := range hidden {
		dh[j] = 0
		if h[j] <= 0 {
			continue
		}
		dh[j] = float32(g * d[netOut+j])
		adagrad(&d[netOut+j], &acc[netOut+j], float32(g*h[j]), rate)
		adagrad(&d[netBias+j], &acc[netBias+j], dh[j], rate)
	}
	adagrad(&d[netConst], &acc[netConst], g, rate)
}

func adagrad(w, acc *float32, g, rate float32) {
	*acc += float32(g * g)
	*w -= float32(float32(rate/sqrt32(*acc)) * g)
}

// learnJ follows forwardJ on the same row.
//
// The field-aware part follows the gradient of the whole. The rest follows a blend of that and of its own: otherwise the
// field-aware part, once it knows the training pairs by heart, leaves the network no reason to learn what the pairs have in common.
func (c *core) learnJ(r *row, s *jScratch) {
	whole := float64((sigmoid(r.zJ) - r.y) * r.w)
	own := float64((sigmoid(s.net) - r.y) * r.w)
	share := 0.5 * float64(r.n) / (float64(r.n) + 100000)
	g, gf := float32(float64((1-share)*whole)+float64(share*own)), float32(whole)

	var dh [hidden]float32
	c.backNet(0, &s.h, &dh, g, rateJ)
	for _, f := range r.present {
		p := c.f.ptr(uint32(f))
		de := (*[embed]float32)(s.de[int(f)*embed:])
		backBlock((*[embed * hidden]float32)(p), (*[hidden]float32)(unsafe.Add(p, 4*c.f.serve)), (*[embed]float32)(s.e[int(f)*embed:]), de, &dh, rateJ)
		s.square[f] = dot(de[:], de[:]) * (1.0 / embed)
	}
	row := s.room * ffmK
	lead, sum := r.lead(), 1.0
	for i := range r.toks {
		t := &r.toks[i]
		if t.learn == 0 {
			continue
		}
		v := c.a.at(t.learn)
		k := v[c.a.serve:]
		f := int(t.field)
		if x := abs32(t.x) * lead; x > k[0] {
			if lead > 1 {
				v[0] *= k[0] / x
			}
			k[0] = x
		}
		q := t.x / k[0]
		sum += float64(float32(q * q))
		coin(&v[0], &k[1], &k[2], &k[3], k[0], float32(g*t.x), float32(wealth[1]))
		k[4] += float32(float32(t.x*t.x) * s.square[f])
		axpy(v[4:4+embed], s.de[f*embed:][:embed], -float32(float32(rateJEmbed/sqrt32(k[4]))*t.x))
		ffmStep(v[ffmAt:ffmAt+row], k[firstKept:firstKept+s.room], s.a, f, s.room, float32(gf*t.x), rateFFM)
	}
	c.learnConst(1, float64(g), sum, r)
}

// coin is one bet: gx the gradient times the input, m the most that |gx| can be.
func coin(w, t, g, r *float32, m, gx, wealth float32) {
	*r -= float32(gx * *w)
	*t -= gx
	*g += abs32(gx)
	*w = float32((wealth+*r)**t) / float32(m*(m+*g))
}

// lead is how much more than |x| an example can move a coin's sums: its weight, one at least.
//
// A weight above all before it makes a bet be settled by more than its stake was made for, and wealth could fall below nothing: from
// there on every bet is on the wrong side. So an example that raises a bound M is settled at the stake that the new M would have
// allowed: w M_old/M_new. Examples of weight one, which raise M by their x alone, are left as they are.
func (r *row) lead() float32 { return float32(max(1, r.w, -r.w)) }

// learnConst bets for the constant input of a member's linear part and takes in the example's sum of (x/M)^2.
func (c *core) learnConst(i int, g, sum float64, r *row) {
	k := c.numO[coinAt[i]:][:3]
	w, m := &c.num[constAt[i]], max(1, c.numO[leadAt[i]])
	if l := max(r.w, -r.w); l > m {
		*w = float64(*w * (m / l))
		m, c.numO[leadAt[i]] = l, l
	}
	k[2] -= float64(g * *w)
	k[0] -= g
	k[1] += max(g, -g)
	*w = float64((wealth[i]+k[2])*k[0]) / float64(m*(m+k[1]))
	c.numO[sumAt[i]] += sum
	c.num[meanAt[i]] = c.numO[sumAt[i]] / float64(r.n+1)
}
