package model

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/codec"
)

// sites is a stream of one informative token, one of a site, and one of an ad, whose rate depends
// on all of them. rates are the log odds by site.
func sites(seed uint64, n int, rates ...float64) (xs [][]Feature, ys []float64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	token := func(field string, v int) Feature {
		return Feature{Field: FieldHash(field), Hash: TokenHash(fmt.Sprint(v)), Value: 1}
	}
	for range n {
		site, device, ad := rng.IntN(len(rates)), rng.IntN(3), rng.IntN(10)
		z := rates[site] + float64(device) - 1 + float64(ad)*0.1
		y := 0.0
		if rng.Float64() < arith.Sigmoid(z) {
			y = 1
		}
		xs = append(xs, []Feature{token("device", device), token("site", site), token("ad", ad)})
		ys = append(ys, y)
	}
	return xs, ys
}

func slicedBy(fields ...string) func(*Config) {
	return func(c *Config) {
		c.TableBits, c.Network = 12, []string{"linear"}
		c.Calibration.Kind, c.Calibration.By, c.Calibration.Minimum = "beta", fields, 20
	}
}

// overActual is the sum of predictions over that of labels.
func overActual(ps, ys []float64) float64 {
	var p, y float64
	for i := range ps {
		p, y = p+ps[i], y+ys[i]
	}
	return p / y
}

func TestAMapIsStrictlyIncreasingWhateverItLearns(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range sized(300) {
		m, rate := newBetaMap(true), rng.Float64()
		for range 1 + rng.IntN(400) {
			p := holdProbability(math.Pow(rng.Float64(), 1+9*rng.Float64()))
			y := 0.0
			if rng.Float64() < rate {
				y = rng.Float64()
			}
			m.learn(p, y, math.Pow(10, 4*rng.Float64()-2))
		}
		last := 0.0
		for i := range 200 {
			q := m.apply(arith.Sigmoid(-9 + float64(i)*18/199))
			if !(q >= last && q < 1) || q == last && q > 1e-8 && q < 1-1e-8 {
				t.Fatalf("map %v: point %d of 200 has %v after %v", m.weights, i, q, last)
			}
			last = q
		}
	}
}

func TestAMapCorrectsWhatIsOff(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	m := newBetaMap(true)
	var ps, ys []float64
	for i := range 40_000 {
		truth := arith.Sigmoid(-3 + 1.5*rng.NormFloat64())
		raw := arith.Sigmoid(0.5 + 1.6*arith.Logit(truth)) // too extreme, and too high
		y := 0.0
		if rng.Float64() < truth {
			y = 1
		}
		q := m.learn(raw, y, 1)
		if i >= 20_000 {
			ps, ys = append(ps, q), append(ys, y)
		}
	}
	if r := overActual(ps, ys); r < 0.97 || r > 1.03 {
		t.Errorf("predicted over actual is %v", r)
	}
	for _, truth := range []float64{0.01, 0.05, 0.2, 0.5} {
		if q := m.apply(arith.Sigmoid(0.5 + 1.6*arith.Logit(truth))); math.Abs(q/truth-1) > 0.35 {
			t.Errorf("where the truth is %v the map says %v", truth, q)
		}
	}
}

// Where the network is right, whatever is served loses at most what the identity's share of the
// trust allows for: -ln 0.05, and one more for each time that the trust is shared anew.
func TestAMapThatIsNotNeededLosesABoundedSum(t *testing.T) {
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 9))
		m := newBetaMap(true)
		var lost, information float64
		for range sized(100_000) {
			p, y := arith.Sigmoid(-2+1.5*rng.NormFloat64()), 0.0
			if rng.Float64() < p {
				y = 1
			}
			lost += math.Log(likelihood(y, p)) - math.Log(likelihood(y, m.learn(p, y, 1)))
			information += p * (1 - p)
		}
		if most := 3 + 1.1*mapMemory*information; lost > most {
			t.Errorf("seed %d: the map lost %v of log loss, which may be %v", seed, lost, most)
		}
	}
}

func TestTheRawProbabilityIsServedUntilASliceHasItsLabels(t *testing.T) {
	n := mustNew(t, func(c *Config) { c.TableBits, c.Calibration.Minimum = 12, 50 })
	s := n.NewScratch()
	xs, ys := sites(1, 3000, 0, 1)
	var yes, no float64
	moved := false
	for i, x := range xs {
		p, err := n.Learn(x, ys[i], 1, s)
		if err != nil {
			t.Fatal(err)
		}
		if min(yes, no) < 50 && (p != s.Raw() || s.Shift() != 0) {
			t.Fatalf("example %d: %v is served where the net says %v, after %v and %v labels", i, p, s.Raw(), yes, no)
		}
		moved = moved || p != s.Raw()
		yes, no = yes+ys[i], no+1-ys[i]
	}
	if !moved {
		t.Error("the calibration never moved a probability")
	}
	p := n.Predict(xs[0], s)
	if want := arith.Logit(p) - arith.Logit(s.Raw()); math.Abs(s.Shift()-want) > 1e-9 {
		t.Errorf("the shift is %v, want %v", s.Shift(), want)
	}
	d := n.Calibration()
	if len(d.Slices) != 1 || d.InForce != 1 || d.Slices[0].Examples != 3000 || d.Slices[0].Parent != -1 || d.Slices[0].Positives != yes {
		t.Errorf("it is described as %+v", d)
	}
	if q := d.Slices[0].Map(s.Raw()); q != p {
		t.Errorf("the described map gives %v, served is %v", q, p)
	}
}

// A net that cannot see the site is off for every site; the slices by site are not.
func TestASliceCorrectsASiteForWhichTheNetworkIsOff(t *testing.T) {
	xs, ys := sites(2, 300_000, -3, -1, -3.5)
	served := func(change func(*Config)) (ps [3][]float64, labels [3][]float64) {
		n := mustNew(t, func(c *Config) {
			slicedBy("site")(c)
			c.Linear.Optimizer = Optimizer{Kind: "sgd", Rate: 1e-6} // next to nothing is learned of a token
			change(c)
		})
		s := n.NewScratch()
		for i, x := range xs {
			p, err := n.Learn(x, ys[i], 1, s)
			if err != nil {
				t.Fatal(err)
			}
			if site := x[1].Hash; i >= len(xs)*3/4 {
				for k := range 3 {
					if site == TokenHash(fmt.Sprint(k)) {
						ps[k], labels[k] = append(ps[k], p), append(labels[k], ys[i])
					}
				}
			}
		}
		return ps, labels
	}
	ps, labels := served(func(*Config) {})
	for k := range ps {
		if r := overActual(ps[k], labels[k]); r < 0.95 || r > 1.05 {
			t.Errorf("site %d: predicted over actual is %v", k, r)
		}
	}
	ps, labels = served(func(c *Config) { c.Calibration.By = nil })
	if r := overActual(ps[1], labels[1]); r > 0.8 {
		t.Errorf("without slices the site is not off: predicted over actual is %v", r)
	}
}

func TestSlicesBeyondTheBoundServeTheirParentsAndAreCounted(t *testing.T) {
	n := mustNew(t, func(c *Config) { slicedBy("site", "ad")(c); c.Calibration.MaxSlices = 4 })
	xs, ys := sites(3, 2000, 0, 1)
	mustLearn(t, n, xs, ys)
	d := n.Calibration()
	if len(d.Slices) != 4 || d.Refused == 0 {
		t.Fatalf("%d slices, %d examples refused", len(d.Slices), d.Refused)
	}
	for i, v := range d.Slices {
		if i > 0 && (v.Parent < 0 || v.Parent >= i || v.Field != "site" && v.Field != "ad" || len(v.Token) != 16) {
			t.Errorf("slice %d: %+v", i, v)
		}
	}
	// a token that never came, and a field that is missing, have their parent's
	s, site := n.NewScratch(), xs[0][1]
	without := n.Predict([]Feature{xs[0][0], site}, s)
	q := n.Predict([]Feature{xs[0][0], site, {Field: FieldHash("ad"), Hash: 12345, Value: 1}}, s)
	if missing := n.Predict([]Feature{xs[0][0], site, {Field: FieldHash("ad"), Kind: Missing}}, s); without != q || without != missing {
		t.Errorf("%v without an ad, %v with an unknown one, %v with a missing one", without, q, missing)
	}
}

// What the network learns does not depend on its calibration, and without one nothing of it is in a
// checkpoint.
func TestANetWithoutCalibrationLearnsTheSame(t *testing.T) {
	for _, network := range networks {
		with := mustNew(t, func(c *Config) { c.Network, c.Calibration.Kind, c.Calibration.Minimum = network, "beta", 10 })
		none := mustNew(t, func(c *Config) { c.Network, c.Calibration.Kind = network, "none" })
		xs, ys := stream(4, sized(800))
		a, b := with.NewScratch(), none.NewScratch()
		moved := false
		for i, x := range xs {
			p, err := with.Learn(x, ys[i], 1, a)
			q, errNone := none.Learn(x, ys[i], 1, b)
			if errors.Join(err, errNone) != nil || a.Raw() != q || b.Raw() != q {
				t.Fatalf("%v: example %d: %v and %v without calibration (%v, %v)", network, i, a.Raw(), q, err, errNone)
			}
			moved = moved || p != q
		}
		if !moved {
			t.Errorf("%v: nothing was calibrated", network)
		}
		var file bytes.Buffer
		if _, err := none.WriteTo(&file); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(file.Bytes(), []byte("calibration")) {
			t.Errorf("%v: the checkpoint tells of a calibration", network)
		}
		// read again, the section that was left out is none
		if c := reread(t, none).Config().Calibration; c.Kind != "none" || len(reread(t, none).Calibration().Slices) != 0 {
			t.Errorf("%v: the checkpoint of a net without calibration has %+v", network, c)
		}
	}
}

func TestSlicesTravelInCheckpointsSnapshotsDeltasAndBatches(t *testing.T) {
	for _, network := range [][]string{nil, {"linear"}} {
		change := func(c *Config) { slicedBy("site", "ad")(c); c.Network = network }
		one, many, r := mustNew(t, change), mustNew(t, change), NewReplica()
		xs, ys := sites(5, 3000, 0, 1, -1)
		s, ps, ws := one.NewScratch(), make([]float64, len(xs)), make([]float64, len(xs))
		for i := range ws {
			ws[i] = 1
		}
		if err := r.Apply(many.AppendSnapshot(nil)); err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(xs); at += 250 {
			to := at + 250
			if err := many.LearnBatch(xs[at:to], ys[at:to], ws[at:to], ps[at:to]); err != nil {
				t.Fatal(err)
			}
			for i := at; i < to; i++ {
				if p, err := one.Learn(xs[i], ys[i], 1, s); err != nil || p != ps[i] {
					t.Fatalf("%v: example %d: %v alone, %v in a batch (%v)", network, i, p, ps[i], err)
				}
			}
			switch at / 250 % 3 {
			case 0:
				one = reread(t, one)
			case 1:
				r = r.Clone()
			}
			if err := r.Apply(many.AppendDelta(nil)); err != nil {
				t.Fatal(err)
			}
			equalOn(t, many, r, xs[:100])
		}
		if one.Hash() != many.Hash() {
			t.Errorf("%v: the hashes differ", network)
		}
		late := NewReplica()
		if err := late.Apply(many.AppendSnapshot(nil)); err != nil {
			t.Fatal(err)
		}
		equalOn(t, many, late, xs[:100])
		a, b := fmt.Sprint(many.Calibration()), fmt.Sprint(late.Calibration())
		if c := fmt.Sprint(r.Calibration()); a != b || a != c {
			t.Errorf("%v: the calibration is\n%s, of a snapshot\n%s, of deltas\n%s", network, a, b, c)
		}
		if d := many.Calibration(); d.Count != 1+3+30 || d.InForce < 10 || len(d.Most(5).Slices) != 5 || d.Most(5).Slices[0].At != 0 {
			t.Errorf("%v: %d slices, %d in force", network, len(d.Slices), d.InForce)
		}
	}
}

func equalOn(t *testing.T, n *Net, r *Replica, xs [][]Feature) {
	t.Helper()
	a, b := n.NewScratch(), r.NewScratch()
	for i, x := range xs {
		if p, q := n.Predict(x, a), r.Predict(x, b); p != q || a.Raw() != b.Raw() {
			t.Fatalf("at version %d, example %d: %v of %v, its replica %v of %v", n.Examples(), i, p, a.Raw(), q, b.Raw())
		}
	}
}

// The calibration is part of the hash: one more label of a slice is another hash.
func TestTheHashCoversTheCalibration(t *testing.T) {
	n := mustNew(t, slicedBy("site"))
	xs, ys := sites(6, 200, 0)
	mustLearn(t, n, xs, ys)
	before := n.Hash()
	n.calibration.slices[1].weights[0] += 1e-12
	if n.Hash() == before {
		t.Error("a map moved and the hash did not")
	}
}

// A delta names slices by their places: none may be out of place, twice, or without a parent.
func TestADamagedListOfSlicesIsRefusedBeforeItIsApplied(t *testing.T) {
	change := func(c *Config) { slicedBy("site")(c); c.Calibration.MaxSlices = 3 }
	known := slice{sliceKey: sliceKey{0, 77}}
	for name, write := range map[string]func(*codec.Encoder){
		"out of place": func(e *codec.Encoder) { e.Num(2); known.encode(e, false) },
		"another key":  func(e *codec.Encoder) { e.Num(0); known.encode(e, false) },
		"no parent":    func(e *codec.Encoder) { e.Num(1); (&slice{sliceKey: sliceKey{5, 1}}).encode(e, false) },
		"is not finite": func(e *codec.Encoder) {
			e.Num(1)
			(&slice{sliceKey: known.sliceKey, positives: math.NaN()}).encode(e, false)
		},
		"ends early":     func(e *codec.Encoder) { e.Num(1); e.U32(0) },
		"or comes twice": func(e *codec.Encoder) { e.Num(1); known.encode(e, false); e.Num(2); known.encode(e, false) },
		"a slice of its cal": func(e *codec.Encoder) {
			e.Num(1)
			known.encode(e, false)
			e.Num(2)
			(&slice{sliceKey: sliceKey{1, 1}}).encode(e, false)
		},
	} {
		c := newCalibration(&mustNew(t, change).cfg, false)
		e := &codec.Encoder{}
		e.Num(0)
		count := 1
		if strings.Contains(name, "twice") || strings.Contains(name, "cal") {
			count = 2
		}
		e.Num(count)
		write(e)
		e.Buf = append(e.Buf, make([]byte, 200)...) // room for what it says is to come
		if name == "ends early" {
			e.Buf = e.Buf[:len(e.Buf)-200]
		}
		d := codec.NewDecoder(e.Buf)
		c.decodeChanges(d, false)
		if d.Err() == nil || name != "ends early" && !strings.Contains(d.Err().Error(), name) {
			t.Errorf("%s: %v", name, d.Err())
		}
		if len(c.slices) != 1 {
			t.Errorf("%s: the first reading made a slice", name)
		}
	}
}

func TestUndoneHeavyAndSoftLabelsLeaveAMapUsable(t *testing.T) {
	n := mustNew(t, slicedBy("site"))
	s := n.NewScratch()
	xs, ys := sites(8, sized(6000), 0, -2)
	rng := rand.New(rand.NewPCG(8, 8))
	for i, x := range xs {
		w := []float64{1, -1, 1e6, -1e6, 0.01, 1, 1, 0}[rng.IntN(8)]
		if _, err := n.Learn(x, math.Abs(ys[i]-0.3*rng.Float64()), w, s); errors.Is(err, ErrDiverged) {
			break // the network itself may
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for i := range n.calibration.slices {
		v := &n.calibration.slices[i]
		last := 0.0
		for k := range 50 {
			q := v.apply(arith.Sigmoid(-9 + float64(k)*18/49))
			if !(q >= last && q <= 1) || v.positives < 0 || v.negatives < 0 {
				t.Fatalf("slice %d: %+v gives %v after %v", i, v, q, last)
			}
			last = q
		}
	}
	// a label and its undoing leave the counts as they were
	m := mustNew(t, slicedBy("site"))
	mustLearn(t, m, xs[:40], ys[:40])
	before := m.Calibration().Slices[0]
	for _, w := range []float64{1, -1} {
		if _, err := m.Learn(xs[0], 1, w, s); err != nil {
			t.Fatal(err)
		}
	}
	if after := m.Calibration().Slices[0]; after.Positives != before.Positives || after.Negatives != before.Negatives {
		t.Errorf("counts %+v became %+v", before, after)
	}
}

func TestOtherOutputsAreNotCalibrated(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.Network, c.Output, c.Loss = []string{"linear"}, "identity", "mse" },
		func(c *Config) { c.Network, c.Output, c.Classes = []string{"linear"}, "softmax", 3 },
	} {
		if n := mustNew(t, change); len(n.Calibration().Slices) != 0 {
			t.Errorf("%s is calibrated", n.Config().Output)
		}
	}
}

func TestPredictingWithSlicesAllocatesNothing(t *testing.T) {
	n := mustNew(t, slicedBy("site", "ad"))
	xs, ys := sites(9, 1000, 0, 1)
	mustLearn(t, n, xs, ys)
	s := n.NewScratch()
	if a := testing.AllocsPerRun(100, func() { n.Predict(xs[3], s) }); a != 0 {
		t.Errorf("%v allocations", a)
	}
}

// Kind auto is beta for the mixture and where slices are named, and none for plain networks. It is
// no setting of its own: a net tells which it has, and equals one that was told so.
func TestKindAutoDependsOnTheNetwork(t *testing.T) {
	for _, at := range []struct {
		network, by []string
		want        string
	}{{nil, nil, "beta"}, {nil, []string{"site"}, "beta"}, {[]string{"linear"}, nil, "none"}, {[]string{"ffm"}, []string{"site"}, "beta"}} {
		c := DefaultConfig()
		c.Network, c.Calibration.By = at.network, at.by
		n, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		if kind := n.Config().Calibration.Kind; kind != at.want || (len(n.Calibration().Slices) > 0) != (at.want == "beta") {
			t.Errorf("%v by %v: %s with %d slices, want %s", at.network, at.by, kind, len(n.Calibration().Slices), at.want)
		}
		told := c
		told.Calibration.Kind = at.want
		for _, other := range []Config{told, n.Config(), reread(t, n).Config()} {
			if d := append(c.Differences(other), other.Differences(c)...); len(d) > 0 {
				t.Errorf("%v by %v: %v", at.network, at.by, d)
			}
		}
	}
	none := DefaultConfig()
	if none.Calibration.Kind = "none"; len(none.Differences(DefaultConfig())) == 0 {
		t.Error("none and auto of the mixture do not differ")
	}
}

// A positive is one of 500, and the rate of each site drifts. What is served must add up to the
// labels in the second half, and lose against the network's own at most what the trust allows for.
func TestRarePositivesThatDriftAreServedCalibrated(t *testing.T) {
	if testing.Short() {
		t.Skip("learns long streams")
	}
	var served, actual float64
	for seed := range uint64(4) {
		n := mustNew(t, func(c *Config) { c.Prior, c.TableBits = 0.002, 14 })
		s, rng := n.NewScratch(), rand.New(rand.NewPCG(seed, 2))
		ws, ps := make([]float64, 100), make([]float64, 100)
		for i := range ws {
			ws[i] = 1
		}
		var lost float64 // log loss, by that of the network itself
		const rows = 300_000
		for at := 0; at < rows; at += len(ws) {
			xs, ys := drifting(rng, float64(at)/rows, len(ws))
			for i, x := range xs {
				p := n.Predict(x, s)
				lost += math.Log(likelihood(ys[i], s.Raw())) - math.Log(likelihood(ys[i], p))
				if at >= rows/2 {
					served, actual = served+p, actual+ys[i]
				}
			}
			if err := n.LearnBatch(xs, ys, ws, ps); err != nil {
				t.Fatal(err)
			}
		}
		if t.Logf("seed %d: %+.2f of log loss in all", seed, lost); lost > 3 {
			t.Errorf("seed %d: the calibration lost %v of log loss", seed, lost)
		}
	}
	t.Logf("second halves: served over actual %.4f, of %v positives", served/actual, actual)
	if r := served / actual; r < 0.95 || r > 1.05 {
		t.Errorf("served over actual is %v in the second halves", r)
	}
}

// drifting are examples of a site, an ad and an hour at a time of 0 to 1, of which one of about 500
// is positive.
func drifting(rng *rand.Rand, time float64, n int) (xs [][]Feature, ys []float64) {
	token := func(field, v int) Feature {
		return Feature{Field: uint64(field), Hash: arith.Mix(uint64(field), uint64(v)), Value: 1}
	}
	for range n {
		site, ad, hour := rng.IntN(8), int(20*rng.Float64()*rng.Float64()), rng.IntN(24)
		drift := math.Sin(2*math.Pi*time*float64(1+site%3) + float64(site))
		z := -6.7 + 0.5*drift + 0.3*float64(site%4-1) + 0.8*math.Sin(float64(ad*ad)) + 0.3*math.Sin(float64(hour)/4)
		y := 0.0
		if rng.Float64() < arith.Sigmoid(z) {
			y = 1
		}
		xs, ys = append(xs, []Feature{token(1, site), token(2, ad), token(3, hour)}), append(ys, y)
	}
	return xs, ys
}
