package access

import (
	"container/list"
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// table holds the buckets of client addresses. It is bounded: the address that has been idle the
// longest leaves first, and begins with full buckets when it comes again. Whoever has many networks
// can therefore not keep others out, nor take more memory than the table's.
type table struct {
	seed   maphash.Seed
	limits map[Scope]Limits
	shards [shards]shard
	most   int // addresses of a shard
}

const (
	// maxAddresses are some 25 MB. An address that sends events and calls the scorer counts twice.
	maxAddresses = 65_536
	shards       = 64
)

type shard struct {
	mu    sync.Mutex
	known map[addressKey]*list.Element // of *account
	used  list.List                    // the one that was used last in front
}

// addressKey is an IPv4 address or the network of an IPv6 one, and a scope. A provider gives a
// customer a /64 of IPv6.
type addressKey struct {
	scope   Scope
	is4     bool
	network uint64
}

func newTable(limits map[Scope]Limits) *table {
	t := &table{seed: maphash.MakeSeed(), limits: limits, most: maxAddresses / shards}
	for i := range t.shards {
		t.shards[i].known = map[addressKey]*list.Element{}
	}
	return t
}

// of returns the account of an address, which is never nil.
func (t *table) of(a netip.Addr, s Scope) *account {
	key := addressKey{scope: s, is4: a.Is4()}
	if b := a.As16(); key.is4 {
		key.network = uint64(binary.BigEndian.Uint32(b[12:]))
	} else {
		key.network = binary.BigEndian.Uint64(b[:8])
	}
	sh := &t.shards[maphash.Comparable(t.seed, key.network)%shards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e, ok := sh.known[key]; ok {
		sh.used.MoveToFront(e)
		return e.Value.(*account)
	}
	if len(sh.known) >= t.most {
		oldest := sh.used.Back()
		delete(sh.known, sh.used.Remove(oldest).(*account).address)
	}
	made := newAccount(t.limits[s])
	made.address = key
	sh.known[key] = sh.used.PushFront(made)
	return made
}

// account is the buckets of a client, or of an address.
type account struct {
	address addressKey // in the table
	limited bool

	mu      sync.Mutex // guards buckets, and is held by callers of the methods
	buckets [kinds]bucket
}

// What is limited.
const (
	inEvents = iota // events, or lines of the scorer
	inBytes         // of bodies
	kinds
	none = -1
)

// amounts are so many events and bytes.
type amounts [kinds]float64

func newAccount(l Limits) *account {
	return &account{limited: l.Rate > 0 || l.Bytes > 0, buckets: [kinds]bucket{newBucket(l.Rate), newBucket(float64(l.Bytes))}}
}

// lacking returns the first kind of which a visit that has taken some already may not take what it
// asks for, or none.
func (a *account) lacking(asked, taken amounts, now time.Time) int {
	for kind := range a.buckets {
		if asked[kind] > 0 && a.buckets[kind].lacks(asked[kind], taken[kind], now) {
			return kind
		}
	}
	return none
}

// wait returns when all of a new call may be taken, if nobody else takes anything.
func (a *account) wait(whole amounts, now time.Time) (wait time.Duration) {
	for kind := range a.buckets {
		wait = max(wait, a.buckets[kind].wait(whole[kind], now))
	}
	return wait
}

func (a *account) charge(n amounts) {
	for kind := range a.buckets {
		a.buckets[kind].take(n[kind])
	}
}
