package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// A field that acts apart moves the logits of all tokens of other fields alike, in the default
// mixture and in plain networks without a perceptron, while it learns and in replicas.
func TestAFieldThatActsApartKeepsTheOrderOfOthers(t *testing.T) {
	f := func(parts []string, apart bool, want bool) {
		t.Helper()
		c := DefaultConfig()
		c.TableBits, c.Network = 12, parts
		if apart {
			c.Apart = []string{"position"}
		}
		n, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		s, chance := n.NewScratch(), rand.New(rand.NewPCG(1, 2))
		example := func(i, position int) []Feature {
			return []Feature{{Field: FieldHash("position"), Value: float64(position), Kind: Number},
				{Field: FieldHash("ad"), Hash: TokenHash(fmt.Sprint(i % 7)), Value: 1, Kind: Token}, {Field: FieldHash("site"), Hash: TokenHash(fmt.Sprint(i % 3)), Value: 1, Kind: Token}}
		}
		for range 4000 {
			y := 0.0
			ad, position := chance.IntN(7), 1+chance.IntN(5)
			if odds := 0.2 + 0.5*float64((ad+position)%2); chance.Float64() < odds { // clicks depend on both together
				y = 1
			}
			if _, err := n.Learn(example(ad, position), y, 1, s); err != nil {
				t.Fatal(err)
			}
		}
		moved := 0.0
		for _, parts := range [][2]int{{1, 2}, {1, 5}, {3, 4}} {
			by := func(ad int) float64 {
				z := func(position int) float64 {
					p := n.Predict(example(ad, position), s)
					return math.Log(p / (1 - p))
				}
				return z(parts[1]) - z(parts[0])
			}
			for ad := range 7 {
				moved = max(moved, math.Abs(by(ad)-by(0)))
			}
		}
		if (moved < 0.05) != want {
			t.Errorf("%v, apart %v: a position moves ads' logits by amounts that differ by %.4f", parts, apart, moved)
		}
	}
	f([]string{"linear", "ffm"}, true, true)
	f([]string{"linear", "ffm"}, false, false)
	f(nil, false, false)
	f(nil, true, true)
}
