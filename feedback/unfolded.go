package feedback

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
)

// unfoldedPatience is how long a partition of events may stand unread before the stage is not
// ready: one that was added takes seconds.
const unfoldedPatience = 15 * time.Second

// unfolded notices partitions of events that no process folds into outcomes while others are
// folded: labels wait for them.
type unfolded struct {
	mu    sync.Mutex
	since map[int]time.Time
}

// check returns an error that names the partitions that were not folded for longer than patience.
func (u *unfolded) check(ctx context.Context, o *outcomes, patience time.Duration) error {
	ranges, err := o.client.Offsets(ctx, event.TopicEvents)
	if err != nil {
		return err
	}
	id, _, err := o.topic(ctx)
	if err != nil {
		return err
	}
	e, err := o.epoch(ctx, id)
	if err != nil {
		return err
	}
	missing, folded := map[int]bool{}, false
	for p, r := range ranges {
		at, err := o.store.Position(ctx, e.log(id), p)
		if err != nil {
			return err
		}
		if missing[p] = at.Next == 0 && r.End > 0; at.Next > 0 {
			folded = true
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	var late []int
	for p := range ranges {
		switch since, known := u.since[p]; {
		case !folded || !missing[p]:
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
