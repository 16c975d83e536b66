package features

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"

	"github.com/clickloop/clickloop/event"
)

// Memory is a Store in the process's own memory, for fit and tests. It forgets nothing by time.
type Memory struct {
	mu        sync.RWMutex
	profiles  map[string]*held
	positions map[partitionKey]Position
}

var _ Store = (*Memory)(nil)

// held is one profile with its fences.
type held struct {
	fields map[string]string
	fences map[partitionKey]int64
}

type partitionKey struct {
	topicID   string
	partition int
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{profiles: map[string]*held{}, positions: map[partitionKey]Position{}}
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

// checkBatch refuses what no consumer may ask for: it would leave events out for ever.
func checkBatch(from int64, to Position, batch []Update) error {
	if to.Next < from {
		return fmt.Errorf("cannot fold partition %d: the batch would move the position back from %d to %d", to.Partition, from, to.Next)
	}
	before := int64(-1)
	for i := range batch {
		if batch[i].Offset < before || batch[i].Offset >= to.Next {
			return fmt.Errorf("cannot fold partition %d: offset %d is not between the one before it, %d, and the end of the batch, %d",
				to.Partition, batch[i].Offset, before, to.Next)
		}
		before = batch[i].Offset
	}
	return nil
}

func (m *Memory) updateLocked(source partitionKey, u *Update) {
	p := m.profiles[u.Key]
	if p == nil {
		p = &held{fields: map[string]string{}, fences: map[partitionKey]int64{}}
		// keys and fields may be parts of a record's text, which must not be kept for them
		m.profiles[strings.Clone(u.Key)] = p
	}
	if fence, ok := p.fences[source]; ok && fence >= u.Offset {
		return
	}
	for i := range u.Ops {
		if !reservedField(u.Ops[i].Field) {
			p.apply(&u.Ops[i])
		}
	}
	p.fences[source] = u.Offset
}

func (h *held) apply(op *Op) {
	switch op.Kind {
	case OpAdd:
		h.add(op.Field, op.Add)
	case OpTile:
		h.addTile(op)
	case OpMax:
		if now, ok := h.integer(op.Field); !ok || int64(op.Time) > now {
			h.set(op.Field, strconv.FormatInt(int64(op.Time), 10))
		}
	case OpLast, OpFirst:
		if h.wins(op) {
			h.set(op.Field, stamped(op.Time, op.Value))
		}
	default:
		panic(fmt.Sprintf("BUG: features: kind of operation %d", op.Kind))
	}
}

// wins says whether a stamped value takes the place of the one that is held.
func (h *held) wins(op *Op) bool {
	at, value, ok := SplitStamped(h.fields[op.Field])
	switch {
	case !ok:
		return true
	case op.Kind == OpLast:
		return op.Time > at || op.Time == at && op.Value > value
	}
	return op.Time < at || op.Time == at && op.Value < value
}

func (h *held) set(field, value string) {
	if _, ok := h.fields[field]; !ok {
		field = strings.Clone(field)
	}
	h.fields[field] = value
}

func (h *held) integer(field string) (int64, bool) {
	n, err := strconv.ParseInt(h.fields[field], 10, 64)
	return n, err == nil
}

func (h *held) add(field string, n int64) {
	now, _ := h.integer(field)
	h.set(field, strconv.FormatInt(sumOf(now, n), 10))
}

// addTile adds to a tile unless it is forgotten, and forgets those that a newer one pushes out.
// What is held in the end depends on the set of events alone, not on their order.
func (h *held) addTile(op *Op) {
	newest, ok := h.integer(op.Field)
	if !ok || op.Tile > newest {
		for gone := newest - op.Keep + 1; ok && gone <= min(op.Tile-op.Keep, newest); gone++ {
			delete(h.fields, tileField(op.Field, gone))
		}
		newest = op.Tile
		h.set(op.Field, strconv.FormatInt(newest, 10))
	}
	if op.Tile > newest-op.Keep {
		h.add(tileField(op.Field, op.Tile), op.Add)
	}
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

// Reset forgets everything, as an emptied Redis does.
func (m *Memory) Reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.profiles)
	clear(m.positions)
}
