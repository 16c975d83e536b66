package model

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Config is everything that decides what a Net learns; the zero value is not usable, start from
// DefaultConfig.
//
// With Network empty the net is the default mixture of members (see README.md), which has nothing
// to tune; only Seed, TableBits, MaxFields, Prior and
// Calibration then count. With Network naming parts it is
// one plain net, the sum of those parts.
type Config struct {
	Seed uint64 `yaml:"seed" json:"seed"` // decides all random starts
	// at most 2^table_bits tokens are kept; later ones share entries
	TableBits int `yaml:"table_bits" json:"table_bits"`
	// at most so many fields; later ones share the last
	MaxFields int `yaml:"max_fields" json:"max_fields"`
	// sightings after which a token gets an entry; 1: at once
	Admission int `yaml:"admission" json:"admission,omitempty"`
	// examples after which a token that was not seen again loses its entry; 0: never
	Expiry int64 `yaml:"expiry" json:"expiry,omitempty"`
	// the rate of positives that is predicted until labels say otherwise; of output sigmoid
	Prior float64 `yaml:"prior" json:"prior"`
	// linear, ffm, mlp; empty: the default mixture
	Network []string `yaml:"network" json:"network"`
	// encoded: bins, rank and exact token; raw: the number itself
	Numbers string `yaml:"numbers" json:"numbers"`
	// field names to pair (or triple) in the linear part; [[all]]: every pair
	Cross [][]string `yaml:"cross" json:"cross"`
	// at most 32 names of fields that act by themselves, whatever other fields say, as the position
	// of an ad does; those of features.shown always do. A plain network's mlp sees them like others
	Apart  []string `yaml:"apart" json:"apart,omitempty"`
	Output string   `yaml:"output" json:"output"` // sigmoid, softmax, identity
	Loss   string   `yaml:"loss" json:"loss"`     // cross_entropy, mse
	// outputs of a softmax; else 1
	Classes int `yaml:"classes" json:"classes"`
	// largest absolute gradient of a logit; 0: no limit
	Clip   float64 `yaml:"clip" json:"clip"`
	Linear Linear  `yaml:"linear" json:"linear"`
	FFM    FFM     `yaml:"ffm" json:"ffm"`
	MLP    MLP     `yaml:"mlp" json:"mlp"`
	// how the network's probabilities become the served ones
	Calibration Calibration `yaml:"calibration" json:"calibration,omitzero"`
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
		Calibration: Calibration{Kind: "auto", Minimum: defaultMinimum, MaxSlices: 4096},
	}
}

func (c Config) has(part string) bool { return slices.Contains(c.Network, part) }

// Difference is a setting whose values differ between two configurations. Values are written as in
// JSON, but texts without quotes; the value of an absent setting is empty.
type Difference struct {
	Name string `json:"name"` // as in the configuration file, with dots: linear.optimizer.rate
	From string `json:"from"`
	To   string `json:"to"`
}

// Differences lists the settings whose values differ between c and other, sorted by name. An empty
// list equals an absent one. Configurations without differences make the same network: a
// calibration of kind auto is compared as what it stands for, unless both are.
func (c Config) Differences(other Config) []Difference {
	if c.Calibration.Kind != other.Calibration.Kind {
		c, other = c.resolved(), other.resolved()
	}
	from, to := c.settings(), other.settings()
	names := maps.Clone(from)
	maps.Copy(names, to)
	var found []Difference
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if from[name] != to[name] {
			found = append(found, Difference{name, from[name], to[name]})
		}
	}
	return found
}

// settings returns the values of c by their names with dots.
func (c Config) settings() map[string]string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("BUG: Validate has let through an infinite setting: %v", err))
	}
	values := map[string]string{}
	flatten(values, "", b)
	return values
}

// flatten adds the values in a piece of JSON, whose text is compared: a seed may have more digits
// than a float64.
func flatten(values map[string]string, name string, piece json.RawMessage) {
	var section map[string]json.RawMessage
	if json.Unmarshal(piece, &section) != nil {
		if text := strings.Trim(string(piece), `"`); text != "[]" {
			values[name] = text
		}
		return
	}
	for inner, piece := range section { // none in null
		flatten(values, strings.TrimPrefix(name+"."+inner, "."), piece)
	}
}
