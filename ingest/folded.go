package ingest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/notify"
)

const (
	maxWaits = 1000 // clients that may wait for the watermark at once
	// other processes may fold partitions, which changes nothing here
	pollEvery = 50 * time.Millisecond
)

var errWaits = fmt.Errorf("%d clients wait for the clock already: ask again after Retry-After", maxWaits)

// sharedPoll reads the watermark of profiles for all clients that wait for it, so that a thousand
// of them cost the store as much as one. It reads while any client waits: for a new one at once,
// then whenever this process has folded more, and every pollEvery.
type sharedPoll struct {
	read    func(context.Context) (event.Time, error)
	changed func() <-chan struct{} // closed when this process has folded more
	joined  chan struct{}          // holds one element when a client has come
	ended   notify.Broadcast       // a reading

	mu          sync.Mutex
	waits       int
	stop        context.CancelFunc // ends the goroutine that reads
	begun, done int                // number of the reading that began last, and that ended last
	folded      event.Time         // result of the latter
	err         error              // likewise
}

func newSharedPoll(read func(context.Context) (event.Time, error), changed func() <-chan struct{}) *sharedPoll {
	return &sharedPoll{read: read, changed: changed, joined: make(chan struct{}, 1)}
}

// await returns the watermark once it is at least want, or as it is when ctx ends. It takes no
// result of a reading that began before the call.
func (p *sharedPoll) await(ctx context.Context, want event.Time) (event.Time, error) {
	first, err := p.join()
	if err != nil {
		return 0, err
	}
	defer p.leave()
	for {
		ended := p.ended.Wait()
		t, done, err := p.result()
		if done >= first && (err != nil || t >= want) {
			return t, err
		}
		select {
		case <-ended:
		case <-ctx.Done():
			if done < first {
				return 0, ctx.Err()
			}
			return t, nil
		}
	}
}

// join adds a client that waits, and returns the first reading that begins from now on.
func (p *sharedPoll) join() (first int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waits == maxWaits {
		return 0, errWaits
	}
	if p.waits++; p.waits == 1 {
		ctx, cancel := context.WithCancel(context.Background())
		p.stop = cancel
		go p.run(ctx)
	}
	select {
	case p.joined <- struct{}{}:
	default:
	}
	return p.begun + 1, nil
}

func (p *sharedPoll) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waits--; p.waits == 0 {
		p.stop()
	}
}

func (p *sharedPoll) result() (t event.Time, done int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.folded, p.done, p.err
}

// run reads until no client waits.
func (p *sharedPoll) run(ctx context.Context) {
	for {
		changed := p.changed()
		p.mu.Lock()
		p.begun++
		n := p.begun
		p.mu.Unlock()
		t, err := p.read(ctx)
		p.mu.Lock()
		if ctx.Err() != nil { // another goroutine may be reading for clients that came since
			p.mu.Unlock()
			return
		}
		p.folded, p.done, p.err = t, n, err
		p.mu.Unlock()
		p.ended.Fire()
		p.pause(ctx, changed)
	}
}

// pause waits until the next reading.
func (p *sharedPoll) pause(ctx context.Context, changed <-chan struct{}) {
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-p.joined:
	case <-changed:
	case <-timer.C:
	}
}
