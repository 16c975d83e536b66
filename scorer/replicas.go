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

// replicas are two copies of an objective's weights (left-right). Readers use the active one. The
// follower changes the idle one, swaps the two, waits until nobody reads the other, and changes
// that as well. A reader takes no lock and never sees half an update.
//
// acquire and version may be called by any goroutine, the other methods by the follower's alone.
type replicas struct {
	active  atomic.Pointer[replica]
	changed notify.Broadcast
	idle    *replica

	// catching is true while idle follows a new learner from a snapshot that is behind active: the
	// version that is served never goes back
	catching bool
	shapes   int
	joining  bool // idle alone applies messages, and nothing is served before joined is called
}

// replica is one copy of the weights.
type replica struct {
	weights *model.Replica
	readers atomic.Int64
	at      event.Time // when its newest message was applied
	epoch   int64      // of the learner of its weights
	shape   int        // replicas of one shape share scratch memory
}

// acquire returns the active replica, nil before the first weights. It does not change until
// release.
func (p *replicas) acquire() *replica {
	for {
		r := p.active.Load()
		if r == nil {
			return nil
		}
		r.readers.Add(1)
		if p.active.Load() == r {
			return r
		}
		// It was swapped after it was loaded, and the follower may not have seen this reader.
		r.readers.Add(-1)
	}
}

func (r *replica) release() { r.readers.Add(-1) }

// drain waits until nobody reads r, which is no longer active. Reads last microseconds.
func (r *replica) drain() {
	for i := 0; r.readers.Load() > 0; i++ {
		if i < 100 {
			runtime.Gosched()
			continue
		}
		time.Sleep(20 * time.Microsecond)
	}
}

// outcome is what became of a message that was accepted.
type outcome string

const (
	applied  outcome = "applied"  // it is served
	held     outcome = "held"     // it is behind what is served, until its learner has caught up
	repeated outcome = "repeated" // the replica has its weights already
)

// errNoSnapshot is returned for a delta of a learner of which no snapshot has come.
var errNoSnapshot = fmt.Errorf("%w: no snapshot of this learner has come yet", model.ErrGap)

// apply applies m to both replicas. After an error nothing has changed.
//
// A learner with a higher epoch starts from its checkpoint, which may be behind what is served.
// Then only the idle replica follows it, until it has caught up or says that it has learned all
// there is: a network that began anew may have fewer examples to learn than the one before it. Its
// network may have another shape; within an epoch another shape is refused.
func (p *replicas) apply(m weights.Message, now event.Time) (outcome, error) {
	switch {
	case p.idle == nil:
		return p.first(m, now)
	case m.Epoch > p.idle.epoch:
		return p.succeed(m, now)
	case p.has(&m.Head):
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

// startTopic makes every learner a new one: the topic is another one, and epochs count within a
// topic. Else a learner of the new topic could pass for one of the old, and its deltas would be
// applied to other weights of the same version.
func (p *replicas) startTopic() {
	if p.idle != nil {
		p.idle.epoch = 0
	}
}

// has says that the replicas have a snapshot's version already, or a later one of the same learner.
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

// succeed begins to follow a learner with a higher epoch, whose first message must be a snapshot.
func (p *replicas) succeed(m weights.Message, now event.Time) (outcome, error) {
	r, err := snapshotOf(m)
	if err != nil {
		return "", err
	}
	p.shapes++
	p.idle = &replica{weights: r, epoch: m.Epoch, at: now, shape: p.shapes}
	// the active replica has weights of the former learner, so deltas do not fit it
	p.catching = true
	return p.offer(m, now), nil
}

// offer makes the idle replica active, unless its version is lower and its learner has not learned
// all there is.
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

// swap makes idle the active replica. It returns when nobody reads the former one, which becomes
// idle.
func (p *replicas) swap() {
	old := p.active.Swap(p.idle)
	p.changed.Fire()
	old.drain()
	p.idle = old
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

// serve makes idle the active replica where there was none, and idle a copy of it.
func (p *replicas) serve(now event.Time) {
	r := p.idle
	r.at = now
	p.active.Store(r)
	p.changed.Fire()
	p.idle = &replica{weights: r.weights.Clone(), epoch: r.epoch, at: now, shape: r.shape}
}

// version returns the number of examples in the served weights, -1 without any, and when they came.
func (p *replicas) version() (examples int64, at event.Time) {
	r := p.acquire()
	if r == nil {
		return -1, 0
	}
	defer r.release()
	return r.weights.Examples(), r.at
}
