package model

import (
	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/table"
)

// linearPart has one weight a token and output, and one for each configured pair or triple of
// tokens, all in the hashed table. A slot is [weights by output][optimizer state by output].
type linearPart struct {
	*core
	rule    *rule
	outputs int
}

func newLinearPart(c *core, r *rule) *linearPart {
	l := &linearPart{c, r, c.cfg.Classes}
	c.hashed = table.NewHashed(min(c.cfg.TableBits, 26), l.outputs, l.outputs*(1+r.state), c.full, c.half)
	c.needs.slots = true
	for _, names := range c.cfg.Cross {
		x := cross{}
		for _, name := range names {
			if len(names) > 1 {
				x.fields = append(x.fields, FieldHash(name))
			}
		}
		c.needs.crosses = append(c.needs.crosses, x)
	}
	return l
}

func (l *linearPart) forward(r *row, logits []float32) {
	if l.outputs == 1 {
		logits[0] += l.hashed.Dot(0, r.slots)
		return
	}
	for _, h := range r.slots {
		for k := range logits {
			logits[k] += float32(h.X * l.hashed.Weight(h.Slot, k))
		}
	}
}

func (l *linearPart) learn(r *row, gradients []float32) {
	l.touchSlots(r.slots)
	n, state, rule := l.outputs, l.rule.state, l.rule
	if n == 1 && rule.isPlainAdaGrad() {
		l.adagrad(r, gradients[0])
		return
	}
	for _, h := range r.slots {
		v := l.hashed.Make(h.Slot)
		for i, g := range gradients {
			s := v[n+i*state:][:state]
			if rule.Kind == "adagrad" && s[0] == 0 {
				rule.start(s)
			}
			rule.step(&v[i], s, float32(g*h.X))
		}
	}
}

// adagrad is rule.step for the commonest case.
func (l *linearPart) adagrad(r *row, gradient float32) {
	rate, start := l.rule.rate, float32(l.rule.Start)
	for _, h := range r.slots {
		v := (*[2]float32)(l.hashed.Make(h.Slot))
		g, acc := float32(gradient*h.X), v[1]
		if acc == 0 {
			acc = start
		}
		acc += float32(g * g)
		v[0] -= float32(float32(rate*arith.Rsqrt32(acc)) * g)
		v[1] = acc
	}
}

// touchSlots notes that slots are about to be learned.
func (c *core) touchSlots(hits []table.Hit) {
	if c.changes.on {
		for _, h := range hits {
			c.changes.slots.Set(h.Slot)
		}
	}
	if c.capture != nil {
		for _, h := range hits {
			c.capture.slots.touch(h.Slot)
		}
	}
}

// cross is a pair or triple of fields whose tokens have slots together; without fields it is every
// pair.
type cross struct{ fields []uint64 }

// crossFields appends the slots of the configured crosses.
func (c *core) crossFields(r *row) {
	for _, x := range c.needs.crosses {
		if x.fields == nil {
			for i, f := range r.present {
				for _, g := range r.present[:i] {
					c.crossTokens(r, &r.reps[min(f, g)], &r.reps[max(f, g)], nil)
				}
			}
			continue
		}
		var p [3]*rep
		known := true
		for i, h := range x.fields {
			f := c.fields.find(h)
			if f < 0 || f >= len(r.reps) {
				known = false
				break
			}
			p[i] = &r.reps[f]
		}
		if known {
			c.crossTokens(r, p[0], p[1], p[2])
		}
	}
}

// crossTokens appends the slots of all pairs of two fields' tokens, or triples of three.
func (c *core) crossTokens(r *row, a, b, third *rep) {
	for _, p := range a.tokens[:a.n] {
		for _, q := range b.tokens[:b.n] {
			key, x := pairKey(p.key, q.key), float32(p.x*q.x)
			if third == nil {
				r.slots = append(r.slots, table.Hit{Slot: c.hashed.Slot(key), X: x})
				continue
			}
			for _, t := range third.tokens[:third.n] {
				r.slots = append(r.slots, table.Hit{Slot: c.hashed.Slot(pairKey(key, t.key)), X: float32(x * t.x)})
			}
		}
	}
}
