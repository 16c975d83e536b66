package learner

import (
	"testing"
	"time"

	"github.com/clickloop/clickloop/model"
)

// Copies wait for one another: one is under way at a time, and one of a kind is in use.
func TestOneCopyIsMadeAtATime(t *testing.T) {
	core := newCore(t)
	take(core, recordsOf(1, 0, 200))
	c := &copier{net: core.net, pace: pace{bytes: 1000}}
	ready := func(what string, publish, save, hash bool) {
		t.Helper()
		for p, want := range map[purpose]bool{toPublish: publish, toSave: save, toHash: hash} {
			c.reserving = false
			if got := c.ready(p); got != want {
				t.Errorf("%s: a copy for %d can begin: %v, want %v", what, p, got, want)
			}
		}
	}
	delivered := map[purpose]*model.Capture{}
	begin := func(p purpose) { c.begin(want{p, func(done *model.Capture) { delivered[p] = done }}) }
	steps := func(p purpose) (n int) {
		for ; delivered[p] == nil; n++ {
			c.advance(p)
		}
		return n
	}

	ready("without memory", false, false, false)
	c.pace = pace{bytes: 1 << 20, time: time.Minute}
	ready("with memory", true, true, true)
	c.pace = pace{bytes: 1000}
	begin(toSave)
	ready("while one is under way", false, false, false)
	c.advance(toPublish)
	if c.advance(toSave); delivered[toSave] != nil {
		t.Fatal("a copy took one step: the test tests too little")
	}
	if n := steps(toSave); n < 2 || delivered[toPublish] != nil {
		t.Errorf("%d steps; delivered %v", n, delivered)
	}
	ready("while one is saved", true, false, false)
	begin(toPublish)
	steps(toPublish)
	ready("while both are in use", false, false, false)
	c.release(toSave, delivered[toSave])
	ready("when one is saved", false, true, true)
	c.release(toPublish, delivered[toPublish])
	ready("when both are free", true, true, true)
	begin(toHash)
	defer func() {
		if recover() == nil {
			t.Error("two copies at a time were begun")
		}
	}()
	begin(toPublish)
}

// Between two batches memory is taken for one copy, so that a batch does not wait for two steps.
func TestMemoryIsTakenForOneCopyAtATime(t *testing.T) {
	core := newCore(t)
	take(core, recordsOf(1, 0, 200))
	c := &copier{net: core.net, pace: pace{bytes: 1}}
	if c.ready(toPublish) || !c.busy() {
		t.Fatal("a copy needs no memory: the test tests too little")
	}
	c.pace = pace{bytes: 1 << 20, time: time.Minute}
	if c.ready(toSave) {
		t.Error("a second copy took memory before the next batch")
	}
	c.reserving = false
	if !c.ready(toSave) || c.busy() {
		t.Error("after the next batch a copy cannot begin")
	}
}
