package model

import (
	"math"
	"slices"
	"testing"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/table"
)

// The expected weights are worked out by hand from the formulas in rule's comment: a weight of 0.5
// with gradients 0.4 and -0.2.
func TestOptimizersFollowTheirFormulas(t *testing.T) {
	sqrt := math.Sqrt
	adam1 := 0.5 - 0.01*0.4/(0.4+1e-8)
	adam2 := adam1 - 0.01*((0.9*0.04-0.1*0.2)/0.19)/(sqrt((0.999*0.00016+0.001*0.04)/0.001999)+1e-8)
	n1 := 0.16
	// the start's z, then g - (sqrt(n1)-0)/alpha w
	z1 := -0.5*(1/0.1+0.5) - 0.01 + 0.4 - 0.4/0.1*0.5
	f1 := -(z1 + 0.01) / ((1+0.4)/0.1 + 0.5)
	z2 := z1 - 0.2 - (sqrt(n1+0.04)-0.4)/0.1*f1
	f2 := -(z2 + 0.01) / ((1+sqrt(n1+0.04))/0.1 + 0.5)
	v1 := 1 * -0.4 / (100 * 0.4)
	v2 := 1 * -0.2 / (100 * 0.4)         // the second bet lost: no reward
	l2a := 0.5 - 0.1*0.5/sqrt(0.09+0.25) // the gradient is 0.4 + 0.2*0.5
	l2g := -0.2 + 0.2*l2a
	l2b := l2a - 0.1*l2g/sqrt(0.09+0.25+l2g*l2g)
	l2d := -0.2 + 0.2*(0.5-0.01*0.5/0.6)
	l2c := 0.01 * -l2d / (-l2d + 0.1)
	for name, c := range map[string]struct {
		o         Optimizer
		one, both float64
	}{
		"sgd":          {Optimizer{Kind: "sgd", Rate: 0.1}, 0.46, 0.48},
		"sgd inverse":  {Optimizer{Kind: "sgd", Rate: 0.1, Schedule: "inverse", Decay: 1}, 0.46, 0.47},
		"sgd power":    {Optimizer{Kind: "sgd", Rate: 0.1, Schedule: "power", Decay: 0.5}, 0.46, 0.46 + 0.02/sqrt(2)},
		"sgd l2":       {Optimizer{Kind: "sgd", Rate: 0.1, L2: 0.2}, 0.45, 0.461},
		"sgd l1":       {Optimizer{Kind: "sgd", Rate: 0.1, L1: 0.2}, 0.44, 0.44},
		"sgd l1 to 0":  {Optimizer{Kind: "sgd", Rate: 0.1, L1: 20}, 0, 0},
		"adagrad":      {Optimizer{Kind: "adagrad", Rate: 0.1, Start: 0.09}, 0.5 - 0.1*0.4/0.5, 0.5 - 0.08 + 0.1*0.2/sqrt(0.29)},
		"adam":         {Optimizer{Kind: "adam", Rate: 0.01, Beta1: 0.9, Beta2: 0.999, Start: 1e-8}, adam1, adam2},
		"adagrad l2":   {Optimizer{Kind: "adagrad", Rate: 0.1, Start: 0.09, L2: 0.2}, l2a, l2b},
		"adagrad l1":   {Optimizer{Kind: "adagrad", Rate: 0.1, Start: 0.09, L1: 0.2}, 0.5 - 0.08 - 0.02, 0.4 + 0.1*0.2/sqrt(0.29) - 0.02},
		"adam epsilon": {Optimizer{Kind: "adam", Rate: 0.01, Start: 0.1}, 0.5 - 0.01*0.4/(0.4+0.1), 0.492 + 0.01*0.2/(0.2+0.1)},
		"adam l2":      {Optimizer{Kind: "adam", Rate: 0.01, Start: 0.1, L2: 0.2}, 0.5 - 0.01*0.5/0.6, 0.5 - 0.01*0.5/0.6 + l2c},
		"ftrl":         {Optimizer{Kind: "ftrl", Rate: 0.1, Beta1: 1, L1: 0.01, L2: 0.5}, f1, f2},
		"ftrl l1 to 0": {Optimizer{Kind: "ftrl", Rate: 0.1, Beta1: 1, L1: 50, L2: 0.5}, -(-0.5*10.5 - 50 + 0.4 - 2 + 50) / (14 + 0.5), 0},
		"coin":         {Optimizer{Kind: "coin", Start: 1}, 0.5 + v1, 0.5 + v2},
	} {
		r := newRule(c.o)
		w, s, powers := float32(0.5), make([]float32, maxState), []float64{1, 1}
		r.start(s)
		r.begin(0, powers)
		r.step(&w, s, 0.4)
		if math.Abs(float64(w)-c.one) > 1e-6 {
			t.Errorf("%s: after one step %v, want %v", name, w, c.one)
		}
		r.begin(1, powers)
		r.step(&w, s, -0.2)
		if name != "ftrl l1 to 0" && math.Abs(float64(w)-c.both) > 1e-6 {
			t.Errorf("%s: after two steps %v, want %v", name, w, c.both)
		}
	}
}

// Two weights of a field-aware vector share an accumulator of the mean square of their gradients,
// 0.8+0.5*0.5 and 0.4-0.5*0.3; L1 then pulls by 0.1*0.2.
func TestAVectorFollowsItsFormula(t *testing.T) {
	p := newRule(Optimizer{Kind: "adagrad", Rate: 0.1, L1: 0.2, L2: 0.5})
	m := ffmPart{k: 2, rule: &p}
	v, o := []float32{0.5, -0.3}, []float32{0.09}
	m.stepVector(v, o, []float32{0.4, 0.2}, 2)
	sum := 0.09 + (1.05*1.05+0.25*0.25)/2
	for i, want := range []float64{0.5 - 0.1*1.05/math.Sqrt(sum) - 0.02, -0.3 - 0.1*0.25/math.Sqrt(sum) + 0.02} {
		if math.Abs(float64(v[i])-want) > 1e-6 || math.Abs(float64(o[0])-sum) > 1e-6 {
			t.Errorf("weight %d is %v, want %v; accumulator %v, want %v", i, v[i], want, o[0], sum)
		}
	}
}

// A gradient too small to be squared moves nothing where the formula would divide by nothing.
func TestFtrlWithoutBetaStaysFinite(t *testing.T) {
	r, w, s := newRule(Optimizer{Kind: "ftrl", Rate: 0.1}), float32(0), make([]float32, 2)
	for _, g := range []float32{0, 1e-30, -1e-30, 0.5} {
		r.step(&w, s, g)
		if !arith.Finite(float64(w)) || !arith.Finite(float64(s[0])) {
			t.Fatalf("after gradient %v the weight is %v, the state %v", g, w, s)
		}
	}
	if want := float32(-0.1); math.Abs(float64(w-want)) > 1e-6 {
		t.Errorf("the weight is %v, want %v", w, want)
	}
}

// An optimizer of one part counts the examples once, whatever other parts there are: of a single
// field the field-aware part has no say.
func TestPartsCountExamplesApart(t *testing.T) {
	adam := Optimizer{Kind: "adam", Rate: 0.01, Beta1: 0.9, Beta2: 0.999, Start: 1e-8}
	var predicted [2][]float64
	for i, parts := range [][]string{{"linear"}, {"linear", "ffm"}} {
		n := mustNew(t, func(c *Config) {
			if c.Network, c.Linear.Optimizer = parts, adam; len(parts) > 1 {
				c.FFM.Optimizer = adam
			}
		})
		s := n.NewScratch()
		for j := range 50 {
			p, err := n.Learn([]Feature{{Field: 1, Hash: uint64(j % 3), Value: 1}}, float64(j%2), 1, s)
			if err != nil {
				t.Fatal(err)
			}
			predicted[i] = append(predicted[i], p)
		}
	}
	if !slices.Equal(predicted[0], predicted[1]) {
		t.Errorf("predictions %v, beside another part %v", predicted[0], predicted[1])
	}
}

// With clip 0.25 and a rate of 1 the bias moves by 0.25, however wrong the prediction and however
// heavy the example.
func TestGradientsAreClipped(t *testing.T) {
	sgd := Optimizer{Kind: "sgd", Rate: 1}
	f := func(clip, y, w, want float64) {
		t.Helper()
		n := mustNew(t, func(c *Config) { c.Network, c.Linear.Optimizer, c.Clip = []string{"linear"}, sgd, clip })
		s := n.NewScratch()
		if _, err := n.Learn(nil, y, w, s); err != nil {
			t.Fatal(err)
		}
		if z := float64(n.dense[0]); math.Abs(z-want) > 1e-5 {
			t.Errorf("clip %v, label %v, weight %v: the bias is %v, want %v", clip, y, w, z, want)
		}
	}
	f(0, 1, 1, 0.5)
	f(0, 1, 10, 5)
	f(0.25, 1, 10, 0.25)
	f(0.25, 0, 1, -0.25)
	f(0.25, 1, 0.1, 0.05)
	f(0.25, 1, -3, -0.25)
	n := mustNew(t, func(c *Config) {
		c.Network, c.Linear.Optimizer, c.Clip, c.Output, c.Classes = []string{"linear"}, sgd, 0.25, "softmax", 4
	})
	s := n.NewScratch()
	if err := n.LearnClass(nil, 2, 1, s); err != nil { // gradients 0.25, 0.25, -0.75, 0.25
		t.Fatal(err)
	}
	if p := n.PredictClasses(nil, nil, s); math.Abs(math.Log(p[2]/p[0])-0.5) > 1e-6 {
		t.Errorf("probabilities %v, want a difference of logits of 0.5", p)
	}
}

// Dropout is a net of its own in each example: the gradient is that of the units which are left,
// and they stand in for the others.
func TestDropoutsGradientIsTheFiniteDifference(t *testing.T) {
	for _, activation := range []string{"tanh", "relu", "sigmoid"} {
		n := mustNew(t, func(c *Config) {
			c.Network, c.TableBits = []string{"mlp"}, 9
			c.MLP.Layers, c.MLP.Init, c.MLP.Dropout = []Layer{{6, activation}, {5, "tanh"}}, 0.5, 0.6
			c.MLP.Optimizer = Optimizer{Kind: "sgd", Rate: 1}
		})
		xs, ys := stream(40, 30)
		s := n.NewScratch()
		for i := range xs {
			learnAny(n, xs[i], ys[i], 0.3, s)
		}
		x := xs[len(xs)-1]
		after := reread(t, n)
		learnAny(after, x, 1, 1, after.NewScratch())
		loss := func() float64 {
			n.encode(x, &s.row, s, false)
			s.row.number = n.examples
			plainOf(n).forward(&s.row, &s.plain, true)
			return -math.Log(float64(s.plain.predictions[0]))
		}
		loss()
		left := map[float32]int{}
		for _, keep := range s.plain.mlp.keep {
			left[keep]++
		}
		if len(left) != 2 || left[0] == 0 || left[float32(1/(1-0.6))] == 0 {
			t.Fatalf("%s: units are kept as %v, want some as 0 and some as 2.5", activation, left)
		}
		old, now := served(n), served(after)
		moved := 0
		for i, p := range old {
			w, gradient := *p, float64(*p-*now[i])
			const eps = 1.0 / 256
			*p = w + eps
			up := loss()
			*p = w - eps
			down := loss()
			*p = w
			if d := (up - down) / (2 * eps); math.Abs(d-gradient) > 2e-3+0.02*math.Abs(d) {
				t.Fatalf("%s: weight %d of %d: gradient %v, finite difference %v", activation, i, len(old), gradient, d)
			}
			if gradient != 0 {
				moved++
			}
		}
		if moved < 5 {
			t.Fatalf("%s: only %d weights moved", activation, moved)
		}
	}
}

// Gradients 0.4, 0.4, 0.8 with start 1: (M, T, G, R) is (0.4, -0.4, 0.4, 0), (0.4, -0.8, 0.8,
// 0.4*0.01), (0.8, -1.6, 1.6, 0.004+0.8*0.0202).
func TestACoinBetsWhatItWon(t *testing.T) {
	r, w, s := newRule(Optimizer{Kind: "coin", Start: 1}), float32(0), make([]float32, maxState)
	for i, want := range []float64{-0.4 / 40, (1 + 0.004/0.4) * -0.8 / 40, (1 + 0.02016/0.8) * -1.6 / 80} {
		r.step(&w, s, []float32{0.4, 0.4, 0.8}[i])
		if math.Abs(float64(w)-want) > 1e-7 {
			t.Fatalf("after step %d the weight is %v, want %v", i+1, w, want)
		}
	}
}

// Settings that anyone may choose: each optimizer with steps of its own on each part must learn a
// short stream, and coin betting, which has no rate that could be lowered, also one of uneven
// weights.
func TestEveryAdaptiveOptimizerLearnsOnEveryPart(t *testing.T) {
	xs, ys := stream(3, 2000)
	f := func(o Optimizer, heavy float64, parts ...string) {
		t.Helper()
		n := mustNew(t, func(c *Config) {
			c.Network, c.Calibration.Kind = parts, "none"
			c.Linear.Optimizer, c.FFM.Optimizer, c.MLP.Optimizer = o, o, o
		})
		s, loss := n.NewScratch(), 0.0
		for i, x := range xs {
			w := 1.0
			if i%2 == 0 {
				w = heavy
			}
			p, err := n.Learn(x, ys[i], w, s)
			if err != nil {
				t.Fatalf("%s on %v, weights to %v: %v", o.Kind, parts, heavy, err)
			}
			if i >= len(xs)/2 {
				loss -= math.Log(max(ys[i]*p+(1-ys[i])*(1-p), 1e-9))
			}
		}
		// Until the 5,000th example the base answers too, and where a part learns next to nothing
		// it costs its chance.
		if loss /= float64(len(xs) / 2); loss > math.Ln2+0.0005 {
			t.Errorf("%s on %v, weights to %v: the loss is %v", o.Kind, parts, heavy, loss)
		}
	}
	for _, parts := range [][]string{{"linear"}, {"ffm"}, {"mlp"}, {"linear", "ffm", "mlp"}} {
		f(Optimizer{Kind: "adagrad", Rate: 0.05, Start: 0.1}, 1, parts...)
		f(Optimizer{Kind: "adam", Rate: 0.001, Beta1: 0.9, Beta2: 0.999, Start: 1e-8}, 1, parts...)
		f(Optimizer{Kind: "ftrl", Rate: 0.1, Beta1: 1}, 1, parts...)
		f(Optimizer{Kind: "coin", Start: 1}, 1, parts...)
		f(Optimizer{Kind: "coin", Start: 1}, 10, parts...)
	}
}

// With steps of rate 1 the change of a weight is its gradient; finite differences of the loss must
// agree.
func TestGradientsAreTheFiniteDifferences(t *testing.T) {
	sgd := Optimizer{Kind: "sgd", Rate: 1}
	for name, change := range map[string]func(*Config){
		"linear":     func(c *Config) { c.Network = []string{"linear"}; c.Cross = [][]string{{"f0", "f1"}} },
		"ffm":        func(c *Config) { c.Network = []string{"ffm"}; c.FFM.K, c.FFM.Init = 3, 0.5 },
		"mlp":        func(c *Config) { c.Network = []string{"mlp"}; c.MLP.Layers = []Layer{{4, "tanh"}, {3, "sigmoid"}} },
		"relu":       func(c *Config) { c.Network = []string{"mlp"}; c.MLP.Layers = []Layer{{4, "relu"}}; c.MLP.Init = 1 },
		"all":        func(c *Config) { c.Network = []string{"linear", "ffm", "mlp"}; c.FFM.K = 4; c.FFM.Init = 0.5 },
		"mse":        func(c *Config) { c.Network, c.Loss = []string{"linear", "mlp"}, "mse" },
		"identity":   func(c *Config) { c.Network, c.Loss, c.Output = []string{"linear", "mlp"}, "mse", "identity" },
		"raw":        func(c *Config) { c.Network, c.Numbers, c.MLP.Layers = []string{"mlp"}, "raw", []Layer{{2, "sigmoid"}} },
		"softmax":    func(c *Config) { c.Network, c.Output, c.Classes = []string{"linear", "mlp"}, "softmax", 3 },
		"softmaxmse": func(c *Config) { c.Network, c.Output, c.Loss, c.Classes = []string{"mlp"}, "softmax", "mse", 3 },
	} {
		t.Run(name, func(t *testing.T) {
			n := mustNew(t, func(c *Config) {
				c.Linear.Optimizer, c.FFM.Optimizer, c.MLP.Optimizer = sgd, sgd, sgd
				c.MLP.Init, c.TableBits = 0.5, 9
				change(c)
			})
			xs, ys := stream(40, 30)
			s := n.NewScratch()
			for i := range xs { // so that nothing is zero, and the last example brings nothing new
				learnAny(n, xs[i], ys[i], 0.3, s)
			}
			x := xs[len(xs)-1]
			learnAny(n, x, 1, 0.1, s)
			before, after := reread(t, n), reread(t, n)
			learnAny(after, x, 1, 1, s)
			old, now := served(n), served(after)
			moved := 0
			for i, p := range old {
				w, gradient := *p, float64(*p-*now[i])
				const eps = 1.0 / 256
				*p = w + eps
				up := lossOf(n, x, s)
				*p = w - eps
				down := lossOf(n, x, s)
				*p = w
				if d := (up - down) / (2 * eps); math.Abs(d-gradient) > 1e-3+0.02*math.Abs(d) {
					t.Fatalf("weight %d of %d: gradient %v, finite difference %v", i, len(old), gradient, d)
				}
				if gradient != 0 {
					moved++
				}
			}
			if moved < 5 || before.Hash() != n.Hash() {
				t.Fatalf("only %d weights moved", moved)
			}
		})
	}
}

func learnAny(n *Net, x []Feature, y, w float64, s *Scratch) {
	if n.cfg.Output == "softmax" {
		n.LearnClass(x, int(y)+1, w, s)
		return
	}
	n.Learn(x, y, w, s)
}

func lossOf(n *Net, x []Feature, s *Scratch) float64 {
	n.Predict(x, s)
	// its own, without the base that answers beside it at first
	p := float64(s.plain.predictions[min(1, len(s.plain.predictions)-1)])
	if n.cfg.Output == "softmax" {
		ps := n.PredictClasses(nil, x, s)
		if n.cfg.Loss != "mse" {
			return -math.Log(ps[2])
		}
		return (ps[0]*ps[0] + ps[1]*ps[1] + (ps[2]-1)*(ps[2]-1)) / 2
	}
	if n.cfg.Loss == "mse" {
		return (p - 1) * (p - 1) / 2
	}
	return -math.Log(p)
}

// served are pointers to all that is served, in one order.
func served(n *Net) (all []*float32) {
	add := func(v []float32) {
		for i := range v {
			all = append(all, &v[i])
		}
	}
	add(n.dense)
	arenas := func(list []*table.Arena, first int) {
		for _, a := range list {
			for i := first; i < a.Len; i++ {
				add(a.At(uint32(i))[:a.Weights.Size(len(n.fields.hashes))])
			}
		}
	}
	arenas(n.byToken, 1)
	arenas(n.byField, 0)
	for i := 0; i < len(n.hashed.Values); i += n.hashed.Stride {
		add(n.hashed.Values[i : i+n.hashed.Served])
	}
	return all
}

func TestADenseNetOfThreeInputsLearnsARule(t *testing.T) {
	n := mustNew(t, func(c *Config) {
		c.Network, c.Numbers = []string{"mlp"}, "raw"
		c.MLP.Layers, c.MLP.Optimizer = []Layer{{2, "sigmoid"}}, Optimizer{Kind: "sgd", Rate: 0.5}
	})
	s := n.NewScratch()
	right := 0
	for i := range 20000 {
		v := func(k uint64) float64 { return float64(arith.Mix(k, uint64(i%100))>>40) / (1 << 24) }
		a, b, c := v(1), v(2), v(3)
		x := []Feature{{Field: 1, Kind: Number, Value: a}, {Field: 2, Kind: Number, Value: b}, {Field: 3, Kind: Number, Value: c}}
		y := 0.0
		if a+b-c > 0.5 {
			y = 1
		}
		if p, _ := n.Learn(x, y, 1, s); i >= 19900 && (p > 0.5) == (y == 1) {
			right++
		}
	}
	if right < 95 {
		t.Fatalf("%d of 100 right", right)
	}
}
