package story

import (
	"context"
	"errors"
	"sync"
	"unsafe"

	"github.com/cespare/xxhash/v2"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

// index knows where the newest records of predictions and events are, by the prediction's id. It
// follows the two topics once somebody has asked. A nil one knows nothing.
//
// An entry is two words: a hash of the id, and a place. With the room of its table that is 20 to 40
// bytes a record. Each topic has two tables of maxIndexed entries: when the newer one is full, the
// older one is forgotten. What is not indexed is searched on the topic.
type index struct {
	mu     sync.RWMutex
	topics map[string]*table
}

// table is what is known of a topic.
type table struct {
	newer, older map[uint64]uint64
	covered      []span  // by partition
	turned       []int64 // where the newer table begins
}

// span holds the offsets from <= offset < to.
type span struct{ from, to int64 }

// spot is a place in a topic.
type spot struct {
	partition int
	offset    int64
}

// maxIndexed is how many entries a table has: a topic has up to twice as many.
const maxIndexed = 1_000_000

// maxSame bounds the events of one prediction that are indexed.
const maxSame = 64

// offsetBits are those of an offset in a place; the partition has the others.
const offsetBits = 48

func newIndex() *index { return &index{topics: map[string]*table{}} }

// hashOf is the key of the nth record of an id.
func hashOf(id string, n int) uint64 {
	return xxhash.Sum64String(id) + uint64(n)*0x9e3779b97f4a7c15
}

// open begins to cover partitions of a topic, each from an offset on.
func (x *index) open(topic string, from []int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	t := &table{newer: map[uint64]uint64{}, turned: append([]int64(nil), from...)}
	for _, f := range from {
		t.covered = append(t.covered, span{f, f})
	}
	x.topics[topic] = t
}

// add adds the records of a partition up to an offset: ids[i] is that of the record at offsets[i].
func (x *index) add(topic string, partition int, ids []string, offsets []int64, to int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	t := x.topics[topic]
	for i, id := range ids {
		place := uint64(partition)<<offsetBits | uint64(offsets[i])
		for n := range maxSame {
			key := hashOf(id, n)
			if _, taken := t.lookup(key); !taken {
				t.newer[key] = place
				break
			}
		}
		if len(t.newer) >= maxIndexed {
			t.covered[partition].to = offsets[i] + 1 // what is forgotten later must not pass for covered
			t.turn()
		}
	}
	t.covered[partition].to = to
}

// turn forgets the older table.
func (t *table) turn() {
	t.older, t.newer = t.newer, make(map[uint64]uint64, maxIndexed)
	for p := range t.covered {
		t.covered[p].from, t.turned[p] = t.turned[p], t.covered[p].to
	}
}

func (t *table) lookup(key uint64) (place uint64, ok bool) {
	if place, ok = t.newer[key]; !ok {
		place, ok = t.older[key]
	}
	return place, ok
}

// places returns where records of an id may be: another id may have the same hash.
func (x *index) places(topic, id string) (all []spot) {
	if x == nil {
		return nil
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	t := x.topics[topic]
	if t == nil {
		return nil
	}
	for n := range maxSame {
		place, ok := t.lookup(hashOf(id, n))
		if !ok {
			break
		}
		all = append(all, spot{int(place >> offsetBits), int64(place & (1<<offsetBits - 1))})
	}
	return all
}

// cover is the part of a partition of which the index knows all records.
func (x *index) cover(topic string, partition int) span {
	if x == nil {
		return span{}
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	if t := x.topics[topic]; t != nil && partition < len(t.covered) {
		return t.covered[partition]
	}
	return span{}
}

// follow covers a topic from the newest maxIndexed records on, until ctx ends. idOf gives the
// prediction of a record, empty for none.
func (x *index) follow(ctx context.Context, client *stream.Client, topic string, idOf func(*stream.Record) string) error {
	ranges, err := client.Offsets(ctx, topic)
	if err != nil {
		return err
	}
	from := make([]int64, len(ranges))
	for p, r := range ranges {
		from[p] = max(r.First, r.End-int64(maxIndexed/len(ranges)))
	}
	x.open(topic, from)
	g, ctx := errgroup.WithContext(ctx)
	for p := range ranges {
		g.Go(func() error {
			r := client.NewReader(topic, p, from[p])
			defer r.Close()
			var ids []string
			var offsets []int64
			for {
				records, err := r.Next(ctx)
				if errors.Is(err, stream.ErrTrimmed) {
					continue
				}
				if err != nil {
					return err
				}
				ids, offsets = ids[:0], offsets[:0]
				for i := range records {
					if id := idOf(&records[i]); id != "" {
						ids, offsets = append(ids, id), append(offsets, records[i].Offset)
					}
				}
				x.add(topic, p, ids, offsets, r.Offset())
			}
		})
	}
	return g.Wait()
}

// keyOf is the id of a record of predictions. It shares the record's memory.
func keyOf(r *stream.Record) string {
	if len(r.Key) == 0 {
		return ""
	}
	return unsafe.String(&r.Key[0], len(r.Key))
}

// eventReader finds the prediction of an event, and passes over all else.
type eventReader struct{ r event.Reader }

func (e *eventReader) prediction(r *stream.Record) (id string) {
	if len(r.Value) == 0 {
		return ""
	}
	e.r.Reset(unsafe.String(&r.Value[0], len(r.Value)), event.EventLimits)
	if e.r.Kind() != strictjson.KindObject {
		return ""
	}
	for e.r.Object(); e.r.Key(); {
		if e.r.Name() == "prediction" {
			return e.r.Text()
		}
		e.r.Skip()
	}
	return ""
}

// eventPrediction is prediction for several goroutines.
func eventPrediction(r *stream.Record) string {
	e := eventReaders.Get().(*eventReader)
	defer eventReaders.Put(e)
	return e.prediction(r)
}

var eventReaders = sync.Pool{New: func() any { return new(eventReader) }}
