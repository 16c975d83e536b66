package model

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/clickloop/clickloop/model/internal/arith"
)

// Calibration says how the network's probabilities become the served ones.
//
// The last step of a prediction is a monotone map, learned online behind the network: production
// systems correct their models so because the mean prediction of a part of the traffic may be off
// while the order of its predictions is right (McMahan et al., "Ad click prediction: a view from
// the trenches", 2013, section 7; He et al., "Practical lessons from predicting clicks on ads at
// Facebook", 2014). The network itself learns from its own probability, as if there were no map.
//
// There is one map for all examples, and with By one a slice: a value of the first field of By,
// then a value of the first two, and so on. A slice's map takes what its parent's gives, so a slice
// that has too little data serves what its parent serves.
type Calibration struct {
	// beta: learned online; none: the network's own probabilities are served; auto: beta for the
	// default mixture and where by names fields, none for a plain network, which learns an example
	// in little more time than beta takes. Only output sigmoid is calibrated
	Kind string `yaml:"kind" json:"kind"`
	// fields whose values make slices, the coarsest first
	By []string `yaml:"by" json:"by"`
	// labels of either kind that a slice counts before its map is learned and in force
	Minimum float64 `yaml:"minimum" json:"minimum"`
	// at most so many slices; examples of later ones have their parent's
	MaxSlices int `yaml:"max_slices" json:"max_slices"`
}

// IsZero says that nothing is calibrated. Such a section is left out of checkpoints.
func (c Calibration) IsZero() bool { return c.Kind == "" || c.Kind == "none" }

// resolved is the configuration with what kind auto stands for.
func (c Config) resolved() Config {
	if k := &c.Calibration; k.Kind == "auto" && len(c.Network) > 0 && len(k.By) == 0 {
		k.Kind = "none"
	} else if k.Kind == "auto" {
		k.Kind = "beta"
	}
	return c
}

const (
	maxLevels      = 3 // of slices below the one of all examples
	mostSlices     = 1 << 16
	defaultMinimum = 200
)

func (v *validation) calibration(c *Config) {
	k := &c.Calibration
	v.oneOf("calibration.kind", k.Kind, "auto", "beta", "none")
	if k.IsZero() {
		return
	}
	if !(k.Minimum >= 1 && k.Minimum <= 1e9) {
		v.refuse("calibration.minimum", "is %v, want 1 to 1e9", k.Minimum)
	}
	v.inRange("calibration.max_slices", float64(k.MaxSlices), 1, mostSlices)
	if len(k.By) > maxLevels {
		v.refuse("calibration.by", "has %d fields, want at most %d", len(k.By), maxLevels)
	}
	for i, name := range k.By {
		if name == "" || slices.Contains(k.By[:i], name) {
			v.refuse("calibration.by", "is %q, want names of fields, each once", k.By)
		}
	}
	if len(k.By) > 0 && c.Output != "sigmoid" {
		v.refuse("calibration.by", "is %q and output %s, want no fields: only output sigmoid is calibrated", k.By, c.Output)
	}
}

// calibration is the learned maps. It is nil where nothing is calibrated.
//
// With two processors one goroutine finds the keys of an example's slices while it encodes, and
// another learns the maps while it mixes, example after example.
type calibration struct {
	minimum float64
	most    int
	by      []uint64 // hashes of the fields
	slices  []slice  // the first is the one of all examples; a parent comes before its children
	index   map[sliceKey]int32
	refused int64 // examples that brought a slice beyond the bound
	forced  int   // slices in force
	changed []int32
	listed  []bool // by slice: in changed
	full    bool
}

// slice is one map and what was counted for it.
type slice struct {
	sliceKey
	level                int     // parents above it
	positives, negatives float64 // by weight
	examples             int64
	betaMap
}

// sliceKey names a slice: its parent's number, and the token of the field by which it differs.
type sliceKey struct {
	parent int32 // -1 for the slice of all examples
	token  uint64
}

// sliceKeys are the tokens of an example in the fields of By, as far as it has them.
type sliceKeys struct {
	n      int
	tokens [maxLevels]uint64
}

func newCalibration(c *Config, full bool) *calibration {
	k := &c.Calibration
	if k.IsZero() || c.Output != "sigmoid" {
		return nil
	}
	cal := &calibration{minimum: k.Minimum, most: k.MaxSlices, index: map[sliceKey]int32{}, full: full}
	for _, name := range k.By {
		cal.by = append(cal.by, FieldHash(name))
	}
	cal.add(sliceKey{parent: -1})
	cal.settle()
	return cal
}

// add makes a slice.
func (c *calibration) add(key sliceKey) int32 {
	i := int32(len(c.slices))
	s := slice{sliceKey: key, betaMap: newBetaMap(c.full)}
	if key.parent >= 0 {
		s.level = c.slices[key.parent].level + 1
	}
	c.slices, c.listed = append(c.slices, s), append(c.listed, false)
	c.index[key] = i
	return i
}

// keys sets the tokens by which an example's slices are found. A field without a value, or without
// the one before it, ends them; of several values the first counts. The features may be in two
// parts that have no field in common.
func (c *calibration) keys(x, rest []Feature, k *sliceKeys) {
	k.n = 0
	if c == nil {
		return
	}
	for _, field := range c.by {
		token, ok := valueOf(field, x)
		if !ok {
			token, ok = valueOf(field, rest)
		}
		if !ok {
			return
		}
		k.tokens[k.n] = token
		k.n++
	}
}

// valueOf is the first value of a field.
func valueOf(field uint64, x []Feature) (token uint64, ok bool) {
	i := slices.IndexFunc(x, func(f Feature) bool { return f.Field == field && f.Kind != Missing })
	switch {
	case i < 0:
		return 0, false
	case x[i].Kind == Number:
		return math.Float64bits(x[i].Value), true
	}
	return x[i].Hash, true
}

// inForce says whether a slice has enough labels of both kinds.
func (c *calibration) inForce(s *slice) bool {
	return s.positives >= c.minimum && s.negatives >= c.minimum
}

// serve is the probability that is served where the network says raw.
func (c *calibration) serve(raw float64, k *sliceKeys) float64 {
	if c == nil {
		return raw
	}
	p, at := raw, int32(0)
	for level := 0; ; level++ {
		if s := &c.slices[at]; c.inForce(s) {
			p = s.apply(holdProbability(p))
		}
		if level == k.n {
			return p
		}
		child, ok := c.index[sliceKey{at, k.tokens[level]}]
		if !ok {
			return p
		}
		at = child
	}
}

// learn is serve, and then learns the row's label.
func (c *calibration) learn(r *row, raw float64) float64 {
	if c == nil {
		return raw
	}
	p, at := raw, int32(0)
	for level := 0; ; level++ {
		p = c.learnSlice(at, p, r.label, r.weight)
		if level == r.keys.n {
			return p
		}
		key := sliceKey{at, r.keys.tokens[level]}
		child, ok := c.index[key]
		if !ok {
			if len(c.slices) >= c.most {
				c.refused++
				return p
			}
			child = c.add(key)
		}
		at = child
	}
}

// learnRows learns rows in turn, whose network's probabilities stand in ps, and sets ps to what is
// served. A block's rows come together, after the network has learned them: from one step of a map
// to the next they do not wait for each other.
func (c *calibration) learnRows(rows []row, ps []float64) {
	if c == nil {
		return
	}
	for i := range rows {
		ps[i] = c.learn(&rows[i], ps[i])
	}
}

// learnSlice returns what a slice makes of p, then learns a label. An undone label is taken out of
// the counts; what the map has learned of it fades by itself, since a curvature cannot be undone.
func (c *calibration) learnSlice(at int32, p, y, w float64) float64 {
	s := &c.slices[at]
	if !c.listed[at] {
		c.list(at)
	}
	in := c.inForce(s)
	s.examples++
	s.positives += float64(w * y)
	s.negatives += float64(w * (1 - y))
	if !in || w < 0 {
		s.positives, s.negatives = max(s.positives, 0), max(s.negatives, 0)
		c.count(in, s)
	}
	if !in {
		return p
	}
	return s.betaMap.learn(holdProbability(p), y, min(w, 100))
}

// count keeps up how many slices are in force, after s has changed.
func (c *calibration) count(was bool, s *slice) {
	switch in := c.inForce(s); {
	case in && !was:
		c.forced++
	case was && !in:
		c.forced--
	}
}

// list has a slice in the next delta.
func (c *calibration) list(at int32) {
	c.listed[at] = true
	c.changed = append(c.changed, at)
}

// settle begins the list of changed slices again.
func (c *calibration) settle() {
	if c == nil {
		return
	}
	for _, i := range c.changed {
		c.listed[i] = false
	}
	c.changed = c.changed[:0]
}

func (c *calibration) clone() *calibration {
	if c == nil {
		return nil
	}
	k := *c
	k.slices, k.listed = slices.Clone(c.slices), make([]bool, len(c.slices))
	k.index, k.changed = make(map[sliceKey]int32, len(c.index)), nil
	for i := range k.slices {
		k.index[k.slices[i].sliceKey] = int32(i)
	}
	return &k
}

// Slice describes a part of the examples that has a calibration of its own.
type Slice struct {
	At     int `json:"slice"`
	Parent int `json:"parent"` // of which it takes the probability; -1 for the slice of all examples
	// the field, and the hash of its value's token in hexadecimal, by which it differs from its
	// parent; empty for all examples
	Field     string  `json:"field,omitempty"`
	Token     string  `json:"token,omitempty"`
	Examples  int64   `json:"examples"`
	Positives float64 `json:"positives"` // by weight
	Negatives float64 `json:"negatives"`
	InForce   bool    `json:"in_force"` // else the parent's probability is served
	// with b = map[0] + map[1] (ln p - ln 0.02) - map[2] ln(1-p), the map serves
	// trust[0] p + trust[1] sigmoid(logit p + (b + shift)/2) + trust[2] sigmoid(logit p + b)
	Weights [mapWeights]float64 `json:"map"`
	Shift   float64             `json:"shift"`
	Trust   [mapTrusts]float64  `json:"trust"`
}

// Calibrated is what a net's calibration has learned.
type Calibrated struct {
	Count   int     `json:"slices"`
	InForce int     `json:"in_force"`
	Refused int64   `json:"refused"` // examples whose slice was beyond max_slices
	Slices  []Slice `json:"list"`    // a parent before its children
}

// Most leaves the n slices with the most examples in the list, the largest first.
func (c Calibrated) Most(n int) Calibrated {
	slices.SortStableFunc(c.Slices, func(a, b Slice) int { return cmp.Compare(b.Examples, a.Examples) })
	c.Slices = c.Slices[:min(n, len(c.Slices))]
	return c
}

// Map is what the slice makes of a probability that its parent serves.
func (s Slice) Map(p float64) float64 {
	if !s.InForce {
		return p
	}
	m := betaMap{weights: s.Weights, shift: s.Shift, trust: s.Trust, odds: arith.Exp(s.Shift / 2)}
	return m.apply(holdProbability(p))
}

// describe lists the slices. by are the names of the fields.
func (c *calibration) describe(by []string) (d Calibrated) {
	if c == nil {
		return d
	}
	d.Count, d.InForce, d.Refused = len(c.slices), c.forced, c.refused
	for i := range c.slices {
		s := &c.slices[i]
		v := Slice{At: i, Parent: int(s.parent), Examples: s.examples, Positives: s.positives, Negatives: s.negatives,
			InForce: c.inForce(s), Weights: s.weights, Shift: s.shift, Trust: s.trust}
		if s.level > 0 {
			v.Field, v.Token = by[s.level-1], TokenText(s.token)
		}
		d.Slices = append(d.Slices, v)
	}
	return d
}

// TokenText is how the hash of a token is written in descriptions.
func TokenText(hash uint64) string { return fmt.Sprintf("%016x", hash) }

// Calibration tells what the calibration has learned. Like Learn it belongs to the goroutine that
// learns.
func (n *Net) Calibration() Calibrated { return n.calibration.describe(n.cfg.Calibration.By) }

// Calibration tells what the calibration of the served weights has learned.
func (r *Replica) Calibration() Calibrated { return r.c.calibration.describe(r.c.cfg.Calibration.By) }

// Raw is the network's own probability of the example that was predicted or learned last with s,
// before the calibration.
func (s *Scratch) Raw() float64 { return s.row.raw }

// Shift is how far the calibration moved the logit of the example that was predicted last with s.
func (s *Scratch) Shift() float64 {
	if s.row.raw == s.row.served {
		return 0
	}
	return arith.Logit(holdProbability(s.row.served)) - arith.Logit(holdProbability(s.row.raw))
}
