package scorer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// joinable is a model topic that a learner writes. Snapshots come in parts with deltas between
// them. Headers say where the last snapshot begins, and some are wrong. Learners are killed, some
// of them while they write a snapshot.
type joinable struct {
	t         *testing.T
	ctx       context.Context
	rng       *rand.Rand
	client    *stream.Client
	source    *source
	truth     *truth
	saved     []byte // a checkpoint
	last      int64  // where the last whole snapshot begins
	published atomic.Int64

	mu        sync.Mutex
	counts    map[string]int
	snapshots map[int64][]byte // by version
}

func (j *joinable) count(what string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.counts[what]++
}

// enough says that all has happened that may.
func (j *joinable) enough() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.counts["killed"] > 0 && j.counts["lies"] > 0 && j.counts["snapshots"] > 5
}

// write publishes one record.
func (j *joinable) write(r *stream.Record) {
	switch {
	case j.last >= 0 && j.rng.IntN(25) == 0:
		j.count("lies")
		r.Headers = weights.SetLast(r.Headers, j.rng.Int64N(2*j.last+10))
	case j.last >= 0:
		r.Headers = weights.SetLast(r.Headers, j.last)
	}
	one := []stream.Record{*r}
	if err := j.client.Produce(j.ctx, event.TopicModel("click"), one); err != nil && j.ctx.Err() == nil {
		j.t.Error(err)
	}
	r.Offset = one[0].Offset
}

// learn learns some examples and notes what a scorer must have at that version.
func (j *joinable) learn() {
	j.source.learn(1 + j.rng.IntN(12))
	j.truth.note(j.source)
}

// keep notes the bytes of the weights that the last message led to.
func (j *joinable) keep() {
	b := j.source.net.AppendSnapshot(nil)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.snapshots[j.source.net.Examples()] = b
}

func (j *joinable) delta() {
	records := j.source.message("delta")
	j.keep()
	for i := range records {
		j.write(&records[i])
	}
	j.published.Store(j.source.net.Examples())
	j.count("deltas")
}

// snapshot writes one with deltas between its parts, or only the first of its parts.
func (j *joinable) snapshot(parts int) {
	records := j.source.message("snapshot")
	j.keep()
	whole := len(records)
	for i := range records[:min(parts, whole)] {
		j.write(&records[i])
		if i < whole-1 && j.rng.IntN(3) == 0 {
			j.learn()
			j.delta()
		}
	}
	if parts >= whole {
		j.last = records[0].Offset
		j.count("snapshots")
	}
}

func (j *joinable) run() {
	j.snapshot(1 << 20)
	j.published.Store(j.source.net.Examples())
	for j.ctx.Err() == nil {
		time.Sleep(time.Millisecond) // so that those who follow have processors left
		j.learn()
		j.delta()
		switch j.rng.IntN(60) {
		case 0, 1, 2:
			j.snapshot(1 << 20)
		case 3:
			j.saved = j.source.checkpoint()
		case 4:
			// the learner is killed, maybe while it writes a snapshot, and another one goes on from
			// the last checkpoint
			if j.rng.IntN(2) == 0 {
				j.snapshot(1)
			}
			former := j.source
			j.source = former.successor(j.saved)
			j.snapshot(1 << 20)
			j.published.Store(j.source.net.Examples())
			for _, r := range former.message("delta") { // last words
				j.write(&r)
			}
			j.count("killed")
		}
	}
}

// join runs a scorer until it serves what is published now.
func (j *joinable) join(t *testing.T) *Scorer {
	published := max(j.published.Load(), 0)
	s := runScorer(t, backend.Kafka(t), j.client.Prefix(), nil)
	for deadline := time.Now().Add(time.Minute); ; {
		_, m := getModel(t, s, fmt.Sprintf("objective=click&at_least=%d&wait=5s", published))
		if m.Examples >= published {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("version %d is served, %d was published before", m.Examples, published)
		}
	}
	j.check(t, s)
	return s
}

// check compares what s serves with the learner's weights of that version, bit for bit.
func (j *joinable) check(t *testing.T, s *Scorer) {
	t.Helper()
	replicas := &s.followers[0].replicas
	if _, err := j.truth.check(replicas, &model.Scratch{}); err != nil {
		t.Fatal(err)
	}
	replica := replicas.acquire()
	defer replica.release()
	n := replica.weights.Examples()
	j.mu.Lock()
	b := j.snapshots[n]
	j.mu.Unlock()
	want := model.NewReplica()
	if err := want.Apply(b); err != nil {
		t.Fatalf("version %d: %v", n, err)
	}
	if where := difference(reflect.ValueOf(want), reflect.ValueOf(replica.weights)); where != "" {
		t.Fatalf("the weights of version %d are not the learner's: %s", n, where)
	}
}

// difference is where two values differ in memory, empty when they do not. Slices are compared by
// what they hold, and "puts" is left out, since it counts what was done.
func difference(a, b reflect.Value) string { return pairs{}.difference(a, b) }

// pairs are pointers that are compared already: a network refers back to what holds it.
type pairs map[[2]uintptr]bool

func (seen pairs) difference(a, b reflect.Value) string {
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Func:
		if a.IsNil() != b.IsNil() {
			return "nil"
		}
		if a.IsNil() || a.Kind() == reflect.Func {
			return ""
		}
		if a.Kind() == reflect.Pointer {
			pair := [2]uintptr{a.Pointer(), b.Pointer()}
			if seen[pair] {
				return ""
			}
			seen[pair] = true
		}
		if a.Elem().Type() != b.Elem().Type() {
			return fmt.Sprintf("types %v and %v", a.Elem().Type(), b.Elem().Type())
		}
		return seen.difference(a.Elem(), b.Elem())
	case reflect.Struct:
		for i := range a.NumField() {
			name := a.Type().Field(i).Name
			if where := seen.difference(a.Field(i), b.Field(i)); where != "" && name != "puts" {
				return name + "." + where
			}
		}
		return ""
	case reflect.Map:
		if a.Len() != b.Len() {
			return fmt.Sprintf(" has %d and %d entries", a.Len(), b.Len())
		}
		for _, k := range a.MapKeys() {
			if !b.MapIndex(k).IsValid() {
				return fmt.Sprintf("[%v] is missing", k)
			}
			if where := seen.difference(a.MapIndex(k), b.MapIndex(k)); where != "" {
				return fmt.Sprintf("[%v]%s", k, where)
			}
		}
		return ""
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() {
			return fmt.Sprintf("lengths %d and %d", a.Len(), b.Len())
		}
		for i := range a.Len() {
			if where := seen.difference(a.Index(i), b.Index(i)); where != "" {
				return fmt.Sprintf("[%d].%s", i, where)
			}
		}
		return ""
	}
	if !a.Comparable() || !a.Equal(b) {
		return fmt.Sprintf("%v and %v", a, b)
	}
	return ""
}

// TestWhoJoinsAtARandomMomentHasTheLearnersBytes starts scorers while weights are published. Each
// comes to serve the version that was published when it started, or a later one. What it serves,
// then and at the end, is the learner's to the bit.
func TestWhoJoinsAtARandomMomentHasTheLearnersBytes(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	by, login := backend.Secured(backend.Kafka(t))
	client, err := stream.Dial(stream.Config{Brokers: backend.Kafka(t), Prefix: backend.Prefix(t), TLS: by, SASL: stream.SASL(login)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topicsOf(t, client)
	ctx, cancel := context.WithCancel(t.Context())
	j := &joinable{
		t: t, ctx: ctx, rng: rand.New(rand.NewPCG(seed, 1)), client: client, source: newSource(t, seed, smallModel()), truth: newTruth(), last: -1,
		counts: map[string]int{}, snapshots: map[int64][]byte{},
	}
	j.saved = j.source.checkpoint()
	j.published.Store(-1)
	j.truth.note(j.source)
	var writing sync.WaitGroup
	writing.Go(j.run)
	defer writing.Wait()
	defer cancel()
	rng := rand.New(rand.NewPCG(seed, 2))
	var scorers []*Scorer
	for n := 0; n < 25 || n < 100 && !j.enough(); n++ {
		// the moment is random, not a synchronisation
		time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond)
		if n%8 == 0 { // these follow to the end
			scorers = append(scorers, j.join(t))
			continue
		}
		t.Run("joins", func(t *testing.T) { j.join(t) })
	}
	cancel()
	writing.Wait()
	t.Log(j.counts, "up to version", j.source.net.Examples())
	if !j.enough() {
		t.Error("the test tests too little")
	}
	j.ctx = t.Context()
	for _, s := range scorers {
		// a successor first catches up
		for n, _ := s.followers[0].replicas.version(); j.source.net.Examples() <= n; {
			j.learn()
		}
	}
	j.snapshot(1 << 20)
	for i, s := range scorers {
		if _, m := getModel(t, s, fmt.Sprintf("objective=click&at_least=%d&wait=30s", j.source.net.Examples())); m.Examples != j.source.net.Examples() {
			t.Fatalf("scorer %d serves version %d at the end, want %d", i, m.Examples, j.source.net.Examples())
		}
		j.check(t, s)
	}
}
