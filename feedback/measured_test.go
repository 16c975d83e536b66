package feedback

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/event/objective"
	"github.com/clickloop/clickloop/internal/metrics"
	"github.com/clickloop/clickloop/internal/signing"
)

// judged is a made-up example of one of 5,000 users and of one of 30 campaigns.
func judged(rng *rand.Rand, i int) event.Example {
	x := event.Example{
		Objective: "click", Prediction: fmt.Sprint("p", i), Time: t0 + event.Time(i), P: rng.Float64() * rng.Float64(), W: float64(1 + rng.IntN(3)), Model: "click@7",
		UserHash: 1 + rng.Int64N(5000), Segment: event.Fields{{Name: "campaign", Value: event.Value{Kind: event.String, Str: fmt.Sprint("c", rng.IntN(30))}}},
	}
	if rng.Float64() < x.P {
		x.Y = 1
	}
	return x
}

// written is what an evaluator writes of a window.
func written(w *window) (lines [][]byte) {
	for _, v := range w.evaluations(nil, "click", "click@7", t0+hour, "") {
		lines = append(lines, v.AppendJSON(nil))
	}
	return lines
}

// A process that folds the examples again writes the same bytes, however often it was asked for the
// figures in between, and whether scores are kept or counted in bins.
func TestTheSameExamplesGiveTheSameEvaluations(t *testing.T) {
	f := func(examples int, exact bool) {
		t.Helper()
		one, other := newWindow(clicks, nil, "1h", hour), newWindow(clicks, nil, "1h", hour)
		a, b := rand.New(rand.NewPCG(1, 2)), rand.New(rand.NewPCG(1, 2))
		for i := range examples {
			x, y := judged(a, i), judged(b, i)
			one.add(&x)
			if other.add(&y); i%(examples/7) == 0 {
				written(other)
			}
		}
		want, got := written(one), written(other)
		if len(want) != 31 || len(got) != len(want) {
			t.Fatalf("%d and %d evaluations, want 31", len(want), len(got))
		}
		for i := range want {
			if !bytes.Equal(want[i], got[i]) {
				t.Errorf("%s, then\n%s", want[i], got[i])
			}
			if len(want[i]) > 20<<10 {
				t.Errorf("an evaluation has %d bytes", len(want[i]))
			}
		}
		whole, part := string(want[0]), string(want[1])
		for _, name := range []string{"brier", "average_precision", "lift", "log_loss_interval", "normalized_entropy_interval", "auc_interval", "predicted_over_actual_interval"} {
			if !strings.Contains(whole, `"`+name+`":`) || !strings.Contains(part, `"`+name+`":`) {
				t.Errorf("%s is missing in\n%s\nor\n%s", name, whole, part)
			}
		}
		for _, name := range []string{"gauc", "users", "calibration", "scores"} {
			if !strings.Contains(whole, `"`+name+`":`) || strings.Contains(part, `"`+name+`":`) {
				t.Errorf("%s is missing in\n%s\nor is in\n%s", name, whole, part)
			}
		}
		if strings.Contains(whole, `"rank_error":`) == exact {
			t.Errorf("%d examples: %s", examples, whole)
		}
	}
	f(7000, true)
	f(140_000, false)
}

// However many examples, users and values of segments there are, a window keeps no more than
// docs/evaluation.md says.
func TestAWindowsMemoryIsBounded(t *testing.T) {
	w := newWindow(clicks, nil, "1d", day)
	rng := rand.New(rand.NewPCG(1, 2))
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := heap(), uint64(0)
	for i := range 300_000 {
		x := judged(rng, i)
		x.UserHash = int64(i)
		x.Segment[0].Value.Str = fmt.Sprint("c", rng.IntN(2*maxSegments))
		w.add(&x)
		if i%50_000 == 49_999 || i == 131_000 {
			most = max(most, heap()-before)
		}
	}
	if most > 16<<20 {
		t.Errorf("a window keeps %d KiB", most>>10)
	}
	t.Logf("a window keeps %d KiB at most", most>>10)
	runtime.KeepAlive(w)
}

// A pseudonym tells users apart. Under a secret it is another number than without.
func TestExamplesTellUsersApart(t *testing.T) {
	ring, err := signing.Hold("5a0d1f6e2b3c4d5e6f708192a3b4c5d6")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int64]string{}
	for _, r := range []*signing.Ring{nil, ring} {
		for _, user := range []string{"u1", "u2", "a user"} {
			n := pseudonym(r, user)
			if n <= 0 || n >= 1<<53 || n != pseudonym(r, user) || seen[n] != "" {
				t.Errorf("user %s has the pseudonym %d, which %q has", user, n, seen[n])
			}
			seen[n] = user
		}
		if n := pseudonym(r, ""); n != 0 {
			t.Errorf("nobody has the pseudonym %d", n)
		}
	}
	rig := newRig(t)
	rig.keys = ring
	rig.start()
	rig.produce(event.TopicPredictions, prediction(1))
	rig.beat(t0.Add(span) + 1)
	if x := rig.awaitExamples(1)[0]; x.UserHash != pseudonym(ring, "u") {
		t.Errorf("the example of user u has the pseudonym %d, want %d", x.UserHash, pseudonym(ring, "u"))
	}
}

// BenchmarkJudge measures an example in four windows, as the evaluator does, in the whole and in
// one segment of each.
func BenchmarkJudge(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	examples := make([]event.Example, 1<<14)
	for i := range examples {
		examples[i] = judged(rng, i)
	}
	windows := []*window{newWindow(clicks, nil, "1m", minute), newWindow(clicks, nil, "1h", hour), newWindow(clicks, nil, "1d", day), newWindow(clicks, nil, "all", 0)}
	for i := range 200_000 {
		for _, w := range windows {
			w.add(&examples[i&(1<<14-1)])
		}
	}
	var point metrics.Point
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		x := &examples[i&(1<<14-1)]
		point = objective.PointOf(x)
		for _, w := range windows {
			w.addPoint(x, &point)
		}
	}
}
