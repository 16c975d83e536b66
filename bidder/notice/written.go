package notice

import (
	"sync"

	"github.com/cespare/xxhash/v2"
)

// written remembers the events that Kafka has acknowledged lately, so that a notice that comes
// again costs neither Redis nor Kafka anything. Whoever forgets one writes it again, under the same
// id. Its zero value is empty.
type written struct {
	mu            sync.Mutex
	newer, before map[uint64]struct{} // hashes of ids; before is dropped when newer is full
}

// maxWritten bounds each half of what is remembered.
const maxWritten = 1 << 16

func (w *written) has(id string) bool {
	h := xxhash.Sum64String(id)
	w.mu.Lock()
	defer w.mu.Unlock()
	_, newer := w.newer[h]
	_, before := w.before[h]
	return newer || before
}

func (w *written) add(id string) {
	h := xxhash.Sum64String(id)
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.newer) >= maxWritten {
		w.before, w.newer = w.newer, nil
	}
	if w.newer == nil {
		w.newer = map[uint64]struct{}{}
	}
	w.newer[h] = struct{}{}
}
