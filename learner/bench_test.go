package learner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// wideExamples are n examples of twelve fields, ten of them with that many ids and two with a
// fifth.
func wideExamples(b *batch, rng *rand.Rand, n int, ids uint64) {
	b.examples, b.inputs = b.examples[:0], b.inputs[:0]
	defer func() { b.end += int64(n) }()
	for range n {
		from := len(b.inputs)
		for f := range 12 {
			of := ids
			if f < 2 {
				of = ids / 5
			}
			b.inputs = append(b.inputs, model.Feature{Field: uint64(f)*0x9E3779B97F4A7C15 + 1, Hash: (rng.Uint64N(of) + 1) * 0xD1B54A32D192ED03, Value: 1})
		}
		offset := b.end + int64(len(b.examples))
		b.examples = append(b.examples, example{offset: offset, inputs: span{from, len(b.inputs)}, source: event.Source{Offset: offset}, label: float64(rng.IntN(2)), weight: 1})
	}
}

// pauses are how long a loop took for what it did, on the wall's clock and on its thread's: the
// difference is time in which others had the processor.
type pauses struct {
	wall, cpu      map[string][]time.Duration
	lastWall       time.Time
	lastCPU        time.Duration
	sinceW, sinceC time.Duration // spent since the last batch, or since there was none that waited
	waits          func() bool   // a batch is there
}

func (p *pauses) trace(what string) {
	now, cpu := time.Now(), threadTime()
	wall, used := now.Sub(p.lastWall), cpu-p.lastCPU
	p.lastWall, p.lastCPU = now, cpu
	switch what {
	case "":
		return
	case "learn":
		p.note("between", p.sinceW, p.sinceC)
		p.sinceW, p.sinceC = 0, 0
	default:
		if p.sinceW, p.sinceC = p.sinceW+wall, p.sinceC+used; !p.waits() {
			p.sinceW, p.sinceC = 0, 0 // nothing stands still
		}
	}
	p.note(what, wall, used)
}

func (p *pauses) note(what string, wall, cpu time.Duration) {
	p.wall[what], p.cpu[what] = append(p.wall[what], wall), append(p.cpu[what], cpu)
}

func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}

// BenchmarkPauses learns a million examples with the stage's own loop, that writes checkpoints to a
// disk and publishes to nobody meanwhile, and tells how long learning stood still at a time: by
// cause, and in all between two batches. The numbers of tokens are a tenth of the default table's
// room, and all of it. (The bar is 20 ms.)
func BenchmarkPauses(b *testing.B) {
	for _, ids := range []uint64{10_000, 100_000} {
		b.Run(fmt.Sprint("tokens=", 10*ids+2*ids/5), func(b *testing.B) {
			for b.Loop() {
				benchmarkPauses(b, ids, 1_000_000)
			}
		})
	}
}

func benchmarkPauses(b *testing.B, ids uint64, examples int) {
	net, err := model.New(model.DefaultConfig())
	if err != nil {
		b.Fatal(err)
	}
	net.Expect() // as an owner does that finds examples
	f, err := newFiles(osDisk{}, b.TempDir(), "click")
	if err != nil {
		b.Fatal(err)
	}
	o := testOwner(f)
	o.cfg.CheckpointEvery = time.Second // as often as 50,000 examples allow
	l := newLearning(o, &core{net: net, resumed: -1}, 1, nil)
	seen := &pauses{waits: func() bool { return len(l.reader.full) > 0 }, wall: map[string][]time.Duration{}, cpu: map[string][]time.Duration{}}
	l.trace = seen.trace
	ctx, cancel := context.WithCancel(b.Context())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.saver.run(ctx) })
	group.Go(func() error { return curious(ctx, o) })
	group.Go(func() error {
		runtime.LockOSThread() // whose time is measured
		defer runtime.UnlockOSThread()
		seen.trace("")
		return l.loop(ctx)
	})
	group.Go(func() error { return swallow(ctx, l.writer) })
	rng := rand.New(rand.NewPCG(1, 1))
	began := time.Now()
	for n := 0; n < examples; n += batchExamples {
		next := <-l.reader.empty
		next.end = int64(n)
		wideExamples(next, rng, batchExamples, ids)
		l.reader.full <- next
	}
	<-l.reader.empty
	<-l.reader.empty
	took := time.Since(began)
	cancel()
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		b.Fatal(err)
	}
	b.ReportMetric(float64(examples)/took.Seconds(), "examples/s")
	for _, cause := range []string{"learn", "publish", "checkpoint", "question", "between"} {
		at := func(all []time.Duration, q float64) float64 {
			slices.Sort(all)
			return float64(all[int(q*float64(len(all)-1))].Microseconds()) / 1000
		}
		b.ReportMetric(at(seen.wall[cause], 0.999), cause+"-p99.9-ms")
		b.ReportMetric(at(seen.wall[cause], 1), cause+"-max-ms")
		b.ReportMetric(at(seen.cpu[cause], 1), cause+"-max-cpu-ms")
	}
}

// curious asks for the state every two seconds, as an operator who watches does.
func curious(ctx context.Context, o *owner) error {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			_, _ = o.ask(ctx, untilCopied, 0) // ctx may end
		}
	}
}

// swallow acknowledges messages, as a fast Kafka does.
func swallow(ctx context.Context, w *writer) error {
	var snapshot []byte
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m := <-w.messages:
			size := len(m.delta)
			if m.snapshot != nil {
				snapshot = m.snapshot.AppendTo(snapshot[:0])
				size = len(snapshot)
			}
			w.done <- written{m, int64(size), time.Millisecond}
		}
	}
}
