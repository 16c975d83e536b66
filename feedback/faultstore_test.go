package feedback

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
)

// faultStore is a store that fails, forgets and is interfered with on purpose.
type faultStore struct {
	mu        sync.Mutex
	memory    *features.Memory
	applied   []applied // all that was, so that the store can go back
	down      bool
	forgotten map[string]bool // keys whose time to live has run out
	before    func()          // called once, before a Read
	behind    func(found int) // and behind it, before it returns
}

func newFaultStore() *faultStore {
	return &faultStore{memory: features.NewMemory(), forgotten: map[string]bool{}}
}

// applied is one successful Apply.
type applied struct {
	from  int64
	to    features.Position
	batch []features.Update
}

var errDown = errors.New("the store is away")

func (s *faultStore) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *faultStore) isDown() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return errDown
	}
	return nil
}

// Reset empties the store.
func (s *faultStore) Reset() { s.goBack(0) }

// moment is how much was applied so far.
func (s *faultStore) moment() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.applied)
}

// goBack makes the store what it was at a moment, as a Redis that comes back with what it had saved
// then.
func (s *faultStore) goBack(moment int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.applied = s.applied[:moment]
	s.memory = features.NewMemory()
	for _, a := range s.applied {
		if err := s.memory.Apply(context.Background(), a.from, a.to, a.batch); err != nil {
			panic(err)
		}
	}
}

func (s *faultStore) now() *features.Memory {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memory
}

// forget lets the time to live of keys run out.
func (s *faultStore) forget(keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		s.forgotten[k] = true
	}
}

// interfere calls before and behind around the next Read.
func (s *faultStore) interfere(before func(), behind func(found int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before, s.behind = before, behind
}

func (s *faultStore) Apply(ctx context.Context, from int64, to features.Position, batch []features.Update) error {
	if err := s.isDown(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.memory.Apply(ctx, from, to, batch); err != nil {
		return err
	}
	s.applied = append(s.applied, applied{from, to, slices.Clone(batch)})
	for i := range batch {
		delete(s.forgotten, batch[i].Key)
	}
	return nil
}

func (s *faultStore) Position(ctx context.Context, topicID string, partition int) (features.Position, error) {
	if err := s.isDown(); err != nil {
		return features.Position{}, err
	}
	return s.now().Position(ctx, topicID, partition)
}

func (s *faultStore) Watermark(ctx context.Context, topicID string, n int) (event.Time, error) {
	if err := s.isDown(); err != nil {
		return 0, err
	}
	return s.now().Watermark(ctx, topicID, n)
}

func (s *faultStore) Read(ctx context.Context, keys []string) (map[string]features.Profile, error) {
	if err := s.isDown(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	before, behind := s.before, s.behind
	s.before, s.behind = nil, nil
	s.mu.Unlock()
	if before != nil {
		before()
	}
	found, err := s.now().Read(ctx, keys)
	s.mu.Lock()
	for k := range found {
		if s.forgotten[k] {
			delete(found, k)
		}
	}
	s.mu.Unlock()
	if behind != nil {
		behind(len(found))
	}
	return found, err
}
