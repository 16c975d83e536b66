package feedback

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
)

// unfoldedPatience is how long a partition of events may stay unread before the stage is not ready.
// A partition that was just added takes seconds.
const unfoldedPatience = 15 * time.Second

// unfolded finds partitions of events that no process folds into outcomes while others are folded:
// every label waits for them.
type unfolded struct {
	mu    sync.Mutex
	since map[int]time.Time // when a partition was first seen unread
}

// check returns an error that names the partitions that were not folded for longer than patience.
func (u *unfolded) check(ctx context.Context, o *outcomes, patience time.Duration) error {
	ranges, err := o.client.Offsets(ctx, event.TopicEvents)
	if err != nil {
		return err
	}
	topicID, _, err := o.topic(ctx)
	if err != nil {
		return err
	}
	id, err := o.currentRun(ctx, topicID)
	if err != nil {
		return err
	}
	unread, folded := map[int]bool{}, false
	for p, r := range ranges {
		at, err := o.store.Position(ctx, id, p)
		if err != nil {
			return err
		}
		unread[p] = at.Next == 0 && r.End > 0
		folded = folded || at.Next > 0
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	var late []int
	for p := range ranges {
		switch since, known := u.since[p]; {
		case !folded || !unread[p]:
			delete(u.since, p)
		case !known:
			u.since[p] = time.Now()
		case time.Since(since) >= patience:
			late = append(late, p)
		}
	}
	if len(late) > 0 {
		return fmt.Errorf("partitions %v of %s are not folded into outcomes while others are: every label waits for them; see that a process of feedback takes them (its log names what it was given)", late, event.TopicEvents)
	}
	return nil
}
