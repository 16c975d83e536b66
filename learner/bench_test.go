package learner

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
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
		d.items = append(d.items, item{from: from, to: len(d.inputs), source: event.Source{Offset: int64(len(d.items))}, y: float64(rng.IntN(2)), w: 1})
	}
	if _, err := c.learn(&d); err != nil {
		t.Fatal(err)
	}
	return c
}

// BenchmarkCheckpointPause is the longest that learning stands still for a checkpoint at a time and how long writing takes beside it, by the
// number of examples learned.
func BenchmarkCheckpointPause(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint("examples=", n), func(b *testing.B) {
			c := wide(b, n)
			var worst, whole time.Duration
			var old *model.Capture
			var size countingWriter
			for b.Loop() {
				began := time.Now()
				capture := c.net.StartCapture(old)
				for done := false; !done; began = time.Now() {
					done = capture.Step(stepBytes)
					worst = max(worst, time.Since(began))
				}
				size = 0
				if err := writeCheckpoint(&size, c.position(1), capture); err != nil {
					b.Fatal(err)
				}
				whole = max(whole, time.Since(began))
				old = capture
			}
			b.ReportMetric(float64(worst.Microseconds())/1000, "longest-ms")
			b.ReportMetric(float64(whole.Microseconds())/1000, "background-ms")
			b.ReportMetric(float64(size)/1e6, "MB")
		})
	}
}

type countingWriter int64

func (w *countingWriter) Write(b []byte) (int, error) {
	*w += countingWriter(len(b))
	return len(b), nil
}
