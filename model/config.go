package model

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/internal/field"
)

// Config is everything that decides what a Net learns; the zero value is not usable, start from
// DefaultConfig.
//
// With Network empty the net is the default mixture of members (see README.md), which has nothing
// to tune; only Seed, TableBits, MaxFields and Prior then count. With Network naming parts it is
// one plain net, the sum of those parts.
type Config struct {
	Seed uint64 `yaml:"seed" json:"seed"` // decides all random starts
	// at most 2^table_bits tokens are kept; later ones share records
	TableBits int `yaml:"table_bits" json:"table_bits"`
	// at most so many fields; later ones share the last
	MaxFields int `yaml:"max_fields" json:"max_fields"`
	// sightings after which a token gets a record; 1: at once
	Admission int `yaml:"admission" json:"admission,omitempty"`
	// examples after which a token that did not come again loses its record; 0: never
	Expiry int64 `yaml:"expiry" json:"expiry,omitempty"`
	// the rate of positives that is predicted until labels say otherwise; of output sigmoid
	Prior float64 `yaml:"prior" json:"prior"`
	// linear, ffm, mlp; empty: the default mixture
	Network []string `yaml:"network" json:"network"`
	// encoded: bins, rank and exact token; raw: the number itself
	Numbers string `yaml:"numbers" json:"numbers"`
	// field names to pair (or triple) in the linear part; [[all]]: every pair
	Cross  [][]string `yaml:"cross" json:"cross"`
	Output string     `yaml:"output" json:"output"` // sigmoid, softmax, identity
	Loss   string     `yaml:"loss" json:"loss"`     // cross_entropy, mse
	// outputs of a softmax; else 1
	Classes int `yaml:"classes" json:"classes"`
	// largest absolute gradient of a logit; 0: no limit
	Clip   float64 `yaml:"clip" json:"clip"`
	Linear Linear  `yaml:"linear" json:"linear"`
	FFM    FFM     `yaml:"ffm" json:"ffm"`
	MLP    MLP     `yaml:"mlp" json:"mlp"`
}

// Linear is the part with one weight a token.
type Linear struct {
	Optimizer Optimizer `yaml:"optimizer" json:"optimizer"`
}

// FFM is the field-aware part: a token has a vector of K for every other field.
type FFM struct {
	K         int       `yaml:"k" json:"k"`
	Init      float64   `yaml:"init" json:"init"` // standard deviation of the start
	Optimizer Optimizer `yaml:"optimizer" json:"optimizer"`
}

// MLP is the multilayer perceptron over one summed embedding a field (with raw numbers: over the
// numbers themselves).
type MLP struct {
	Embedding int       `yaml:"embedding" json:"embedding"`
	Init      float64   `yaml:"init" json:"init"` // standard deviation of the embeddings' start
	Layers    []Layer   `yaml:"layers" json:"layers"`
	Dropout   float64   `yaml:"dropout" json:"dropout"` // share of hidden units left out of a step
	Optimizer Optimizer `yaml:"optimizer" json:"optimizer"`
}

// Layer is one hidden layer.
type Layer struct {
	Units      int    `yaml:"units" json:"units"`
	Activation string `yaml:"activation" json:"activation"` // sigmoid, tanh, relu
}

// Optimizer says how a part's weights follow their gradients.
type Optimizer struct {
	Kind string  `yaml:"kind" json:"kind"` // sgd, adagrad, adam, ftrl, coin
	Rate float64 `yaml:"rate" json:"rate"` // step size (alpha of ftrl; unused by coin)
	// of sgd: constant, inverse (rate/(1+decay t)), power (rate/(1+t)^decay)
	Schedule string  `yaml:"schedule" json:"schedule"`
	Decay    float64 `yaml:"decay" json:"decay"` // of the schedule
	Beta1    float64 `yaml:"beta1" json:"beta1"` // of adam; of ftrl: beta
	Beta2    float64 `yaml:"beta2" json:"beta2"` // of adam
	// of adagrad: accumulator's start; of adam: epsilon; of coin: initial wealth, in largest
	// gradients
	Start float64 `yaml:"start" json:"start"`
	L1    float64 `yaml:"l1" json:"l1"`
	L2    float64 `yaml:"l2" json:"l2"`
}

// DefaultConfig is the mixture that needs no tuning; its part settings serve when Network is set.
func DefaultConfig() Config {
	return Config{
		Seed: 1, TableBits: 20, MaxFields: 64, Admission: 1, Prior: 0.01, Numbers: "encoded", Output: "sigmoid", Loss: "cross_entropy", Classes: 1,
		Linear: Linear{Optimizer{Kind: "adagrad", Rate: 0.1, Start: 0.1}},
		FFM:    FFM{K: 4, Init: 0.01, Optimizer: Optimizer{Kind: "adagrad", Rate: 0.03, Start: 0.001}},
		MLP: MLP{Embedding: 8, Init: 0.03, Layers: []Layer{{16, "relu"}},
			Optimizer: Optimizer{Kind: "adagrad", Rate: 0.05, Start: 0.01}},
	}
}

// Validate returns a *field.Error about the first setting that is wrong.
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
	if c.Expiry != 0 && (c.Expiry < leastExpiry || c.Expiry > 1<<40) {
		return field.Wrong("expiry", "is %d, want 0 (never) or %d to %d", c.Expiry, leastExpiry, int64(1)<<40)
	}
	if !(c.Prior > 0 && c.Prior < 1) {
		return field.Wrong("prior", "is %v, want a rate above 0 and below 1", c.Prior)
	}
	if !(c.Clip >= 0) || math.IsInf(c.Clip, 0) {
		return field.Wrong("clip", "is %v, want 0 (no limit) or a positive number", c.Clip)
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
			return field.Wrong("network", "names %q twice, want each part once", part)
		}
	}
	return c.validateParts()
}

func (c Config) has(part string) bool { return slices.Contains(c.Network, part) }

func (c Config) validateOutput() error {
	softmax := c.Output == "softmax"
	switch {
	case softmax && (c.Classes < 2 || c.Classes > 1024):
		return field.Wrong("classes", "is %d, want 2 to 1024 for softmax", c.Classes)
	case !softmax && c.Classes != 1:
		return field.Wrong("classes", "is %d, want 1 for output %s", c.Classes, c.Output)
	case len(c.Network) == 0 && (c.Output != "sigmoid" || c.Loss != "cross_entropy"):
		return field.Wrong("output", "is %s and loss %s, want sigmoid and cross_entropy: the default mixture allows only these; for others name the parts in network", c.Output, c.Loss)
	case len(c.Network) == 0 && c.Numbers == "raw":
		return field.Wrong("numbers", "is raw, want encoded: the default mixture allows only that; for raw name the parts in network")
	case c.Output == "identity" && c.Loss != "mse":
		return field.Wrong("loss", "is %s, want mse for output identity", c.Loss)
	case softmax && c.has("ffm"):
		return field.Wrong("network", "has ffm, want linear or mlp: softmax allows only linear and mlp")
	}
	return nil
}

func (c Config) validateParts() error {
	if len(c.Cross) > 0 && !c.has("linear") {
		return field.Wrong("cross", "is set, want linear in network beside it, which is %v", c.Network)
	}
	if len(c.Cross) > 256 {
		return field.Wrong("cross", "has %d entries, want at most 256", len(c.Cross))
	}
	if (c.Admission > 1 || c.Expiry > 0) && len(c.Network) > 0 && !c.has("ffm") && !c.has("mlp") {
		return field.Wrong("admission", "is %d and expiry %d, want 1 and 0: network %v has a table of fixed size, without entries that come and go", c.Admission, c.Expiry, c.Network)
	}
	for i, names := range c.Cross {
		if len(names) == 1 && names[0] == "all" {
			continue
		}
		if len(names) < 2 || len(names) > 3 {
			return field.Wrong(fmt.Sprintf("cross[%d]", i), "is %v, want two or three field names, or all", names)
		}
	}
	if err := inRange("ffm.k", float64(c.FFM.K), 1, 64); err != nil {
		return err
	}
	if err := inRange("mlp.embedding", float64(c.MLP.Embedding), 1, 256); err != nil {
		return err
	}
	if len(c.MLP.Layers) == 0 || len(c.MLP.Layers) > 16 {
		return field.Wrong("mlp.layers", "has %d layers, want 1 to 16", len(c.MLP.Layers))
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
		return field.Wrong(name+".rate", "is 0, want a positive one for %s", o.Kind)
	}
	if o.Kind == "adam" && (o.Beta1 >= 1 || o.Beta2 >= 1) {
		return field.Wrong(name+".beta1", "and beta2 are %v and %v, want both below 1 for adam", o.Beta1, o.Beta2)
	}
	// what float32 has as 0 would be divided by
	if (o.Kind == "coin" || o.Kind == "adagrad" || o.Kind == "adam") && float32(o.Start) <= 0 {
		return field.Wrong(name+".start", "is %v, want at least 1e-45 for %s", o.Start, o.Kind)
	}
	return nil
}

func inRange(name string, v, least, most float64) error {
	if v >= least && v <= most {
		return nil
	}
	return field.Wrong(name, "is %v, want %v to %v", v, least, most)
}

func oneOf(name, v string, allowed ...string) error {
	if slices.Contains(allowed, v) {
		return nil
	}
	return field.Wrong(name, "is %q, want one of %s", v, strings.Join(allowed, ", "))
}
