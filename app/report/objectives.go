package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// section tells how good the predictions of the objective were, or nothing where the period has no
// example.
func (q *quality) section(unknown *unknowns) *Section {
	name := q.objective.Name
	if q.inPeriod().examples == 0 {
		unknown.add("Objective %s: the period has no labelled example. Labels come %s after a prediction at the earliest.", name, span(q.objective.Window))
		return nil
	}
	v := evaluate(&q.whole)
	out := &Section{ID: "objective-" + name, Title: "Objective " + name}
	out.say("%s, and is positive when %s follows within %s. The period has %s, of which %s positive.",
		q.trigger(), article(q.objective.Positive), span(q.objective.Window), plural(v.Examples, "example"), thousands(v.Positives)+" "+were(v.Positives))
	out.show(q.measured(&v))
	q.overTime(out)
	q.calibrated(out, &v, unknown)
	q.scored(out, &v, unknown)
	q.segmented(out, unknown)
	return out
}

// trigger is which predictions count, in words.
func (q *quality) trigger() string {
	if q.kind.Trigger == event.TriggerPrediction {
		return "Every prediction counts"
	}
	return "A prediction counts once " + article(q.kind.Trigger) + " has followed it"
}

// article puts a or an before a noun.
func article(noun string) string {
	if noun != "" && (noun[0] == 'a' || noun[0] == 'e' || noun[0] == 'i' || noun[0] == 'o' || noun[0] == 'u') {
		return "an " + noun
	}
	return "a " + noun
}

func (q *quality) measured(v *event.Evaluation) *Table {
	t := &Table{ID: q.objective.Name + "_measures", Title: "How good the predictions of " + q.objective.Name + " were", Columns: []Column{
		text("Measure", "measure"), estimate("Value (95% interval)", "value"), text("What it is", "meaning"),
	}}
	for _, m := range measures {
		if f := m.of(v); f.known() {
			t.add(Cell{Text: m.name, Values: []string{m.key}}, f.cell(m.write), label(m.meaning))
		}
	}
	return t
}

// plotted are the measures that are drawn over time, with how.
var plotted = []struct {
	key string
	look
}{
	{"log_loss", look{unit: "nats"}},
	{"normalized_entropy", look{unit: "part of the entropy", reference: 1, marked: true}},
	{"predicted_over_actual", look{unit: "ratio", reference: 1, marked: true}},
	{"auc", look{unit: "probability"}},
}

// fewest is how many positives and negatives a bucket needs for measures that compare both.
const fewest = 10

func (q *quality) overTime(out *Section) {
	name := q.objective.Name
	t := &Table{ID: name + "_quality_over_time", Title: "Quality of " + name + " over time", Note: fmt.Sprintf("Where fewer than %d positives or negatives came, all but log loss would be noise and is left out.", fewest), Columns: []Column{instant("From (UTC)", "start"), number("Examples", "examples"), number("Positives", "positives")}}
	lines := make([]*series, len(plotted))
	for i, m := range plotted {
		t.Columns = append(t.Columns, estimate(measureOf(m.key).name, m.key))
		lines[i] = newLine(measureOf(m.key).name)
	}
	off := 0.0
	for b := range q.buckets {
		if q.buckets[b].Add == nil {
			continue
		}
		v := evaluate(&q.buckets[b])
		off = max(off, orZero(defined(v.RankError)))
		row := []Cell{when(q.period.start(b)), count(v.Examples), count(v.Positives)}
		rare := min(v.Positives, v.Examples-v.Positives) < fewest
		for i, m := range plotted {
			of := measureOf(m.key)
			f := of.of(&v)
			if rare && m.key != "log_loss" {
				f = certain(math.NaN())
			}
			row = append(row, f.cell(of.write))
			lines[i].add(b, f)
		}
		t.add(row...)
	}
	if off > 0 {
		t.Note += fmt.Sprintf(" Scores of a bucket are counted in bins, so its AUC is off by at most %s.", strconv.FormatFloat(off, 'g', 2, 64))
	}
	var drawn []*Chart
	for i, m := range plotted {
		l := m.look
		l.write = measureOf(m.key).write
		drawn = append(drawn, overTime(q.period, fmt.Sprintf("%s-%s", name, m.key), capital(measureOf(m.key).name)+" of "+name, l, lines[i]))
	}
	out.show(t, charts(drawn...)...)
}

func (q *quality) calibrated(out *Section, v *event.Evaluation, unknown *unknowns) {
	name := q.objective.Name
	if len(v.Calibration) == 0 {
		unknown.add("Calibration of %s by bins: this kind of objective has none.", name)
		return
	}
	t := &Table{ID: name + "_calibration", Title: "Calibration of " + name + " by bins", Note: "Bins of about equal weight, in the order of scores. The intervals are for one bin; a bin is called off where an interval for all bins at once (Bonferroni) leaves out its mean prediction.",
		Columns: []Column{number("Bin", "bin"), number("Weight", "weight"), number("Mean prediction", "predicted"), estimate("Share of positives", "actual"), text("Calibrated?", "verdict")}}
	for i, b := range v.Calibration {
		if b.Weight <= 0 {
			continue
		}
		verdict := Cell{Text: "within chance", Values: []string{"chance"}}
		switch off := binOff(b, len(v.Calibration)); {
		case off > 0:
			verdict = Cell{Text: "predicts too much", Values: []string{"high"}, Tone: "bad"}
		case off < 0:
			verdict = Cell{Text: "predicts too little", Values: []string{"low"}, Tone: "bad"}
		}
		p, actual := b.Predicted/b.Weight, rate(b.Actual, b.Weight)
		t.add(count(int64(i+1)), value(b.Weight, weight), value(p, percent), actual.cell(percent), verdict)
	}
	out.show(t, charts(calibrationPlot(name+"-calibration", "Calibration of "+name, v.Calibration))...)
}

// binOff tells whether a bin predicts too much (1) or too little (-1) by more than chance, where as
// many bins are looked at.
func binOff(b event.CalibrationBin, bins int) int {
	if b.Weight <= 0 {
		return 0
	}
	low, high := shareBounds(b.Actual, b.Weight, normalQuantile(alpha/2/float64(bins)))
	p := b.Predicted / b.Weight
	return b2i(p > high) - b2i(p < low)
}

// weight writes a sum of weights, which are mostly whole numbers.
func weight(v float64) string {
	whole, part := math.Modf(math.Round(v*10) / 10)
	if part == 0 {
		return thousands(int64(whole))
	}
	return thousands(int64(whole)) + decimals(1)(part)[1:]
}

// charts are those that are there.
func charts(all ...*Chart) (there []*Chart) {
	for _, c := range all {
		if c != nil {
			there = append(there, c)
		}
	}
	return there
}

func (q *quality) scored(out *Section, v *event.Evaluation, unknown *unknowns) {
	name := q.objective.Name
	if len(v.Scores) == 0 {
		unknown.add("Histogram of the scores of %s: this kind of objective has none.", name)
		return
	}
	t := &Table{ID: name + "_scores", Title: "Scores of " + name, Note: "From the lowest to the highest range with examples.", Columns: []Column{{Label: "Score", Names: []string{"from", "to"}, Class: "number"}, number("Examples", "examples"), number("Share", "share")}}
	first, last := ends(v.Scores)
	from, edges := 0.0, []string(nil)
	for i, n := range v.Scores[:last] {
		to := 1.0
		if i < len(event.ScoreEdges) {
			to = event.ScoreEdges[i]
		}
		if i == first {
			edges = append(edges, edge(from))
		}
		if i >= first {
			edges = append(edges, edge(to))
			t.add(Cell{Text: edge(from) + " to " + edge(to), Values: []string{exact(from), exact(to)}}, count(n), value(float64(n)/float64(max(v.Examples, 1)), percent))
		}
		from = to
	}
	out.show(t, charts(histogram(name+"-scores", "Scores of "+name, "probability", "examples", edges, v.Scores[first:last]))...)
}

// ends are where counts begin and end that are not 0: first <= i < last.
func ends(counts []int64) (first, last int) {
	first = slices.IndexFunc(counts, func(n int64) bool { return n > 0 })
	for i, n := range counts {
		if n > 0 {
			last = i + 1
		}
	}
	return max(first, 0), last
}

// edge is a format of shares with as many digits as they need, for edges of ranges and axes.
func edge(v float64) string { return short(v*100) + "%" }

func (q *quality) segmented(out *Section, unknown *unknowns) {
	name, all := q.objective.Name, q.split.all()
	if len(all) == 0 {
		unknown.add("Segments of %s: the objective names none (setting segments), and no text among its features has 2 to %d values.", name, maxValues)
		return
	}
	off, joint := worst(all), normalQuantile(alpha/2/float64(len(all)))
	columns := func() []Column {
		return []Column{text("Field", "field"), text("Value", "value"), number("Examples", "examples"), number("Positives", "positives"), number("Predicted", "predicted"), estimate("Predicted over actual", "predicted_over_actual"), estimate("In the span before", "before"), estimate("Share of positives", "rate")}
	}
	table := func(id, title, note string, list []*segment) *Table {
		t := &Table{ID: name + id, Title: title, Note: note, Columns: columns()}
		for _, s := range list[:min(len(list), showSegments)] {
			calibration := s.now.calibration(z95).cell(decimals(3))
			if s.distance(joint) > 0 {
				calibration.Tone, calibration.Range = "bad", strings.TrimPrefix(calibration.Range+", more than chance", ", ")
			}
			t.add(label(s.name), label(s.value), count(s.now.examples), count(s.now.positives), value(s.now.predicted, decimals(1)), calibration, s.was.calibration(z95).cell(decimals(3)), rate(s.now.actual, s.now.weight).cell(percent))
		}
		return t
	}
	note := fmt.Sprintf("Of %s, these are off by more than chance, the furthest first. Looked at together, one report in twenty names a segment that is not.", plural(int64(len(all)), "segment"))
	if len(off) > showSegments {
		note += fmt.Sprintf(" %d are shown of %d.", showSegments, len(off))
	}
	if len(off) == 0 {
		out.say("None of %s of %s is miscalibrated by more than chance.", plural(int64(len(all)), "segment"), name)
	} else {
		out.show(table("_segments_worst", "Worst calibrated segments of "+name, note, off))
	}
	out.show(table("_segments_busiest", "Segments of "+name+" with most traffic", "", busiest(all)))
	if q.split.leftOut > 0 {
		unknown.add("Segments of %s beyond %s: %s counted in none.", name, thousands(maxSegments), plural(q.split.leftOut, "example"))
	}
}
