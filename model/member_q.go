package model

import "slices"

// qScratch is the working memory of members C, Q and P.
type qScratch struct {
	e, de []float32
	h     [hidden]float32
}

// pScratch holds the pairs of one example.
type pScratch struct {
	hits  []hit
	pairs []uint32 // of each hit: its pair of fields
}

// forwardQ sets the logits of C, Q and P, and of the base.
func (c *core) forwardQ(r *row, s *Scratch) {
	q := &s.q
	if n := len(c.fields.hashes) * embed; len(q.e) < n {
		q.e, q.de = make([]float32, n), make([]float32, n)
	}
	for _, f := range r.present {
		*(*[embed]float32)(q.e[int(f)*embed:]) = [embed]float32{}
	}
	var lin [4]float32
	c.readSecond(r, &lin, q.e)
	q.h = *(*[hidden]float32)(c.dense[netLen+netBias:])
	c.hiddenAdd(&q.h, r, &c.g, q.e)
	c.findPairs(r, &s.p)
	pairs := lin[2]
	for _, h := range s.p.hits {
		pairs += float32(h.x * c.h.weight(h.slot, 0))
	}
	bet := func(lin float32, i int) float64 {
		return r.base + (float64(lin)+c.num[constAt[i]])/c.num[meanAt[i]]
	}
	r.z[memberBase] = r.base
	r.z[memberC] = bet(lin[0], 0)
	r.z[memberQ] = bet(lin[1], 2) + float64(c.outputNet(1, &q.h))
	r.z[memberP] = bet(pairs, 3)
}

// learnQ follows forwardQ on the same row.
func (c *core) learnQ(r *row, s *Scratch) {
	q := &s.q
	gC := float64((sigmoid(r.z[memberC]) - r.y) * r.w)
	gQ := float64((sigmoid(r.z[memberQ]) - r.y) * r.w)
	gP := float64((sigmoid(r.z[memberP]) - r.y) * r.w)
	var dh [hidden]float32
	c.backNet(1, &q.h, &dh, float32(gQ), rateQ)
	c.backEach(r, &c.g, q.e, q.de, &dh, rateQ)
	args := stepArgs{
		g: [4]float32{float32(gC), float32(gQ), float32(gP)}, wealth: [4]float32{float32(wealth[0]), float32(wealth[2]), float32(wealth[3])},
		lead: r.lead(), rate: rateQ,
	}
	sum := 1 + c.stepSecond(r, q.de, &args)
	c.learnConst(0, gC, sum, r)
	c.learnConst(2, gQ, sum, r)
	c.learnConst(3, gP, sum+c.learnPairs(r, &s.p, args.g[2], args.lead), r)
	if (r.n+1)%chooseEvery == 0 {
		c.choosePairs(r.fields)
	}
}

// findPairs lists the example's hashed pairs: of all fields at first, then of the pairs of fields
// that were chosen.
func (c *core) findPairs(r *row, s *pScratch) {
	s.hits, s.pairs = s.hits[:0], s.pairs[:0]
	if len(c.list) > 0 {
		for _, p := range c.list {
			c.pairHits(r, s, p>>16, p&0xffff)
		}
		return
	}
	for i, f := range r.present {
		for _, g := range r.present[:i] {
			c.pairHits(r, s, uint32(min(f, g)), uint32(max(f, g)))
		}
	}
}

func (c *core) pairHits(r *row, s *pScratch, f, g uint32) {
	if int(g) >= len(r.reps) {
		return
	}
	a, b := &r.reps[f], &r.reps[g]
	for _, p := range a.toks[:a.n] {
		for _, q := range b.toks[:b.n] {
			s.hits = append(s.hits, hit{c.h.slot(mix(p.key^kindPair, q.key)), float32(p.x * q.x)})
			s.pairs = append(s.pairs, f<<16|g)
		}
	}
}

// learnPairs bets for the pairs and counts what each pair of fields has won. A slot holds [w, M, T,
// G, R].
func (c *core) learnPairs(r *row, s *pScratch, g, lead float32) (sum float64) {
	for n := len(c.fields.hashes); len(c.wins) < n*(n-1)/2; {
		c.wins = append(c.wins, 0)
	}
	for i, h := range s.hits {
		v := c.h.make(h.slot)
		if c.changes.on {
			c.changes.hash.set(h.slot)
		}
		if c.capture != nil {
			c.capture.touchSlot(h.slot)
		}
		if x := abs32(h.x) * lead; lead > 1 && x > v[1] {
			v[0] *= v[1] / x
		}
		v[1] = max(v[1], 0.5, abs32(h.x)*lead)
		u, gx := h.x/v[1], float32(g*h.x)
		sum += float64(float32(u * u))
		f, to := s.pairs[i]>>16, s.pairs[i]&0xffff
		c.wins[to*(to-1)/2+f] -= float64(float32(gx * v[0]))
		coin(&v[0], &v[2], &v[3], &v[4], v[1], gx, float32(wealth[3]))
	}
	return sum
}

// choosePairs keeps the half as many pairs as there are fields that have won most.
func (c *core) choosePairs(fields int) {
	type won struct {
		pair uint32
		by   float64
	}
	var all []won
	for g := range fields {
		for f := range g {
			if i := g*(g-1)/2 + f; i < len(c.wins) {
				all = append(all, won{uint32(f)<<16 | uint32(g), c.wins[i]})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b won) int {
		switch {
		case a.by > b.by:
			return -1
		case a.by < b.by:
			return 1
		}
		return 0
	})
	c.list = c.list[:0]
	for _, w := range all[:min(len(all), max(1, fields/2))] {
		c.list = append(c.list, w.pair)
	}
}
