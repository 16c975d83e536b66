package model

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

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
	s := n.NewScratch()
	r := &s.row
	n.take(xs[0], r, s, 1, 1)
	n.forwardJ(r, &s.j)
	n.forwardT(r, &s.t)
	n.learnT(r, &s.t)
	n.forwardQ(r, s)
	inverse, inputs := n.numO[keptT:], len(s.t.dims)
	var dh [hidden]float32
	for j := range dh {
		dh[j] = normal(uint64(j)*hashB, 1e-3)
	}
	args := stepArgs{g: [4]float32{1e-6, 1e-6, 1e-6}, wealth: [4]float32{4, 4, 4}, lead: 1, rate: 1e-6, rateFFM: 1e-6}
	row := s.j.room * ffmK
	v, half := make([]float32, row), make([]uint16, row)
	var lin [4]float32
	was := vector
	defer func() { vector, vectorHalf = was, was }()
	for _, k := range []struct {
		name string
		run  func()
		blas func()
	}{
		{"axpy", func() { axpy(v, s.j.a[:row], 1e-6) }, func() {
			blas32.Axpy(1e-6, blas32.Vector{N: row, Inc: 1, Data: s.j.a}, blas32.Vector{N: row, Inc: 1, Data: v})
		}},
		{"first_layer", func() { n.hiddenAdd(&s.j.h, r, &n.f, s.j.e) }, func() {
			for _, f := range r.present {
				w := blas32.General{Rows: embed, Cols: hidden, Stride: hidden, Data: n.f.at(uint32(f))}
				blas32.Gemv(blas.Trans, 1, w, blas32.Vector{N: embed, Inc: 1, Data: s.j.e[int(f)*embed:]}, 1, blas32.Vector{N: hidden, Inc: 1, Data: s.j.h[:]})
			}
		}},
		{"first_layer_back_J", func() { n.backBlock(r, &n.f, s.j.e, s.j.de, s.j.square, &dh, 1e-6) }, nil},
		{"first_layer_back_Q", func() { n.backEach(r, &n.g, s.q.e, s.q.de, &dh, 1e-6) }, nil},
		{"output", func() { n.outputNet(0, &s.j.h) }, nil},
		{"output_back", func() { n.backNet(0, &s.j.h, &dh, 1e-6, 1e-6) }, nil},
		{"field_aware_dot", func() { ffmDot(s.j.a, len(n.fields.hashes), s.j.room) }, nil},
		{"tokens_read_J", func() { n.readFirst(r, &s.j) }, nil},
		{"tokens_read_CQP", func() { n.readSecond(r, &lin, s.q.e) }, nil},
		{"tokens_step_J", func() { n.stepFirst(r, &s.j, &args) }, nil},
		{"tokens_step_CQP", func() { n.stepSecond(r, s.q.de, &args) }, nil},
		{"newton_T", func() { addRows(&s.t, inverse); subtractSquare(&s.t, inverse) }, func() {
			a := blas64.Symmetric{Uplo: blas.Upper, N: inputs, Stride: targetDims, Data: inverse}
			x, az := blas64.Vector{N: inputs, Inc: 1, Data: s.t.x[:]}, blas64.Vector{N: inputs, Inc: 1, Data: s.t.az[:]}
			blas64.Symv(1, a, x, 0, az)
			blas64.Syr(-1, az, a)
		}},
		{"to_16_bits", func() { packHalf(half, v) }, nil},
		{"from_16_bits", func() { unpackHalf(v, half) }, nil},
	} {
		for _, form := range []string{"plain", "vector", "blas"} {
			run := k.run
			vector, vectorHalf = form == "vector" && was, form == "vector" && was
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
