package model

import (
	"cmp"
	"math"
	"slices"

	"github.com/clickloop/clickloop/model/internal/arith"
)

// Contribution is how far one field moves a prediction.
type Contribution struct {
	Field uint64  // hash of its name
	Shift float64 // of the logit, towards the positive or against it
}

// Explanation says how a prediction comes about: Logit = Base + the sum of the contributions +
// Rest, to the rounding of float64.
type Explanation struct {
	Logit float64 // of the prediction; with output identity the predicted value
	Base  float64 // the logit of an example without features
	// Rest is what all fields beyond maxPlayers do together. It is 0 for examples of fewer fields.
	Rest float64
	// Contributions are by field, the largest first.
	Contributions []Contribution
}

// The work for an explanation is bounded: an example of a hundred fields costs about two hundred
// predictions, of half its fields on average.
const (
	maxPlayers = 128     // fields with a contribution of their own
	maxOrders  = 4       // in which fields are added
	maxWork    = 1 << 16 // features that are encoded, about
)

// Explain explains the prediction of x in e, whose memory it uses again. It adds the fields of x
// one by one to an example without features, and notes how far each moves the logit. So the shifts
// sum up to the logit in any order of the fields, whatever the network is made of. What fields do
// together goes to the one that comes last: the shifts are means over a few orders, which depend on
// the fields' names alone, and over the reverse of each. That is the Shapley value as sampling
// estimates it (Castro, Gómez and Tejada, Polynomial Calculation of the Shapley Value Based on
// Sampling, 2009), with the reversed orders of Mitchell et al. (Sampling Permutations for Shapley
// Value Estimation, 2022), which cancel most of the error: for pairs of fields that act together,
// an order and its reverse are exact.
//
// Leaving fields out one at a time, which needs fewer predictions, does not sum up: two fields that
// say the same would both count for nothing.
//
// With a softmax the logit is the log-odds of class 1 against all others, with output identity the
// value. Fields that the network does not know have a contribution of 0. What follows the network's
// own logit, a calibration, is not part of it.
func (r *Replica) Explain(e *Explanation, x []Feature, s *Scratch) {
	k := &s.explain
	e.Contributions = k.begin(e.Contributions[:0], x)
	pairs := k.pairs(len(x))
	e.Base, e.Logit, e.Rest = r.value(nil, s), r.value(x, s), 0
	for n := range pairs {
		k.order(n)
		r.addFields(e, x, s)
		slices.Reverse(k.turns)
		r.addFields(e, x, s)
	}
	by := 1 / float64(2*pairs)
	for i := range k.shifts[:len(e.Contributions)] {
		e.Contributions[i].Shift = k.shifts[i] * by
	}
	if n := len(e.Contributions); n < len(k.shifts) {
		e.Rest = k.shifts[n] * by
	}
	slices.SortStableFunc(e.Contributions, func(a, b Contribution) int { return cmp.Compare(math.Abs(b.Shift), math.Abs(a.Shift)) })
}

// addFields adds the fields in the order of the turns, and to each one's shift what it does.
func (r *Replica) addFields(e *Explanation, x []Feature, s *Scratch) {
	k := &s.explain
	clear(k.added)
	before := e.Base
	for i, player := range k.turns {
		k.added[player] = true
		now := e.Logit
		if i+1 < len(k.turns) {
			now = r.value(k.part(x), s)
		}
		k.shifts[player] += now - before
		before = now
	}
}

// value is the logit of the network's own prediction; with output identity the prediction. It is
// the one place that says what is explained.
func (r *Replica) value(x []Feature, s *Scratch) float64 {
	r.Predict(x, s)
	if r.c.cfg.Output == "identity" {
		return s.Raw()
	}
	return logit(s.Raw())
}

func logit(p float64) float64 {
	p = min(max(p, 1e-12), 1-1e-12)
	return math.Log(p / (1 - p))
}

// explainScratch is the working memory of Explain. Its players are the fields of the example; those
// beyond the bound are one player together, the last.
type explainScratch struct {
	fields []uint64  // by player
	of     []int32   // by feature: its player
	shifts []float64 // by player: the sum over all orders
	added  []bool    // by player
	turns  []int32   // players, in an order
	keys   []uint64  // by player, which sort them
	some   []Feature
}

// begin finds the players, and appends a contribution for each field that is one by itself.
func (k *explainScratch) begin(dst []Contribution, x []Feature) []Contribution {
	k.fields, k.of = k.fields[:0], k.of[:0]
	most := min(maxPlayers, max(1, maxWork/max(1, len(x))))
	for i := range x {
		player := slices.Index(k.fields[:min(most, len(k.fields))], x[i].Field)
		if player < 0 {
			if player = min(len(k.fields), most); player == len(k.fields) {
				k.fields = append(k.fields, x[i].Field)
			}
		}
		k.of = append(k.of, int32(player))
	}
	n := len(k.fields)
	k.shifts = slices.Grow(k.shifts[:0], n)[:n]
	clear(k.shifts)
	k.added = slices.Grow(k.added[:0], n)[:n]
	for _, f := range k.fields[:min(n, most)] {
		dst = append(dst, Contribution{Field: f})
	}
	return dst
}

// pairs is how many orders are tried, each with its reverse, for so many features.
func (k *explainScratch) pairs(features int) int {
	work := max(1, len(k.fields)*features) // of a pair: half the features twice
	return min(max(1, maxWork/8/work), maxOrders/2)
}

// order sets the n-th order of the players: by hashes of their names.
func (k *explainScratch) order(n int) {
	k.turns, k.keys = k.turns[:0], k.keys[:0]
	for i, f := range k.fields {
		k.turns, k.keys = append(k.turns, int32(i)), append(k.keys, arith.Mix(f, uint64(n)*arith.OddA))
	}
	slices.SortStableFunc(k.turns, func(a, b int32) int { return cmp.Compare(k.keys[a], k.keys[b]) })
}

// part is the features of the players that were added, in the order of the example.
func (k *explainScratch) part(x []Feature) []Feature {
	k.some = k.some[:0]
	for i := range x {
		if k.added[k.of[i]] {
			k.some = append(k.some, x[i])
		}
	}
	return k.some
}
