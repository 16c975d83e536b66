package learner

import (
	"bytes"
	"context"
	"time"
)

// saver writes checkpoints beside learning: the owner encodes the state into memory, another goroutine sums, writes and syncs it.
type saver struct {
	files   *files // nil: no checkpoints
	saved   int64  // examples in the newest checkpoint that is written
	begun   int64  // examples in the one on its way
	savedAt time.Time
	busy    bool
	buffer  bytes.Buffer

	jobs chan *bytes.Buffer // room for one
	done chan error         // room for one
}

// newSaver returns a saver; saved is the number of examples in the checkpoint that is there, -1 for none.
func newSaver(f *files, saved int64) *saver {
	return &saver{files: f, saved: saved, savedAt: time.Now(), jobs: make(chan *bytes.Buffer, 1), done: make(chan error, 1)}
}

// start begins a checkpoint of c when it is time to, unless one is on its way. It returns how long it is until then, 0 when something else wakes the
// loop.
func (s *saver) start(c *core, epoch int64, cfg *Config, m *instruments) (time.Duration, error) {
	n := c.net.Examples() - s.saved
	if s.files == nil || s.busy || n <= 0 {
		return 0, nil
	}
	if wait := cfg.CheckpointEvery - time.Since(s.savedAt); n < cfg.CheckpointExamples && wait > 0 {
		return wait, nil
	}
	began := time.Now()
	if err := s.encode(c, epoch); err != nil {
		s.savedAt = began // not again at once
		return 0, err
	}
	s.busy = true
	s.jobs <- &s.buffer // has room: none is on its way
	m.pause.Observe(time.Since(began).Seconds())
	return 0, nil
}

func (s *saver) encode(c *core, epoch int64) error {
	s.buffer.Reset()
	s.begun = c.net.Examples()
	return appendCheckpoint(&s.buffer, c.position(epoch), c.net)
}

// finished notes how the checkpoint on its way ended. A disk that is full costs no weights: the one before stays, and it is tried again later.
func (s *saver) finished(err error) {
	s.busy, s.savedAt = false, time.Now()
	if err == nil {
		s.saved = s.begun
	}
}

// run writes until ctx ends; one that is begun is ended.
func (s *saver) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b := <-s.jobs:
			s.done <- s.write(b)
		}
	}
}

func (s *saver) write(b *bytes.Buffer) error {
	seal(b)
	return s.files.write(b.Bytes())
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
	if err := s.encode(c, epoch); err != nil {
		return err
	}
	return s.write(&s.buffer)
}
