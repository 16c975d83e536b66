package features

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
)

// failing is a Store whose operations end with the errors that a test sets.
type failing struct {
	*Memory
	apply map[int]error // by partition
	read  error
}

func (f *failing) Apply(ctx context.Context, from int64, to Position, batch []Update) error {
	if err := f.apply[to.Partition]; err != nil {
		return err
	}
	return f.Memory.Apply(ctx, from, to, batch)
}

func (f *failing) Read(ctx context.Context, keys []string) (map[string]Profile, error) {
	if f.read != nil {
		return nil, f.read
	}
	return f.Memory.Read(ctx, keys)
}

// watchedRun moves time by hand.
type watchedRun struct {
	t     *testing.T
	now   event.Time
	next  map[int]int64
	store *failing
	*Watched
}

func newWatchedRun(t *testing.T) *watchedRun {
	r := &watchedRun{t: t, now: 1e12, next: map[int]int64{}, store: &failing{Memory: NewMemory(), apply: map[int]error{}}}
	r.Watched = Watch(r.store, func() event.Time { return r.now })
	return r
}

func (r *watchedRun) fold(ctx context.Context, partition int) {
	from := r.next[partition]
	if r.Apply(ctx, from, Position{TopicID: "aaaa", Partition: partition, Next: from + 1, Received: 1}, nil) == nil {
		r.next[partition]++
	}
}

// runFor folds partitions 0 and 1 and reads, ten times a second for some time.
func (r *watchedRun) runFor(ctx context.Context, ms event.Time) {
	for end := r.now + ms; r.now < end; r.now += 100 {
		r.fold(ctx, 0)
		r.fold(ctx, 1)
		_, _ = r.Watched.Read(ctx, []string{"user:1"})
	}
}

func (r *watchedRun) wantFault(says string) {
	r.t.Helper()
	err := r.Fault()
	if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
		r.t.Fatalf("the fault is %v, want %q", err, says)
	}
}

func TestAnOperationThatKeepsFailingIsAFault(t *testing.T) {
	r := newWatchedRun(t)
	r.runFor(t.Context(), 3000)
	r.wantFault("")
	r.store.apply[1] = errors.New("OOM")
	r.runFor(t.Context(), 1000)
	r.wantFault("") // it may be a hiccup
	r.runFor(t.Context(), 2000)
	r.wantFault("failed for 3s: OOM")
	delete(r.store.apply, 1)
	r.runFor(t.Context(), 100)
	r.wantFault("")
}

func TestOneWrongKeyIsAFaultBesideReadsThatSucceed(t *testing.T) {
	r := newWatchedRun(t)
	for range 30 {
		r.store.read = &KeyError{Key: "p:{u1}", Reason: "is no hash"}
		r.runFor(t.Context(), 100)
		r.store.read = nil
		r.runFor(t.Context(), 100)
	}
	r.wantFault("p:{u1}")
	r.now += faultForgets + 1
	r.wantFault("") // nobody came upon it any more
}

func TestWhatACallerGaveUpAndAMovedStoreAreNoFaults(t *testing.T) {
	r := newWatchedRun(t)
	r.store.apply[0] = fmt.Errorf("folding: %w", ErrMoved)
	r.runFor(t.Context(), 5000)
	r.wantFault("")
	r.store.apply[0] = context.Canceled
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.runFor(ctx, 5000)
	r.wantFault("")
}

func TestFaultsAreBounded(t *testing.T) {
	r := newWatchedRun(t)
	for i := range 10 * maxFaults {
		r.store.read = &KeyError{Key: fmt.Sprint(i), Reason: "is no hash"}
		_, _ = r.Watched.Read(t.Context(), nil)
	}
	if n := len(r.faults); n != maxFaults {
		t.Fatalf("%d faults are kept, want %d", n, maxFaults)
	}
	r.now += 2 * faultForgets
	_, _ = r.Watched.Read(t.Context(), nil)
	if n := len(r.faults); n != 1 {
		t.Fatalf("%d faults are kept after the old ones are over, want 1", n)
	}
}

func TestWhatRedisSaysOfItsMemory(t *testing.T) {
	f := func(text string, before int64, want ...string) {
		t.Helper()
		c, ok, err := parseCapacity(text)
		if err != nil || !ok {
			t.Fatalf("%q: %v %v", text, ok, err)
		}
		faults := c.Faults(before)
		if len(faults) != len(want) {
			t.Fatalf("%q: faults %q, want %q", text, faults, want)
		}
		for i, w := range want {
			if !strings.Contains(faults[i], w) {
				t.Fatalf("%q: faults %q, want %q", text, faults, want)
			}
		}
	}
	f("# Memory\r\nused_memory:97\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\nevicted_keys:0\r\n", 0)
	f("used_memory:96\nmaxmemory:100\nmaxmemory_policy:noeviction\nevicted_keys:5", 5)
	f("used_memory:97\nmaxmemory:100\nmaxmemory_policy:noeviction\nevicted_keys:5", 5, "97 of 100 bytes")
	f("used_memory:1\nmaxmemory:100\nmaxmemory_policy:allkeys-lru\nevicted_keys:5", 5, "allkeys-lru")
	f("used_memory:1\nmaxmemory:0\nmaxmemory_policy:volatile-ttl\nevicted_keys:0", 0, "volatile-ttl")
	f("used_memory:1\nmaxmemory:0\nmaxmemory_policy:noeviction\nevicted_keys:7", 5, "evicted 2 keys")
	if _, ok, err := parseCapacity("connected_clients:1"); ok || err != nil {
		t.Fatal("a server that says nothing of its memory is believed", err)
	}
	if _, _, err := parseCapacity("used_memory:x"); err == nil {
		t.Fatal("nonsense is taken")
	}
}
