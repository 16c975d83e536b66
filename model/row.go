package model

import (
	"fmt"
	"math"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/kernel"
	"github.com/clickloop/clickloop/model/internal/table"
)

// row is one example, encoded.
type row struct {
	tokens  []kernel.Token
	slots   []table.Hit // of a plain net's linear part
	present []uint16    // fields, in order of their first token
	reps    []rep       // by field: its tokens as they enter pairs
	numbers []float32   // by field, with raw numbers
	fields  int         // known when the example was encoded

	label, weight float64
	number        int64   // of examples before this one
	base          float64 // logit of the base rate before this example
	reach         float64 // how far members may move the prediction from it

	// The two goroutines of a batch write on cache lines of their own.
	_   [64]byte
	z   [members]float64 // the members' logits
	_   [64]byte
	zJT [2]float64 // become z[atJ] and z[atT]
	_   [64]byte
}

const maxReps = 8

// rep is how a field enters pairs: by its first few tokens, a number by its heavier bin.
type rep struct {
	n      int32
	seen   bool // the field is in the example
	tokens [maxReps]repToken
}

type repToken struct {
	key uint64
	x   float32
}

func (p *rep) add(key uint64, x float64) {
	if p.n < maxReps {
		p.tokens[p.n] = repToken{key, float32(x)}
		p.n++
	}
}

func (r *row) reset(fields int) {
	for _, f := range r.present {
		r.reps[f].n, r.reps[f].seen = 0, false
		r.numbers[f] = 0
	}
	r.tokens, r.slots, r.present, r.fields = r.tokens[:0], r.slots[:0], r.present[:0], fields
	for len(r.reps) < fields {
		r.reps = append(r.reps, rep{})
		r.numbers = append(r.numbers, 0)
	}
}

// maxSquare bounds the sum of squares of a field's weights: ten thousand words weigh no more than
// two tokens each of weight 1.4.
const maxSquare = 4

// capFields scales the tokens of fields that are over the bound.
func (r *row) capFields(squares []float64) {
	for i := range r.tokens {
		t := &r.tokens[i]
		if q := squares[t.Field]; q > maxSquare {
			t.X = scaled(t.X, q)
			if len(r.slots) > 0 {
				r.slots[i].X = t.X
			}
		}
	}
	for _, f := range r.present {
		if q := squares[f]; q > maxSquare {
			p := &r.reps[f]
			for i := range p.n {
				p.tokens[i].x = scaled(p.tokens[i].x, q)
			}
		}
	}
}

func scaled(x float32, square float64) float32 {
	return float32(float64(2/math.Sqrt(square)) * float64(x))
}

// lead is how much more than |x| an example can move the sums of a bet: its weight, one at least.
//
// A weight above all before it makes a bet be settled by more than its stake was made for, and
// wealth could fall below nothing: from there on every bet is on the wrong side. So an example that
// raises a bound M is settled at the stake that the new M would have allowed: w M_old/M_new.
// Examples of weight one, which raise M by their x alone, are left as they are.
func (r *row) lead() float32 { return float32(max(1, r.weight, -r.weight)) }

func (r *row) finite() bool {
	for _, z := range r.z {
		if !arith.Finite(z) {
			return false
		}
	}
	return arith.Finite(r.zJT[0]) && arith.Finite(r.zJT[1])
}

func (r *row) diverged() error {
	return fmt.Errorf("%w at example %d", ErrDiverged, r.number+1)
}
