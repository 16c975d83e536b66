package learner

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/prometheus/client_golang/prometheus"
)

func TestBlocksAreJudgedWhole(t *testing.T) {
	var j judged
	add := func(offset int64, p, y float64, revision bool) {
		j.add(&fresh{examples: []*example{{offset: offset, time: event.Time(offset), label: y, weight: 1, revision: revision}}, predictions: []float64{p}}, 0, 1, offset/2)
	}
	j.skip(498)
	add(498, 0.5, 1, false) // its block began before
	add(500, 0.5, 0, false)
	if j.Blocks != 0 || j.Examples != 2 {
		t.Errorf("a block that began before was judged: %+v", j)
	}
	add(600, 0.25, 1, false)
	add(601, 0.9, 0, true)
	add(602, math.NaN(), 0, false)
	add(1000, 0, 0, false)
	want := (math.Log(2) + math.Log(4)) / 2
	if j.Blocks != 1 || j.Block != 500 || math.Abs(j.BlockLog-want) > 1e-12 || j.Examples != 4 {
		t.Errorf("judged %+v, want one block at 500 of %v", j, want)
	}
	b := j.done[0]
	if v := b.evaluation("click", "plain", "click.plain"); v.Start != 500 || v.End != 600 || v.Examples != 2 || v.Positives != 1 || v.Model != "click.plain@300" || *v.Offsets != [2]int64{500, 1000} ||
		*v.Weight != 2 || *v.Predicted != 0.75 || *v.Actual != 1 || math.Abs(*v.LogLoss-want) > 1e-12 || math.Abs(*v.LogLossSum-2*want) > 1e-12 || v.Network != "plain" || v.Window != "block" {
		t.Errorf("the block is written as %+v", v)
	}
	add(1500, 1, 0, false) // as wrong as can be
	if !(j.LogLoss > 5 && j.LogLoss < 30) {
		t.Errorf("log loss %v", j.LogLoss)
	}
	j.reach(2000) // no example is needed behind a block
	if j.Blocks != 3 || len(j.done) != 3 {
		t.Errorf("%d blocks, %d of them not written, want 3", j.Blocks, len(j.done))
	}
	if j.written(1000); len(j.done) != 1 || j.done[0].Start != 1500 {
		t.Errorf("after two were written %+v are left", j.done)
	}
	// a sum that no JSON can hold spoils its block alone
	j.add(&fresh{examples: []*example{{offset: 2000, label: 1, weight: math.MaxFloat64}, {offset: 2001, label: 1, weight: math.MaxFloat64}}, predictions: []float64{1e-9, 1e-9}}, 0, 2, 0)
	if j.reach(2500); j.Blocks != 3 {
		t.Errorf("%d blocks, want 3: the last one has no sums", j.Blocks)
	}
	if _, err := json.Marshal(j.block); err != nil {
		t.Error(err)
	}
}

// blocksOf are the blocks of a learner that learned all n records at once.
func blocksOf(t *testing.T, n int64) []block {
	t.Helper()
	c := newCore(t)
	for from := int64(0); from < n; from += 256 {
		take(c, recordsOf(1, from, min(from+256, n)))
	}
	return c.judged.done
}

func TestBlocksDoNotDependOnBatchesAndRestarts(t *testing.T) {
	const n = 3000
	want := blocksOf(t, n)
	if len(want) != n/blockOffsets || want[1].Start != 500 || want[1].Examples != 500 || want[1].First == 0 || want[1].Learned != 999 {
		t.Fatalf("blocks are %+v", want)
	}
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		c, saved := newCore(t), &bytes.Buffer{}
		var written []block
		save := func() {
			saved.Reset()
			if err := writeCheckpoint(saved, c.position(1), c.net); err != nil {
				t.Fatal(err)
			}
		}
		save()
		for c.at.Next < n {
			take(c, recordsOf(1, c.at.Next, min(c.at.Next+1+rng.Int64N(300), n)))
			switch rng.IntN(8) {
			case 0:
				save()
			case 1: // it is killed, and goes on at the last checkpoint
				p, net, err := decodeCheckpoint(saved.Bytes())
				if err != nil {
					t.Fatal(err)
				}
				c = &core{}
				c.restore(p, net)
			case 2:
				written = append(written, c.judged.done...)
				c.judged.written(math.MaxInt64)
			}
		}
		written = append(written, c.judged.done...)
		slices.SortFunc(written, func(a, b block) int { return int(a.Start - b.Start) })
		if written = slices.Compact(written); !reflect.DeepEqual(written, want) { // what is written twice is the same
			t.Errorf("seed %d: %d blocks %+v, want %+v", seed, len(written), written, want)
		}
	}
}

func TestABlockWithMissingExamplesIsLeftOut(t *testing.T) {
	f := func(what string, change func(*core), want ...int64) {
		t.Helper()
		c := newCore(t)
		take(c, recordsOf(1, 0, 700))
		change(c)
		var starts []int64
		for _, b := range c.judged.done {
			starts = append(starts, b.Start)
		}
		if !slices.Equal(starts, want) {
			t.Errorf("%s: blocks at %v, want %v", what, starts, want)
		}
	}
	f("nothing is missing", func(c *core) { take(c, recordsOf(1, 700, 1500)) }, 0, 500, 1000)
	trimmed := func(from int64) func(c *core) {
		return func(c *core) {
			b := batchOf(recordsOf(1, from, 2000), 2000)
			b.trimmed = true
			if _, err := c.learn(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	f("retention took some", trimmed(1200), 0, 1500)
	f("retention took some up to a block", trimmed(1000), 0, 1000, 1500)
	f("a checkpoint of an earlier version", func(c *core) {
		c.judged.done = nil
		c.judged.resume(position{Next: 700})
		take(c, recordsOf(1, 700, 1500))
	}, 1000)
	f("markers of transactions only", func(c *core) {
		b := batchOf(recordsOf(1, 700, 990), 1600)
		b.next = 1600
		if _, err := c.learn(b); err != nil {
			t.Fatal(err)
		}
		take(c, recordsOf(1, 1600, 2000))
	}, 0, 500, 1500)
}

func TestTooManyWaitingBlocksCostTheOldest(t *testing.T) {
	var j judged
	for offset := int64(0); offset < (maxBlocks+3)*blockOffsets; offset += blockOffsets {
		j.add(&fresh{examples: []*example{{offset: offset, weight: 1}}, predictions: []float64{0.5}}, 0, 1, 0)
	}
	if len(j.done) != maxBlocks || j.lost != 2 || j.done[0].Start != 2*blockOffsets {
		t.Errorf("%d blocks wait, the first at %d; %d are lost", len(j.done), j.done[0].Start, j.lost)
	}
}

// blocks are those on the topic.
func (f *fixture) blocks() (all []event.Evaluation) {
	f.t.Helper()
	for _, r := range f.read(event.TopicEvaluations) {
		v, err := event.ParseEvaluation(r.Value)
		if err != nil || v.Window != event.WindowBlock || string(r.Key) != "click" {
			f.t.Fatalf("%s: %s: %v", r.Key, r.Value, err)
		}
		all = append(all, v)
	}
	return all
}

func TestBlocksAreOnTheTopicAfterRestarts(t *testing.T) {
	f := newFixture(t)
	dir := t.TempDir()
	for to := int64(700); to <= 2100; to += 700 {
		f.produce(recordsOf(1, to-700, to))
		r := f.run(dir, nil)
		r.await(to)
		r.stop()
	}
	registry := prometheus.NewRegistry()
	r := f.run(dir, func(_ *Config, d *Deps) { d.Registerer = registry }) // writes what the last one could not
	r.await(2100)
	want := blocksOf(t, 2100)
	last := map[int64]event.Evaluation{}
	for deadline := time.Now().Add(30 * time.Second); len(last) < len(want); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("there are %d blocks on the topic, want %d", len(last), len(want))
		}
		for _, v := range f.blocks() {
			if before, twice := last[v.Offsets[0]]; twice && !reflect.DeepEqual(before, v) {
				t.Fatalf("a block was written as %+v and as %+v", before, v)
			}
			last[v.Offsets[0]] = v
		}
	}
	f.produce(recordsOf(1, 2100, 2500))
	for deadline := time.Now().Add(30 * time.Second); blocksMetric(t, registry) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the metric counts no block that was written")
		}
	}
	for _, b := range want {
		if v := last[b.Start]; !reflect.DeepEqual(v.Offsets, &[2]int64{b.Start, b.Start + 500}) || *v.LogLossSum != b.LogLoss || v.Examples != b.Examples || v.Network != "" {
			t.Errorf("block %d is %+v, want %+v", b.Start, v, b)
		}
	}
}

// blocksMetric is the counter of written blocks.
func blocksMetric(t *testing.T, registry *prometheus.Registry) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "clickloop_learner_blocks_total" {
			return family.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}
