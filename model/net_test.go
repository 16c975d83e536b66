package model

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/kernel"
)

func TestLearnPredictsWhatPredictDid(t *testing.T) {
	eachShape(t, func(t *testing.T, change func(*Config)) {
		n := mustNew(t, change)
		a, b := n.NewScratch(), n.NewScratch()
		xs, ys := stream(1, 400)
		for i := range xs {
			want := n.Predict(xs[i], a)
			if got, err := n.Learn(xs[i], ys[i], 1, b); err != nil || got != want {
				t.Fatalf("example %d: Learn says %v, %v; Predict said %v", i, got, err, want)
			}
		}
	})
}

func TestLearningLowersTheLoss(t *testing.T) {
	eachShape(t, func(t *testing.T, change func(*Config)) {
		xs, ys := stream(2, 4000)
		ps := mustLearn(t, mustNew(t, change), xs, ys)
		var loss, coin float64
		for i := 2000; i < len(ps); i++ {
			loss -= math.Log(max(1e-9, 1-math.Abs(ys[i]-ps[i])))
			coin += math.Ln2
		}
		if loss > 0.97*coin {
			t.Fatalf("loss is %.1f, a coin's %.1f", loss, coin)
		}
	})
}

func TestBatchesLearnWhatSingleExamplesLearn(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for name, change := range shapes {
		xs, ys := stream(3, 1200)
		for _, i := range []int{300, 301, 700, 990} { // fields that come while a block is under way
			xs[i] = append(xs[i], Feature{Field: FieldHash(fmt.Sprint("late", i)), Hash: 1, Value: 1})
			xs[i+40] = append(xs[i+40], xs[i][len(xs[i])-1])
		}
		one := mustNew(t, change)
		want := mustLearn(t, one, xs, ys)
		ws, ps := make([]float64, len(xs)), make([]float64, len(xs))
		for i := range ws {
			ws[i] = 1
		}
		many := mustNew(t, change)
		for at, r := 0, rand.New(rand.NewPCG(1, 1)); at < len(xs); {
			end := min(len(xs), at+r.IntN(500))
			if err := many.LearnBatch(xs[at:end], ys[at:end], ws[at:end], ps[at:end]); err != nil {
				t.Fatal(err)
			}
			at = end
		}
		for i := range ps {
			if ps[i] != want[i] {
				t.Fatalf("%s: prediction %d is %v, want %v", name, i, ps[i], want[i])
			}
		}
		if one.Hash() != many.Hash() {
			t.Fatalf("%s: the weights differ", name)
		}
	}
}

func TestABatchStopsBeforeTheExampleThatIsOfNoUse(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	xs, ys := stream(3, 600)
	ws, ps := make([]float64, len(xs)), make([]float64, len(xs))
	for i := range ws {
		ws[i] = 1
	}
	for _, bad := range []int{0, 1, blockRows - 1, blockRows, 2*blockRows + 3, 599} {
		one, many := mustNew(t, nil), mustNew(t, nil)
		mustLearn(t, one, xs[:bad], ys)
		ys := slices.Clone(ys)
		ys[bad] = 2
		err := many.LearnBatch(xs, ys, ws, ps)
		if !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), fmt.Sprintf("example %d of the batch", bad)) {
			t.Fatalf("example %d: %v", bad, err)
		}
		if many.Examples() != int64(bad) || many.Hash() != one.Hash() {
			t.Fatalf("example %d: %d were learned, or others", bad, many.Examples())
		}
	}
}

// A network that can no longer learn says so, wherever in a batch it is, and leaves no goroutine
// behind that waits.
func TestABatchEndsWhenTheNetDiverges(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	xs, ys := stream(3, 40*blockRows)
	ws, ps := make([]float64, len(xs)), make([]float64, len(xs))
	for i := range ws {
		ws[i] = 1
	}
	for _, at := range []int{0, kernel.NetLen} { // a bias of J, one of Q
		n := mustNew(t, nil)
		if err := n.LearnBatch(xs[:500], ys[:500], ws[:500], ps[:500]); err != nil {
			t.Fatal(err)
		}
		n.dense[at+kernel.NetConst] = float32(math.NaN())
		for range 3 {
			if err := n.LearnBatch(xs, ys, ws, ps); !errors.Is(err, ErrDiverged) {
				t.Fatalf("weight %d is no number: %v", at, err)
			}
		}
	}
}

func TestPairsAreChosenAlikeInBatches(t *testing.T) {
	xs, ys := stream(3, 2*chooseEvery+100)
	one, many := mustNew(t, nil), mustNew(t, nil)
	mustLearn(t, one, xs, ys)
	ws, ps := make([]float64, len(xs)), make([]float64, len(xs))
	for i := range ws {
		ws[i] = 1
	}
	if err := many.LearnBatch(xs, ys, ws, ps); err != nil {
		t.Fatal(err)
	}
	if len(one.pairs) == 0 || one.Hash() != many.Hash() {
		t.Fatalf("chosen pairs %v and %v; the weights differ", one.pairs, many.pairs)
	}
}

func TestARunCutAndResumedEqualsOneRun(t *testing.T) {
	eachShape(t, func(t *testing.T, change func(*Config)) {
		xs, ys := stream(4, sized(600))
		whole := mustNew(t, change)
		mustLearn(t, whole, xs, ys)
		part := mustNew(t, change)
		for at, r := 0, rand.New(rand.NewPCG(2, 2)); at < len(xs); {
			end := min(len(xs), at+1+r.IntN(150))
			mustLearn(t, part, xs[at:end], ys[at:end])
			at = end
			part = reread(t, part)
		}
		var a, b bytes.Buffer
		whole.WriteTo(&a)
		part.WriteTo(&b)
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Fatal("the files differ")
		}
	})
}

func reread(t *testing.T, n *Net) *Net {
	t.Helper()
	var b bytes.Buffer
	k, err := n.WriteTo(&b)
	if err != nil || k != int64(b.Len()) {
		t.Fatalf("wrote %d of %d bytes: %v", k, b.Len(), err)
	}
	m, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	if m.Hash() != n.Hash() || m.Examples() != n.Examples() {
		t.Fatal("the net that was read is another")
	}
	return m
}

func TestNothingIsAllocated(t *testing.T) {
	for name, change := range shapes {
		n := mustNew(t, change)
		xs, ys := stream(5, 300)
		mustLearn(t, n, xs, ys)
		s := n.NewScratch()
		for i := range xs {
			n.Predict(xs[i], s)
			n.Learn(xs[i], ys[i], 1, s)
		}
		i := 0
		if a := testing.AllocsPerRun(200, func() { n.Predict(xs[i%300], s); i++ }); a != 0 {
			t.Errorf("%s: Predict allocates %v", name, a)
		}
		if a := testing.AllocsPerRun(200, func() { n.Learn(xs[i%300], ys[i%300], 1, s); i++ }); a > 0.5 {
			t.Errorf("%s: Learn allocates %v", name, a)
		}
	}
}

func TestUnusableInputIsRefusedAndNothingLearned(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	num := func(v float64) []Feature { return []Feature{{Field: 1, Kind: Number, Value: v}} }
	for _, c := range []struct {
		x    []Feature
		y, w float64
	}{
		{num(nan), 1, 1}, {num(inf), 1, 1}, {num(-inf), 0, 1}, {num(1), nan, 1}, {num(1), 2, 1}, {num(1), -1, 1}, {num(1), 1, nan},
		{num(1), 1, inf}, {num(1), 1, 1e7}, {[]Feature{{Field: 1, Hash: 1, Value: nan}}, 1, 1}, {[]Feature{{Field: 1, Kind: 9}}, 1, 1},
	} {
		for name, change := range shapes {
			n := mustNew(t, change)
			before := n.Hash()
			if _, err := n.Learn(c.x, c.y, c.w, n.NewScratch()); !errors.Is(err, ErrInput) {
				t.Fatalf("%s: Learn(%v, %v, %v): %v", name, c.x, c.y, c.w, err)
			}
			err := n.LearnBatch([][]Feature{num(1), c.x, num(2)}, []float64{1, c.y, 0}, []float64{1, c.w, 1}, make([]float64, 3))
			if !errors.Is(err, ErrInput) || n.Examples() != 1 {
				t.Fatalf("%s: a batch with it: %v after %d examples", name, err, n.Examples())
			}
			if before == n.Hash() {
				t.Fatal("the example before it was not learned")
			}
		}
	}
}

func TestStrangeStreamsStayFinite(t *testing.T) {
	wide := make([]Feature, 10000)
	for i := range wide {
		wide[i] = Feature{Field: 7, Hash: uint64(i) * arith.OddA, Value: 1}
	}
	num := func(v float64) []Feature {
		return []Feature{{Field: 3, Kind: Number, Value: v}, {Field: 4, Hash: 1, Value: v}}
	}
	streams := map[string]func(i int) ([]Feature, float64, float64){
		"empty examples":  func(i int) ([]Feature, float64, float64) { return nil, float64(i & 1), 1 },
		"a constant 1":    func(i int) ([]Feature, float64, float64) { return num(1), 1, 1 },
		"a constant 0":    func(i int) ([]Feature, float64, float64) { return num(1), 0, 1 },
		"wide":            func(i int) ([]Feature, float64, float64) { return wide[:100+(i%3)*4950], float64(i & 1), 1 },
		"huge numbers":    func(i int) ([]Feature, float64, float64) { return num(1e30 * float64(i-50)), float64(i & 1), 1 },
		"tiny numbers":    func(i int) ([]Feature, float64, float64) { return num(5e-324 * float64(i)), float64(i & 1), 1 },
		"largest numbers": func(i int) ([]Feature, float64, float64) { return num(math.MaxFloat64), float64(i & 1), 1 },
		"huge weights":    func(i int) ([]Feature, float64, float64) { return num(float64(i)), float64(i & 1), 1e6 },
		"no weights":      func(i int) ([]Feature, float64, float64) { return num(float64(i)), float64(i & 1), 0 },
		"undone labels":   func(i int) ([]Feature, float64, float64) { return num(1), float64(i % 3 & 1), []float64{1, -1, 1}[i%3] },
		"soft labels":     func(i int) ([]Feature, float64, float64) { return num(float64(i)), 0.3, 1 },
	}
	for name, next := range streams {
		for shape, change := range shapes {
			n := mustNew(t, change)
			s := n.NewScratch()
			for i := range 120 {
				x, y, w := next(i)
				if p, err := n.Learn(x, y, w, s); err != nil || !(p >= 0 && p <= 1) {
					t.Fatalf("%s, %s, example %d: %v, %v", name, shape, i, p, err)
				}
			}
		}
	}
}

func TestFieldsAndTokensBeyondTheLimitAreShared(t *testing.T) {
	n := mustNew(t, func(c *Config) { c.TableBits, c.MaxFields = 8, 5 })
	s := n.NewScratch()
	for i := range 5000 {
		x := []Feature{{Field: uint64(i % 40), Hash: uint64(i) * arith.OddB, Value: 1}}
		if _, err := n.Learn(x, 1, 1, s); err != nil {
			t.Fatal(err)
		}
	}
	if len(n.fields.hashes) != 5 || len(n.tokens.Keys) > 257 {
		t.Fatalf("%d fields and %d tokens", len(n.fields.hashes), len(n.tokens.Keys))
	}
	if p := n.Predict([]Feature{{Field: 1, Hash: 12345, Value: 1}}, s); p < 0.9 {
		t.Fatalf("an unknown token where all labels were 1 gets %v", p)
	}
}

func TestThePriorIsPredictedBeforeAnyLabel(t *testing.T) {
	for _, network := range [][]string{nil, {"linear"}, {"linear", "ffm"}} {
		n := mustNew(t, func(c *Config) { c.Prior, c.Network = 0.01, network })
		if p := n.Predict(nil, n.NewScratch()); math.Abs(p-0.01) > 1e-6 {
			t.Fatalf("%v: %v", network, p)
		}
	}
}

func TestSeedsDecide(t *testing.T) {
	xs, ys := stream(6, 100)
	a, b, c := mustNew(t, nil), mustNew(t, nil), mustNew(t, func(c *Config) { c.Seed = 2 })
	mustLearn(t, a, xs, ys)
	mustLearn(t, b, xs, ys)
	mustLearn(t, c, xs, ys)
	if a.Hash() != b.Hash() || a.Hash() == c.Hash() {
		t.Fatal("one seed must give one result, another another")
	}
}
