package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/clickloop/clickloop/model/internal/arith"
)

var networks = [][]string{nil, {"linear"}, {"ffm"}, {"mlp"}, {"linear", "ffm", "mlp"}}

// drawn is an example of a few categories, of which each value is as likely.
func drawn(rng *rand.Rand, values ...int) (x []Feature) {
	for f, n := range values {
		x = append(x, Feature{Field: FieldHash(fmt.Sprint("f", f)), Hash: TokenHash(fmt.Sprint(rng.IntN(n))), Value: 1})
	}
	return x
}

func TestAFreshNetPredictsThePrior(t *testing.T) {
	x := drawn(rand.New(rand.NewPCG(1, 1)), 20, 5)
	for _, network := range networks {
		for _, prior := range []float64{0.0005, 0.01, 0.3, 0.5, 0.9, 0.999} {
			n := mustNew(t, func(c *Config) { c.Prior, c.Network = prior, network })
			r := NewReplica()
			if err := r.Apply(n.AppendSnapshot(nil)); err != nil {
				t.Fatal(err)
			}
			for _, p := range []float64{n.Predict(x, n.NewScratch()), n.Predict(nil, n.NewScratch()), r.Predict(x, r.NewScratch())} {
				if math.Abs(p-prior) > 1e-6*prior {
					t.Errorf("%v: prior %v, predicted is %v", network, prior, p)
				}
			}
		}
	}
	if p := DefaultConfig().Prior; p != 0.01 {
		t.Errorf("the default prior is %v", p)
	}
}

// One label, the first or after some dozens of the other kind, must not overthrow the prior,
// whatever net it is.
func TestNoSingleLabelThrowsAFreshNet(t *testing.T) {
	for _, network := range networks {
		f := func(prior, rare float64, others int, most float64) {
			t.Helper()
			n, rng := mustNew(t, func(c *Config) { c.Prior, c.Network = prior, network }), rand.New(rand.NewPCG(2, 2))
			s := n.NewScratch()
			for range others {
				n.Learn(drawn(rng, 20, 5), 1-rare, 1, s)
			}
			x := drawn(rng, 20, 5)
			before := n.Predict(x, s)
			n.Learn(x, rare, 1, s)
			for _, x := range [][]Feature{x, drawn(rng, 20, 5)} {
				p, q := n.Predict(x, s), before
				if rare == 0 {
					p, q = 1-p, 1-q
				}
				if p > most || p < q {
					t.Errorf("%v: prior %v, label %v after %d others moves %v to %v, want at most %v", network, prior, rare, others, q, p, most)
				}
			}
		}
		f(0.01, 1, 0, 0.06)
		f(0.01, 1, 30, 0.05)
		f(0.01, 1, 100, 0.03)
		f(0.99, 0, 0, 0.06)
		f(0.99, 0, 30, 0.05)
		f(0.001, 1, 0, 0.01)
	}
}

// Predicted over actual of the first thousand examples of streams of noise, in which each label
// comes at once or 500 examples late.
func TestAColdStartIsCalibrated(t *testing.T) {
	f := func(network []string, rate float64, delay int, low, high float64) {
		t.Helper()
		var predicted, actual float64
		for seed := range uint64(8) { // fewer would not be enough for the rare labels
			rng := rand.New(rand.NewPCG(seed, 77))
			n := mustNew(t, func(c *Config) { c.Network = network })
			s := n.NewScratch()
			var xs [][]Feature
			var ys []float64
			for i := range 1000 {
				xs, ys = append(xs, drawn(rng, 20, 5, 40)), append(ys, 0)
				if rng.Float64() < rate {
					ys[i] = 1
				}
				if at := i - max(delay, 1); at >= 0 {
					n.Learn(xs[at], ys[at], 1, s)
				}
				predicted, actual = predicted+n.Predict(xs[i], s), actual+ys[i]
			}
		}
		if r := predicted / actual; r < low || r > high {
			t.Errorf("%v: rate %v, delay %d: predicted over actual is %.3f, want %v to %v", network, rate, delay, r, low, high)
		}
	}
	f(nil, 0.002, 0, 0.5, 2)
	f(nil, 0.002, 500, 2, 4) // 2.5 come of the prior alone
	f(nil, 0.01, 0, 0.8, 1.2)
	f(nil, 0.01, 500, 0.8, 1.2)
	f(nil, 0.1, 0, 0.95, 1.05)
	f(nil, 0.1, 500, 0.5, 0.6) // of which half the rows say a tenth
	f(nil, 0.4, 0, 0.97, 1.03)
	f(nil, 0.4, 500, 0.5, 0.54)
	for _, network := range networks[1:] {
		f(network, 0.01, 0, 0.5, 2)
		f(network, 0.01, 500, 0.5, 2)
		f(network, 0.1, 0, 0.8, 1.2)
		f(network, 0.4, 0, 0.9, 1.1)
	}
}

// The shares of the beliefs are by Bayes' rule what the Beta distributions say of all labels
// together, the first rare label counting as a quarter of one; the rate is theirs with the lean.
func TestBeliefsAreWeighedByBayesRule(t *testing.T) {
	beta := func(a, b float64) float64 {
		x, _ := math.Lgamma(a)
		y, _ := math.Lgamma(b)
		z, _ := math.Lgamma(a + b)
		return x + y - z
	}
	for _, prior := range []float64{0.01, 0.001, 0.3, 0.5, 0.8, 0.99} {
		for _, rate := range []float64{0.01, 0.1, 0.5, 0.95} {
			n := mustNew(t, func(c *Config) { c.Prior = prior })
			q, rng := min(prior, 1-prior), rand.New(rand.NewPCG(5, 5))
			more := min(math.Sqrt(q), 0.5)
			shares := [3]float64{1, 0.3 * q / more, 0.6 * q}
			shares[0] -= shares[1] + shares[2]
			mean := 0.4 * q / shares[0]
			yes := [3]float64{0.3, 2, 2}
			no := [3]float64{0.3/mean - 0.3, 2/more - 2, 2}
			var pos, neg float64
			var first [3]float64
			for i := range 400 {
				y := 0.0
				if rng.Float64() < rate {
					y = 1
				}
				if (y == 1) != (prior > 0.5) {
					if pos == 0 {
						for k := range first {
							first[k] = math.Log(yes[k] / (yes[k] + no[k] + neg))
						}
					}
					pos++
				} else {
					neg++
				}
				n.base.count(0, y, 1)
				var w [3]float64
				var sum, p float64
				for k := range w {
					w[k] = shares[k] * math.Exp(beta(yes[k]+pos, no[k]+neg)-beta(yes[k], no[k])-0.75*first[k]+300)
					sum += w[k]
				}
				for k := range w {
					w[k] /= sum
					p += w[k] * (yes[k] + pos) / (yes[k] + no[k] + pos + neg)
				}
				p += 0.5 * (w[1] + w[2]) * math.Sqrt(p*(1-p)*(pos+neg)) / (pos + neg + 4)
				if prior > 0.5 {
					p = 1 - p
				}
				if got := n.num[numLikely]; math.Abs(got-w[1]) > 1e-9 {
					t.Fatalf("prior %v, rate %v, label %d: the second belief has %v, want %v", prior, rate, i+1, got, w[1])
				}
				if got := n.num[numAny]; math.Abs(got-w[2]) > 1e-9 {
					t.Fatalf("prior %v, rate %v, label %d: the third belief has %v, want %v", prior, rate, i+1, got, w[2])
				}
				if got := arith.Sigmoid(n.num[numBase]); math.Abs(got-p) > 1e-9 {
					t.Fatalf("prior %v, rate %v, label %d: the base is %v, want %v", prior, rate, i+1, got, p)
				}
			}
		}
	}
}

// A label of weight two weighs as two labels would that came at once, and one that is undone leaves
// the counts as they were.
func TestTheBaseTakesWeights(t *testing.T) {
	n := mustNew(t, nil)
	for i := range 40 {
		n.base.count(0, float64(i%4/3), 1)
	}
	like := func(b belief) float64 { return b.rate(n.base.counts()) }
	b := n.base.beliefs
	expected, likely, any := like(b.expected), like(b.likely), like(b.any)
	w := [3]float64{(1 - n.num[numLikely] - n.num[numAny]) * expected * expected, n.num[numLikely] * likely * likely, n.num[numAny] * any * any}
	share, before := n.num[numAny], n.num[numBase]
	n.base.count(0, 1, 2)
	if got, want := n.num[numAny], w[2]/(w[0]+w[1]+w[2]); math.Abs(got-want) > 1e-12 {
		t.Errorf("the third belief's share is %v, want %v, before %v", got, want, share)
	}
	if yes, rows := n.base.counts(); yes != 12 || rows != 42 || n.num[numBase] <= before {
		t.Errorf("%v of %v, base %v, before %v", yes, rows, n.num[numBase], before)
	}
	n.base.count(0, 1, -2)
	if yes, rows := n.base.counts(); yes != 10 || rows != 40 || math.Abs(n.num[numBase]-before) > 0.02 {
		t.Errorf("undone: %v of %v, base %v, before %v", yes, rows, n.num[numBase], before)
	}
	for range 50 {
		n.base.count(0, 1, -1e6) // what never was
		n.base.count(0, 0, 1e6)
		n.base.count(0, 1, 1e6)
		if z := n.num[numBase]; !arith.Finite(z) || z < -25 || z > 25 || n.num[numLikely]+n.num[numAny] > 1 {
			t.Fatalf("base %v, shares %v and %v", z, n.num[numLikely], n.num[numAny])
		}
	}
	for range 3000 {
		n.base.count(0, 0, 1)
	}
	if p := arith.Sigmoid(n.num[numBase]); p > 0.6 {
		t.Errorf("half of the labels were positive: the base is %v", p)
	}
}

// A belief that was wrong a thousand times may still be right later, and no weight says more than a
// hundred labels.
func TestNoBeliefIsGivenUpForGood(t *testing.T) {
	n, heavy, most := mustNew(t, nil), mustNew(t, nil), mustNew(t, nil)
	for range 1000 {
		n.base.count(0, 0, 100)
	}
	if n.num[numLikely] < leastShare || n.num[numAny] < leastShare {
		t.Errorf("after 100,000 negatives the shares are %v and %v", n.num[numLikely], n.num[numAny])
	}
	for range 1000 {
		n.base.count(0, 1, 100)
	}
	if left := 1 - n.num[numLikely] - n.num[numAny]; left < leastShare/2 || n.num[numAny] < 0.5 {
		t.Errorf("after as many positives the third belief has %v, the first %v", n.num[numAny], left)
	}
	for i, w := range []float64{100, 1e4} {
		k := []*Net{most, heavy}[i]
		k.base.count(0, 1, 1)
		k.base.count(0, 0, w)
	}
	if a, b := most.num[numLikely], heavy.num[numLikely]; a != b || a <= leastShare {
		t.Errorf("a weight of 10,000 leaves %v, one of 100 %v", b, a)
	}
	undone := mustNew(t, nil)
	undone.base.count(0, 1, 1)
	undone.base.count(0, 0, -5)
	if yes, rows := undone.base.counts(); yes != 1 || rows != 1 {
		t.Errorf("more negatives were undone than came: %v of %v", yes, rows)
	}
}

// A member's logit counts up to maxLogit, in both directions.
func TestMixersSeeClippedLogits(t *testing.T) {
	m := mixtureOf(mustNew(t, nil)).mixer
	r := row{z: [members]float64{-3, 50, 0, 1, 0, 0}, zJT: [2]float64{-50, 14}, reach: 0.5}
	var p [members + mixers]float64
	if all := m.forward(&r, &p); !(all > 0 && all < 1) {
		t.Errorf("the mixture says %v", all)
	}
	if want := [members]float64{1, 8.5, -5.5, 2, 1.5, 8.5}; r.z != want {
		t.Errorf("mixers see %v, want %v", r.z, want)
	}
	if want := arith.Sigmoid(-3 + 8.5); p[1] != want || p[atBase] != arith.Sigmoid(-3) {
		t.Errorf("members say %v", p)
	}
}

// Members move a prediction no further than both labels allow: after one of each, half the way.
func TestMembersReachAsFarAsLabelsWereSeen(t *testing.T) {
	n := mustNew(t, nil)
	for i, want := range []float64{0, 0, 0.5, 2.0 / 3, 0.75, 0.75} {
		if got := n.base.reach(); math.Abs(got-want) > 1e-12 {
			t.Errorf("after %v of %v: %v, want %v", n.num[numPositives], n.num[numRows], got, want)
		}
		n.base.count(0, []float64{0, 1, 0.5, 0.5, 1, 1}[i], []float64{1, 1, 2, 2, 5, 1}[i])
	}
	n.num[numPositives], n.num[numRows] = -3, 5
	if got := n.base.reach(); got != 0 {
		t.Errorf("with less than nothing it is %v", got)
	}
}

// What a plain net learns does not depend on the prior; its first answers do, and come over to its
// own without a jump.
func TestAPlainNetAnswersForItselfInTheEnd(t *testing.T) {
	for _, network := range networks[1:] {
		// a calibration learns from the first answers too
		low := mustNew(t, func(c *Config) { c.Network, c.Calibration.Kind = network, "none" })
		high := mustNew(t, func(c *Config) { c.Network, c.Calibration.Kind, c.Prior = network, "none", 0.5 })
		xs, ys := stream(9, startRows+200)
		s := low.NewScratch()
		for i := range xs {
			if i == startRows/2 {
				low = reread(t, low)
			}
			p, err := low.Learn(xs[i], ys[i], 1, s)
			if err != nil {
				t.Fatal(err)
			}
			q, err := high.Learn(xs[i], ys[i], 1, s)
			if err != nil {
				t.Fatal(err)
			}
			if i >= startRows && p != q || i < 20 && p == q || i >= startRows-20 && math.Abs(p-q) > 0.01 {
				t.Fatalf("%v: example %d is predicted %v, with another prior %v", network, i, p, q)
			}
		}
		if low.num[numRows] != startRows {
			t.Errorf("%v: the base has counted %v", network, low.num[numRows])
		}
		for i := range low.dense {
			if low.dense[i] != high.dense[i] {
				t.Fatalf("%v: weight %d is %v, with another prior %v", network, i, low.dense[i], high.dense[i])
			}
		}
	}
	m := mustNew(t, func(c *Config) { c.Network, c.Output, c.Loss = []string{"linear"}, "identity", "mse" })
	xs, _ := stream(9, 1)
	s := m.NewScratch()
	if p, err := m.Learn(xs[0], 3, 1, s); err != nil || p != 0 || m.num[numRows] != 0 || m.Predict(xs[0], s) == 0 {
		t.Errorf("a net of values says %v, has counted %v: %v", p, m.num[numRows], err)
	}
}

// Before both labels were seen the base alone answers; then Bayes' rule tells how far the net is
// believed.
func TestTheStartOfAPlainNetIsABayesianMixture(t *testing.T) {
	n := plainOf(mustNew(t, func(c *Config) { c.Network = []string{"linear"} }))
	r := &row{base: arith.Logit(0.02), label: 1, weight: 1}
	if p := n.startOutput(r, 0.5, 0); math.Abs(p-0.02) > 1e-12 {
		t.Errorf("without labels it is %v", p)
	}
	n.startLearn(r, 0.5)
	believed := 0.999*(0.5/0.52) + 0.0005
	if got := n.num[numNet]; math.Abs(got-believed) > 1e-12 {
		t.Errorf("the net is believed by %v, want %v", got, believed)
	}
	r.reach = 0.5
	if p, want := n.startOutput(r, 0.5, 1), 0.02+0.25*believed*0.48; math.Abs(p-want) > 1e-12 {
		t.Errorf("half the reach gives %v, want %v", p, want)
	}
	if p, want := n.startOutput(r, 0.5, 4500), 0.02+0.8*0.48; math.Abs(p-want) > 1e-12 {
		t.Errorf("example 4500 is %v, want %v", p, want)
	}
	r.label, r.weight = 0, 2
	n.startLearn(r, 0.5)
	a, b := believed*0.25, (1-believed)*0.98*0.98
	if got, want := n.num[numNet], 0.999*a/(a+b)+0.0005; math.Abs(got-want) > 1e-12 {
		t.Errorf("after a negative of weight two it is %v, want %v", got, want)
	}
	before := n.num[numNet]
	r.weight = -1
	if n.startLearn(r, 0.5); n.num[numNet] != before {
		t.Error("an undone label moves it")
	}
}
