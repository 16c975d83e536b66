package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// deciding makes examples of which one field decides: noise says nothing, decoys mostly have the
// token of the deciding field, some fields are rare, and numbers are among them. With pair, two
// fields decide together, and neither says anything by itself.
func deciding(seed uint64, n int, pair bool) (xs [][]Feature, ys []float64) {
	r := rand.New(rand.NewPCG(seed, 9))
	field := func(kind string, i int) uint64 { return FieldHash(fmt.Sprint(kind, i)) }
	for range n {
		d, other := r.IntN(6), r.IntN(2)
		token := func(f uint64, v int) Feature { return Feature{Field: f, Hash: uint64(v + 1), Value: 1} }
		var x []Feature
		for i := range 12 {
			x = append(x, token(field("noise", i), r.IntN(20)))
		}
		x = append(x, Feature{Field: field("number", 0), Value: r.NormFloat64(), Kind: Number})
		for i := range 3 {
			v := d
			if r.IntN(4) == 0 {
				v = r.IntN(6)
			}
			x = append(x, token(field("decoy", i), v))
		}
		for i := range 4 {
			if r.IntN(20) == 0 {
				x = append(x, token(field("rare", i), r.IntN(3)))
			}
		}
		x = append(x, token(field("decider", 0), d), token(field("decider", 1), other))
		r.Shuffle(len(x), func(i, j int) { x[i], x[j] = x[j], x[i] })
		yes := d%2 == 0
		if pair {
			yes = d%2 == other
		}
		y := 0.0
		if yes == (r.IntN(20) > 0) {
			y = 1
		}
		xs, ys = append(xs, x), append(ys, y)
	}
	return xs, ys
}

func replicaOf(t testing.TB, n *Net) *Replica {
	t.Helper()
	r := NewReplica()
	if err := r.Apply(n.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	return r
}

// Where one field decides, it is named first, whatever else correlates with it. Where two fields
// decide together, these two are.
func TestTheFieldThatDecidesIsNamedFirst(t *testing.T) {
	decider, other := FieldHash("decider0"), FieldHash("decider1")
	for _, network := range [][]string{nil, {"linear"}, {"ffm"}, {"mlp"}, {"linear", "ffm", "mlp"}} {
		for _, pair := range []bool{false, true} {
			n := mustNew(t, func(c *Config) {
				c.Network, c.Prior = network, 0.5
				if pair && len(network) == 1 && network[0] == "linear" {
					c.Cross = [][]string{{"decider0", "decider1"}}
				}
			})
			xs, ys := deciding(1, sized(8000), pair)
			mustLearn(t, n, xs, ys)
			r, s := replicaOf(t, n), &Scratch{}
			test, _ := deciding(2, sized(400), pair)
			named := 0
			var e Explanation
			for _, x := range test {
				r.Explain(&e, x, s)
				first, second := e.Contributions[0].Field, e.Contributions[1].Field
				if !pair && first == decider || pair && (first == decider && second == other || first == other && second == decider) {
					named++
				}
			}
			least := 99 // of a hundred
			if pair {
				least = 90 // each of the two has half of what they do together
			}
			if named*100 < len(test)*least {
				t.Errorf("%v, a pair: %v: in %d of %d examples the deciding field is named first", network, pair, named, len(test))
			}
		}
	}
}

// Base, contributions and rest sum up to the logit of the prediction, for every network.
func TestContributionsSumUpToTheLogit(t *testing.T) {
	for name, change := range jointShapes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := mustNew(t, change)
			xs, ys := stream(5, 2000)
			learnAll(t, n, xs, ys)
			r, s := replicaOf(t, n), &Scratch{}
			test, _ := stream(6, sized(10000))
			var e Explanation
			for i, x := range test {
				if i%500 == 0 { // many fields
					for f := range 100 + i%100 {
						x = append(x, Feature{Field: uint64(f), Hash: 1, Value: 1})
					}
				}
				r.Explain(&e, x, s)
				r.Predict(x, s)
				p := s.Raw()
				want, sum := p, e.Base+e.Rest
				if n.cfg.Output != "identity" {
					want = logit(p)
				}
				for _, c := range e.Contributions {
					sum += c.Shift
				}
				if e.Logit != want || !(math.Abs(sum-want) <= 1e-9*max(1, math.Abs(want))) {
					t.Fatalf("%v: base and contributions are %v, the logit %v, want %v", x, sum, e.Logit, want)
				}
				if i%500 > 0 && e.Rest != 0 {
					t.Fatalf("few fields leave a rest of %v", e.Rest)
				}
			}
		})
	}
}

// A label depends on one of two fields: it gets all of the contribution. Fields are named once,
// largest first, and those that the network does not know shift nothing.
func TestContributionsAreByField(t *testing.T) {
	for _, network := range [][]string{nil, {"linear"}, {"mlp"}, {"linear", "ffm", "mlp"}} {
		n := mustNew(t, func(c *Config) { c.Network = network })
		category := func(field, value uint64) Feature { return Feature{Field: field, Hash: value, Value: 1} }
		s := n.NewScratch()
		for i := range uint64(3000) {
			x := []Feature{category(1, 1+i%2), category(2, 1+i/2%2)}
			if _, err := n.Learn(x, float64(i%2), 1, s); err != nil {
				t.Fatal(err)
			}
		}
		r := replicaOf(t, n)
		x := []Feature{{Field: 3, Kind: Missing}, category(2, 1), category(1, 2), category(1, 2)}
		e := Explanation{Contributions: []Contribution{{9, 9}}}
		r.Explain(&e, x, s)
		if c := e.Contributions; len(c) != 3 || c[0].Field != 1 || c[0].Shift < 1 || c[1].Field != 2 || math.Abs(c[1].Shift) > 0.3*c[0].Shift || c[2] != (Contribution{3, 0}) {
			t.Errorf("%v: contributions %v, want field 1, 2, and 3 with nothing", network, c)
		}
		again := Explanation{}
		r.Explain(&again, []Feature{x[2], x[3], x[0], x[1]}, &Scratch{})
		if math.Abs(again.Contributions[0].Shift-e.Contributions[0].Shift) > 1e-5 {
			t.Errorf("%v: in another order of the fields contributions are %v, want %v", network, again.Contributions, e.Contributions)
		}
		if a := testing.AllocsPerRun(100, func() { r.Explain(&e, x, s) }); a != 0 {
			t.Errorf("%v: an explanation allocates %v", network, a)
		}
	}
}

func TestWithoutWeightsNothingIsExplained(t *testing.T) {
	var e Explanation
	NewReplica().Explain(&e, []Feature{{Field: 1, Hash: 1, Value: 1}}, &Scratch{})
	if e.Base != 0 || e.Logit != 0 || e.Rest != 0 || len(e.Contributions) != 1 || e.Contributions[0] != (Contribution{1, 0}) {
		t.Errorf("a replica of nothing says %+v", e)
	}
	NewReplica().Explain(&e, nil, &Scratch{})
	if len(e.Contributions) != 0 || e.Rest != 0 {
		t.Errorf("an example of nothing has %+v", e)
	}
}

// BenchmarkExplain explains predictions of 23 fields.
func BenchmarkExplain(b *testing.B) {
	xs, ys := wide(5000)
	n := mustNew(b, func(c *Config) { c.TableBits = 20 })
	mustLearn(b, n, xs, ys)
	r, s := replicaOf(b, n), &Scratch{}
	var e Explanation
	for i := 0; b.Loop(); i++ {
		r.Explain(&e, xs[i%1000], s)
	}
}
