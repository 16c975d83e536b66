package report

import (
	"cmp"
	"maps"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// predictions counts what was served: how many, how old their inputs were, and what features they
// had.
type predictions struct {
	period     *period
	objectives []*quality
	p          event.Prediction // reused

	counts   [sides]int64
	buckets  []served
	ages     map[string]*inputAges
	asked    []asked // of each objective
	features *features
	recorded int64 // predictions of the period that were produced long after their time
	damaged  int64 // records that are no prediction
}

// served is the predictions of one bucket.
type served struct {
	n     int64
	model ages // of the weights, in ms
}

// inputAges are the ages of one input, in ms.
type inputAges struct{ sides [sides]ages }

// asked counts the predictions of the period that have a probability for an objective.
type asked struct {
	n         int64
	undecided int64 // those behind the newest example of their partition
}

// maxAges is how many inputs with ages are told apart.
const maxAges = 50

// modelAge is the input that the age of the weights is logged as.
const modelAge = "model"

func newPredictions(p *period, objectives []*quality) *predictions {
	return &predictions{period: p, objectives: objectives, buckets: make([]served, p.buckets()), ages: map[string]*inputAges{}, asked: make([]asked, len(objectives)), features: newFeatures()}
}

// add counts a prediction. Examples must have been counted before.
func (s *predictions) add(r *stream.Record) (event.Time, error) {
	p := &s.p
	if p.UnmarshalJSON(r.Value) != nil {
		s.damaged++
		return 0, nil
	}
	at := s.period.side(p.Time)
	if at == outside {
		return p.Time, nil
	}
	s.counts[at]++
	s.features.add(p.Features, at)
	for _, a := range p.AgeMs {
		of := s.ages[a.Name]
		if of == nil {
			if len(s.ages) >= maxAges {
				continue
			}
			of = &inputAges{}
			s.ages[a.Name] = of
		}
		of.sides[at].add(a.Ms)
	}
	if at != before {
		s.inPeriod(p, r)
	}
	return p.Time, nil
}

func (s *predictions) inPeriod(p *event.Prediction, r *stream.Record) {
	b := &s.buckets[s.period.bucket(p.Time)]
	b.n++
	if r.Time.Sub(p.Time.Std()) > skew {
		s.recorded++
	}
	for _, a := range p.AgeMs {
		if a.Name == modelAge {
			b.model.add(a.Ms)
		}
	}
	for i, q := range s.objectives {
		for _, o := range p.P {
			if o.Objective != q.objective.Name {
				continue
			}
			s.asked[i].n++
			if decided, ok := q.decided[int32(r.Partition)]; !ok || r.Offset > decided {
				s.asked[i].undecided++
			}
		}
	}
}

// total is how many predictions the period has.
func (s *predictions) total() int64 { return s.counts[firstHalf] + s.counts[secondHalf] }

// freshness tells how old inputs were when they were used.
func (s *predictions) freshness(unknown *unknowns) *Section {
	names := slices.SortedFunc(maps.Keys(s.ages), func(a, b string) int {
		if (a == modelAge) != (b == modelAge) { // the weights first
			return cmp.Compare(b2i(b == modelAge), b2i(a == modelAge))
		}
		return cmp.Compare(a, b)
	})
	t := &Table{ID: "freshness", Title: "Age of inputs at scoring", Note: "Quantiles are too low by up to 1/64. The weights are those that a scorer answered with; other names are profiles.",
		Columns: []Column{text("Input", "input"), number("Predictions", "predictions"), number("Median", "p50_ms"), number("90% at most", "p90_ms"), number("99% at most", "p99_ms"), number("Oldest", "max_ms"), number("Median in the span before", "before_p50_ms")}}
	for _, name := range names {
		all := merge(&s.ages[name].sides[firstHalf], &s.ages[name].sides[secondHalf])
		if all.n == 0 {
			continue
		}
		was := Cell{Text: none, Values: []string{""}}
		if b := &s.ages[name].sides[before]; b.n > 0 {
			was = age(b.quantile(0.5))
		}
		shown := name
		if name == modelAge {
			shown = "weights"
		}
		t.add(Cell{Text: shown, Values: []string{name}}, count(all.n), age(all.quantile(0.5)), age(all.quantile(0.9)), age(all.quantile(0.99)), age(all.most), was)
	}
	if len(t.Rows) == 0 {
		unknown.add("Freshness: no prediction of the period tells the age of what it was made from (member age_ms).")
		return nil
	}
	out := &Section{ID: "freshness", Title: "Freshness"}
	out.say("How old the weights and profiles were when a prediction used them. Old weights have not learned the newest labels.")
	out.show(t)
	if s.recorded > s.total()/2 {
		out.say("Most predictions were made long after the times that they carry, so this is a recording. A profile's age is measured by the clock, and says how old the recording is.")
	}
	if s.ages[modelAge] != nil {
		s.freshnessOverTime(out)
	}
	return out
}

func (s *predictions) freshnessOverTime(out *Section) {
	t := &Table{ID: "freshness_over_time", Title: "Age of the weights over time",
		Columns: []Column{instant("From (UTC)", "start"), number("Predictions", "predictions"), number("Median", "p50_ms"), number("99% at most", "p99_ms")}}
	half, most := newLine("median"), newLine("99% at most")
	for i := range s.buckets {
		b := &s.buckets[i]
		if b.n == 0 {
			continue
		}
		t.add(when(s.period.start(i)), count(b.n), age(b.model.quantile(0.5)), age(b.model.quantile(0.99)))
		half.add(i, certain(float64(b.model.quantile(0.5))/1000))
		most.add(i, certain(float64(b.model.quantile(0.99))/1000))
	}
	c := overTime(s.period, "age-of-weights", "Age of the weights", look{unit: "seconds", zero: true}, half, most)
	out.show(t, charts(c)...)
}

// merge is the ages of both.
func merge(a, b *ages) *ages {
	all := &ages{n: a.n + b.n, most: max(a.most, b.most), bins: make([]int64, max(len(a.bins), len(b.bins)))}
	copy(all.bins, a.bins)
	for i, n := range b.bins {
		all.bins[i] += n
	}
	return all
}

// age is a cell of milliseconds.
func age(ms int64) Cell {
	return Cell{Text: span(event.Time(ms).Duration()), Values: []string{exact(float64(ms))}}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
