package model

import (
	"fmt"
	"math"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/kernel"
	"github.com/clickloop/clickloop/model/internal/quantile"
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
	joint   bool        // it holds what Share prepared, besides a candidate's own features

	label, weight float64
	number        int64   // of examples before this one
	base          float64 // logit of the base rate before this example
	reach         float64 // how far members may move the prediction from it
	keys          sliceKeys

	// The two goroutines of a batch write on cache lines of their own.
	_   [64]byte
	z   [members]float64 // the members' logits
	_   [64]byte
	zJT [2]float64 // become z[atJ] and z[atT]

	raw, served float64 // the network's probability, and what the calibration makes of it

	_ [64]byte
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

// add keeps a token while there is room.
func (p *rep) add(key uint64, x float64) {
	if p.n < maxReps {
		p.tokens[p.n] = repToken{key, float32(x)}
		p.n++
	}
}

// reset empties the row for the next example of a net with so many fields.
func (r *row) reset(fields int) {
	for _, f := range r.present {
		r.reps[f].n, r.reps[f].seen = 0, false
		r.numbers[f] = 0
	}
	r.tokens, r.slots, r.present, r.fields, r.joint = r.tokens[:0], r.slots[:0], r.present[:0], fields, false
	for len(r.reps) < fields {
		r.reps = append(r.reps, rep{})
		r.numbers = append(r.numbers, 0)
	}
}

// maxSquare bounds the sum of squares of a field's weights: ten thousand words weigh no more than
// four.
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

// scaled is x times the factor that brings a field's sum of squares down to the bound.
func scaled(x float32, square float64) float32 {
	return float32(float64(2/math.Sqrt(square)) * float64(x))
}

// lead is how much more than |x| an example can move the sums of a bet: its weight, at least one.
//
// A stake is made for examples up to a bound M. A heavier example would settle the bet for more
// than that, and wealth could fall below zero: from there on every bet has the wrong sign. So an
// example that raises M is settled at the stake that the new M would have allowed: w M_old/M_new.
// Examples of weight one raise M by their x alone, and their stakes are left as they are.
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

// Scratch is the working memory of one goroutine that predicts or learns. It grows as fields are
// discovered. Between calls it holds nothing that matters but what Share prepared, so one Scratch
// may serve several nets in turn.
type Scratch struct {
	row     row
	seen    []int32       // by position in the example: the field that was there last
	squares []float64     // by field: the sum of squares of this example's weights
	code    quantile.Code // of a number that is only predicted
	explain explainScratch

	j     jScratch
	t     tScratch
	cqp   cqpScratch
	plain plainScratch
	joint joint

	retrieve retrieveScratch
}

func (s *Scratch) grow(fields int) {
	for len(s.squares) < fields {
		s.squares = append(s.squares, 0)
	}
}

// fieldAt is the number of the field at position i, if it is the one that stood there in the
// example before; else -1.
func (s *Scratch) fieldAt(c *core, i int, hash uint64) int {
	if i < len(s.seen) {
		if f := s.seen[i]; int(f) < len(c.fields.hashes) && c.fields.hashes[f] == hash {
			return int(f)
		}
	}
	return -1
}

// remember notes the field that stands at position i.
func (s *Scratch) remember(i, field int) {
	for len(s.seen) <= i {
		s.seen = append(s.seen, 0)
	}
	s.seen[i] = int32(field)
}

// resize makes slices anew that have not n floats.
func resize(n int, slices ...*[]float32) {
	for _, v := range slices {
		if len(*v) != n {
			*v = make([]float32, n)
		}
	}
}

// fieldSums holds, for each pair of fields, the sum of the first field's vectors for the second,
// each times its token's x. Rows of absent fields are zero.
type fieldSums struct {
	sums  []float32
	room  int
	dirty []uint16 // rows that are not zero
}

// begin clears the sums for an example with these fields; each row holds room vectors of k floats.
func (s *fieldSums) begin(room, k int, present []uint16) {
	if n := room * room * k; len(s.sums) != n || s.room != room {
		s.room, s.sums, s.dirty = room, make([]float32, n), s.dirty[:0]
	}
	for _, f := range s.dirty {
		clear(s.sums[int(f)*room*k:][:room*k])
	}
	s.dirty = append(s.dirty[:0], present...)
}
