package model

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

	weights []float32 // of one record, unpacked
}

// read is what serving reads of a record.
func (s *jScratch) read(a *arena, i uint32) []float32 {
	if !a.half {
		return a.at(i)
	}
	s.weights = a.weights(s.weights[:0], i)
	return s.weights
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
	c.hiddenAdd(&s.h, r, &c.f, s.e)
	net := c.outputNet(0, &s.h)
	s.part = lin
	s.net = r.base + (float64(lin)+c.num[constAt[1]])/c.num[meanAt[1]] + float64(net)
	r.zJ = s.net + float64(ffmDot(s.a, len(c.fields.hashes), s.room))
}

func adagrad(w, acc *float32, g, rate float32) {
	*acc += float32(g * g)
	*w -= float32(float32(rate*rsqrt32(*acc)) * g)
}

// learnJ follows forwardJ on the same row.
//
// The field-aware part follows the gradient of the whole. The rest follows a blend of that and of
// its own: otherwise the field-aware part, once it knows the training pairs by heart, leaves the
// network no reason to learn what the pairs have in common.
func (c *core) learnJ(r *row, s *jScratch) {
	whole := float64((sigmoid(r.zJ) - r.y) * r.w)
	own := float64((sigmoid(s.net) - r.y) * r.w)
	share := 0.5 * float64(r.n) / (float64(r.n) + 100000)
	g, gf := float32(float64((1-share)*whole)+float64(share*own)), float32(whole)

	var dh [hidden]float32
	c.backNet(0, &s.h, &dh, g, rateJ)
	c.backBlock(r, &c.f, s.e, s.de, s.square, &dh, rateJ)
	args := stepArgs{g: [4]float32{g, gf}, wealth: [4]float32{float32(wealth[1])}, lead: r.lead(), rate: rateJEmbed, rateFFM: rateFFM}
	c.learnConst(1, float64(g), 1+c.stepFirst(r, s, &args), r)
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
// A weight above all before it makes a bet be settled by more than its stake was made for, and
// wealth could fall below nothing: from there on every bet is on the wrong side. So an example that
// raises a bound M is settled at the stake that the new M would have allowed: w M_old/M_new.
// Examples of weight one, which raise M by their x alone, are left as they are.
func (r *row) lead() float32 { return float32(max(1, r.w, -r.w)) }

// learnConst bets for the constant input of a member's linear part and takes in the example's sum
// of (x/M)^2.
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
