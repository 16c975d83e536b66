package scorer

import (
	"fmt"
	"reflect"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/notify"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
)

// replicas are the two copies of an objective's weights (left-right): readers use the active one,
// the follower changes the other, swaps them, waits until nobody reads the old one, and changes
// that as well. A reader takes no lock and never sees half an update. All methods but acquire and
// version belong to the follower's goroutine.
type replicas struct {
	active  atomic.Pointer[replica]
	changed notify.Broadcast
	idle    *replica

	// catching is true while idle follows a new learner from a snapshot that is behind active:
	// versions served never go back.
	catching bool
	shapes   int
	joining  bool // nothing is served before joined is called: idle takes the messages alone
}

// replica is one copy.
type replica struct {
	weights *model.Replica
	readers atomic.Int64
	at      event.Time // when its newest message was applied
	epoch   int64
	shape   int // sides of one shape share scratch memory
}

// acquire returns the active replica, nil when there are no weights yet. The replica stays as it is until
// release.
func (p *replicas) acquire() *replica {
	for {
		s := p.active.Load()
		if s == nil {
			return nil
		}
		s.readers.Add(1)
		if p.active.Load() == s {
			return s
		}
		s.readers.Add(-1) // it was swapped out in between: the follower may change it
	}
}

func (s *replica) release() { s.readers.Add(-1) }

// drain waits until nobody reads s, which is no longer active. Reads last microseconds.
func (s *replica) drain() {
	for i := 0; s.readers.Load() > 0; i++ {
		if i < 100 {
			runtime.Gosched()
			continue
		}
		time.Sleep(20 * time.Microsecond)
	}
}

// outcome says what became of a message that was taken.
type outcome string

const (
	applied outcome = "applied" // it is served
	// it is behind what is served, which is kept until the new learner has caught up
	held     outcome = "held"
	repeated outcome = "repeated" // its weights are there already
)

// errNoSnapshot is returned for a learner's delta while none of its snapshots has come.
var errNoSnapshot = fmt.Errorf("%w: no snapshot of this learner has come yet", model.ErrGap)

// apply brings m to both sides. On an error nothing has changed. A learner with a higher epoch
// starts from its checkpoint, which may be behind what is served: then only the idle replica follows
// it until it has caught up, or says so: one that began anew may have fewer examples to learn than
// there were. Its network may have another shape; within an epoch another shape is refused.
func (p *replicas) apply(m weights.Message, now event.Time) (outcome, error) {
	switch {
	case p.idle == nil:
		return p.first(m, now)
	case m.Epoch > p.idle.epoch:
		return p.succeed(m, now)
	}
	if p.has(&m.Head) {
		return repeated, nil
	}
	if m.Kind == weights.Snapshot {
		r, err := snapshotOf(m)
		if err != nil {
			return "", err
		}
		if !reflect.DeepEqual(r.Config(), p.idle.weights.Config()) {
			return "", fmt.Errorf("%w: the snapshot's configuration differs from that of the weights before it, by the same learner", model.ErrShape)
		}
		p.idle.weights = r
	} else {
		before := p.idle.weights.Examples()
		if err := p.idle.weights.Apply(m.Body...); err != nil {
			return "", err
		}
		if p.idle.weights.Examples() == before {
			return repeated, nil
		}
	}
	p.idle.at = now
	return p.offer(m, now), nil
}

// renew makes whoever writes next a new learner: the topic is another one, whose epochs begin
// again. Else it would be taken for the former one, and its deltas be put upon other weights when
// they come to the same version.
func (p *replicas) renew() {
	if p.idle != nil {
		p.idle.epoch = 0
	}
}

// has says that the weights are at a snapshot's version already, or at a later one of the same
// learner.
func (p *replicas) has(h *weights.Head) bool {
	if p.idle == nil || h.Kind != weights.Snapshot || p.catching && h.Current {
		return false
	}
	return h.Epoch <= p.idle.epoch && h.To <= p.idle.weights.Examples()
}

// snapshotOf returns new weights from a snapshot.
func snapshotOf(m weights.Message) (*model.Replica, error) {
	if m.Kind != weights.Snapshot {
		return nil, errNoSnapshot
	}
	r := model.NewReplica()
	var err error
	if m.Loading != nil {
		r, err = m.Loading.Replica()
	} else {
		err = r.Apply(m.Body...)
	}
	if err != nil {
		return nil, err
	}
	if r.Examples() != m.To {
		return nil, fmt.Errorf("%w: it is of version %d, its headers say %d", model.ErrShape, r.Examples(), m.To)
	}
	return r, nil
}

// succeed begins to follow a learner with a higher epoch from its snapshot, or goes on when its
// first message is one.
func (p *replicas) succeed(m weights.Message, now event.Time) (outcome, error) {
	r, err := snapshotOf(m)
	if err != nil {
		return "", err
	}
	p.shapes++
	p.idle = &replica{weights: r, epoch: m.Epoch, at: now, shape: p.shapes}
	p.catching = true // so that the other replica becomes a copy: it is of the former learner
	return p.offer(m, now), nil
}

// offer makes the idle replica active unless that would go back to what is not current either.
func (p *replicas) offer(m weights.Message, now event.Time) outcome {
	if p.joining {
		return held
	}
	if p.idle.weights.Examples() < p.active.Load().weights.Examples() && !m.Current {
		p.catching = true
		return held
	}
	copied := p.catching
	p.catching = false
	p.swap()
	active := p.active.Load()
	if copied || m.Kind == weights.Snapshot || p.idle.weights.Apply(m.Body...) != nil {
		p.idle = &replica{weights: active.weights.Clone()}
	}
	p.idle.epoch, p.idle.at, p.idle.shape = active.epoch, now, active.shape
	return applied
}

// first takes the first snapshot.
func (p *replicas) first(m weights.Message, now event.Time) (outcome, error) {
	r, err := snapshotOf(m)
	if err != nil {
		return "", err
	}
	p.idle = &replica{weights: r, epoch: m.Epoch, at: now}
	if p.joining {
		return held, nil
	}
	p.serve(now)
	return applied, nil
}

// joined serves what came since joining was set, and says whether anything did.
func (p *replicas) joined(now event.Time) bool {
	if !p.joining {
		return false
	}
	p.joining = false
	if p.idle == nil {
		return false
	}
	p.catching = false
	p.serve(now)
	return true
}

// serve makes idle the active replica where there was none. Only then is it copied.
func (p *replicas) serve(now event.Time) {
	s := p.idle
	s.at = now
	p.active.Store(s)
	p.changed.Fire()
	p.idle = &replica{weights: s.weights.Clone(), epoch: s.epoch, at: now, shape: s.shape}
}

// swap makes idle the active replica and returns when nobody reads the old one, which becomes idle.
func (p *replicas) swap() {
	old := p.active.Swap(p.idle)
	p.changed.Fire()
	old.drain()
	p.idle = old
}

// version is the number of examples in the served weights, -1 without any, and when they came.
func (p *replicas) version() (examples int64, at event.Time) {
	s := p.acquire()
	if s == nil {
		return -1, 0
	}
	defer s.release()
	return s.weights.Examples(), s.at
}
