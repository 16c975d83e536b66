package model

import (
	"fmt"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// categories is a stream of twelve fields: two that decide, of 2,000 tokens each, and ten of noise, of 10,000 each.
func categories(n int) (xs [][]Feature, ys []float64) {
	for i := range n {
		var x []Feature
		for f := range 12 {
			h := mix(uint64(i)*12+uint64(f), 99)
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
			v := float64(mix(uint64(i), uint64(f))%100000) / 7
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
			b.Run(fmt.Sprintf("%s/%v", name, network), func(b *testing.B) {
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

// BenchmarkKernel compares the hand-written kernels with their plain forms and with gonum's BLAS, where BLAS has the operation.
func BenchmarkKernel(b *testing.B) {
	var h [hidden]float32
	var e, de [embed]float32
	var w, acc [embed * hidden]float32
	for i := range w {
		w[i], acc[i] = normal(uint64(i)*hashB, 1), 1
	}
	for i := range e {
		e[i] = w[i]
	}
	gemv := blas32.General{Rows: embed, Cols: hidden, Stride: hidden, Data: w[:]}
	each := func(name string, run func()) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				run()
			}
		})
	}
	record := append(append([]float32(nil), w[:]...), acc[:]...)
	a, r := &arena{serve: embed * hidden, stride: len(record), len: 1, chunks: [][]float32{record}}, &row{present: []uint16{0}}
	each("hidden/vector", func() { (*core)(nil).hiddenAdd(&h, r, a, e[:]) })
	each("hidden/plain", func() { hiddenGo(&h, &e, &w) })
	each("hidden/blas32", func() {
		blas32.Gemv(blas.Trans, 1, gemv, blas32.Vector{N: embed, Inc: 1, Data: e[:]}, 1, blas32.Vector{N: hidden, Inc: 1, Data: h[:]})
	})
	each("backEach/vector", func() { (*core)(nil).backEach(r, a, e[:], de[:], &h, 1e-6) })
	each("backEach/plain", func() { backEachGo(&w, &acc, &e, &de, &h, 1e-6) })
	v, sums := make([]float32, 48), make([]float32, 12*12*4)
	a12 := []float32{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	each("axpy48/vector", func() { axpy(v, sums[:48], 0.5) })
	each("axpy48/plain", func() { axpyGo(v, sums[:48], 0.5) })
	each("axpy48/blas32", func() {
		blas32.Axpy(0.5, blas32.Vector{N: 48, Inc: 1, Data: sums[:48]}, blas32.Vector{N: 48, Inc: 1, Data: v})
	})
	each("ffmStep/vector", func() { ffmStep(v, a12, sums, 3, 12, 0.1, 0.03) })
	each("ffmStep/plain", func() { ffmStepGo(v, a12, sums, 3, 12, 0.1, 0.03) })
}
