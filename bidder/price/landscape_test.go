package price

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
)

// variable is a number that an environment variable may replace.
func variable(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// A fixed formula knows the market, but no features: it bids the best share of the value, or what
// the distribution of all prices says. The model must get nine tenths of its surplus over the first
// 20,000 auctions, while it learns.
func TestShadingGetsTheSurplusOfTheBestFormula(t *testing.T) {
	seeds, auctions := variable("CLICKLOOP_TEST_MARKETS", 1), variable("CLICKLOOP_TEST_AUCTIONS", 20_000)
	for i, m := range markets(0) {
		for _, tell := range []told{
			{minToWin: true, losses: true, expires: 60_000, spread: 0.5},
			{losses: true, expires: 60_000, spread: 0.5},
			{expires: 60_000, spread: 0.5},
			{losses: true, expires: 60_000},
		} {
			name := fmt.Sprintf("%s/minToWin=%v losses=%v spread=%v", m.name, tell.minToWin, tell.losses, tell.spread)
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var early, late, full []float64
				for seed := range uint64(seeds) {
					s := newSimulation(markets(seed)[i], seed, tell)
					for range auctions {
						s.auction(true)
					}
					half := min(20_000, auctions)
					model, unshaded, share, formula, most := s.sums(0, half)
					early = append(early, model/max(share, formula))
					line := fmt.Sprintf("seed %d: first %d: unshaded %.3f, share %.3f, formula %.3f, model %.3f of the full-knowledge surplus", seed, half, unshaded/most, share/most, formula/most, model/most)
					from := auctions - auctions/5
					model, unshaded, share, formula, most = s.sums(from, auctions)
					late, full = append(late, model/max(share, formula)), append(full, model/most)
					t.Logf("%s; last fifth: share %.3f, formula %.3f, model %.3f", line, share/most, formula/most, model/most)
				}
				slices.Sort(early)
				slices.Sort(late)
				slices.Sort(full)
				n := len(early)
				t.Logf("of the formula's: first median %.3f worst %.3f, last fifth median %.3f worst %.3f; of full knowledge: median %.3f worst %.3f",
					early[n/2], early[0], late[n/2], late[0], full[n/2], full[0])
				// who has no features to tell auctions apart has no more than the formula
				if hard := i >= 4; !hard && early[0] < 0.9 || hard && early[0] < 0.8 {
					t.Errorf("the surplus of the first auctions is %.3f of the formula's", early[0])
				}
			})
		}
	}
}
