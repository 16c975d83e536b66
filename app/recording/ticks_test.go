package recording

import (
	"container/heap"
	"fmt"
	"slices"
	"testing"

	"github.com/clickloop/clickloop/event"
)

// Every event leaves the queue once, by time of receipt, then row, then order within the row.
func TestEventsLeaveTheQueueOnceInTheOrderOfTheirReceipt(t *testing.T) {
	var q eventQueue
	for _, e := range []queued{
		{event.Event{Received: 30}, 1, 0}, {event.Event{Received: 20}, 2, 1}, {event.Event{Received: 20}, 2, 0},
		{event.Event{Received: 20}, 1, 5}, {event.Event{Received: 10}, 9, 0},
	} {
		heap.Push(&q, e)
	}
	var got []string
	for left := 5; left > 0; left-- {
		if len(q) != left {
			t.Fatalf("%d events are left, want %d", len(q), left)
		}
		e := heap.Pop(&q).(queued)
		got = append(got, fmt.Sprint(int64(e.e.Received), " ", e.row, " ", e.i))
	}
	if want := []string{"10 9 0", "20 1 5", "20 2 0", "20 2 1", "30 1 0"}; !slices.Equal(got, want) || len(q) != 0 {
		t.Errorf("%q, %d left, want %q", got, len(q), want)
	}
}
