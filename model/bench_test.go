package model

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/model/internal/arith"
	"github.com/clickloop/clickloop/model/internal/half"
	"github.com/clickloop/clickloop/model/internal/kernel"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/blas64"
)

// categories is a stream of twelve fields: two that decide, of 2,000 tokens each, and ten of noise,
// of 10,000 each.
func categories(n int) (xs [][]Feature, ys []float64) {
	for i := range n {
		var x []Feature
		for f := range 12 {
			h := arith.Mix(uint64(i)*12+uint64(f), 99)
			size := uint64(10000)
			if f < 2 {
				size = 2000
			}
			x = append(x, Feature{Field: FieldHash(fmt.Sprint(f)), Hash: TokenHash(fmt.Sprint(h % size)), Value: 1})
		}
		xs, ys = append(xs, x), append(ys, float64((x[0].Hash^x[1].Hash)&1))
	}
	return xs, ys
}

// numbers is a stream of ten numbers and nine categories.
func numbers(n int) (xs [][]Feature, ys []float64) {
	xs, ys = categories(n)
	for i := range xs {
		xs[i] = xs[i][:9]
		for f := range 10 {
			v := float64(arith.Mix(uint64(i), uint64(f))%100000) / 7
			xs[i] = append(xs[i], Feature{Field: uint64(f + 1000), Value: v, Kind: Number})
		}
	}
	return xs, ys
}

func BenchmarkLearn(b *testing.B) {
	for name, data := range map[string]func(int) ([][]Feature, []float64){"categories": categories, "numbers": numbers} {
		xs, ys := data(20000)
		ws, ps := make([]float64, 1000), make([]float64, 1000)
		for i := range ws {
			ws[i] = 1
		}
		for _, network := range [][]string{nil, {"linear"}, {"ffm"}, {"mlp"}, {"linear", "ffm", "mlp"}} {
			b.Run(fmt.Sprintf("data=%s/network=%s", name, cmp.Or(strings.Join(network, ","), "default")), func(b *testing.B) {
				n := mustNew(b, func(c *Config) { c.Network, c.TableBits = network, 20 })
				at := 0
				for b.Loop() {
					n.LearnBatch(xs[at:at+1000], ys[at:at+1000], ws, ps)
					at = (at + 1000) % len(xs)
				}
				b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "examples/s")
			})
		}
	}
}

func BenchmarkPredict(b *testing.B) {
	xs, ys := categories(20000)
	n := mustNew(b, func(c *Config) { c.TableBits = 20 })
	mustLearn(b, n, xs, ys)
	s, i := n.NewScratch(), 0
	for b.Loop() {
		n.Predict(xs[i%len(xs)], s)
		i++
	}
}

func BenchmarkDeltaOfTenExamples(b *testing.B) {
	xs, ys := numbers(20000)
	n, r := mustNew(b, func(c *Config) { c.TableBits = 20 }), NewReplica()
	s := n.NewScratch()
	msg := n.AppendSnapshot(nil)
	r.Apply(msg)
	i, size := 0, 0
	for b.Loop() {
		for range 10 {
			n.Learn(xs[i%len(xs)], ys[i%len(xs)], 1, s)
			i++
		}
		msg = n.AppendDelta(msg[:0])
		size += len(msg)
		if err := r.Apply(msg); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(size)/float64(b.N), "bytes")
}

func BenchmarkHash(b *testing.B) {
	t := []byte("Herbivore-512")
	b.SetBytes(int64(len(t)))
	for b.Loop() {
		HashBytes(t)
	}
}

// BenchmarkKernel compares the vector kernels with their plain forms, and with gonum's BLAS where
// that has the operation.
func BenchmarkKernel(b *testing.B) {
	xs, ys := categories(2000)
	n := mustNew(b, func(c *Config) { c.TableBits = 16 })
	mustLearn(b, n, xs, ys)
	m, s := mixtureOf(n), n.NewScratch()
	r, j, t, q := &s.row, &s.j, &s.t, &s.cqp
	n.take(xs[0], r, s, 1, 1)
	m.forward(r, s)
	m.t.learn(r, t)
	room, inverse, inputs := n.tokensJT.Room, m.t.inverse, len(t.dims)
	row, sums := room*kernel.VectorSize, j.vectors.sums
	var dh [kernel.Hidden]float32
	for j := range dh {
		dh[j] = arith.Normal(uint64(j)*arith.OddB, 1e-3)
	}
	step := kernel.Step{Gradients: [4]float32{1e-6, 1e-6, 1e-6}, Wealth: [4]float32{4, 4, 4}, Lead: 1, Rate: 1e-6, RateVectors: 1e-6}
	v, halves := make([]float32, row), make([]uint16, row)
	var linear [4]float32
	was := kernel.Vector
	defer useVectors(was)
	for _, k := range []struct {
		name string
		run  func()
		blas func()
	}{
		{"axpy", func() { kernel.Axpy(v, sums[:row], 1e-6) }, func() {
			blas32.Axpy(1e-6, blas32.Vector{N: row, Inc: 1, Data: sums}, blas32.Vector{N: row, Inc: 1, Data: v})
		}},
		{"first_layer", func() { kernel.LayerForward(&j.hidden, r.present, &n.layerJ, j.embeddings) }, func() {
			for _, f := range r.present {
				w := blas32.General{Rows: kernel.Embed, Cols: kernel.Hidden, Stride: kernel.Hidden, Data: n.layerJ.At(uint32(f))}
				blas32.Gemv(blas.Trans, 1, w, blas32.Vector{N: kernel.Embed, Inc: 1, Data: j.embeddings[int(f)*kernel.Embed:]}, 1, blas32.Vector{N: kernel.Hidden, Inc: 1, Data: j.hidden[:]})
			}
		}},
		{"first_layer_back_J", func() {
			kernel.LayerBackJ(r.present, &n.layerJ, j.embeddings, j.gradients, j.squares, &dh, 1e-6)
		}, nil},
		{"first_layer_back_Q", func() { kernel.LayerBackQ(r.present, &n.layerQ, q.embeddings, q.gradients, &dh, 1e-6) }, nil},
		{"output", func() { kernel.Output(m.j.net, &j.hidden) }, nil},
		{"output_back", func() { kernel.OutputBack(m.j.net, m.j.netKept, &j.hidden, &dh, 1e-6, 1e-6) }, nil},
		{"field_aware_dot", func() { kernel.FFMDot(sums, len(n.fields.hashes), room) }, nil},
		{"tokens_read_J", func() { kernel.ReadJ(r.tokens, &n.tokensJT, j.embeddings, sums, &j.unpacked) }, nil},
		{"tokens_read_CQP", func() { kernel.ReadCQP(r.tokens, &n.tokensCQP, &linear, q.embeddings, &q.unpacked) }, nil},
		{"tokens_step_J", func() { kernel.StepJ(r.tokens, &n.tokensJT, sums, j.gradients, j.squares, &step) }, nil},
		{"tokens_step_CQP", func() { kernel.StepCQP(r.tokens, &n.tokensCQP, q.gradients, &step) }, nil},
		{"newton_T", func() {
			kernel.AddRows(&t.step, inverse, &t.x, t.dims, t.lanes)
			kernel.SubtractSquare(inverse, &t.step, t.lanes)
		}, func() {
			a := blas64.Symmetric{Uplo: blas.Upper, N: inputs, Stride: kernel.Dims, Data: inverse}
			x, az := blas64.Vector{N: inputs, Inc: 1, Data: t.x[:]}, blas64.Vector{N: inputs, Inc: 1, Data: t.step[:]}
			blas64.Symv(1, a, x, 0, az)
			blas64.Syr(-1, az, a)
		}},
		{"to_16_bits", func() { half.Pack(halves, v) }, nil},
		{"from_16_bits", func() { half.Unpack(v, halves) }, nil},
	} {
		for _, form := range []string{"plain", "vector", "blas"} {
			run := k.run
			useVectors(form == "vector" && was)
			if form == "blas" {
				run = k.blas
			}
			if run == nil || form == "vector" && !was {
				continue
			}
			b.Run("part="+k.name+"/form="+form, func(b *testing.B) {
				for b.Loop() {
					run()
				}
			})
		}
	}
}
