package model

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/internal/field"
)

// leastExpiry is far more than the examples that are under way in a batch: see table.Table.Expire.
var leastExpiry int64 = 10_000

// Validate returns a *field.Error about the first setting that is wrong.
func (c Config) Validate() error {
	var v validation
	v.inRange("table_bits", float64(c.TableBits), 4, 28)
	v.inRange("max_fields", float64(c.MaxFields), 1, 1024)
	v.inRange("admission", float64(c.Admission), 0, 100)
	if c.Expiry != 0 && (c.Expiry < leastExpiry || c.Expiry > 1<<40) {
		v.refuse("expiry", "is %d, want 0 (never) or %d to %d", c.Expiry, leastExpiry, int64(1)<<40)
	}
	if !(c.Prior > 0 && c.Prior < 1) {
		v.refuse("prior", "is %v, want a rate above 0 and below 1", c.Prior)
	}
	if !(c.Clip >= 0) || math.IsInf(c.Clip, 0) {
		v.refuse("clip", "is %v, want 0 (no limit) or a positive number", c.Clip)
	}
	v.oneOf("numbers", c.Numbers, "encoded", "raw")
	v.oneOf("output", c.Output, "sigmoid", "softmax", "identity")
	v.oneOf("loss", c.Loss, "cross_entropy", "mse")
	v.output(&c)
	for i, part := range c.Network {
		v.oneOf(fmt.Sprintf("network[%d]", i), part, "linear", "ffm", "mlp")
		if slices.Contains(c.Network[:i], part) {
			v.refuse("network", "names %q twice, want each part once", part)
		}
	}
	v.crosses(&c)
	v.apart(c.Apart)
	v.calibration(&c)
	v.inRange("ffm.k", float64(c.FFM.K), 1, 64)
	v.inRange("ffm.init", c.FFM.Init, 0, 10)
	v.mlp(&c.MLP)
	v.optimizer("linear.optimizer", c.Linear.Optimizer)
	v.optimizer("ffm.optimizer", c.FFM.Optimizer)
	v.optimizer("mlp.optimizer", c.MLP.Optimizer)
	return v.err
}

// validation keeps the first error.
type validation struct{ err error }

func (v *validation) refuse(path, format string, args ...any) {
	if v.err == nil {
		v.err = field.Wrong(path, format, args...)
	}
}

func (v *validation) inRange(path string, value, least, most float64) {
	if !(value >= least && value <= most) {
		v.refuse(path, "is %v, want %v to %v", value, least, most)
	}
}

func (v *validation) oneOf(path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		v.refuse(path, "is %q, want one of %s", value, strings.Join(allowed, ", "))
	}
}

func (v *validation) output(c *Config) {
	mixture, softmax := len(c.Network) == 0, c.Output == "softmax"
	switch {
	case softmax && (c.Classes < 2 || c.Classes > 1024):
		v.refuse("classes", "is %d, want 2 to 1024 for softmax", c.Classes)
	case !softmax && c.Classes != 1:
		v.refuse("classes", "is %d, want 1 for output %s", c.Classes, c.Output)
	case mixture && (c.Output != "sigmoid" || c.Loss != "cross_entropy"):
		v.refuse("output", "is %s and loss %s, want sigmoid and cross_entropy: the default mixture allows only these; for others name the parts in network", c.Output, c.Loss)
	case mixture && c.Numbers == "raw":
		v.refuse("numbers", "is raw, want encoded: the default mixture allows only that; for raw name the parts in network")
	case c.Output == "identity" && c.Loss != "mse":
		v.refuse("loss", "is %s, want mse for output identity", c.Loss)
	case softmax && c.has("ffm"):
		v.refuse("network", "has ffm, want linear or mlp: softmax allows only linear and mlp")
	}
}

func (v *validation) crosses(c *Config) {
	if len(c.Cross) > 0 && !c.has("linear") {
		v.refuse("cross", "is set, want linear in network beside it, which is %v", c.Network)
	}
	if len(c.Cross) > 256 {
		v.refuse("cross", "has %d entries, want at most 256", len(c.Cross))
	}
	if (c.Admission > 1 || c.Expiry > 0) && len(c.Network) > 0 && !c.has("ffm") && !c.has("mlp") {
		v.refuse("admission", "is %d and expiry %d, want 1 and 0: network %v has a table of fixed size, without entries that come and go", c.Admission, c.Expiry, c.Network)
	}
	for i, names := range c.Cross {
		if all := len(names) == 1 && names[0] == "all"; !all && (len(names) < 2 || len(names) > 3) {
			v.refuse(fmt.Sprintf("cross[%d]", i), "is %v, want two or three field names, or all", names)
		}
	}
}

func (v *validation) apart(names []string) {
	if len(names) > maxApart {
		v.refuse("apart", "has %d names, want at most %d", len(names), maxApart)
	}
	for i, name := range names {
		if name == "" || slices.Contains(names[:i], name) {
			v.refuse(fmt.Sprintf("apart[%d]", i), "is %q, want different names of fields", name)
		}
	}
}

func (v *validation) mlp(m *MLP) {
	v.inRange("mlp.embedding", float64(m.Embedding), 1, 256)
	if len(m.Layers) == 0 || len(m.Layers) > 16 {
		v.refuse("mlp.layers", "has %d layers, want 1 to 16", len(m.Layers))
	}
	for i, l := range m.Layers {
		v.inRange(fmt.Sprintf("mlp.layers[%d].units", i), float64(l.Units), 1, 4096)
		v.oneOf(fmt.Sprintf("mlp.layers[%d].activation", i), l.Activation, "sigmoid", "tanh", "relu")
	}
	v.inRange("mlp.dropout", m.Dropout, 0, 0.95)
	v.inRange("mlp.init", m.Init, 0, 10)
}

func (v *validation) optimizer(path string, o Optimizer) {
	v.oneOf(path+".kind", o.Kind, "sgd", "adagrad", "adam", "ftrl", "coin")
	if o.Schedule != "" {
		v.oneOf(path+".schedule", o.Schedule, "constant", "inverse", "power")
	}
	v.inRange(path+".rate", o.Rate, 0, 1000)
	v.inRange(path+".decay", o.Decay, 0, 1000)
	v.inRange(path+".beta1", o.Beta1, 0, 1000)
	v.inRange(path+".beta2", o.Beta2, 0, 1)
	v.inRange(path+".start", o.Start, 0, 1e6)
	v.inRange(path+".l1", o.L1, 0, 1e6)
	v.inRange(path+".l2", o.L2, 0, 1e6)
	if o.Kind != "coin" && o.Rate == 0 {
		v.refuse(path+".rate", "is 0, want a positive one for %s", o.Kind)
	}
	if o.Kind == "adam" && (o.Beta1 >= 1 || o.Beta2 >= 1) {
		v.refuse(path+".beta1", "and beta2 are %v and %v, want both below 1 for adam", o.Beta1, o.Beta2)
	}
	// what float32 has as 0 would be divided by
	if (o.Kind == "coin" || o.Kind == "adagrad" || o.Kind == "adam") && float32(o.Start) <= 0 {
		v.refuse(path+".start", "is %v, want at least 1e-45 for %s", o.Start, o.Kind)
	}
}
