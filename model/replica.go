package model

import (
	"fmt"

	"github.com/clickloop/clickloop/model/internal/codec"
)

// Replica is a net that only predicts, at the version of the last message applied to it, with the
// very bits of the net that published it. Any number of goroutines may Predict at once, each with
// its own Scratch; Apply must be alone.
type Replica struct {
	c *core // without an engine until a snapshot comes
}

// NewReplica makes a replica of nothing: it predicts one half until a snapshot comes.
func NewReplica() *Replica { return &Replica{&core{}} }

// Examples is the version: how many examples the weights have learned.
func (r *Replica) Examples() int64 { return r.c.examples }

// Config is that of the net that published the weights; the zero value before a snapshot.
func (r *Replica) Config() Config { return r.c.cfg }

// NewScratch makes a Scratch. Any Scratch serves any replica or net.
func (r *Replica) NewScratch() *Scratch { return &Scratch{} }

// Predict is Net.Predict.
func (r *Replica) Predict(x []Feature, s *Scratch) float64 {
	if r.c.engine == nil {
		s.row.raw, s.row.served = 0.5, 0.5
		return 0.5
	}
	return r.c.predict(x, s)
}

// Clone is an independent copy.
func (r *Replica) Clone() *Replica {
	if r.c.engine == nil {
		return NewReplica()
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
	if r.c.engine == nil {
		err = fmt.Errorf("%w: no snapshot has come yet", ErrGap)
	} else {
		err = r.c.applyDelta(d)
	}
	if err != nil {
		return fmt.Errorf("cannot apply a delta: %w", err)
	}
	return nil
}

// Loading is a snapshot that is decoded while it comes. A joining scorer waits for hundreds of
// megabytes. It need not keep them, and does not wait for their decoding after that.
type Loading struct {
	pieces chan []byte
	last   []byte // held back: the message ends with its checksum
	sum    uint32
	core   *core // and err: set when read is closed
	err    error
	read   chan struct{}
}

// StartLoading begins with a snapshot of at most size bytes, of which Add gives pieces in their
// order. End must be called in any case.
func StartLoading(size int) *Loading {
	l := &Loading{pieces: make(chan []byte, 4), read: make(chan struct{})}
	go l.run(size)
	return l
}

func (l *Loading) run(size int) {
	l.core, l.err = readSnapshot(codec.NewStream(size, l.pieces))
	for range l.pieces { // of a snapshot that cannot be read
	}
	close(l.read)
}

func readSnapshot(d *codec.Decoder) (*core, error) {
	kind := string(d.Take(len(snapshotMagic)))
	if kind != snapshotMagic {
		return nil, fmt.Errorf("cannot apply a snapshot: %w", notMessage(kind))
	}
	return readSnapshotBody(d)
}

// readSnapshotBody reads a snapshot behind its magic.
func readSnapshotBody(d *codec.Decoder) (*core, error) {
	readBits(d)
	c, err := readState(d, false)
	if err != nil {
		return nil, fmt.Errorf("cannot apply a snapshot: %w", err)
	}
	return c, nil
}

// Add takes the next piece, which must not change.
func (l *Loading) Add(piece []byte) {
	if len(piece) < codec.SumBytes { // the checksum may begin in the piece before
		l.last = append(l.last[:len(l.last):len(l.last)], piece...)
		return
	}
	l.pass(l.last)
	l.last = piece
}

func (l *Loading) pass(piece []byte) {
	if len(piece) > 0 {
		l.sum = codec.Sum(l.sum, piece)
		l.pieces <- piece
	}
}

// End says that all pieces came, or that no more will.
func (l *Loading) End() {
	if n := len(l.last) - codec.SumBytes; n > 0 {
		l.pass(l.last[:n])
		l.last = l.last[n:]
	}
	close(l.pieces)
}

// Replica waits for the end and returns the weights. Errors as Apply's.
func (l *Loading) Replica() (*Replica, error) {
	<-l.read
	switch {
	case len(l.last) != codec.SumBytes:
		return nil, fmt.Errorf("cannot apply weights: %w: it has no checksum", ErrNotModel)
	case codec.NewDecoder(l.last).U32() != l.sum:
		return nil, fmt.Errorf("cannot apply weights: %w: the message was damaged", ErrChecksum)
	case l.err != nil:
		return nil, l.err
	}
	return &Replica{l.core}, nil
}
