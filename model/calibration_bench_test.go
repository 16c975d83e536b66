package model

import (
	"cmp"
	"strings"
	"testing"
	"time"
)

// What an example costs beyond the network: one slice that is in force, and with By three.
func BenchmarkCalibration(b *testing.B) {
	for name, by := range map[string][]string{"all": nil, "site,ad": {"site", "ad"}} {
		b.Run("by="+name, func(b *testing.B) {
			n := mustNew(b, func(c *Config) { slicedBy(by...)(c) })
			xs, ys := sites(1, 5000, 0, 1)
			mustLearn(b, n, xs, ys)
			r := &row{label: 1, weight: 1}
			n.calibration.keys(xs[0], nil, &r.keys)
			b.Run("learn", func(b *testing.B) {
				for b.Loop() {
					n.calibration.learn(r, 0.1)
				}
			})
			b.Run("serve", func(b *testing.B) {
				for b.Loop() {
					n.calibration.serve(0.1, &r.keys)
				}
			})
		})
	}
}

// What the calibration costs a learner: two nets, one of them without, learn the same batches in
// turn. The figure is the speed of the calibrated one by that of the other, of each batch's fastest
// round: other work on the machine slows some.
func BenchmarkLearnCalibrated(b *testing.B) {
	xs, ys := categories(20000)
	ws, ps := make([]float64, 1000), make([]float64, 1000)
	for i := range ws {
		ws[i] = 1
	}
	for _, network := range [][]string{nil, {"ffm"}, {"linear"}} {
		b.Run("network="+cmp.Or(strings.Join(network, ","), "default"), func(b *testing.B) {
			var nets [2]*Net
			var fastest [2][20]time.Duration
			for i, kind := range []string{"beta", "none"} {
				nets[i] = mustNew(b, func(c *Config) { c.Network, c.TableBits, c.Calibration.Kind = network, 20, kind })
			}
			at := 0
			for b.Loop() {
				for k := range nets {
					i := (k + at/1000) % 2
					start := time.Now()
					nets[i].LearnBatch(xs[at:at+1000], ys[at:at+1000], ws, ps)
					if spent, f := time.Since(start), &fastest[i][at/1000]; *f == 0 || spent < *f {
						*f = spent
					}
				}
				at = (at + 1000) % len(xs)
			}
			var sums [2]float64
			batches := 0
			for k := range fastest[0] {
				if fastest[0][k] > 0 && fastest[1][k] > 0 {
					sums[0], sums[1], batches = sums[0]+float64(fastest[0][k]), sums[1]+float64(fastest[1][k]), batches+1
				}
			}
			b.ReportMetric(sums[1]/sums[0], "speed")
			b.ReportMetric((sums[0]-sums[1])/float64(batches)/1000, "ns/example")
		})
	}
}
