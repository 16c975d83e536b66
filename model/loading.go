package model

import (
	"fmt"

	"github.com/clickloop/clickloop/model/internal/codec"
)

// Loading is a snapshot that is decoded while it comes. A joining scorer waits for hundreds of
// megabytes. It need not keep them, and does not wait for their decoding after that.
type Loading struct {
	pieces chan []byte
	last   []byte // held back: the message ends with its checksum
	sum    uint32
	result chan loaded
}

type loaded struct {
	core *core
	err  error
}

// StartLoading begins with a snapshot of at most size bytes, of which Add gives pieces in their
// order. End must be called in any case.
func StartLoading(size int) *Loading {
	l := &Loading{pieces: make(chan []byte, 4), result: make(chan loaded, 1)}
	go l.run(size)
	return l
}

func (l *Loading) run(size int) {
	c, err := readSnapshot(codec.NewStream(size, l.pieces))
	for range l.pieces { // of a snapshot that cannot be read
	}
	l.result <- loaded{c, err}
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
	r := <-l.result
	l.result <- r // for another call
	switch {
	case len(l.last) != codec.SumBytes:
		return nil, fmt.Errorf("cannot apply weights: %w: it has no checksum", ErrNotModel)
	case codec.NewDecoder(l.last).U32() != l.sum:
		return nil, fmt.Errorf("cannot apply weights: %w: the message was damaged", ErrChecksum)
	case r.err != nil:
		return nil, r.err
	}
	return &Replica{r.core}, nil
}
