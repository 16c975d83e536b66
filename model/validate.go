package model

import (
	"fmt"
	"math"
	"slices"
)

// leastExpiry is far more than the examples that are under way in a batch: see table.Table.Expire.
var leastExpiry int64 = 10_000

// Validate says which setting is wrong, its value, and what is allowed.
func (c Config) Validate() error {
	if err := inRange("table_bits", float64(c.TableBits), 4, 28); err != nil {
		return err
	}
	if err := inRange("max_fields", float64(c.MaxFields), 1, 1024); err != nil {
		return err
	}
	if err := inRange("admission", float64(c.Admission), 0, 100); err != nil {
		return err
	}
	if c.Expiry != 0 {
		if err := inRange("expiry", float64(c.Expiry), float64(leastExpiry), 1<<40); err != nil {
			return fmt.Errorf("%w, and 0 for never", err)
		}
	}
	if !(c.Prior > 0 && c.Prior < 1) {
		return fmt.Errorf("prior is %v: allowed is a rate above 0 and below 1", c.Prior)
	}
	if !(c.Clip >= 0) || math.IsInf(c.Clip, 0) {
		return fmt.Errorf("clip is %v: allowed is 0 (no limit) or a positive number", c.Clip)
	}
	for _, e := range []struct {
		name, value string
		allowed     []string
	}{
		{"numbers", c.Numbers, []string{"encoded", "raw"}},
		{"output", c.Output, []string{"sigmoid", "softmax", "identity"}},
		{"loss", c.Loss, []string{"cross_entropy", "mse"}},
	} {
		if err := oneOf(e.name, e.value, e.allowed...); err != nil {
			return err
		}
	}
	if err := c.validateOutput(); err != nil {
		return err
	}
	for i, part := range c.Network {
		if err := oneOf(fmt.Sprintf("network[%d]", i), part, "linear", "ffm", "mlp"); err != nil {
			return err
		}
		if slices.Contains(c.Network[:i], part) {
			return fmt.Errorf("network names %q twice", part)
		}
	}
	return c.validateParts()
}

func (c Config) validateOutput() error {
	softmax := c.Output == "softmax"
	switch {
	case softmax && (c.Classes < 2 || c.Classes > 1024):
		return fmt.Errorf("classes is %d: softmax needs 2 to 1024", c.Classes)
	case !softmax && c.Classes != 1:
		return fmt.Errorf("classes is %d: output %s allows only 1", c.Classes, c.Output)
	case len(c.Network) == 0 && (c.Output != "sigmoid" || c.Loss != "cross_entropy"):
		return fmt.Errorf("output is %s and loss %s: the default mixture allows only sigmoid and cross_entropy; name its parts in network", c.Output, c.Loss)
	case len(c.Network) == 0 && c.Numbers == "raw":
		return fmt.Errorf("numbers is raw: the default mixture allows only encoded; name the parts in network")
	case c.Output == "identity" && c.Loss != "mse":
		return fmt.Errorf("loss is %s: output identity allows only mse", c.Loss)
	case softmax && c.has("ffm"):
		return fmt.Errorf("network has ffm: softmax allows only linear and mlp")
	}
	return nil
}

func (c Config) validateParts() error {
	if len(c.Cross) > 0 && !c.has("linear") {
		return fmt.Errorf("cross is set: it needs linear in network, which is %v", c.Network)
	}
	if len(c.Cross) > 256 {
		return fmt.Errorf("cross has %d entries: allowed are 256", len(c.Cross))
	}
	if (c.Admission > 1 || c.Expiry > 0) && len(c.Network) > 0 && !c.has("ffm") && !c.has("mlp") {
		return fmt.Errorf("admission is %d and expiry %d: network %v keeps no records of tokens, but a table of fixed size; allowed are 1 and 0", c.Admission, c.Expiry, c.Network)
	}
	for i, names := range c.Cross {
		if len(names) == 1 && names[0] == "all" {
			continue
		}
		if len(names) < 2 || len(names) > 3 {
			return fmt.Errorf("cross[%d] is %v: allowed are two or three field names, or all", i, names)
		}
	}
	if err := inRange("ffm.k", float64(c.FFM.K), 1, 64); err != nil {
		return err
	}
	if err := inRange("mlp.embedding", float64(c.MLP.Embedding), 1, 256); err != nil {
		return err
	}
	if len(c.MLP.Layers) == 0 || len(c.MLP.Layers) > 16 {
		return fmt.Errorf("mlp.layers has %d layers: allowed are 1 to 16", len(c.MLP.Layers))
	}
	for i, l := range c.MLP.Layers {
		if err := inRange(fmt.Sprintf("mlp.layers[%d].units", i), float64(l.Units), 1, 4096); err != nil {
			return err
		}
		if err := oneOf(fmt.Sprintf("mlp.layers[%d].activation", i), l.Activation, "sigmoid", "tanh", "relu"); err != nil {
			return err
		}
	}
	for _, e := range []struct {
		name  string
		value float64
		most  float64
	}{{"mlp.dropout", c.MLP.Dropout, 0.95}, {"mlp.init", c.MLP.Init, 10}, {"ffm.init", c.FFM.Init, 10}} {
		if err := inRange(e.name, e.value, 0, e.most); err != nil {
			return err
		}
	}
	for _, e := range []struct {
		name string
		o    Optimizer
	}{{"linear", c.Linear.Optimizer}, {"ffm", c.FFM.Optimizer}, {"mlp", c.MLP.Optimizer}} {
		if err := e.o.validate(e.name + ".optimizer"); err != nil {
			return err
		}
	}
	return nil
}

func (o Optimizer) validate(name string) error {
	if err := oneOf(name+".kind", o.Kind, "sgd", "adagrad", "adam", "ftrl", "coin"); err != nil {
		return err
	}
	if o.Schedule != "" {
		if err := oneOf(name+".schedule", o.Schedule, "constant", "inverse", "power"); err != nil {
			return err
		}
	}
	for _, e := range []struct {
		name  string
		value float64
		most  float64
	}{{"rate", o.Rate, 1000}, {"decay", o.Decay, 1000}, {"beta1", o.Beta1, 1000}, {"beta2", o.Beta2, 1},
		{"start", o.Start, 1e6}, {"l1", o.L1, 1e6}, {"l2", o.L2, 1e6}} {
		if err := inRange(name+"."+e.name, e.value, 0, e.most); err != nil {
			return err
		}
	}
	if o.Kind != "coin" && o.Rate == 0 {
		return fmt.Errorf("%s.rate is 0: %s needs a positive one", name, o.Kind)
	}
	if o.Kind == "adam" && (o.Beta1 >= 1 || o.Beta2 >= 1) {
		return fmt.Errorf("%s.beta1 and beta2 are %v and %v: adam needs them below 1", name, o.Beta1, o.Beta2)
	}
	// what float32 has as 0 would be divided by
	if (o.Kind == "coin" || o.Kind == "adagrad" || o.Kind == "adam") && float32(o.Start) <= 0 {
		return fmt.Errorf("%s.start is %v: %s needs a positive one, at least 1e-45", name, o.Start, o.Kind)
	}
	return nil
}

func inRange(name string, v, least, most float64) error {
	if v >= least && v <= most {
		return nil
	}
	return fmt.Errorf("%s is %v: allowed are %v to %v", name, v, least, most)
}

func oneOf(name, v string, allowed ...string) error {
	if slices.Contains(allowed, v) {
		return nil
	}
	return fmt.Errorf("%s is %q: allowed are %v", name, v, allowed)
}
