package fit

import (
	"context"
	"errors"
	"fmt"

	"github.com/clickloop/clickloop/model"
)

// example is a row, ready for the network.
type example struct {
	x []model.Feature
	y float64
	w float64

	place Place
}

// Place is where an example stands in its file.
type Place struct {
	File string
	Line int
	Row  int // number of the example in the file, from 1
}

// at adds the example's line to an error.
func (e *example) at(err error) error { return e.place.wrap(err) }

// wrap adds the line to an error, and what helps against it.
func (p Place) wrap(err error) error {
	if errors.Is(err, model.ErrDiverged) {
		return fmt.Errorf("%s:%d: %w: lower the optimizers' rates, set model.clip, or scale the numbers if they are raw", p.File, p.Line, err)
	}
	return fmt.Errorf("%s:%d: %w", p.File, p.Line, err)
}

// block is a batch of examples of one file. The reading goroutine fills it, the learning goroutine
// learns it, and the judging goroutine returns it, so that memory does not grow.
type block struct {
	path   string
	slab   []model.Feature // the features of all examples
	ends   []int           // where each example ends in slab
	x      [][]model.Feature
	y      []float64
	w      []float64
	p      []float64
	places []Place

	learned int // examples
}

const (
	blockRows = 1024
	manyRows  = 4096 // for a network whose batches take long to start and to finish
	blocks    = 4    // in circulation: one is filled, one is learned, the others wait
)

func (b *block) reset(path string) {
	*b = block{path: path, slab: b.slab[:0], ends: b.ends[:0], x: b.x[:0], y: b.y[:0], w: b.w[:0], p: b.p, places: b.places[:0]}
}

// end completes the example whose features were appended to slab.
func (b *block) end(y, w float64, line, row int) {
	b.ends = append(b.ends, len(b.slab))
	b.y, b.w, b.places = append(b.y, y), append(b.w, w), append(b.places, Place{b.path, line, row})
}

func (b *block) len() int { return len(b.ends) }

// seal cuts slab into x. Before, appending to slab may move it.
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

// each calls fn for every example, until an error. e is valid until fn returns.
func (b *block) each(fn func(e *example) error) error {
	var e example
	for i := range b.x {
		e = example{b.x[i], b.y[i], b.w[i], b.places[i]}
		if err := fn(&e); err != nil {
			return err
		}
	}
	return nil
}

// pipe reads files in one goroutine and calls fn with full blocks, in order. It returns when both
// have ended; the first error ends both.
func (f *Files) pipe(ctx context.Context, paths []string, fn func(*block) error) (skipped int64, err error) {
	return f.pipeline(ctx, paths, fn, func(*block) error { return nil })
}

// pipeline is pipe with a third goroutine, which calls after with every block that fn returned
// from, even with an error.
func (f *Files) pipeline(ctx context.Context, paths []string, fn, after func(*block) error) (skipped int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
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
	// The learner's error comes first: it may have cancelled the reader. An error of after cancels
	// the reader too.
	for _, first := range []error{err, afterErr, readErr} {
		if first != nil {
			return skipped, first
		}
	}
	return skipped, nil
}

// reader fills blocks.
type reader struct {
	ctx     context.Context
	files   *Files
	free    <-chan *block
	full    chan<- *block
	b       *block // nil: none is being filled
	most    int    // features of the largest block so far, with which the next one is made
	skipped int64
	row     int // of the file, including skipped rows
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

// send passes the block on.
func (r *reader) send() {
	if r.b != nil {
		r.b.seal()
		r.most = max(r.most, len(r.b.slab))
		r.full <- r.b // never waits: the channel has room for all blocks
		r.b = nil
	}
}
