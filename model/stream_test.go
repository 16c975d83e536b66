package model

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/clickloop/clickloop/model/internal/arith"
)

// example makes a random example with its label: texts, lists, numbers, missing values, fields that
// appear late.
func example(r *rand.Rand, i int) ([]Feature, float64) {
	var x []Feature
	score := 0.0
	for f := range 3 + min(i/40, 4) {
		field := FieldHash(fmt.Sprint("f", f))
		switch k := r.IntN(20); {
		case k == 0:
			x = append(x, Feature{Field: field, Kind: Missing})
		case k == 1: // absent
		case f == 1:
			v := r.NormFloat64() * 10
			score += v / 10
			x = append(x, Feature{Field: field, Value: v, Kind: Number})
		case f == 2:
			for range r.IntN(4) {
				x = append(x, Feature{Field: field, Hash: TokenHash(fmt.Sprint("w", r.IntN(50))), Value: 0.5})
			}
		default:
			t := r.IntN(30)
			score += float64(t%3) - 1
			x = append(x, Feature{Field: field, Hash: TokenHash(fmt.Sprint("t", t)), Value: 1})
		}
	}
	if r.Float64() < arith.Sigmoid(score) {
		return x, 1
	}
	return x, 0
}

// stream is n random examples of a seed.
func stream(seed uint64, n int) (xs [][]Feature, ys []float64) {
	r := rand.New(rand.NewPCG(seed, 7))
	for i := range n {
		x, y := example(r, i)
		xs, ys = append(xs, x), append(ys, y)
	}
	return xs, ys
}

func mustNew(t testing.TB, change func(*Config)) *Net {
	t.Helper()
	c := DefaultConfig()
	c.TableBits = 12
	if change != nil {
		change(&c)
	}
	n, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func mixtureOf(n *Net) *mixture { return n.engine.(*mixture) }

func plainOf(n *Net) *plain { return n.engine.(*plain) }

func mustLearn(t testing.TB, n *Net, xs [][]Feature, ys []float64) (ps []float64) {
	t.Helper()
	s := n.NewScratch()
	for i := range xs {
		p, err := n.Learn(xs[i], ys[i], 1, s)
		if err != nil {
			t.Fatalf("example %d: %v", i, err)
		}
		ps = append(ps, p)
	}
	return ps
}

func init() { leastExpiry = 320 } // more than two blocks

// shapes are the nets that every test of the whole runs on.
var shapes = map[string]func(*Config){
	"mixture":               nil,
	"full table":            func(c *Config) { c.TableBits = 6 },
	"few fields":            func(c *Config) { c.MaxFields = 3 },
	"tokens come and go":    func(c *Config) { c.TableBits, c.Admission, c.Expiry = 8, 2, 320 },
	"and the table is full": func(c *Config) { c.TableBits, c.Expiry = 6, 320 },
	"ffm whose tokens go":   func(c *Config) { c.Network, c.Expiry = []string{"ffm"}, 320 },
	"linear": func(c *Config) {
		c.Network = []string{"linear"}
		c.Cross = [][]string{{"f0", "f1"}, {"all"}, {"f0", "f1", "f2"}}
	},
	"ffm": func(c *Config) { c.Network = []string{"ffm"} },
	"everything": func(c *Config) {
		c.Network = []string{"linear", "ffm", "mlp"}
		c.Linear.Optimizer = Optimizer{Kind: "ftrl", Rate: 0.1, Beta1: 1, L1: 0.01, L2: 0.1}
		c.FFM.K, c.FFM.Optimizer = 3, Optimizer{Kind: "adam", Rate: 0.01, Beta1: 0.9, Beta2: 0.999, Start: 1e-8}
		c.MLP.Layers = []Layer{{5, "tanh"}, {3, "sigmoid"}}
		c.MLP.Dropout, c.MLP.Optimizer = 0.2, Optimizer{Kind: "coin", Start: 1}
	},
}

func eachShape(t *testing.T, do func(t *testing.T, change func(*Config))) {
	for name, change := range shapes {
		t.Run(name, func(t *testing.T) { t.Parallel(); do(t, change) })
	}
}
