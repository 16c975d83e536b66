package features

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
)

// randomOps are Ops of one kind on one field that meet often.
func randomOps(r *rand.Rand, kind *OpKind, n int) []Op {
	ops := make([]Op, n)
	for i := range ops {
		ops[i] = Op{
			Kind: kind, Field: "x", Add: r.Int64N(2000) - 1000, Tile: r.Int64N(30), Keep: 8,
			Time: event.Time(1.7e12) + event.Time(r.IntN(4)), Value: []string{"", "x", "xy", "Z", "ä ö"}[r.IntN(5)],
		}
	}
	return ops
}

// foldInBatches folds each Op as one event, some at a time.
func foldInBatches(t *testing.T, s Store, ops []Op, size int) map[string]Profile {
	t.Helper()
	for from := 0; from < len(ops); from += size {
		to := min(from+size, len(ops))
		var batch []Update
		for i := from; i < to; i++ {
			batch = append(batch, Update{Key: "user:0", Offset: int64(i), Ops: ops[i : i+1]})
		}
		if err := s.Apply(t.Context(), int64(from), Position{"aaaa", 0, int64(to), 1, ""}, batch); err != nil {
			t.Fatal(err)
		}
	}
	return readAll(t, s)
}

// Memory folds Ops one by one, Redis those of a batch merged and by its own Lua: a kind of Op whose
// forms disagree, or whose result depends on the order, fails here.
func TestEveryKindOfOpIsTheSameInEveryFormAndOrder(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		for _, kind := range opKinds {
			for seed := range uint64(10) {
				r := rand.New(rand.NewPCG(seed, 21))
				ops := randomOps(r, kind, 40)
				want := foldInBatches(t, NewMemory(), ops, 1)
				for _, size := range []int{1, 7, len(ops)} {
					b.reset()
					sameProfiles(t, fmt.Sprintf("%s, seed %d, batches of %d", kind, seed, size), foldInBatches(t, b, ops, size), want)
					r.Shuffle(len(ops), func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
				}
			}
		}
	})
}

func TestTheScriptHasEveryKindOfOpOnce(t *testing.T) {
	script := insertOps(applySource)
	for _, kind := range opKinds {
		if n := strings.Count(script, "operations['"+kind.String()+"'] ="); n != 1 {
			t.Errorf("the script has %s %d times, want once", kind, n)
		}
	}
	if strings.Contains(script, "OPERATIONS") {
		t.Error("the script still asks for its operations")
	}
}
