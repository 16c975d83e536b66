package scorer

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// admission refuses calls early when more come than the process can answer. It measures how long a
// call queues before its handler runs, and refuses a share of the calls while that is longer than
// the target: the share grows until the queue is gone, and falls back afterwards. So a call that is
// let in is answered about as fast as ever, and others are refused at once.
//
// As CoDel (Nichols and Jacobson, Controlling Queue Delay, 2012), it goes by the time spent in a
// queue, not by its length, and only by a queue that stands: a burst, a pause of the garbage
// collector or another process on the machine makes calls queue too, and is over by itself.
//
// Where Redis is slow and processors are free, nobody queues, and nobody is refused. Decisions take
// the delay as an argument.
type admission struct {
	target time.Duration // 0: no call is refused
	share  atomic.Uint64 // of calls that are refused, in parts of whole
	turn   atomic.Uint64 // sum of the shares of all calls: one is refused at each whole
	late   float64       // how long and how far the delay has been above the target
	base   float64       // the share that the overload asks for, as far as it is known
}

const (
	whole          = 1 << 32
	admissionEvery = 10 * time.Millisecond // between adjustments of the share
	standing       = 40                    // of late: a queue that does not go by itself
	mostOver       = 5                     // times the target count as no more than that
	mostRefused    = 0.98                  // of the calls: others show when the overload ends
	learnBase      = 0.012                 // of the base, for each time the target
	drain          = 0.12                  // refused besides, for each time the target
)

func newAdmission(cfg *Config) *admission { return &admission{target: cfg.MaxQueueTime} }

// admits says whether a call is let in. Refusals are spread evenly.
func (a *admission) admits() bool {
	share := a.share.Load()
	if share == 0 {
		return true
	}
	n := a.turn.Add(share)
	return n/whole == (n-share)/whole
}

// refusing is the share of calls that are refused.
func (a *admission) refusing() float64 { return float64(a.share.Load()) / whole }

// adjust sets the share by how long calls queued lately: a controller with an integral part, the
// base, and a proportional one, which empties the queue. Half the target is where it settles.
func (a *admission) adjust(delay time.Duration) {
	over := min(float64(delay)/float64(a.target), mostOver)
	if a.late += over; over <= 1 {
		a.late = 0
	}
	if a.base == 0 && a.late < standing {
		a.share.Store(0)
		return
	}
	off := over - 0.5
	a.base = min(max(a.base+learnBase*off, 0), mostRefused)
	a.share.Store(uint64(min(max(a.base+drain*off, 0), mostRefused) * whole))
}

// run adjusts the share until ctx ends.
func (a *admission) run(ctx context.Context, in *instruments) error {
	if a.target == 0 {
		return nil
	}
	p, err := newProbe()
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(p.receive)
	g.Go(func() error {
		defer p.close()
		tick := time.NewTicker(probeEvery)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
			}
			p.send()
			if n%int(admissionEvery/probeEvery) == 0 {
				delay := p.delay()
				a.adjust(delay)
				in.queue.Set(delay.Seconds())
				in.refusing.Set(a.refusing())
			}
		}
	})
	return g.Wait()
}

// probe measures how long what a client sends waits until a goroutine reads it: the way of a call
// to its handler, through the runtime's poller and its queue, and past other processes. The
// runtime's own measure, /sched/latencies, begins behind the poller, and calls wait before it.
type probe struct {
	r, w *os.File

	mu      sync.Mutex
	sent    time.Time // of the one that is under way, zero for none
	sum     time.Duration
	arrived int
}

// probeEvery is how often a probe is sent.
const probeEvery = 2 * time.Millisecond

func newProbe() (*probe, error) {
	r, w, err := os.Pipe()
	return &probe{r: r, w: w}, err
}

// send sends a probe, unless one is under way.
func (p *probe) send() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent.IsZero() {
		p.sent = time.Now()
		if _, err := p.w.Write([]byte{0}); err != nil {
			p.sent = time.Time{} // it never arrives, which says nothing about calls
		}
	}
}

// receive takes probes until the end.
func (p *probe) receive() error {
	var one [1]byte
	for {
		if _, err := p.r.Read(one[:]); err != nil {
			return nil // closed
		}
		p.mu.Lock()
		p.sum, p.arrived, p.sent = p.sum+time.Since(p.sent), p.arrived+1, time.Time{}
		p.mu.Unlock()
	}
}

// delay is how long probes took on average since the last call. One that is under way counts with
// what it has waited, where that is more than the others took.
func (p *probe) delay() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	mean := p.sum / time.Duration(max(p.arrived, 1))
	p.sum, p.arrived = 0, 0
	if p.sent.IsZero() {
		return mean
	}
	return max(mean, time.Since(p.sent))
}

func (p *probe) close() {
	_ = p.w.Close()
	_ = p.r.Close() // ends receive
}
