// Package fit learns a network from files or from a recording, in memory, for the command fit. It
// also predicts files, for the command predict.
//
// Every example is predicted before it is learned, so the metrics of a pass are progressive
// validation: no prediction has seen its own label, nor a label that was not yet known.
package fit

import (
	"context"
	"encoding/hex"
	"slices"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

// pass learns files one after another and measures the predictions. P is a prediction: a
// probability, or one for each class. Two types embed it: Run and ClassRun.
type pass[P any, M measure[P]] struct {
	Objective string

	net     *model.Net
	scratch *model.Scratch
	began   time.Time
	rows    *atomic.Int64 // predicted so far; may be read while a pass works
	learned int64

	metrics, holdout M // of the examples that are learned, and of those that are not
	observe          func(at Place, p P, y float64) error

	newMeasure func() M
	predict    func(x []model.Feature) P // valid until the next call
	step       func(e *example) error    // learns the example
	keep       func(p P) P               // copies a prediction that has to wait
}

// measure accumulates the metrics of predictions.
type measure[P any] interface{ Add(p P, y, w float64) }

func newPass[P any, M measure[P]](objective string, net *model.Net, newMeasure func() M) pass[P, M] {
	return pass[P, M]{
		Objective: objective, net: net, scratch: net.NewScratch(), began: time.Now(), rows: &atomic.Int64{},
		newMeasure: newMeasure, metrics: newMeasure(), holdout: newMeasure(),
	}
}

// Rows returns the number of rows that were predicted so far. It may be called while a pass works.
func (r *pass[P, M]) Rows() int64 { return r.rows.Load() }

// Net returns the network.
func (r *pass[P, M]) Net() *model.Net { return r.net }

// Again begins another pass: the network keeps what it learned, the metrics start anew.
func (r *pass[P, M]) Again() { r.metrics, r.holdout = r.newMeasure(), r.newMeasure() }

// Observe makes fn receive each prediction with its label, in the order of the examples; those of
// Test too. A label of classes is the class's number. p is valid until fn returns.
func (r *pass[P, M]) Observe(fn func(at Place, p P, y float64) error) { r.observe = fn }

// add measures a prediction in m and passes it to the observer.
func (r *pass[P, M]) add(m M, at Place, p P, y, w float64) error {
	m.Add(p, y, w)
	if r.observe == nil {
		return nil
	}
	return r.observe(at, p, y)
}

// learn learns an example whose prediction was p.
func (r *pass[P, M]) learn(e *example, p P) error {
	if err := r.step(e); err != nil {
		return err
	}
	r.learned++
	return r.add(r.metrics, e.place, p, e.y, e.w)
}

// learnNow predicts an example and learns it at once.
func (r *pass[P, M]) learnNow(e *example) error {
	r.rows.Add(1)
	if err := r.learn(e, r.predict(e.x)); err != nil {
		return e.at(err)
	}
	return nil
}

// Learn learns files one after another. A label is learned delay examples after its prediction.
func (r *pass[P, M]) Learn(ctx context.Context, f *Files, paths []string, delay int) (skipped int64, err error) {
	d := &delayed[P, M]{pass: r, delay: delay, holdout: f.Holdout}
	take := r.learnNow
	if delay > 0 || f.Holdout > 0 {
		take = d.take
	}
	if skipped, err = f.pipe(ctx, paths, func(b *block) error { return b.each(take) }); err != nil {
		return skipped, err
	}
	return skipped, d.release(0)
}

// test predicts a file without learning from it.
func (r *pass[P, M]) test(ctx context.Context, f *Files, path string) (m M, skipped int64, err error) {
	m = r.newMeasure()
	skipped, err = f.pipe(ctx, []string{path}, func(b *block) error {
		return b.each(func(e *example) error { return r.add(m, e.place, r.predict(e.x), e.y, e.w) })
	})
	return m, skipped, err
}

// speed returns the seconds since the pass began, and the examples that were learned in a second.
func (r *pass[P, M]) speed() (seconds, examplesPerSecond float64) {
	seconds = time.Since(r.began).Seconds()
	return seconds, float64(r.learned) / seconds
}

// delayed holds examples back until their labels are known.
type delayed[P any, M measure[P]] struct {
	*pass[P, M]
	delay   int // examples between a prediction and its label
	holdout int // every holdout-th example is not learned; 0 for none

	queue    []held[P]
	examples int
	waiting  int // examples in the queue that will be learned
}

type held[P any] struct {
	example
	p    P
	kept bool // from learning
}

// take predicts an example, and learns those whose labels are known by now.
func (d *delayed[P, M]) take(e *example) error {
	d.rows.Add(1)
	d.examples++
	h := held[P]{example: *e, p: d.keep(d.predict(e.x)), kept: d.holdout > 0 && d.examples%d.holdout == 0}
	h.x = slices.Clone(e.x)
	if d.queue = append(d.queue, h); !h.kept {
		d.waiting++
	}
	return d.release(d.delay)
}

// release empties the queue in order, until an example has to wait: the labels of the last unknown
// examples are not known yet.
func (d *delayed[P, M]) release(unknown int) (err error) {
	for len(d.queue) > 0 && (d.queue[0].kept || d.waiting > unknown) {
		h := &d.queue[0]
		d.queue = d.queue[1:]
		if h.kept {
			err = d.add(d.pass.holdout, h.place, h.p, h.y, h.w)
		} else {
			d.waiting--
			err = d.learn(&h.example, h.p)
		}
		if err != nil {
			return h.at(err)
		}
	}
	return nil
}

// Version returns the network's name and the hash of its learned state.
func Version(objective string, net *model.Net) (version, weights string) {
	h := net.Hash()
	return event.ModelVersion(objective, net.Examples()), "sha256:" + hex.EncodeToString(h[:])
}
