package model

import (
	"fmt"
	"hash/crc32"
)

// Loading is a snapshot that is decoded while it comes. A scorer that joins waits for hundreds of
// megabytes: so it does not wait for their decoding after that, and need not keep them.
type Loading struct {
	pieces chan []byte
	last   []byte // not handed on yet: the message ends with its checksum
	sum    uint32
	result chan loaded
}

type loaded struct {
	c   *core
	err error
}

// StartLoading begins with a snapshot of at most size bytes, of which Add gives pieces in their
// order. End must be called in any case.
func StartLoading(size int) *Loading {
	l := &Loading{pieces: make(chan []byte, 4), result: make(chan loaded, 1)}
	go l.run(size)
	return l
}

func (l *Loading) run(size int) {
	d := &dec{more: size, coming: l.pieces}
	var r loaded
	if kind := string(d.take(len(snapshotMagic))); kind != snapshotMagic {
		d.err = notMessage(kind)
	}
	d.readBits()
	if d.err == nil {
		r.c = decodeState(d, false)
	}
	if d.err != nil {
		r = loaded{err: fmt.Errorf("cannot apply a snapshot: %w", d.err)}
	}
	for range l.pieces { // of a snapshot that cannot be read
	}
	l.result <- r
}

// Add takes the next piece, which must not change.
func (l *Loading) Add(piece []byte) {
	if len(piece) < crc32.Size { // the checksum may begin in the piece before
		l.last = append(l.last[:len(l.last):len(l.last)], piece...)
		return
	}
	l.hand(l.last)
	l.last = piece
}

func (l *Loading) hand(piece []byte) {
	if len(piece) > 0 {
		l.sum = crc32.Update(l.sum, castagnoli, piece)
		l.pieces <- piece
	}
}

// End says that all pieces came, or that no more will.
func (l *Loading) End() {
	if n := len(l.last) - crc32.Size; n > 0 {
		l.hand(l.last[:n])
		l.last = l.last[n:]
	}
	close(l.pieces)
}

// Replica waits for the end and returns the weights. Errors as Apply's.
func (l *Loading) Replica() (*Replica, error) {
	r := <-l.result
	l.result <- r // for who asks again
	d := dec{b: l.last}
	switch {
	case len(l.last) != crc32.Size:
		return nil, fmt.Errorf("cannot apply weights: %w: it has no checksum", ErrNotModel)
	case d.u32() != l.sum:
		return nil, fmt.Errorf("cannot apply weights: %w: the message was damaged", ErrChecksum)
	case r.err != nil:
		return nil, r.err
	}
	return &Replica{r.c}, nil
}
