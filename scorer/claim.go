package scorer

import (
	"context"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// claim is what a call knows of the id of one of its requests.
type claim struct {
	progress progress
	owned    bool          // the call is to answer the id
	hash     uint64        // of the id
	content  fingerprint   // of what is asked to choose from
	facts    fingerprint   // of the rest of the request
	data     []byte        // the answer as the memory keeps it
	ticket   stream.Ticket // of its predictions
	unlogged bool          // they found no place in the queue, and were answered so
	restored *memo         // what was known of another process's choice, until the claim is finished
	wait     chan struct{}
	first    int  // index in the call of the request that this one repeats
	records  span // of its predictions
	whole    bool // the answer is a past, and all of its choice is known
}

// progress says how far a call is with one of its requests.
type progress uint8

const (
	unanswered progress = iota
	elsewhere           // another call is answering the id
	duplicate           // an earlier request of the same call has the id and asks the same
	remembered          // the id was answered before
	scored
)

// errConflict refuses a request whose id stands for another one.
var errConflict = &event.Error{Field: "request", Reason: "was used before, with other candidates. A request id stands for one choice: use a new id for another question"}

// claim finds out which requests of c were answered before, and claims the ids of the others.
func (m *memory) claim(c *Call) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range c.Requests {
		q := &c.Requests[i]
		if q.open() && !q.claim.owned || q.Answer.Err == nil && q.claim.progress == elsewhere {
			q.claim.progress = unanswered
			m.claimOne(c, i)
		}
	}
}

func (m *memory) claimOne(c *Call, i int) {
	q := &c.Requests[i]
	k := &q.claim
	e, ok := m.memos[k.hash]
	switch {
	case !ok:
	case e.state == memoRestored:
		q.Answer.decode(m.data(e), c)
		if q.adopt(); !q.fits(e.content, &c.indices) {
			q.Answer.Err = errConflict
			return
		}
		k.restored = &e
	case e.content != k.content:
		q.Answer.Err = errConflict
		return
	case e.state == memoAnswered:
		k.progress, k.data, k.ticket, k.unlogged, q.Answer.Changed = remembered, m.data(e), e.ticket, e.unlogged, e.facts != k.facts
		return
	case e.state == memoPending:
		m.await(c, i)
		return
	}
	m.memos[k.hash] = memo{content: k.content, facts: k.facts, state: memoPending}
	m.owners[k.hash] = c
	k.owned = true
}

// await notes which request is the first with the id of the i-th one: one of another call, or an
// earlier one of c.
func (m *memory) await(c *Call, i int) {
	q := &c.Requests[i]
	owner := m.owners[q.claim.hash]
	if owner != c {
		if owner.done == nil {
			owner.done = make(chan struct{})
		}
		q.claim.progress, q.claim.wait = elsewhere, owner.done
		return
	}
	q.claim.progress = duplicate
	for j := range i {
		if o := &c.Requests[j].claim; o.owned && o.hash == q.claim.hash {
			q.claim.first, q.Answer.Changed = j, o.facts != q.claim.facts
		}
	}
}

// finish keeps the answers to what c has claimed, gives up the ids of what could not be answered,
// and wakes the calls that wait for it.
func (m *memory) finish(c *Call) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range c.Requests {
		q := &c.Requests[i]
		k := &q.claim
		if !k.owned {
			continue
		}
		k.owned = false
		delete(m.owners, k.hash)
		switch {
		case k.progress != scored:
			m.giveUp(k)
		default:
			m.store(k.hash, memo{content: k.content, facts: k.facts, ticket: k.ticket, unlogged: !q.Answer.Logged, state: memoAnswered}, k.data)
		}
	}
	if c.done != nil {
		close(c.done)
		c.done = nil
	}
}

// giveUp gives an id up that could not be answered. A choice of another process stands all the
// same.
func (m *memory) giveUp(k *claim) {
	delete(m.memos, k.hash)
	if e := k.restored; e != nil && e.chunk >= m.first {
		m.memos[k.hash] = *e
	}
}

// awaitOthers waits for the calls that are answering ids of c, and says whether there are any. c
// has finished everything that it claimed by then, so two calls never wait for one another.
func (c *Call) awaitOthers(ctx context.Context) bool {
	any := false
	for i := range c.Requests {
		q := &c.Requests[i]
		if q.Answer.Err != nil || q.claim.progress != elsewhere {
			continue
		}
		any = true
		select {
		case <-q.claim.wait:
		case <-ctx.Done():
			q.Answer.Err = ctx.Err() // the client is gone
		}
	}
	return any
}
