package scorer

import (
	"runtime"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/notify"
	"github.com/clickloop/clickloop/model"
)

// replicas are the two copies of an objective's weights (left-right): readers use the active one, the follower changes the other, swaps them, waits
// until nobody reads the old one, and changes that as well. A reader takes no lock and never sees half an update.
type replicas struct {
	active  atomic.Pointer[side]
	changed notify.Broadcast
	idle    *side

	// catching is true while idle follows another epoch from a snapshot that is behind active: versions served never go back.
	catching bool
}

type side struct {
	weights *model.Replica
	readers atomic.Int64
	at      event.Time // when its newest message was applied
	epoch   int64
}

// acquire returns the active side, nil when there are no weights yet. The side stays as it is until release.
func (p *replicas) acquire() *side {
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

func (s *side) release() { s.readers.Add(-1) }

// drain waits until nobody reads s, which is no longer active. Reads last microseconds.
func (s *side) drain() {
	for i := 0; s.readers.Load() > 0; i++ {
		if i < 100 {
			runtime.Gosched()
			continue
		}
		time.Sleep(20 * time.Microsecond)
	}
}

// message is a snapshot or delta, put together from its parts.
type message struct {
	epoch    int64
	snapshot bool
	from, to int64
	body     []byte
}

// apply brings m to both sides. On an error nothing that is served has changed. A learner with a higher epoch starts from its checkpoint, which may be behind what is
// served: then only the idle side follows it until it has caught up.
func (p *replicas) apply(m message, now event.Time) error {
	active := p.active.Load()
	if active == nil {
		return p.first(m, now)
	}
	if err := p.idle.weights.Apply(m.body); err != nil {
		return err
	}
	p.idle.epoch, p.idle.at = m.epoch, now
	if p.idle.weights.Examples() < active.weights.Examples() {
		p.catching = true
		return nil
	}
	caught := p.catching
	p.catching = false
	p.swap()
	if caught || p.idle.weights.Apply(m.body) != nil {
		p.idle.weights = p.active.Load().weights.Clone()
	}
	p.idle.epoch, p.idle.at = m.epoch, now
	return nil
}

// first takes the first snapshot.
func (p *replicas) first(m message, now event.Time) error {
	r := model.NewReplica()
	if err := r.Apply(m.body); err != nil {
		return err
	}
	p.idle = &side{weights: r.Clone(), epoch: m.epoch, at: now}
	p.active.Store(&side{weights: r, epoch: m.epoch, at: now})
	p.changed.Fire()
	return nil
}

// swap makes idle the active side and returns when nobody reads the old one, which becomes idle.
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
