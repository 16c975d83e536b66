package scorer

import (
	"context"

	"github.com/clickloop/clickloop/event"
)

// progress is how far a call is with one of its requests.
type progress uint8

const (
	open     progress = iota // to be scored
	busy                     // another call is at work on its id
	twin                     // an earlier request of the same call has its id and asks the same
	known                    // it was answered before
	finished                 // scored
)

// errConflict refuses a request whose id stands for another one.
var errConflict = &event.Error{Field: "request", Reason: "was used before, with other candidates. A request id stands for one choice: use a new id for another question"}

// claim finds out which of the call's requests were answered before, and takes the ids of the
// others.
func (m *memory) claim(k *work) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range k.requests {
		q := &k.requests[i]
		if q.err == nil && (q.progress == open && !q.claimed || q.progress == busy) {
			q.progress = open
			m.claimOne(k, i)
		}
	}
}

func (m *memory) claimOne(k *work, i int) {
	q := &k.requests[i]
	e, ok := m.entries[q.hash]
	switch {
	case !ok:
	case e.state == entryRestored:
		if q.past, ok = parsePast(m.data(e)); ok && !q.past.fits(q.content, q.choose, &k.indices) {
			q.err = errConflict
			return
		}
	case e.content != q.content:
		q.err = errConflict
		return
	case e.state == entryAnswered:
		q.progress, q.answer, q.late, q.changed = known, m.data(e), m.late[q.hash], e.facts != q.facts
		return
	case e.state == entryPending:
		m.await(k, q, i)
		return
	}
	m.entries[q.hash] = entry{content: q.content, facts: q.facts, state: entryPending}
	m.owners[q.hash] = k
	q.claimed = true
}

// await notes for whom the request waits.
func (m *memory) await(k *work, q *request, i int) {
	owner := m.owners[q.hash]
	if owner != k {
		if owner.done == nil {
			owner.done = make(chan struct{})
		}
		q.progress, q.wait = busy, owner.done
		return
	}
	q.progress = twin
	for j := range i {
		if o := &k.requests[j]; o.claimed && o.hash == q.hash {
			q.twin, q.changed = j, o.facts != q.facts
		}
	}
}

// finish keeps the answers to what the call has claimed, gives up the ids of what could not be
// answered, and wakes the calls that wait for it.
func (m *memory) finish(k *work) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range k.requests {
		q := &k.requests[i]
		if !q.claimed {
			continue
		}
		q.claimed = false
		delete(m.owners, q.hash)
		switch {
		case q.progress != finished:
			delete(m.entries, q.hash)
		case q.fate == predictionsLost:
			m.store(q.hash, entry{content: q.content, facts: q.facts, state: entryLost}, nil)
		default:
			if q.late != nil {
				m.late[q.hash] = q.late
			}
			m.store(q.hash, entry{content: q.content, facts: q.facts, state: entryAnswered}, k.cores[q.from:q.to])
		}
	}
	if k.done != nil {
		close(k.done)
		k.done = nil
	}
}

// settled forgets that an answer's predictions were late.
func (m *memory) settled(q *request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.late[q.hash] == q.late {
		delete(m.late, q.hash)
	}
}

// awaitBusy waits for the calls that are at work on the call's other requests, and says whether
// there are any. It is called when all that this call has claimed is finished: two calls never wait
// for one another.
func (k *work) awaitBusy(ctx context.Context) bool {
	any := false
	for i := range k.requests {
		q := &k.requests[i]
		if q.err != nil || q.progress != busy {
			continue
		}
		any = true
		select {
		case <-q.wait:
		case <-ctx.Done():
			q.err = ctx.Err() // the client is gone
		}
	}
	return any
}
