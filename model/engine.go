package model

// engine is what is computed over a core: the mixture or a plain network. It is called once an
// example or a batch, never in an inner loop. It lays out the core's weights when it is made.
type engine interface {
	// startToken sets the entries of a new token to their random start.
	startToken(e newEntry)
	// startVectors sets a token's vectors for the fields from to to-1 in its weights and optimizer
	// state v. The vector for its own field stays zero; own is -1 when the field is not known.
	startVectors(v []float32, key uint64, from, to, own int)
	// startField sets the entries of a new field, one of so many.
	startField(field, fields int)

	// predict changes nothing but the scratch.
	predict(r *row, s *Scratch) float64
	// learn predicts a row, then learns its label. The error wraps ErrDiverged.
	learn(r *row, s *Scratch) (float64, error)
	// learnBatch does that for all examples, and returns how many it learned before an error.
	learnBatch(n *Net, in examples) (int, error)
}

var (
	_ engine = (*mixture)(nil)
	_ engine = (*plain)(nil)
)

// newEngine lays out the weights of the configured network.
func newEngine(c *core) engine {
	if len(c.cfg.Network) == 0 {
		return newMixture(c)
	}
	return newPlain(c)
}
