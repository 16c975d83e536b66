package model

// shape: one layer of relu counts exactly, another perceptron by its slopes.
func (p *plain) shape() (k, relu, sums int) {
	if p.ffm != nil {
		k = p.ffm.k
	}
	sums = 1 // the linear and field-aware parts
	if m := p.mlp; m != nil && m.isOneRelu() {
		relu = pad(m.layers[0].units)
	} else if m != nil {
		sums += m.layers[0].units
	}
	return k, relu, sums
}

func (m *mlpPart) isOneRelu() bool { return len(m.layers) == 1 && m.layers[0].activation == "relu" }

// vectors leaves s.plain.logits those of the linear part alone, which alone is several when there
// are classes, and sets the sums of the field-aware part.
func (p *plain) vectors(r *row, s *Scratch) ([]float32, int) {
	resize(p.outputs, &s.plain.logits, &s.plain.predictions, &s.plain.gradients)
	clear(s.plain.logits)
	if p.linear != nil {
		p.linear.forward(r, s.plain.logits)
	}
	if p.ffm == nil {
		return nil, 0
	}
	s.plain.logits[0] += p.ffm.forward(r, &s.plain)
	return s.plain.vectors.sums, p.tokensJT.Room
}

// item's first sum is the logit of what the item has by itself.
func (p *plain) item(r *row, s *Scratch, relu, sums []float32) {
	sums[0] = p.positive(s.plain.logits)
	if m := p.mlp; m != nil {
		inputs := sums[1:]
		if len(relu) > 0 {
			inputs = relu[:m.layers[0].units]
		}
		s.plain.mlp.begin(m)
		m.sumInputs(r.tokens, r.present, r.numbers, &s.plain)
		m.firstLayer(inputs, r.present, &s.plain)
	}
}

// positive is the logit of the positive label, of class 1 against class 0 where there are classes.
func (p *plain) positive(logits []float32) float32 {
	if p.outputs > 1 {
		return logits[1] - logits[0]
	}
	return logits[0]
}

func (p *plain) query(r *row, s *Scratch, q *Query) float32 {
	relu := len(q.shift)
	q.weight[relu] = 1
	p.forward(r, &s.plain, false)
	q.base = p.positive(s.plain.logits)
	m := p.mlp
	if m == nil {
		return 1
	}
	first := &m.layers[0]
	if relu > 0 {
		clear(q.shift)
		copy(q.shift, m.dense[first.bias:][:first.units])
		s.plain.mlp.begin(m)
		m.sumInputs(r.tokens, r.present, r.numbers, &s.plain)
		m.firstLayer(q.shift[:first.units], r.present, &s.plain)
		for j := range first.units {
			q.weight[j] = p.positive(m.dense[first.weight+j*first.next:][:first.next])
		}
		return 1
	}
	copy(q.weight[relu+1:], m.slopes(p, &s.plain))
	return 1
}

// slopes is how much each input of the first layer's units moves the positive logit, at the row
// that forward has seen.
func (m *mlpPart) slopes(p *plain, s *plainScratch) []float32 {
	above := s.gradients
	clear(above)
	above[0] = 1
	if p.outputs > 1 {
		above[0], above[1] = -1, 1
	}
	for i := len(m.layers) - 1; i >= 0; i-- {
		l := &m.layers[i]
		gradients := l.of(s.mlp.gradients)
		for j, v := range l.of(s.mlp.values) {
			var sum float32
			for k, g := range above {
				sum += float32(g * m.dense[l.weight+j*l.next+k])
			}
			gradients[j] = float32(sum * slope(v, l.activation))
		}
		above = gradients
	}
	return above
}

// addPairs adds the configured crosses of two fields.
func (p *plain) addPairs(q *Query, r *row) float32 {
	for _, x := range p.needs.crosses {
		switch {
		case x.fields == nil:
			for f := range r.reps {
				for g := range f {
					q.addPair(r, g, f)
				}
			}
		case len(x.fields) == 2:
			if f, g := p.fields.find(x.fields[0]), p.fields.find(x.fields[1]); f >= 0 && g >= 0 && max(f, g) < len(r.reps) {
				q.addPair(r, f, g)
			}
		}
	}
	return 1
}
