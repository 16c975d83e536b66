package report

import (
	"math"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// goal says which values of a figure are better.
type goal int

const (
	neither goal = iota
	lower
	higher
	one // near 1
)

// change is a figure on two sides.
type change struct {
	subject   string // an objective, or money
	what, key string // in words, and in CSV
	was, now  figure
	by        figure // now less was
	goal      goal
	write     format
	share     bool // it is a share, and differences are percentage points
	counted   bool // it is no estimate
	more      bool // than chance
}

// changes compares the period with the span before it, or its halves where nothing is known of
// before.
type changes struct {
	halves  bool
	then    string // the first side in words
	list    []change
	skipped bool // there is nothing to compare
	// what the data does not cover of both, in words
	coverage []string
}

// compare compares what was measured of both sides.
func (d *data) compare() *changes {
	c := &changes{then: "the span before it"}
	if c.halves = !d.anyBefore(); c.halves {
		c.then = "its first half"
	}
	for _, q := range d.objectives {
		c.addQuality(q)
	}
	c.addMoney(d)
	chances := make([]float64, len(c.list))
	for i := range c.list {
		x := &c.list[i]
		x.by = difference(x.was, x.now)
		chances[i] = x.by.chance()
	}
	for i, more := range holm(chances) {
		c.list[i].more = more
	}
	c.forgive()
	c.skipped = len(c.list) == 0
	return c
}

// forgive does not judge the log loss of an objective whose share of positives has changed: it
// would have moved with equally good predictions.
func (c *changes) forgive() {
	for i := range c.list {
		for k := range c.list {
			if c.list[i].key == "rate" && c.list[i].more && c.list[k].key == "log_loss" && c.list[k].subject == c.list[i].subject {
				c.list[k].goal = neither
			}
		}
	}
}

// anyBefore tells whether the span before the period holds an example, a prediction or a bid.
func (d *data) anyBefore() bool {
	for _, q := range d.objectives {
		if q.counts[before].examples > 0 {
			return true
		}
	}
	return d.predictions.counts[before] > 0 || d.bids.sides[before].bids > 0
}

// bidding is the subject of changes of what bids won and cost.
const bidding = "bids"

// name is the figure and what it is of.
func (x *change) name() string {
	if x.subject == bidding {
		return x.what
	}
	return x.what + " of " + x.subject
}

// add adds a change if both of its sides are known.
func (c *changes) add(x change) {
	if x.was.known() && x.now.known() {
		c.list = append(c.list, x)
	}
}

func (c *changes) addQuality(q *quality) {
	was, now := evaluate(&q.parts[before]), evaluate(&q.whole)
	if c.halves {
		was, now = evaluate(&q.parts[firstHalf]), evaluate(&q.parts[secondHalf])
	}
	for _, m := range measures {
		if m.changes {
			c.add(change{subject: q.objective.Name, what: m.name, key: m.key, was: m.of(&was), now: m.of(&now), goal: m.goal, write: m.write, share: m.key == "rate"})
		}
	}
}

func (c *changes) addMoney(d *data) {
	was, now := d.bids.sides[before], d.bids.now()
	if c.halves {
		was, now = d.bids.sides[firstHalf], d.bids.sides[secondHalf]
	}
	if was.bids == 0 || now.bids == 0 {
		return
	}
	c.add(change{subject: bidding, what: "win rate", key: "win_rate", was: was.winRate(), now: now.winRate(), write: percent, share: true})
	c.add(change{subject: bidding, what: "cost of a thousand impressions", key: "ecpm", was: was.perThousand(), now: now.perThousand(), goal: lower, write: amount, counted: true})
	for i, q := range d.objectives {
		c.add(change{subject: bidding, what: "rate of " + q.objective.Name, key: q.objective.Name + "_rate", was: was.positiveRate(i), now: now.positiveRate(i), goal: higher, write: percent, share: true})
		c.add(change{subject: bidding, what: "cost of one " + q.objective.Name, key: q.objective.Name + "_cost", was: was.perPositive(i), now: now.perPositive(i), goal: lower, write: amount})
	}
}

// better tells whether a change is for the better: 1, for the worse: -1, or neither: 0.
func (x *change) better() int {
	sign := func(worse bool) int { return 1 - 2*b2i(worse) }
	switch x.goal {
	case lower:
		return sign(x.by.value > 0)
	case higher:
		return sign(x.by.value < 0)
	case one:
		return sign(math.Abs(math.Log(x.now.value)) > math.Abs(math.Log(x.was.value)))
	}
	return 0
}

// verdict is what to think of a change.
func (x *change) verdict() Cell {
	switch {
	case x.counted:
		return Cell{Text: "counted, not estimated", Values: []string{"counted"}}
	case !x.by.bounded():
		return Cell{Text: "not known", Values: []string{"unknown"}}
	case !x.more:
		return Cell{Text: "may be chance", Values: []string{"chance"}}
	case x.better() > 0:
		return Cell{Text: "more than chance, better", Values: []string{"better"}, Tone: "good"}
	case x.better() < 0:
		return Cell{Text: "more than chance, worse", Values: []string{"worse"}, Tone: "bad"}
	}
	return Cell{Text: "more than chance", Values: []string{"changed"}}
}

func (c *changes) section() *Section {
	out := &Section{ID: "changes", Title: "What changed"}
	out.Text = append(out.Text, c.coverage...)
	if c.skipped {
		out.say("Nothing is there to compare the period with: neither the span before it nor both of its halves hold examples or bids.")
		return out
	}
	now := "The period"
	if c.halves {
		now = "No data lies before the period. So its second half"
	}
	out.say("%s is compared with %s. Each figure has the interval that holds it with 95%% confidence. A difference is called more than chance where all such calls of this table together are wrong in at most one report of twenty (Holm's correction).", now, c.then)
	out.say("Log loss moves with the share of positives, also when predictions are as good as before. Normalized entropy is its part of the loss of always predicting that share, so it can be compared.")
	t := &Table{ID: "changes", Title: "Figures and their differences", Columns: []Column{
		text("Of", "subject"), text("Figure", "figure"), estimate("Before", "before"), estimate("Now", "now"), estimate("Difference", "difference"), text("More than chance?", "verdict"),
	}}
	for i := range c.list {
		x := &c.list[i]
		t.add(label(x.subject), Cell{Text: x.what, Values: []string{x.key}}, x.was.cell(x.write), x.now.cell(x.write), x.by.cell(x.difference()), x.verdict())
	}
	out.show(t)
	return out
}

// difference is the format of a change's difference.
func (x *change) difference() format {
	if x.share {
		return func(v float64) string { return strings.TrimSuffix(signed(percent)(v), "%") + " points" }
	}
	return signed(x.write)
}

// signed writes a plus before what is above 0.
func signed(write format) format {
	return func(v float64) string {
		if v > 0 {
			return "+" + write(v)
		}
		return write(v)
	}
}

// measure is one of the metrics of an evaluation: how it is named, written and judged.
type measure struct {
	name, key string
	meaning   string
	of        func(*event.Evaluation) figure
	goal      goal
	write     format
	changes   bool // it is compared between sides
}

// measures are those that are told of an objective, in the order of the page.
var measures = []measure{
	{"share of positives", "rate", "how many of the examples were followed by the positive event", func(v *event.Evaluation) figure {
		if v.Weight == nil {
			return certain(math.NaN())
		}
		return rate(defined(v.Actual), *v.Weight)
	}, neither, percent, true},
	{"log loss", "log_loss", "mean cost of a prediction, in nats; lower is better", func(v *event.Evaluation) figure { return figureOf(v.LogLoss, v.LogLossInterval) }, lower, decimals(4), true},
	{"normalized entropy", "normalized_entropy", "log loss as a part of what always predicting the share of positives costs; below 1 the model knows something", func(v *event.Evaluation) figure { return figureOf(v.NormalizedEntropy, v.NormalizedEntropyInterval) }, lower, decimals(4), true},
	{"AUC", "auc", "how often a positive is scored above a negative; 0.5 is chance", func(v *event.Evaluation) figure { return figureOf(v.AUC, v.AUCInterval) }, higher, decimals(4), true},
	{"predicted over actual", "predicted_over_actual", "positives that were predicted for each that came; 1 is calibrated, above 1 is too optimistic and pays too much", func(v *event.Evaluation) figure {
		return figureOf(v.PredictedOverActual, v.PredictedOverActualInterval)
	}, one, decimals(3), true},
	{"calibration error", "ece", "mean distance of predictions from shares of positives, over bins of equal weight", func(v *event.Evaluation) figure { return certain(defined(v.ECE)) }, lower, decimals(4), false},
	{"Brier score", "brier", "mean squared error of the probabilities", func(v *event.Evaluation) figure { return certain(defined(v.Brier)) }, lower, decimals(4), false},
	{"average precision", "average_precision", "area under the curve of precision over recall", func(v *event.Evaluation) figure { return certain(defined(v.AveragePrecision)) }, higher, decimals(4), false},
	{"AUC within users", "gauc", "AUC among the predictions of one user, averaged by examples", func(v *event.Evaluation) figure { return certain(defined(v.GAUC)) }, higher, decimals(4), false},
	{"lift of the top tenth", "lift", "share of positives in the tenth that is scored highest, over that of all", func(v *event.Evaluation) figure { return certain(defined(v.Lift)) }, higher, decimals(2), false},
}

// measureOf finds one of measures.
func measureOf(key string) *measure {
	for i := range measures {
		if measures[i].key == key {
			return &measures[i]
		}
	}
	panic("BUG: there is no measure " + key)
}
