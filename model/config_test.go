package model

import (
	"strings"
	"testing"
)

func TestValidateNamesFieldValueAndWhatIsAllowed(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Config){
		"table_bits is 2":               func(c *Config) { c.TableBits = 2 },
		"max_fields is 0":               func(c *Config) { c.MaxFields = 0 },
		"prior is 1":                    func(c *Config) { c.Prior = 1 },
		`network[0] is "tree"`:          func(c *Config) { c.Network = []string{"tree"} },
		`network names "ffm" twice`:     func(c *Config) { c.Network = []string{"ffm", "ffm"} },
		`output is "none"`:              func(c *Config) { c.Output = "none" },
		"want 2 to 1024 for softmax":    func(c *Config) { c.Output = "softmax" },
		"cross[0] is [a]":               func(c *Config) { c.Network, c.Cross = []string{"linear"}, [][]string{{"a"}} },
		"cross is set":                  func(c *Config) { c.Cross = [][]string{{"a", "b"}} },
		`mlp.optimizer.kind is "magic"`: func(c *Config) { c.MLP.Optimizer.Kind = "magic" },
		"mlp.optimizer.start is 1e-50": func(c *Config) {
			c.MLP.Optimizer = Optimizer{Kind: "adam", Rate: 0.01, Beta1: 0.9, Beta2: 0.999, Start: 1e-50}
		},
		"ffm.optimizer.start is 0":    func(c *Config) { c.FFM.Optimizer.Start = 0 },
		"linear.optimizer.rate is 0":  func(c *Config) { c.Linear.Optimizer.Rate = 0 },
		"mlp.layers[1].units is 0":    func(c *Config) { c.MLP.Layers = []Layer{{2, "relu"}, {0, "relu"}} },
		"mlp.dropout is 1":            func(c *Config) { c.MLP.Dropout = 1 },
		`calibration.kind is "platt"`: func(c *Config) { c.Calibration.Kind = "platt" },
		"calibration.minimum is 0":    func(c *Config) { c.Calibration.Minimum = 0 },
		"calibration.max_slices is 0": func(c *Config) { c.Calibration.MaxSlices = 0 },
		"calibration.by has 4 fields": func(c *Config) { c.Calibration.By = []string{"a", "b", "c", "d"} },
		`calibration.by is ["a" "a"]`: func(c *Config) { c.Calibration.By = []string{"a", "a"} },
		"only output sigmoid is calibrated": func(c *Config) {
			c.Network, c.Output, c.Loss, c.Calibration.By = []string{"linear"}, "identity", "mse", []string{"a"}
		},
		"the default mixture allows only": func(c *Config) { c.Loss = "mse" },
	} {
		c := DefaultConfig()
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
