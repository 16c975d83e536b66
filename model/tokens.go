package model

import "unsafe"

// The loops over an example's tokens, in plain form and as one call of a vector kernel. A token not
// known before this example (read 0) reads the null record, which is all zero.

// readFirst sums a row's linear weights, embeddings and field-aware vectors from the first arena.
func (c *core) readFirst(r *row, s *jScratch) (lin float32) {
	if len(r.toks) == 0 {
		return 0
	}
	if vector && !c.half {
		return readFirstAVX(&r.toks[0], len(r.toks), unsafe.Pointer(&c.a.chunks[0]), c.a.stride*4, &s.e[0], &s.a[0], s.room*ffmK*4)
	}
	if vectorHalf && c.half {
		return readFirstHalfAVX(&r.toks[0], len(r.toks), unsafe.Pointer(&c.a.chunks[0]), c.a.stride*4, &s.e[0], &s.a[0], s.room*ffmK*4)
	}
	row := s.room * ffmK
	for i := range r.toks {
		t := &r.toks[i]
		v, f := s.read(&c.a, t.read), int(t.field)
		lin += float32(t.x * v[0])
		axpyGo(s.e[f*embed:][:embed], v[4:4+embed], t.x)
		axpyGo(s.a[f*row:][:row], v[ffmAt:ffmAt+row], t.x)
	}
	return lin
}

// readSecond sums a row's linear weights and embeddings from the second arena.
func (c *core) readSecond(r *row, lin *[4]float32, e []float32) {
	if len(r.toks) == 0 {
		return
	}
	if vector && !c.half {
		readSecondAVX(&r.toks[0], len(r.toks), unsafe.Pointer(&c.b.chunks[0]), c.b.stride*4, &lin[0], &e[0])
		return
	}
	if vectorHalf && c.half {
		readSecondHalfAVX(&r.toks[0], len(r.toks), unsafe.Pointer(&c.b.chunks[0]), c.b.stride*4, &lin[0], &e[0])
		return
	}
	var v [4 + embed]float32
	for i := range r.toks {
		t := &r.toks[i]
		if c.half {
			unpackHalf(v[:], c.b.halves(t.read))
		} else {
			copy(v[:], c.b.at(t.read))
		}
		readSecondGo(lin, (*[embed]float32)(e[t.field*embed:]), (*secondServed)(unsafe.Pointer(&v)), t.x)
	}
}

// settle raises the bounds of a heavy row's tokens before they bet; row.lead says why.
func settleFirst(c *core, r *row, lead float32) {
	for i := range r.toks {
		t := &r.toks[i]
		if t.learn == 0 {
			continue
		}
		v := c.a.at(t.learn)
		if m, x := &v[c.a.serve], float32(abs32(t.x)*lead); x > *m {
			v[0] *= *m / x
			*m = x
		}
	}
}

func settleSecond(c *core, r *row, lead float32) {
	for i := range r.toks {
		t := &r.toks[i]
		if t.learn == 0 {
			continue
		}
		v := (*second)(c.b.ptr(t.learn))
		if m, x := &v.r[3], float32(abs32(t.x)*lead); x > *m {
			for k := range v.w {
				v.w[k] *= *m / x
			}
			*m = x
		}
	}
}

// stepFirst lets J's tokens bet, moves their embeddings and vectors, and gives the row's sum of
// (x/M)^2.
func (c *core) stepFirst(r *row, s *jScratch, p *stepArgs) (sum float64) {
	if len(r.toks) == 0 {
		return 0
	}
	if p.lead > 1 {
		settleFirst(c, r, p.lead)
	}
	if vector {
		return stepFirstAVX(&r.toks[0], len(r.toks), unsafe.Pointer(&c.a.chunks[0]), c.a.stride*4, &s.a[0], s.room, &s.de[0], &s.square[0], p)
	}
	for i := range r.toks {
		t := &r.toks[i]
		if t.learn != 0 {
			v, f := c.a.at(t.learn), int(t.field)
			sum += stepFirstGo(v, v[c.a.serve:], s.a, f, s.room, (*[embed]float32)(s.de[f*embed:]), s.square[f], t.x, p)
		}
	}
	return sum
}

// stepSecond is stepFirst for C, Q and P.
func (c *core) stepSecond(r *row, de []float32, p *stepArgs) (sum float64) {
	if len(r.toks) == 0 {
		return 0
	}
	if p.lead > 1 {
		settleSecond(c, r, p.lead)
	}
	if vector {
		return stepSecondAVX(&r.toks[0], len(r.toks), unsafe.Pointer(&c.b.chunks[0]), c.b.stride*4, &de[0], p)
	}
	for i := range r.toks {
		t := &r.toks[i]
		if t.learn != 0 {
			sum += stepSecondGo((*second)(c.b.ptr(t.learn)), (*[embed]float32)(de[t.field*embed:]), t.x, p)
		}
	}
	return sum
}
