package features

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"sync"

	"github.com/clickloop/clickloop/event"
)

// Memory is a Store in the process's own memory, for fit and tests. It never forgets a profile.
type Memory struct {
	mu        sync.RWMutex
	profiles  map[string]*heldProfile
	positions map[partitionKey]Position
}

var _ Store = (*Memory)(nil)

// heldProfile is one profile with its fences: the highest offset applied from each partition.
type heldProfile struct {
	fields map[string]string
	fences map[partitionKey]int64
}

type partitionKey struct {
	topicID   string
	partition int
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{profiles: map[string]*heldProfile{}, positions: map[partitionKey]Position{}}
}

// Apply implements Store. It fails only with ErrMoved or when the batch contradicts itself, and
// then applies nothing.
func (m *Memory) Apply(_ context.Context, from int64, to Position, batch []Update) error {
	if err := checkBatch(from, to, batch); err != nil {
		return err
	}
	source := partitionKey{to.TopicID, to.Partition}
	m.mu.Lock()
	defer m.mu.Unlock()
	position := m.positions[source]
	if position.Next != from {
		return ErrMoved
	}
	for i := range batch {
		m.updateLocked(source, &batch[i])
	}
	to.Received = max(to.Received, position.Received)
	if to.Collectors == "" {
		to.Collectors = position.Collectors
	}
	m.positions[source] = to
	return nil
}

func (m *Memory) updateLocked(source partitionKey, u *Update) {
	p := m.profiles[u.Key]
	if p == nil {
		p = &heldProfile{fields: map[string]string{}, fences: map[partitionKey]int64{}}
		// a key may be a part of a record's text, and would keep all of it in memory
		m.profiles[strings.Clone(u.Key)] = p
	}
	if fence, ok := p.fences[source]; ok && fence >= u.Offset {
		return
	}
	for i := range u.Ops {
		if op := &u.Ops[i]; !reservedField(op.Field) {
			op.Kind.fold(p, op)
		}
	}
	p.fences[source] = u.Offset
}

// set writes a field. A new field's name is copied, since it may be a part of a record's text.
func (p *heldProfile) set(field, value string) {
	if _, ok := p.fields[field]; !ok {
		field = strings.Clone(field)
	}
	p.fields[field] = value
}

// integer reads a field; false when it holds no integer.
func (p *heldProfile) integer(field string) (int64, bool) {
	n, err := strconv.ParseInt(p.fields[field], 10, 64)
	return n, err == nil
}

// add increments a field, unless the sum would exceed 64 bits.
func (p *heldProfile) add(field string, n int64) {
	now, _ := p.integer(field)
	p.set(field, decimal(sumOf(now, n)))
}

// Position implements Store.
func (m *Memory) Position(_ context.Context, topicID string, partition int) (Position, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	p := m.positions[partitionKey{topicID, partition}]
	p.TopicID, p.Partition = topicID, partition
	return p, nil
}

// Watermark implements Store.
func (m *Memory) Watermark(_ context.Context, topicID string, partitions int) (event.Time, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var lowest event.Time
	for i := range partitions {
		p := m.positions[partitionKey{topicID, i}]
		if i == 0 || p.Received < lowest {
			lowest = p.Received
		}
	}
	return lowest, nil
}

// Read implements Store.
func (m *Memory) Read(_ context.Context, keys []string) (map[string]Profile, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	found := make(map[string]Profile, len(keys))
	for _, key := range keys {
		if p := m.profiles[key]; p != nil && len(p.fields) > 0 {
			found[key] = newProfile(maps.Clone(p.fields))
		}
	}
	return found, nil
}

// Reset forgets everything, as a Redis that is emptied does.
func (m *Memory) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.profiles)
	clear(m.positions)
}
