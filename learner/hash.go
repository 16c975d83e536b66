package learner

import (
	"context"
	"encoding/hex"

	"github.com/clickloop/clickloop/model"
)

// hasher answers questions for the hash of the weights beside learning: of a large network it takes
// most of a second. The owner copies the state in small steps between batches, another goroutine
// hashes the copy. Questions that come meanwhile are answered together by the next one.
type hasher struct {
	asked   []request // not begun
	waiting []request // for the copy that is under way
	copying *model.Capture
	state   state // when the copy was begun
	hashing bool
	known   state // the last one with its weights; empty: none

	jobs chan *model.Capture // room for one
	done chan string         // room for one
}

func newHasher() *hasher {
	return &hasher{jobs: make(chan *model.Capture, 1), done: make(chan string, 1)}
}

// advance answers what is known, begins a copy when there are questions and alone is true, and goes
// on with one that is begun. It returns true while it has more to do. The copy uses the memory of
// checkpoints, which wait meanwhile: to take as much again would be a pause, and memory.
func (h *hasher) advance(now state, net *model.Net, alone bool, s *saver) bool {
	switch {
	case h.copying != nil:
	case len(h.asked) == 0 || h.hashing:
		return false
	case h.known.Weights != "" && h.known.Examples == now.Examples:
		now.Weights = h.known.Weights
		h.asked = answerAll(h.asked, now)
		return false
	case !alone:
		return true
	case !s.step.reserve(net, &s.old, true):
		return true
	default:
		h.copying, h.state = net.StartCapture(s.old), now
		s.old = nil
		h.asked, h.waiting = h.waiting[:0], h.asked
	}
	if !s.step.steps(h.copying.Step) {
		return true
	}
	s.old = h.copying   // it is written over when it is hashed
	h.jobs <- h.copying // has room: none is being hashed
	h.copying, h.hashing = nil, true
	return false
}

// finished answers the questions that the hash is for.
func (h *hasher) finished(weights string) {
	h.state.Weights, h.hashing = weights, false
	h.known = h.state
	h.waiting = answerAll(h.waiting, h.state)
}

func answerAll(asked []request, s state) []request {
	for _, r := range asked {
		r.answer <- s
	}
	return asked[:0]
}

// run hashes until ctx ends.
func (h *hasher) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-h.jobs:
			var sum lastBytes
			if _, err := c.WriteTo(&sum); err != nil {
				return err
			}
			h.done <- "sha256:" + hex.EncodeToString(sum.b)
		}
	}
}

// lastBytes keeps the last 32 bytes that are written: a model ends with the SHA-256 that Net.Hash
// gives.
type lastBytes struct{ b []byte }

func (l *lastBytes) Write(b []byte) (int, error) {
	l.b = append(l.b, b[max(0, len(b)-32):]...)
	l.b = l.b[max(0, len(l.b)-32):]
	return len(b), nil
}
