package dashboard

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// Sizes and intervals of the samples that are compared.
const (
	currentExamples = 2000 // the newest
	referenceBlocks = 40   // spread evenly over all examples before them
	blockExamples   = 50
	blocksTurn      = 4   // that one state reads
	leastExamples   = 200 // of either sample
	mostFeatures    = 300 // of an objective
	mostCategories  = 20  // of a text feature: those that the reference has most; the rest is one more
	numberBins      = 10
	mostDrift       = 50 // features that a state lists

	currentEvery   = 30 * time.Second
	referenceEvery = 10 * time.Minute
)

// scoreFeature is the name under which the predicted probability is compared.
const scoreFeature = "(prediction)"

// drift compares the newest examples of an objective with those before them. The reference is
// spread over all that the topic keeps, so that it has every hour and every day of the week: a
// sample of the hour before would hide a slow change, and one of yesterday would show the weekend.
type drift struct {
	objective string

	reference *reference // nil: none is whole yet
	made      time.Time  // when it was begun
	compared  time.Time
	found     []DriftInfo

	building *sample // of the next reference
	blocks   []int64 // offsets that are still to be read for it
}

func newDrift(objective string) *drift { return &drift{objective: objective} }

// sample is the values of examples, by feature.
type sample struct {
	examples int
	columns  map[string]*column
}

// column is the values of one feature. A feature with any value that is no number is a text.
type column struct {
	present int
	numbers []float64
	texts   map[string]int
}

func newSample() *sample { return &sample{columns: map[string]*column{}} }

func (s *sample) add(x *event.Example) {
	s.examples++
	s.put(scoreFeature, &event.Value{Kind: event.Number, Num: x.P})
	for i := range x.Features {
		s.put(x.Features[i].Name, &x.Features[i].Value)
	}
}

func (s *sample) put(name string, v *event.Value) {
	if v.Kind == event.Null {
		return
	}
	c := s.columns[name]
	if c == nil {
		if len(s.columns) >= mostFeatures {
			return
		}
		c = &column{texts: map[string]int{}}
		s.columns[name] = c
	}
	c.present++
	if v.Kind == event.Number {
		c.numbers = append(c.numbers, v.Num)
		return
	}
	c.texts[textOf(v)]++
}

// textOf is a value as a category; a list is its first tokens.
func textOf(v *event.Value) string {
	if v.Kind != event.List {
		return v.Text()
	}
	text := ""
	for i, t := range v.List[:min(len(v.List), 3)] {
		if i > 0 {
			text += ","
		}
		text += t.Token
	}
	return text
}

// reference is a sample as counts in bins that it chose itself.
type reference struct {
	examples int
	bins     map[string]*bins
}

// bins are either spans of numbers or categories of texts.
type bins struct {
	missing float64
	present int
	edges   []float64      // of numbers: upper edges of all bins but the last
	index   map[string]int // of texts; others are in the last bin
	counts  []int
}

func (s *sample) reference() *reference {
	r := &reference{examples: s.examples, bins: map[string]*bins{}}
	for name, c := range s.columns {
		b := &bins{missing: 1 - float64(c.present)/float64(s.examples), present: c.present}
		if len(c.texts) == 0 {
			b.edges = edgesOf(c.numbers)
		} else {
			b.index = categories(c.all())
		}
		b.counts = b.count(c)
		r.bins[name] = b
	}
	return r
}

// all are the texts of a column, its numbers too.
func (c *column) all() map[string]int {
	if len(c.numbers) == 0 {
		return c.texts
	}
	all := maps.Clone(c.texts)
	for _, n := range c.numbers {
		all[(&event.Value{Kind: event.Number, Num: n}).Text()]++
	}
	return all
}

// edgesOf returns the deciles of numbers, each once.
func edgesOf(numbers []float64) []float64 {
	sorted := slices.Sorted(slices.Values(numbers))
	var edges []float64
	for i := 1; i < numberBins; i++ {
		e := sorted[i*len(sorted)/numberBins]
		if (len(edges) == 0 || e > edges[len(edges)-1]) && e < sorted[len(sorted)-1] {
			edges = append(edges, e)
		}
	}
	return edges
}

func categories(texts map[string]int) map[string]int {
	names := slices.Collect(maps.Keys(texts))
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(texts[b], texts[a]), cmp.Compare(a, b)) })
	index := map[string]int{}
	for i, name := range names[:min(len(names), mostCategories)] {
		index[name] = i
	}
	return index
}

// count counts a column in the bins.
func (b *bins) count(c *column) []int {
	if b.index == nil {
		counts := make([]int, len(b.edges)+1)
		for _, n := range c.numbers {
			i, _ := slices.BinarySearch(b.edges, n)
			counts[i]++
		}
		for _, n := range c.texts { // a number that has become a text is none of the bins'
			counts[len(b.edges)] += n
		}
		return counts
	}
	counts := make([]int, len(b.index)+1)
	for text, n := range c.all() {
		i, ok := b.index[text]
		if !ok {
			i = len(b.index)
		}
		counts[i] += n
	}
	return counts
}

// compare tells how far a sample is from the reference, feature by feature. A feature that either
// lacks altogether is told by its share of missing values.
func (r *reference) compare(objective string, s *sample) []DriftInfo {
	var out []DriftInfo
	names := map[string]bool{}
	for name := range r.bins {
		names[name] = true
	}
	for name := range s.columns {
		names[name] = true
	}
	for name := range names {
		info := DriftInfo{Objective: objective, Feature: name, Examples: s.examples, Reference: r.examples, Missing: 1, MissingBefore: 1}
		b, c := r.bins[name], s.columns[name]
		if b != nil {
			info.MissingBefore = b.missing
		}
		if c != nil {
			info.Missing = 1 - float64(c.present)/float64(s.examples)
		}
		if b != nil && c != nil {
			info.PSI, info.Limit = psi(b.counts, b.count(c))
		}
		out = append(out, info)
	}
	slices.SortFunc(out, func(a, b DriftInfo) int {
		return cmp.Or(cmp.Compare(b.worse(), a.worse()), cmp.Compare(a.Feature, b.Feature))
	})
	return out
}

// worse orders features: by how far they are beyond chance, and a change of missing values counts
// like a PSI of its size.
func (d *DriftInfo) worse() float64 {
	return max(d.PSI-d.Limit, math.Abs(d.Missing-d.MissingBefore))
}

// psi is the population stability index of two samples in the same bins, with half an example added
// to each bin, and its limit. For two samples of one distribution the index is about (1/n + 1/m)
// times a chi-squared of as many degrees of freedom as there are bins but one (B. Yurdakul and
// J. Naranjo, Statistical properties of the population stability index, 2020); the limit is its
// 99% quantile, by Wilson and Hilferty.
func psi(before, now []int) (index, limit float64) {
	k := float64(len(before))
	n, m := k/2, k/2
	for i := range before {
		n += float64(before[i])
		m += float64(now[i])
	}
	for i := range before {
		e, a := (float64(before[i])+0.5)/n, (float64(now[i])+0.5)/m
		index += (a - e) * math.Log(a/e)
	}
	if free := k - 1; free > 0 {
		const z = 2.326
		chi := free * math.Pow(1-2/(9*free)+z*math.Sqrt(2/(9*free)), 3)
		limit = chi * (1/n + 1/m)
	}
	return index, limit
}

// readDrift goes on with the samples of each objective.
func (c *collector) readDrift(ctx context.Context) error {
	all := []DriftInfo{}
	for _, o := range c.d.d.Objectives {
		d, ranges := c.drifts[o.Name], c.ranges[event.TopicExamples(o.Name)]
		if len(ranges) > 0 {
			if err := d.step(ctx, c, ranges[0]); err != nil {
				return err
			}
		}
		all = append(all, d.found...)
	}
	slices.SortStableFunc(all, func(a, b DriftInfo) int { return cmp.Compare(b.worse(), a.worse()) })
	c.state.Drift = all[:min(len(all), mostDrift)]
	return nil
}

// step reads a part of the next reference, or compares the newest examples with the last one.
func (d *drift) step(ctx context.Context, c *collector, rg stream.Range) error {
	current := min(currentExamples, (rg.End-rg.First)/4)
	if current < leastExamples {
		return nil
	}
	if d.building == nil && (d.reference == nil || c.at.Sub(d.made) >= referenceEvery) {
		d.building, d.blocks, d.made = newSample(), blocks(rg.First, rg.End-current), c.at
	}
	if d.building != nil {
		n := min(len(d.blocks), blocksTurn)
		for _, from := range d.blocks[:n] {
			if err := d.read(ctx, c, from, from+blockExamples, d.building); err != nil {
				return err
			}
		}
		if d.blocks = d.blocks[n:]; len(d.blocks) > 0 {
			return nil
		}
		if d.building.examples >= leastExamples {
			d.reference = d.building.reference()
		}
		d.building = nil
		d.compared = time.Time{}
	}
	if d.reference == nil || c.at.Sub(d.compared) < currentEvery {
		return nil
	}
	now := newSample()
	if err := d.read(ctx, c, rg.End-current, rg.End, now); err != nil {
		return err
	}
	d.compared = c.at
	if now.examples > 0 {
		d.found = d.reference.compare(d.objective, now)
	}
	return nil
}

// blocks are the first offsets of the reference's parts.
func blocks(from, to int64) []int64 {
	var all []int64
	n := min(referenceBlocks, max((to-from)/blockExamples, 1))
	for i := range n {
		all = append(all, from+i*(to-from)/n)
	}
	return all
}

func (d *drift) read(ctx context.Context, c *collector, from, to int64, into *sample) error {
	var x event.Example
	return c.span(ctx, event.TopicExamples(d.objective), 0, from, to, func(r *stream.Record) {
		if x.UnmarshalJSON(r.Value) == nil && x.Validate() == nil && !x.Revision {
			into.add(&x)
		}
	})
}
