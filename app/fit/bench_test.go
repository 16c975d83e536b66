package fit

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/model"
)

// pairsFile writes rows of twelve fields: two of a thousand kinds each, ten of ten thousand tokens
// of noise.
func pairsFile(b *testing.B, rows int) string {
	b.Helper()
	rng := rand.New(rand.NewPCG(7, 7))
	var text strings.Builder
	for range rows {
		x, y := rng.IntN(2), rng.IntN(2)
		fmt.Fprintf(&text, "%d |A %s-%d |B %s-%d", 2*((x+y+1)%2)-1, []string{"Herbivore", "Carnivore"}[x], rng.IntN(1000), []string{"Plant", "Meat"}[y], rng.IntN(1000))
		for _, c := range "CDEFGHIJKL" {
			fmt.Fprintf(&text, " |%c %c%d", c, c, rng.IntN(10001))
		}
		text.WriteByte('\n')
	}
	path := filepath.Join(b.TempDir(), "pairs.vw")
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		b.Fatal(err)
	}
	return path
}

const benchRows = 100_000

func BenchmarkRead(b *testing.B) {
	path := pairsFile(b, benchRows)
	f := &Files{Format: "vw"}
	for b.Loop() {
		if _, err := f.pipe(b.Context(), []string{path}, func(*block) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(benchRows*b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkFit(b *testing.B) {
	path := pairsFile(b, benchRows)
	for name, network := range map[string][]string{"linear": {"linear"}, "ffm": {"ffm"}, "default": nil} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				cfg := model.DefaultConfig()
				cfg.Network = network
				if name == "linear" {
					cfg.Cross = [][]string{{"A", "B"}}
				}
				net, err := model.New(cfg)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := NewRun("click", net).Learn(b.Context(), &Files{Format: "vw"}, []string{path}, 0); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(benchRows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
