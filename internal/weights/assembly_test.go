package weights

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/clickloop/clickloop/model"
)

// reader applies messages. It knows its version and no more.
type reader struct {
	version  int64
	sequence Sequence
}

func (r *reader) apply(m Message) error {
	switch {
	case m.Kind == Snapshot && m.To > r.version:
		r.version = m.To
	case m.To <= r.version:
	case m.From != r.version:
		return fmt.Errorf("from %d, this is %d: %w", m.From, r.version, model.ErrGap)
	default:
		r.version = m.To
	}
	return nil
}

type part struct {
	head  Head
	value []byte
}

// written is a topic with snapshots of many parts, between which deltas stand. starts are the
// places where snapshots begin.
func written(t *testing.T, rng *rand.Rand) (parts []part, starts []int, end int64) {
	t.Helper()
	cut := func(h Head, size int) (out []part) {
		for _, r := range CutAt(10, h, "click", make([]byte, size)) {
			h, err := ParseHead(r.Headers)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, part{h, r.Value})
		}
		return out
	}
	version := int64(1)
	delta := func() {
		parts = append(parts, cut(Head{Kind: Delta, Epoch: 1, From: version, To: version + 5}, 1+rng.IntN(40))...)
		version += 5
	}
	for range 6 {
		starts = append(starts, len(parts))
		for _, p := range cut(Head{Kind: Snapshot, Epoch: 1, From: version, To: version}, 1+rng.IntN(200)) {
			parts = append(parts, p)
			for range rng.IntN(3) {
				delta()
			}
		}
		for range rng.IntN(4) {
			delta()
		}
	}
	return parts, starts, version
}

func TestDeltasPassASnapshotAndJoiningReplicasGetThemAfterIt(t *testing.T) {
	const seed = 5
	rng := rand.New(rand.NewPCG(seed, seed))
	for range 300 {
		parts, starts, end := written(t, rng)
		for _, start := range starts {
			r := &reader{}
			for _, p := range parts[start:] {
				if err := r.sequence.Add(p.head, p.value, r.apply); err != nil {
					t.Fatalf("seed %d: a joining reader at a snapshot: %v", seed, err)
				}
			}
			if r.version != end {
				t.Fatalf("seed %d: a joining reader ends at version %d, want %d", seed, r.version, end)
			}
		}
		follower := &reader{version: 1}
		for _, p := range parts {
			if err := follower.sequence.Add(p.head, p.value, follower.apply); err != nil {
				t.Fatalf("seed %d: a following reader: %v", seed, err)
			}
			if p.head.Kind == Delta && p.head.Part == p.head.Parts-1 && follower.version != p.head.To {
				t.Fatalf("seed %d: a following reader is at %d after a delta to %d", seed, follower.version, p.head.To)
			}
		}
	}
}

// A snapshot that loses a part is none: what waited for it is a gap again, until the next one.
func TestDeltasThatWaitForASnapshotThatNeverEndsAreDropped(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	mended := 0
	for range 300 {
		parts, starts, end := written(t, rng)
		lost := starts[0] + rng.IntN(starts[1]-starts[0])
		r := &reader{}
		for i, p := range parts {
			if i == lost {
				continue
			}
			before := r.version
			if err := r.sequence.Add(p.head, p.value, r.apply); err != nil && !errors.Is(err, model.ErrGap) {
				t.Fatal(err)
			}
			if r.version < before {
				t.Fatalf("version %d after %d", r.version, before)
			}
		}
		if r.version == end {
			mended++
		}
	}
	if mended < 295 {
		t.Errorf("%d of 300 were mended by a later snapshot", mended)
	}
}
