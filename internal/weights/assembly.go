package weights

import (
	"errors"

	"github.com/clickloop/clickloop/model"
)

// Assembly assembles messages from their parts: one snapshot and one delta at a time. The parts of
// either must come in order. A part out of order drops the message under way.
type Assembly struct {
	snapshot, delta partial
	load            bool // snapshots are decoded while their records arrive
}

// partial is a message under way.
type partial struct {
	head    Head
	next    int64 // part that is expected; 0: there is no message
	body    [][]byte
	loading *model.Loading
}

// reset ends the message under way, and returns it.
func (p *partial) reset() Message {
	m := Message{Head: p.head, Body: p.body, Loading: p.loading}
	if p.loading != nil {
		p.loading.End()
	}
	p.next, p.body, p.loading = 0, nil, nil
	return m
}

// Add adds a part, and returns the message that it completes. The message keeps value.
func (a *Assembly) Add(h Head, value []byte) (m Message, complete bool) {
	p := &a.delta
	if h.Kind == Snapshot {
		p = &a.snapshot
	}
	if h.Part == 0 {
		p.reset()
		p.head = h
		if h.Kind == Snapshot && a.load {
			// no part is larger than the first
			p.loading = model.StartLoading(int(h.Parts) * len(value))
		}
	}
	same := h
	same.Part = 0
	if h.Part != p.next || same != p.head {
		p.reset()
		return Message{}, false
	}
	if p.loading != nil {
		p.loading.Add(value)
	} else {
		p.body = append(p.body, value)
	}
	p.next++
	if p.next < h.Parts {
		return Message{}, false
	}
	return p.reset(), true
}

// Sequence assembles messages and delivers them in an order in which they can be applied. A delta
// inside a snapshot is held for joining replicas, and delivered after it.
type Sequence struct {
	parts Assembly
	held  []Message
	bytes int // in held
}

// Loading returns a Sequence that decodes snapshots while their records arrive. It must be closed.
func Loading() Sequence { return Sequence{parts: Assembly{load: true}} }

// Close drops the messages under way.
func (s *Sequence) Close() {
	s.drop()
	s.parts.snapshot.reset()
	s.parts.delta.reset()
}

// maxHeld bounds the bytes of deltas that are held. Beyond it they are dropped, and a gap follows
// the snapshot.
const maxHeld = 64 << 20

// Add adds a part. It calls apply with the message that the part completes, and after a snapshot
// with the deltas that were held. A delta is held when apply returns model.ErrGap for it and it
// follows the snapshot under way; then Add returns nil. Otherwise Add returns the errors of apply.
func (s *Sequence) Add(h Head, value []byte, apply func(Message) error) error {
	if h.Kind == Snapshot && h.Part == 0 {
		s.drop()
	}
	m, complete := s.parts.Add(h, value)
	if !complete {
		return nil
	}
	err := apply(m)
	if m.Kind == Snapshot {
		held := s.held
		s.drop()
		for _, d := range held {
			err = errors.Join(err, apply(d))
		}
		return err
	}
	if begun := &s.parts.snapshot; errors.Is(err, model.ErrGap) && begun.next > 0 && m.From >= begun.head.To && m.Epoch == begun.head.Epoch {
		if s.bytes += m.Size(); s.bytes > maxHeld {
			s.drop()
			return err
		}
		s.held = append(s.held, m)
		return nil
	}
	return err
}

func (s *Sequence) drop() { s.held, s.bytes = nil, 0 }
