package scorer

import (
	"hash/maphash"
	"sync"

	"github.com/clickloop/clickloop/stream"
)

// memory holds the answers to the last requests by their ids: one request id has one choice. It is
// bounded by bytes, and forgets the oldest answers first, a chunk at a time.
//
// A call claims the ids of its requests before it scores them, and finishes them when they are
// answered. So of two calls with one id, the second gets the first one's answer.
type memory struct {
	limit int // bytes of answers and of what finds them
	seed  maphash.Seed

	mu     sync.Mutex
	memos  map[uint64]memo  // by hash of the id
	owners map[uint64]*Call // of pending memos
	chunks []chunk          // oldest first
	first  int64            // number of chunks[0]
	bytes  int
}

// memo is what is known of a request.
type memo struct {
	content  fingerprint   // of the request; when restored, that of its choice
	facts    fingerprint   // of the request
	chunk    int64         // number of the chunk that holds data
	from, to int32         // of its data in the chunk
	ticket   stream.Ticket // of its predictions
	unlogged bool          // they found no place in the queue
	state    memoState
}

// memoState says how far a request has come.
type memoState uint8

const (
	memoPending  memoState = iota // a call is answering it
	memoAnswered                  // data is the Answer
	memoRestored                  // another process answered it; data is that of a past
)

// chunk holds the data of memos that came one after another. It is never written over.
type chunk struct {
	data   []byte
	hashes []uint64 // of the memos
}

const (
	chunkBytes = 256 << 10
	memoBytes  = 124 // what a memo takes beside its data, about
)

func newMemory(limit int) *memory {
	return &memory{limit: limit, seed: maphash.MakeSeed(), memos: map[uint64]memo{}, owners: map[uint64]*Call{}}
}

func (m *memory) hash(id string) uint64 { return maphash.String(m.seed, id) }

// data is what a memo holds. It does not change, even after the memo is forgotten.
func (m *memory) data(e memo) []byte {
	return m.chunks[e.chunk-m.first].data[e.from:e.to:e.to]
}

// store keeps a memo with its data in the newest chunk, in place of what was known.
func (m *memory) store(hash uint64, e memo, data []byte) {
	n := len(m.chunks)
	if n == 0 || len(m.chunks[n-1].data)+len(data) > cap(m.chunks[n-1].data) {
		m.chunks = append(m.chunks, chunk{data: make([]byte, 0, max(chunkBytes, len(data)))})
		m.bytes += cap(m.chunks[n].data)
		n++
	}
	c := &m.chunks[n-1]
	e.chunk, e.from = m.first+int64(n-1), int32(len(c.data))
	c.data = append(c.data, data...)
	e.to = int32(len(c.data))
	c.hashes = append(c.hashes, hash)
	m.bytes += memoBytes
	m.memos[hash] = e
	for m.bytes > m.limit && len(m.chunks) > 1 {
		m.forget()
	}
}

// forget drops the oldest chunk.
func (m *memory) forget() {
	c := m.chunks[0]
	for _, h := range c.hashes {
		if e, ok := m.memos[h]; ok && e.state != memoPending && e.chunk == m.first {
			delete(m.memos, h)
		}
	}
	m.bytes -= cap(c.data) + memoBytes*len(c.hashes)
	m.chunks[0] = chunk{}
	m.chunks = m.chunks[1:]
	m.first++
}
