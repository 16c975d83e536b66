package learner

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/clickloop/clickloop/model"
)

// wide is a core of the default model that has learned n examples of twelve fields, ten of them with ids out of 10,000.
func wide(t testing.TB, n int) *core {
	t.Helper()
	net, err := model.New(model.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	c := &core{net: net, saved: -1}
	rng := rand.New(rand.NewPCG(1, 1))
	var d decoded
	for range n {
		from := len(d.inputs)
		for f := range 12 {
			ids := uint64(10_000)
			if f < 2 {
				ids = 2_000
			}
			d.inputs = append(d.inputs, model.Feature{Field: uint64(f)*0x9E3779B97F4A7C15 + 1, Hash: (rng.Uint64N(ids) + 1) * 0xD1B54A32D192ED03, Value: 1})
		}
		d.items = append(d.items, item{from: from, to: len(d.inputs), y: float64(rng.IntN(2)), w: 1, revision: true})
	}
	if _, err := c.learn(&d); err != nil {
		t.Fatal(err)
	}
	return c
}

// BenchmarkCheckpointPause is how long learning stands still for a checkpoint, by the number of ids learned.
func BenchmarkCheckpointPause(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint("examples=", n), func(b *testing.B) {
			c := wide(b, n)
			var buf bytes.Buffer
			var worst time.Duration
			for b.Loop() {
				buf.Reset()
				began := time.Now()
				if err := appendCheckpoint(&buf, c.position(1), c.net); err != nil {
					b.Fatal(err)
				}
				worst = max(worst, time.Since(began))
			}
			b.ReportMetric(float64(worst.Microseconds())/1000, "worst-ms")
			b.ReportMetric(float64(buf.Len())/1e6, "MB")
		})
	}
}

// BenchmarkMessages is what a snapshot and a delta of 100 examples cost.
func BenchmarkMessages(b *testing.B) {
	c := wide(b, 100_000)
	more := wide(b, 100) // decoded anew below: only its examples count
	_ = more
	var buf []byte
	b.Run("snapshot", func(b *testing.B) {
		for b.Loop() {
			buf = c.net.AppendSnapshot(buf[:0])
		}
		b.ReportMetric(float64(len(buf))/1e6, "MB")
	})
}
