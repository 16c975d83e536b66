package embedded

import (
	"container/list"
	"reflect"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// Bounds keep the services small. A field that is 0 bounds nothing.
type Bounds struct {
	PartitionBytes int64 // the broker keeps this much of a partition whose topic has no retention.bytes
	SegmentBytes   int64 // a folder exceeds the bytes of its partition by at most one segment
	Keys           int   // Redis keeps this many keys of a kind; those written longest ago leave first
	// KindOf returns the kind of a key; empty for a key that never leaves.
	KindOf func(key string) string
}

// stateLogBytes is the size from which the broker rewrites its logs of groups and of producers.
const stateLogBytes = 1 << 20

// brokerConfigs are the settings of the broker.
func (b Bounds) brokerConfigs() map[string]string {
	configs := map[string]string{"log.cleaner.backoff.ms": "30000"}
	if b.PartitionBytes > 0 {
		// Trim decides when retention applies, so the broker's own timer must not
		configs["log.cleaner.backoff.ms"] = strconv.FormatInt((365 * 24 * time.Hour).Milliseconds(), 10)
		configs["log.retention.bytes"] = strconv.FormatInt(b.PartitionBytes, 10)
		configs["log.segment.bytes"] = strconv.FormatInt(b.SegmentBytes, 10)
		configs["state.log.compact.bytes"] = strconv.Itoa(stateLogBytes)
	}
	return configs
}

// Trim deletes what exceeds the bounds and the retention of topics. It returns how many keys have
// left Redis. The caller decides when: until then the services keep everything.
func (s *Services) Trim() (keys int) {
	s.mu.Lock()
	cluster, redis := s.cluster, s.redis
	s.mu.Unlock()
	if cluster != nil {
		cluster.ApplyRetention()
	}
	if redis == nil || s.written == nil {
		return 0
	}
	return s.written.evict(redis, s.cfg.Bounds.Keys)
}

// Compact drops the records of compacted topics that a later one of the same key replaces.
func (s *Services) Compact() {
	s.mu.Lock()
	cluster := s.cluster
	s.mu.Unlock()
	if cluster != nil {
		cluster.Compact()
	}
}

// FirstOffsets returns the sum of the first offsets of a topic's partitions: how many records have
// left it since it was created.
func (s *Services) FirstOffsets(topic string) int64 {
	s.mu.Lock()
	cluster := s.cluster
	s.mu.Unlock()
	if cluster == nil {
		return 0
	}
	sum := int64(0)
	for _, p := range cluster.PartitionInfos(topic) {
		sum += p.LogStartOffset
	}
	return sum
}

// written remembers the order in which the scripts of stages wrote their keys. miniredis tells
// nobody when a key was written.
type written struct {
	kindOf func(string) string
	mu     sync.Mutex
	kinds  map[string]*list.List // keys by kind, those written longest ago in front
	at     map[string]*list.Element
}

func newWritten(kindOf func(string) string) *written {
	return &written{kindOf: kindOf, kinds: map[string]*list.List{}, at: map[string]*list.Element{}}
}

// note is called before each command, also before those of a script, whose keys it knows already.
func (w *written) note(_ *server.Peer, command string, args ...string) (done bool) {
	if command != "EVALSHA" && command != "EVAL" || len(args) < 2 {
		return false
	}
	n, err := strconv.Atoi(args[1])
	if err != nil || n < 0 || n > len(args)-2 {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, key := range args[2 : 2+n] {
		w.noteLocked(key)
	}
	return false
}

func (w *written) noteLocked(key string) {
	kind := w.kindOf(key)
	if kind == "" {
		return
	}
	keys := w.kinds[kind]
	if keys == nil {
		keys = list.New()
		w.kinds[kind] = keys
	}
	if e := w.at[key]; e != nil {
		keys.MoveToBack(e)
		return
	}
	w.at[key] = keys.PushBack(key)
}

// evict deletes the keys of a kind that were written longest ago where there are more than most. It
// returns how many keys it has deleted. Each is deleted in a step of its own, so commands wait for
// one deletion at most. A script that is about to write the key waits too, and writes it anew.
func (w *written) evict(m *miniredis.Miniredis, most int) (deleted int) {
	versions := keyVersions(m)
	for keys := range w.lists() {
		for w.evictOldest(m, keys, most, versions) {
			deleted++
		}
	}
	return deleted
}

func (w *written) lists() map[*list.List]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[*list.List]bool{}
	for _, keys := range w.kinds {
		all[keys] = true
	}
	return all
}

func (w *written) evictOldest(m *miniredis.Miniredis, keys *list.List, most int, versions map[string]uint) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if keys.Len() <= most {
		return false
	}
	key := keys.Remove(keys.Front()).(string)
	delete(w.at, key)
	m.Del(key)
	m.Lock()
	defer m.Unlock()
	delete(versions, key)
	return true
}

// keyVersions returns the versions of keys, by which miniredis notices changes of watched keys.
// miniredis has no call that forgets the version of a deleted key, so they would grow without end.
// Nobody watches keys here. A miniredis without this table gets nil, and fails the tests.
func keyVersions(m *miniredis.Miniredis) map[string]uint {
	f := reflect.ValueOf(m.DB(0)).Elem().FieldByName("keyVersion")
	if !f.IsValid() || f.Type() != reflect.TypeFor[map[string]uint]() {
		return nil
	}
	return *(*map[string]uint)(unsafe.Pointer(f.UnsafeAddr()))
}
