package model

import (
	"slices"

	"github.com/clickloop/clickloop/model/internal/kernel"
)

const maxApart = 32

// apart says which fields act apart from others. No pair of fields has them, and no perceptron of
// the default mixture. So a position moves the logits of all ads alike, and ads keep their order in
// every position. What an ad is worth by itself is learned even where it stood in few places: with
// pairs, the network would learn the places of each ad by heart. (The shallow tower of Zhao et al.,
// Recommending What Video to Watch Next, RecSys 2019.)
//
// They have entries and reads as other fields do, and enter the linear parts and the target
// encodings.
type apart []uint64 // hashes of the fields' names

func apartOf(names []string) (a apart) {
	for _, name := range names {
		a = append(a, FieldHash(name))
	}
	return a
}

// has says whether the field of a hash is one of them.
func (a apart) has(hash uint64) bool { return len(a) > 0 && slices.Contains(a, hash) }

// eachApart calls do for each field of a row that acts apart.
func (c *core) eachApart(r *row, do func(f int)) {
	if len(c.apart) == 0 {
		return
	}
	for _, f := range r.present {
		if c.apart.has(c.fields.hashes[f]) {
			do(int(f))
		}
	}
}

// closeReps leaves them out of all pairs of tokens.
func (c *core) closeReps(r *row) {
	c.eachApart(r, func(f int) { r.reps[f].n = 0 })
}

// closeVectors clears the sums of vectors of k floats of them and for them: their products are zero
// then, and so are the gradients of these vectors.
func (c *core) closeVectors(r *row, sums []float32, k int) {
	room := c.tokensJT.Room
	c.eachApart(r, func(f int) {
		clear(sums[f*room*k:][:room*k])
		for _, g := range r.present {
			clear(sums[(int(g)*room+f)*k:][:k])
		}
	})
}

// closeEmbeddings clears their sums of embeddings: a perceptron's weights for them have no gradient
// then.
func (c *core) closeEmbeddings(r *row, e []float32) {
	c.eachApart(r, func(f int) { clear(e[f*kernel.Embed:][:kernel.Embed]) })
}
