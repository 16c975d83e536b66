package fit

import (
	"context"
	"errors"
	"fmt"

	"github.com/clickloop/clickloop/model"
)

// block is a run of examples on their way from the goroutine that reads to the one that learns.
// Blocks go round, so memory does not grow.
type block struct {
	path  string
	slab  []model.Feature
	ends  []int // of each example in slab
	x     [][]model.Feature
	y     []float64
	w     []float64
	p     []float64
	lines []int
	rows  []int // of the file, from 1

	learned int // examples
}

const (
	blockRows = 1024
	manyRows  = 4096 // of a network whose learning of a batch takes a while to begin and to end
	blocks    = 4    // that exist: one is read into, one is learned, the others wait
)

func (b *block) reset(path string) {
	*b = block{path: path, slab: b.slab[:0], ends: b.ends[:0], x: b.x[:0], y: b.y[:0], w: b.w[:0], p: b.p, lines: b.lines[:0], rows: b.rows[:0]}
}

// end finishes the example whose features were appended to slab.
func (b *block) end(y, w float64, line, row int) {
	b.ends = append(b.ends, len(b.slab))
	b.y, b.w, b.lines, b.rows = append(b.y, y), append(b.w, w), append(b.lines, line), append(b.rows, row)
}

func (b *block) len() int { return len(b.ends) }

// seal makes x of slab, which no longer moves.
func (b *block) seal() {
	from := 0
	for _, end := range b.ends {
		b.x = append(b.x, b.slab[from:end:end])
		from = end
	}
	if cap(b.p) < len(b.x) {
		b.p = make([]float64, max(len(b.x), blockRows))
	}
	b.p = b.p[:len(b.x)]
}

// pipe reads files in one goroutine and calls fn with full blocks in another, in order. It returns
// when both are done; the first error ends both.
func (f *Files) pipe(ctx context.Context, paths []string, fn func(*block) error) (skipped int64, err error) {
	return f.pipeline(ctx, paths, fn, func(*block) error { return nil })
}

// pipeline is pipe with a third goroutine that calls after with the blocks that fn is done with,
// also with one that fn failed at.
func (f *Files) pipeline(ctx context.Context, paths []string, fn, after func(*block) error) (skipped int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	free, full, done := make(chan *block, blocks), make(chan *block, blocks), make(chan *block, blocks)
	for range blocks {
		free <- &block{}
	}
	var readErr, afterErr error
	go func() {
		defer close(full)
		r := &reader{ctx: ctx, files: f, free: free, full: full}
		for _, path := range paths {
			if readErr = r.file(path); readErr != nil {
				break
			}
		}
		r.send()
		skipped = r.skipped
	}()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for b := range done {
			if afterErr == nil {
				if afterErr = after(b); afterErr != nil {
					cancel()
				}
			}
			free <- b
		}
	}()
	for b := range full {
		if err != nil || ctx.Err() != nil {
			free <- b
			continue
		}
		if err = fn(b); err != nil {
			cancel()
		}
		done <- b
	}
	close(done)
	<-ended
	cancel()
	switch {
	case err != nil:
	case afterErr != nil:
		err = afterErr
	default:
		err = readErr
	}
	return skipped, err
}

// reader fills blocks.
type reader struct {
	ctx     context.Context
	files   *Files
	free    <-chan *block
	full    chan<- *block
	b       *block
	most    int // features of a block so far: the room that a new one is made with
	skipped int64
	row     int // of the file, those that are passed over included
}

// room returns a block with room for another example of path.
func (r *reader) room(path string) (*block, error) {
	if r.b != nil && (r.b.len() >= max(r.files.rows, blockRows) || r.b.path != path) {
		r.send()
	}
	if r.b == nil {
		select {
		case r.b = <-r.free:
		case <-r.ctx.Done():
			return nil, r.ctx.Err()
		}
		r.b.reset(path)
		if cap(r.b.slab) == 0 {
			r.b.slab = make([]model.Feature, 0, r.most)
		}
	}
	return r.b, nil
}

// send hands the block over.
func (r *reader) send() {
	if r.b != nil {
		r.b.seal()
		r.most = max(r.most, len(r.b.slab))
		r.full <- r.b // has room for all blocks there are
		r.b = nil
	}
}

// each calls fn for every example of a block; an error of fn names its line.
func (b *block) each(fn func(e *example) error) error {
	for i := range b.x {
		e := example{b.x[i], b.y[i], b.w[i], Place{b.path, b.lines[i], b.rows[i]}}
		if err := fn(&e); err != nil {
			return err
		}
	}
	return nil
}

// learnBlock learns a block at once.
func (r *Run) learnBlock(b *block) error {
	r.progress.rows.Add(int64(len(b.x)))
	err := r.net.LearnBatch(b.x, b.y, b.w, b.p)
	b.learned = len(b.x)
	var failed *model.BatchError
	if errors.As(err, &failed) {
		b.learned = failed.At
		return placed(b.path, b.lines[failed.At], failed.Err)
	}
	return err
}

// placed names the line of an error, and says what helps.
func placed(path string, line int, err error) error {
	if errors.Is(err, model.ErrDiverged) {
		return fmt.Errorf("%s:%d: %w: lower the optimizers' rates, set model.clip, or scale the numbers if they are raw", path, line, err)
	}
	return fmt.Errorf("%s:%d: %w", path, line, err)
}

// judgeBlock judges what was learned of a block.
func (r *Run) judgeBlock(b *block) error {
	for i := range b.learned {
		if err := r.judge(Place{b.path, b.lines[i], b.rows[i]}, b.p[i], b.y[i], b.w[i]); err != nil {
			return err
		}
	}
	return nil
}
