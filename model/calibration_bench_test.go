package model

import "testing"

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
