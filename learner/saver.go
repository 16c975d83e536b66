package learner

import (
	"context"
	"io"
	"time"

	"github.com/clickloop/clickloop/model"
)

// saver writes checkpoints beside learning: the owner copies the state in small steps between
// batches, another goroutine writes and syncs it.
type saver struct {
	files   *files // nil: no checkpoints
	saved   int64  // examples in the newest checkpoint that is written
	savedAt time.Time
	begun   time.Time
	took    time.Duration // the last one, from its begin until it was written
	failed  bool          // the last one could not be written
	// before the next one then: a disk that is full is not better off for being asked after every
	// batch
	pause time.Duration
	// how many times as long nothing is begun after it: when examples come from far behind, there
	// are fewer checkpoints
	spacing time.Duration

	reserving bool           // the memory for the next copy is being taken
	capture   *model.Capture // being copied
	writing   bool
	next      job            // of the capture, or the one that is being written
	old       *model.Capture // written, its memory to be used again
	step      pace

	jobs chan job   // room for one
	done chan error // room for one
}

// job is a checkpoint to be written.
type job struct {
	position position
	examples int64
	state    io.WriterTo
}

// pace is how much of the state is copied, or of the memory for it taken, between two batches:
// pieces of so many bytes while that takes less than a time. A share of bytes alone would be a few
// hundred microseconds where records lie side by side, and ten times as long where others want the
// processor's caches.
type pace struct {
	bytes int
	time  time.Duration
}

var stepPace = pace{bytes: 64 << 10, time: 2 * time.Millisecond}

// steps takes steps until one says that all is done, or the time is over; one at least.
func (p pace) steps(step func(bytes int) bool) bool {
	for began := time.Now(); ; {
		if step(p.bytes) {
			return true
		}
		if time.Since(began) >= p.time {
			return false
		}
	}
}

// reserve takes the memory for a copy of net into m.
func (p pace) reserve(net *model.Net, m **model.Capture, full bool) bool {
	return p.steps(func(bytes int) (ok bool) {
		*m, ok = net.Reserve(*m, full, bytes)
		return ok
	})
}

// newSaver returns a saver; saved is the number of examples in the checkpoint that is there, -1 for
// none.
func newSaver(f *files, saved int64) *saver {
	return &saver{files: f, saved: saved, savedAt: time.Now(), pause: 10 * time.Second, spacing: 4, step: stepPace, jobs: make(chan job, 1), done: make(chan error, 1)}
}

// advance begins a checkpoint of c when it is time to, and goes on with one that is begun. It
// returns how long it is until it has something to do, 0 when something else wakes the loop. When
// examples come from far behind, their number calls for no checkpoint: they come fast, and so they
// would again.
func (s *saver) advance(c *core, behind, epoch int64, cfg *Config) time.Duration {
	switch n := c.net.Examples() - s.saved; {
	case s.files == nil || s.writing:
		return 0
	case s.capture != nil:
	case n <= 0:
		return 0
	default:
		if wait := cfg.CheckpointEvery - time.Since(s.savedAt); (n < cfg.CheckpointExamples || behind > farBehind) && wait > 0 {
			return wait
		}
		if wait := s.spacing*s.took - time.Since(s.savedAt); wait > 0 {
			return wait
		}
		if wait := s.pause - time.Since(s.savedAt); s.failed && wait > 0 {
			return wait
		}
		if !s.reserving {
			s.begun, s.reserving = time.Now(), true
		}
		if !s.step.reserve(c.net, &s.old, true) {
			return 1
		}
		s.reserving = false
		s.next = job{position: c.position(epoch), examples: c.net.Examples()}
		s.capture = c.net.StartCapture(s.old)
		s.old = nil
	}
	if !s.step.steps(s.capture.Step) {
		return 1 // as soon as there is nothing else to do
	}
	s.next.state, s.old = s.capture, s.capture
	s.capture, s.writing = nil, true
	s.jobs <- s.next // has room: none is on its way
	return 0
}

// finished notes how the checkpoint on its way ended. A disk that is full costs no weights: the one
// before stays, and it is tried again later.
func (s *saver) finished(err error) {
	s.writing, s.failed, s.savedAt = false, err != nil, time.Now()
	s.took = s.savedAt.Sub(s.begun)
	if err == nil {
		s.saved = s.next.examples
	}
}

// run writes until ctx ends; one that is begun is ended.
func (s *saver) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case j := <-s.jobs:
			s.done <- s.write(j)
		}
	}
}

func (s *saver) write(j job) error {
	return s.files.write(func(w io.Writer) error { return writeCheckpoint(w, j.position, j.state) })
}

// last writes a checkpoint of c when no other goroutine of the ownership runs any more.
func (s *saver) last(c *core, epoch int64) error {
	select {
	case err := <-s.done:
		s.finished(err)
	default: // none ended unseen; one that was not begun is made anew
	}
	if s.files == nil || c.net.Examples() == s.saved {
		return nil
	}
	return s.write(job{c.position(epoch), c.net.Examples(), c.net})
}
