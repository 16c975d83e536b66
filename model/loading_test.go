package model

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/codec"
)

// cutAt cuts b at random places.
func cutAt(rng *rand.Rand, b []byte, most int) (out [][]byte) {
	for len(b) > 0 {
		k := min(len(b), rng.IntN(most))
		out, b = append(out, b[:k]), b[k:]
	}
	return out
}

func load(msg [][]byte, size int) (*Replica, error) {
	l := StartLoading(size)
	for _, b := range msg {
		l.Add(b)
	}
	l.End()
	return l.Replica()
}

// A snapshot comes in the pieces in which it was written, at once or one after the other: the state
// is the one that was encoded.
func TestASnapshotInPiecesIsTheSameSnapshot(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, c := range []struct{ examples, ids, bits int }{{30, 9, 32}, {900, 1 << 20, 32}, {900, 1 << 20, 16}} {
		n := mustNew(t, func(*Config) {})
		n.ServeBits(c.bits)
		s := n.NewScratch()
		for range c.examples {
			x := []Feature{{Field: 1, Kind: Number, Value: rng.NormFloat64()}}
			for f := range uint64(8) {
				x = append(x, Feature{Field: 2 + f, Hash: arith.Mix(f, uint64(rng.IntN(c.ids))), Value: 1})
			}
			if _, err := n.Learn(x, float64(rng.IntN(2)), 1, s); err != nil {
				t.Fatal(err)
			}
		}
		message := n.AppendSnapshot(nil)
		whole := NewReplica()
		if err := whole.Apply(message); err != nil {
			t.Fatal(err)
		}
		if c.bits == 32 {
			same(t, n, whole, 1)
			e := newMessage(nil, snapshotMagic, false)
			stateWriter{core: whole.c, e: e}.write()
			if !bytes.Equal(codec.Seal(e.Buf, 0), message) {
				t.Fatal("another state")
			}
		}
		for _, most := range []int{40, 1000, 1 << 17} {
			cut := cutAt(rng, message, most)
			r := NewReplica()
			if err := r.Apply(cut...); err != nil || !reflect.DeepEqual(r, whole) {
				t.Fatalf("in %d pieces: not the replica of the whole: %v", len(cut), err)
			}
			size := len(message) + rng.IntN(2)*rng.IntN(1<<20)
			if r, err := load(cut, size); err != nil || !reflect.DeepEqual(r, whole) {
				t.Fatalf("in %d pieces, as they come: not the replica of the whole: %v", len(cut), err)
			}
		}
	}
}

// Whatever happens to the pieces, no weights come of it, and nothing but an error.
func TestADamagedSnapshotIsNoneHoweverItComes(t *testing.T) {
	n := mustNew(t, func(c *Config) { c.TableBits, c.MaxFields = 8, 8 })
	xs, ys := stream(17, 40)
	mustLearn(t, n, xs, ys)
	message := n.AppendSnapshot(nil)
	rng := rand.New(rand.NewPCG(5, 5))
	for range 3000 {
		cut := cutAt(rng, bytes.Clone(message), 1+len(message)/(1+rng.IntN(30)))
		i := rng.IntN(len(cut))
		switch k := len(cut[i]); {
		case k == 0:
			continue
		case rng.IntN(3) == 0:
			cut[i] = cut[i][:rng.IntN(k)]
		case rng.IntN(3) == 0:
			cut = slices.Insert(cut, i, cut[i])
		default:
			cut[i][rng.IntN(k)] ^= 1 << rng.IntN(8)
		}
		if bytes.Equal(bytes.Join(cut, nil), message) {
			continue
		}
		if err := NewReplica().Apply(cut...); err == nil {
			t.Fatal("a damaged snapshot was taken")
		}
		if r, err := load(cut, len(message)); err == nil || r != nil {
			t.Fatal("a damaged snapshot was taken as it came")
		}
	}
}
