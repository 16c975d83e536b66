package model

import "fmt"

// Replica is a net that only predicts, at the version of the last message applied to it, with the
// very bits of the net that published it. Any number of goroutines may Predict at once, each with
// its own Scratch; Apply must be alone.
type Replica struct {
	c *core // nil: nothing yet
}

// NewReplica makes a replica of nothing: it predicts one half until a snapshot comes.
func NewReplica() *Replica { return &Replica{} }

// Examples is the version: how many examples the weights have learned.
func (r *Replica) Examples() int64 {
	if r.c == nil {
		return 0
	}
	return r.c.examples
}

// Config is that of the net that published the weights; the zero value before a snapshot.
func (r *Replica) Config() Config {
	if r.c == nil {
		return Config{}
	}
	return r.c.cfg
}

// NewScratch makes a Scratch. Any Scratch serves any replica or net.
func (r *Replica) NewScratch() *Scratch { return &Scratch{} }

// Predict is Net.Predict.
func (r *Replica) Predict(x []Feature, s *Scratch) float64 {
	if r.c == nil {
		return 0.5
	}
	return r.c.predict(x, s)
}

// Clone is an independent copy.
func (r *Replica) Clone() *Replica {
	if r.c == nil {
		return &Replica{}
	}
	return &Replica{r.c.clone()}
}

// Apply takes a message of AppendSnapshot or AppendDelta, whole or in the pieces that make it up. A
// delta to a version that is reached already does nothing. Errors, after which the replica is as
// before: ErrGap (a delta from another version), ErrShape, ErrChecksum, ErrNotModel.
func (r *Replica) Apply(msg ...[]byte) error {
	kind, d, err := open(msg)
	if err != nil {
		return fmt.Errorf("cannot apply weights: %w", err)
	}
	if kind == snapshotMagic {
		c, err := readSnapshotBody(d)
		if err != nil {
			return err
		}
		r.c = c
		return nil
	}
	if r.c == nil {
		err = fmt.Errorf("%w: no snapshot has come yet", ErrGap)
	} else {
		err = r.c.applyDelta(d)
	}
	if err != nil {
		return fmt.Errorf("cannot apply a delta: %w", err)
	}
	return nil
}
