package learner

import (
	"context"
	"encoding/hex"
	"io"
	"time"

	"github.com/clickloop/clickloop/model"
)

// checkpoints decides when a checkpoint is due. It belongs to the loop.
type checkpoints struct {
	saved     int64     // examples in the newest one on disk, -1 for none
	begun     time.Time // when the last copy was begun
	attempted time.Time // when the last one was written, or failed
	took      time.Duration
	failed    bool // the last one

	// shortest time after an attempt, as a multiple of the time that it took: where writing is slow
	// there are fewer checkpoints
	gapFactor int
	// shortest time after a failure: asking a full disk after every batch does not help it
	retryAfter time.Duration
}

func newCheckpoints(saved int64) *checkpoints {
	return &checkpoints{saved: saved, attempted: time.Now(), gapFactor: 4, retryAfter: 10 * time.Second}
}

// due reports whether a checkpoint is due at so many examples. If not, wait is how long until one
// may be; 0: until more is learned. While the learner is far behind, the number of examples does
// not count: they are learned fast, and would be again.
func (c *checkpoints) due(examples, behind int64, cfg *Config, now time.Time) (wait time.Duration, due bool) {
	learned := examples - c.saved
	if learned <= 0 {
		return 0, false
	}
	if learned < cfg.CheckpointExamples || behind > farBehind {
		wait = cfg.CheckpointEvery
	}
	wait = max(wait, time.Duration(c.gapFactor)*c.took)
	if c.failed {
		wait = max(wait, c.retryAfter)
	}
	wait = max(wait-now.Sub(c.attempted), 0)
	return wait, wait == 0
}

// finished notes how an attempt ended. After a failure the checkpoint before is still there.
func (c *checkpoints) finished(examples int64, err error, now time.Time) {
	c.failed, c.attempted, c.took = err != nil, now, now.Sub(c.begun)
	if err == nil {
		c.saved = examples
	}
}

// saver does what takes long with a copy of the whole state: it writes a checkpoint to disk, or
// hashes the weights.
type saver struct {
	files *files      // nil: there are no checkpoints
	jobs  chan job    // has room for one: there is one copy of the whole state
	done  chan result // the same
}

// job is a copy of the whole state, and what it is for.
type job struct {
	purpose  purpose // toSave or toHash
	position position
	examples int64
	copy     *model.Capture
}

// result is a job that is done.
type result struct {
	job
	weights string // of toHash
	err     error  // of toSave
}

func newSaver(f *files) *saver {
	return &saver{files: f, jobs: make(chan job, 1), done: make(chan result, 1)}
}

// run works until ctx ends; a job that is begun is finished.
func (s *saver) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case j := <-s.jobs:
			s.done <- s.do(j)
		}
	}
}

func (s *saver) do(j job) result {
	if j.purpose == toHash {
		var sum lastBytes
		_, _ = j.copy.WriteTo(&sum) // which takes everything
		return result{job: j, weights: "sha256:" + hex.EncodeToString(sum.b)}
	}
	return result{job: j, err: s.save(j.position, j.copy)}
}

// save writes a checkpoint.
func (s *saver) save(p position, state io.WriterTo) error {
	return s.files.write(func(w io.Writer) error { return writeCheckpoint(w, p, state) })
}

// lastBytes keeps the last 32 bytes written to it. A model ends with the SHA-256 that Net.Hash
// returns.
type lastBytes struct{ b []byte }

func (l *lastBytes) Write(b []byte) (int, error) {
	l.b = append(l.b, b[max(0, len(b)-32):]...)
	l.b = l.b[max(0, len(l.b)-32):]
	return len(b), nil
}
