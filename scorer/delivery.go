package scorer

import (
	"context"
	"sync"
)

// delivery is what becomes of predictions whose answer did not wait for Kafka.
type delivery struct {
	done <-chan error // has one value at most

	once    sync.Once
	settled chan struct{}
	err     error // valid when settled is closed
}

func newDelivery(done <-chan error) *delivery {
	return &delivery{done: done, settled: make(chan struct{})}
}

// acknowledged waits for Kafka until ctx ends and says whether it has acknowledged. Any number of
// calls may wait.
func (d *delivery) acknowledged(ctx context.Context) bool {
	select {
	case err := <-d.done:
		d.once.Do(func() { d.err = err; close(d.settled) })
	case <-d.settled:
	case <-ctx.Done():
		return false
	}
	return d.err == nil
}
