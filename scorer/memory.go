package scorer

import (
	"hash/maphash"
	"sync"
)

// memory holds what was answered to the last requests, by their ids: one request id has one choice.
// It is bounded by bytes; the oldest answers are forgotten first, a block at a time.
//
// A call claims the ids of its requests before it scores them and finishes them when they are
// answered, so that of two calls with one id, the second learns the first one's answer.
type memory struct {
	limit int // bytes of answers and of what finds them
	seed  maphash.Seed

	mu      sync.Mutex
	entries map[uint64]entry // by hash of the id
	owners  map[uint64]*work // of entries that are pending
	late    map[uint64]*delivery
	blocks  []block // oldest first
	first   int64   // number of blocks[0]
	bytes   int
}

// entry is what is known of a request.
type entry struct {
	content  fingerprint // of the request, unless it is restored
	facts    fingerprint // likewise
	block    int64       // number of the block that holds data
	from, to int32       // of its data in the block
	state    entryState
}

// entryState is how far a request has come.
type entryState uint8

const (
	entryPending  entryState = iota // a call is at work on it
	entryAnswered                   // data is the answer
	// it was answered, but its predictions found no room to wait for Kafka: it may be answered anew
	entryLost
	entryRestored // another process answered it; data is a past
)

// block holds the data of entries that came one after another. It is never written over.
type block struct {
	data []byte
	ids  []uint64
}

const (
	blockBytes = 256 << 10
	entryBytes = 104 // what an entry takes beside its data, about
	lateBytes  = 300 // what a delivery takes
)

func newMemory(limit int) *memory {
	return &memory{limit: limit, seed: maphash.MakeSeed(), entries: map[uint64]entry{}, owners: map[uint64]*work{}, late: map[uint64]*delivery{}}
}

func (m *memory) hash(id string) uint64 { return maphash.String(m.seed, id) }

// data is what an entry holds. It stays as it is, also after the entry is forgotten.
func (m *memory) data(e entry) []byte {
	return m.blocks[e.block-m.first].data[e.from:e.to:e.to]
}

// store keeps an entry with its data in the newest block, in place of what was known.
func (m *memory) store(h uint64, e entry, data []byte) {
	n := len(m.blocks)
	if n == 0 || len(m.blocks[n-1].data)+len(data) > cap(m.blocks[n-1].data) {
		m.blocks = append(m.blocks, block{data: make([]byte, 0, max(blockBytes, len(data)))})
		m.bytes += cap(m.blocks[n].data)
		n++
	}
	b := &m.blocks[n-1]
	e.block, e.from = m.first+int64(n-1), int32(len(b.data))
	b.data = append(b.data, data...)
	e.to = int32(len(b.data))
	b.ids = append(b.ids, h)
	m.bytes += entryBytes
	m.entries[h] = e
	for m.bytes+lateBytes*len(m.late) > m.limit && len(m.blocks) > 1 {
		m.forget()
	}
}

// forget drops the oldest block.
func (m *memory) forget() {
	b := m.blocks[0]
	for _, h := range b.ids {
		if e, ok := m.entries[h]; ok && e.state != entryPending && e.block == m.first {
			delete(m.entries, h)
			delete(m.late, h)
		}
	}
	m.bytes -= cap(b.data) + entryBytes*len(b.ids)
	m.blocks[0] = block{}
	m.blocks = m.blocks[1:]
	m.first++
}
