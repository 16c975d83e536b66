package model

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"testing"
)

// jointShapes are the shapes with settings that decide how features are shared.
func jointShapes() map[string]func(*Config) {
	all := maps.Clone(shapes)
	maps.Copy(all, map[string]func(*Config){
		"two parts": func(c *Config) {
			c.Network, c.Cross = []string{"linear", "ffm"}, [][]string{{"f1", "f3"}, {"f2", "f0"}}
		},
		"apart":      func(c *Config) { c.Apart = []string{"f1", "f2", "f6"} },
		"apart ffm":  func(c *Config) { c.Network, c.Apart = []string{"linear", "ffm"}, []string{"f1"} },
		"mlp":        func(c *Config) { c.Network = []string{"mlp"} },
		"raw":        func(c *Config) { c.Network, c.Numbers = []string{"linear", "mlp"}, "raw" },
		"regression": func(c *Config) { c.Network, c.Output, c.Loss = []string{"linear", "mlp"}, "identity", "mse" },
		"classes": func(c *Config) {
			c.Network, c.Output, c.Classes = []string{"linear", "mlp"}, "softmax", 3
		},
	})
	return all
}

// split takes the features of the fields that are shared out of x, and other features of the other
// fields from y, in places of their own.
func split(r *rand.Rand, x, y []Feature, shared func(field uint64) bool) (common, own []Feature, after []int32) {
	for _, f := range x {
		if shared(f.Field) {
			common = append(common, f)
		}
	}
	at := int32(r.IntN(len(common) + 1))
	for _, f := range y {
		if !shared(f.Field) {
			if r.IntN(3) == 0 {
				at += int32(r.IntN(len(common) - int(at) + 1))
			}
			own, after = append(own, f), append(after, at)
		}
	}
	return common, own, after
}

func joined(common, own []Feature, after []int32) (x []Feature) {
	from := int32(0)
	for i, f := range own {
		x = append(append(x, common[from:after[i]]...), f)
		from = after[i]
	}
	return append(x, common[from:]...)
}

// What is shared and what is a candidate's give the bits of Predict together: whatever the network,
// wherever the candidate's features stand, whatever else the scratch was used for meanwhile, with
// and without vector instructions. Some features are of a field that is shared, of no known field,
// or so many words that their weights are bounded.
func TestSharedFeaturesPredictTheVeryBits(t *testing.T) {
	for name, change := range jointShapes() {
		t.Run(name, func(t *testing.T) {
			n := mustNew(t, change)
			xs, ys := stream(5, sized(6000))
			learnAll(t, n, xs, ys)
			for _, bits := range []int{32, 16} {
				n.ServeBits(bits)
				r := NewReplica()
				if err := r.Apply(n.AppendSnapshot(nil)); err != nil {
					t.Fatal(err)
				}
				checkJoint(t, r, xs)
				was := useVectors(false)
				checkJoint(t, r, xs)
				useVectors(was)
			}
		})
	}
}

func learnAll(t *testing.T, n *Net, xs [][]Feature, ys []float64) {
	t.Helper()
	if n.cfg.Output != "softmax" {
		mustLearn(t, n, xs, ys)
		return
	}
	s := n.NewScratch()
	for i := range xs {
		if err := n.LearnClass(xs[i], int(ys[i]), 1, s); err != nil {
			t.Fatal(err)
		}
	}
}

func checkJoint(t *testing.T, r *Replica, xs [][]Feature) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(uint64(len(xs)), 3))
	s, other := r.NewScratch(), r.NewScratch()
	clone := r.Clone()
	whole := 0
	for range sized(400) {
		mask := rnd.Uint64()
		strict := rnd.IntN(8) > 0 // else a field may stand in both
		own := rnd.IntN(8) == 0   // fields that act apart may be a candidate's own
		shared := func(field uint64) bool { return mask>>(field%61)&1 == 1 || !own && r.c.apart.has(field) }
		common, _, _ := split(rnd, xs[rnd.IntN(len(xs))], nil, shared)
		if rnd.IntN(10) == 0 {
			common = append(common, words(rnd.IntN(12), FieldHash("f2"))...)
		}
		r.Share(common, s)
		for range 1 + rnd.IntN(6) {
			_, own, after := split(rnd, common, xs[rnd.IntN(len(xs))], func(f uint64) bool { return shared(f) && (strict || rnd.IntN(3) > 0) })
			switch rnd.IntN(12) {
			case 0:
				own, after = nil, nil
			case 1:
				own, after = append(own, Feature{Field: 12345, Hash: 1, Value: 1}), append(after, int32(len(common)))
			case 2:
				for _, w := range words(rnd.IntN(12), FieldHash("f4")) {
					own, after = append(own, w), append(after, int32(len(common)))
				}
			case 3:
				r.Predict(xs[rnd.IntN(len(xs))], s)
			}
			used := r
			if rnd.IntN(10) == 0 {
				used = clone
			}
			got, want := used.PredictShared(own, after, s), r.Predict(joined(common, own, after), other)
			if math.Float64bits(got) != math.Float64bits(want) {
				t.Fatalf("shared %v\nown %v\nafter %v:\n%v, want %v", common, own, after, got, want)
			}
			if s.joint.separate {
				whole++
			} else if len(other.row.tokens) > 0 && fmt.Sprint(s.row.tokens, s.row.present) != fmt.Sprint(other.row.tokens, other.row.present) {
				t.Fatalf("the joined row is %v, want %v", s.row, other.row)
			}
		}
	}
	if c := r.Config(); c.Output != "softmax" && c.MaxFields > 3 && whole > sized(1400)/3 {
		t.Errorf("%d examples were predicted whole", whole)
	}
}

// words are tokens of one field that stands in an example once.
func words(n int, field uint64) (x []Feature) {
	for i := range n {
		x = append(x, Feature{Field: field, Hash: uint64(i), Value: 1})
	}
	return x
}
