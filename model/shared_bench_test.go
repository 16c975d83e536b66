package model

import (
	"cmp"
	"fmt"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/model/internal/arith"
)

// wide is a stream of twenty fields of a request (fifteen categories and five numbers) and three of
// a candidate.
func wide(n int) (xs [][]Feature, ys []float64) {
	for i := range n {
		var x []Feature
		for f := range 23 {
			h := arith.Mix(uint64(i)*23+uint64(f), 99)
			field := FieldHash(fmt.Sprint("f", f))
			if f >= 15 && f < 20 {
				x = append(x, Feature{Field: field, Value: float64(h%100000) / 7, Kind: Number})
				continue
			}
			x = append(x, Feature{Field: field, Hash: TokenHash(fmt.Sprint(h % 2000)), Value: 1})
		}
		xs, ys = append(xs, x), append(ys, float64((x[0].Hash^x[20].Hash)&1))
	}
	return xs, ys
}

// BenchmarkHundredCandidates compares predictions of a hundred examples that have twenty fields in
// common with what they cost one by one.
func BenchmarkHundredCandidates(b *testing.B) {
	for _, network := range [][]string{nil, {"linear"}, {"ffm"}, {"mlp"}, {"linear", "ffm", "mlp"}} {
		xs, ys := wide(20000)
		n := mustNew(b, func(c *Config) { c.Network, c.TableBits = network, 20 })
		mustLearn(b, n, xs, ys)
		r := NewReplica()
		if err := r.Apply(n.AppendSnapshot(nil)); err != nil {
			b.Fatal(err)
		}
		name := "network=" + cmp.Or(strings.Join(network, ","), "default")
		s, i := r.NewScratch(), 0
		b.Run(name+"/apart", func(b *testing.B) {
			var x []Feature
			for b.Loop() {
				for k := range 100 {
					x = append(append(x[:0], xs[i%1000][:20]...), xs[(i*100+k)%2000][20:]...)
					r.Predict(x, s)
				}
				i++
			}
		})
		b.Run(name+"/shared", func(b *testing.B) {
			for b.Loop() {
				r.Share(xs[i%1000][:20], s)
				for k := range 100 {
					r.PredictShared(xs[(i*100+k)%2000][20:], nil, s)
				}
				i++
			}
		})
	}
}
