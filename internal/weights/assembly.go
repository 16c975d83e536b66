package weights

import (
	"errors"

	"github.com/clickloop/clickloop/model"
)

// Assembly puts parts together, those of one snapshot and of one delta at a time. The parts of
// either come in order; anything else drops what was begun.
type Assembly struct {
	snapshot, delta partial
	load            bool // snapshots are decoded while they come
}

type partial struct {
	head    Head
	next    int64 // part that is wanted; 0 when none is begun
	body    [][]byte
	loading *model.Loading
}

// drop gives up what was begun, and returns it.
func (p *partial) drop() Message {
	m := Message{Head: p.head, Body: p.body, Loading: p.loading}
	if p.loading != nil {
		p.loading.End()
	}
	p.next, p.body, p.loading = 0, nil, nil
	return m
}

// Add takes a part and returns the message that it completes. The value becomes part of the
// message.
func (a *Assembly) Add(h Head, value []byte) (Message, bool) {
	p := &a.delta
	if h.Kind == Snapshot {
		p = &a.snapshot
	}
	if h.Part == 0 {
		p.drop()
		p.head = h
		if h.Kind == Snapshot && a.load {
			// the first part is as large as any
			p.loading = model.StartLoading(int(h.Parts) * len(value))
		}
	}
	same := h
	same.Part = 0
	if h.Part != p.next || same != p.head {
		p.drop()
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
	return p.drop(), true
}

// Sequence puts parts together and gives the messages in the order in which they can be applied: a
// delta that is a gap for who has not got the snapshot around it comes again behind that.
type Sequence struct {
	parts Assembly
	held  []Message
	bytes int
}

// Loading returns a Sequence whose snapshots are decoded while they come. It must be closed.
func Loading() Sequence { return Sequence{parts: Assembly{load: true}} }

// Close gives up what was begun.
func (s *Sequence) Close() {
	s.drop()
	s.parts.snapshot.drop()
	s.parts.delta.drop()
}

// maxHeld bounds the deltas that are kept for a snapshot. Beyond it they are dropped, and the
// snapshot is followed by a gap.
const maxHeld = 64 << 20

// Add takes a part and calls apply with the message that it completes, and with those that waited
// for it. It returns apply's error for the message itself, nil for one that is kept; errors of
// those that waited are for apply to tell.
func (s *Sequence) Add(h Head, value []byte, apply func(Message) error) error {
	if h.Kind == Snapshot && h.Part == 0 {
		s.drop()
	}
	m, whole := s.parts.Add(h, value)
	if !whole {
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
