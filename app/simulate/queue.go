package simulate

import (
	"container/heap"

	"github.com/clickloop/clickloop/event"
)

// due is what the exchange, a browser or an advertiser sends at a time: a call of a URL, or an
// event.
type due struct {
	at    event.Time
	n     int64  // order among those of one time
	bid   string // calls of one bid go out one after the other
	url   string
	agent string // who calls: a user agent
	event *event.Event
}

// queue hands out what is due, in order of time.
type queue struct {
	waiting dueHeap
	n       int64
}

func (q *queue) add(d due) {
	q.n++
	d.n = q.n
	heap.Push(&q.waiting, d)
}

// before removes and returns what is due before t.
func (q *queue) before(t event.Time) (all []due) {
	for len(q.waiting) > 0 && q.waiting[0].at < t {
		all = append(all, heap.Pop(&q.waiting).(due))
	}
	return all
}

type dueHeap []due

func (h dueHeap) Len() int { return len(h) }
func (h dueHeap) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].n < h[j].n
}
func (h dueHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(x any)   { *h = append(*h, x.(due)) }
func (h *dueHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}
