package model

import (
	"slices"
	"testing"
)

func TestDifferencesNameEachSetting(t *testing.T) {
	f := func(what string, change func(c *Config), want ...Difference) {
		t.Helper()
		other := DefaultConfig()
		change(&other)
		if got := DefaultConfig().Differences(other); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	f("the same", func(*Config) {})
	f("empty lists", func(c *Config) { c.Network, c.Cross = []string{}, [][]string{} })
	f("numbers", func(c *Config) { c.TableBits, c.Linear.Optimizer.Rate = 11, 0.5 },
		Difference{"linear.optimizer.rate", "0.1", "0.5"}, Difference{"table_bits", "20", "11"})
	f("a text", func(c *Config) { c.Loss = "mse" }, Difference{"loss", "cross_entropy", "mse"})
	f("a list", func(c *Config) { c.Network = []string{"linear", "ffm"} }, Difference{"network", "", `["linear","ffm"]`})
	f("a list of sections", func(c *Config) { c.MLP.Layers = []Layer{{8, "tanh"}} },
		Difference{"mlp.layers", `[{"units":16,"activation":"relu"}]`, `[{"units":8,"activation":"tanh"}]`})
	f("a setting that is left out", func(c *Config) { c.Expiry = 1_000_000 }, Difference{"expiry", "", "1000000"})
	big := DefaultConfig()
	big.Seed = 1<<63 + 1
	f("a large seed", func(c *Config) { c.Seed = big.Seed }, Difference{"seed", "1", "9223372036854775809"})
	next := big
	next.Seed++
	if got := big.Differences(next); len(got) != 1 {
		t.Errorf("two seeds that are one float64: %v", got)
	}
}
