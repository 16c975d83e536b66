package report

import (
	"fmt"

	"github.com/clickloop/clickloop/event"
)

// dataQuality tells what is wrong with the data, or may be.
func (d *data) dataQuality(src *source, unknown *unknowns) *Section {
	out := &Section{ID: "data-quality", Title: "Data quality"}
	out.show(d.labels())
	d.predictedOverTime(out)
	if src.has(event.TopicDeadLetter) {
		d.deadLetters(out)
	} else {
		unknown.add("Dead letters: there is no topic %s.", event.TopicDeadLetter)
	}
	d.alarms(out, src, unknown)
	d.damage(out)
	return out
}

// labels tells what became of the predictions of each objective.
func (d *data) labels() *Table {
	t := &Table{ID: "labels", Title: "From predictions to labels",
		Note:    "Not yet: no later prediction of the same partition has a label, so labels may still come. Never: the trigger did not follow, or the prediction stands on the topic twice. Revised: the positive came late, and a second example corrects the first. Delay: how long after it was due the label was written.",
		Columns: []Column{text("Objective", "objective"), number("Predictions", "predictions"), number("Labelled", "labelled"), number("Not yet", "undecided"), number("Never", "untriggered"), number("Revised", "revised"), number("Repeated on the topic", "repeated"), number("Median delay", "delay_p50_ms"), number("99% at most", "delay_p99_ms")}}
	for i, q := range d.objectives {
		c, a := q.inPeriod(), d.predictions.asked[i]
		never := Cell{Text: none, Values: []string{""}} // retention has deleted predictions that have examples
		if n := a.n - a.undecided - c.examples; n >= 0 {
			never = count(n)
		}
		p50, p99 := q.delays.cells()
		t.add(label(q.objective.Name), count(a.n), count(c.examples), count(a.undecided), never, count(c.revised), count(c.repeated), p50, p99)
	}
	return t
}

// longestDelay is more than labels wait in a loop that runs by the clock.
const longestDelay = 30 * 24 * 3_600_000

// cells are quantiles of the delays; none where times are recorded.
func (d *delays) cells() (p50, p99 Cell) {
	all := merge(&d.late[firstHalf], &d.late[secondHalf])
	if all.n == 0 || all.quantile(0.5) > longestDelay {
		unknown := Cell{Text: none, Values: []string{""}}
		return unknown, unknown
	}
	return age(all.quantile(0.5)), age(all.quantile(0.99))
}

func (d *data) predictedOverTime(out *Section) {
	t := &Table{ID: "predictions_over_time", Title: "Predictions over time", Columns: []Column{instant("From (UTC)", "start"), number("Predictions", "predictions")}}
	sums := make([]float64, len(d.predictions.buckets))
	for i := range d.predictions.buckets {
		n := d.predictions.buckets[i].n
		sums[i] = float64(n)
		t.add(when(d.period.start(i)), count(n))
	}
	c := barsOverTime(d.period, "predictions", "Predictions", "in each "+span(d.period.width.Duration()), func(v float64) string { return thousands(int64(v)) }, sums)
	if c != nil {
		out.show(t, c)
	}
}

func (d *data) deadLetters(out *Section) {
	l := d.letters
	if l.total(before, firstHalf, secondHalf) == 0 {
		out.say("No record became a dead letter in the period.")
		return
	}
	out.show(l.table())
}

func (d *data) alarms(out *Section, src *source, unknown *unknowns) {
	if !src.has(event.TopicEvaluations) {
		unknown.add("Alarms of the guard: there is no topic %s.", event.TopicEvaluations)
		return
	}
	j := d.judgements
	if j.raised == 0 {
		out.say("The guard raised no alarm in the period.")
		return
	}
	t := &Table{ID: "alarms", Title: "Alarms of the guard, newest first", Columns: []Column{instant("From (UTC)", "start"), instant("To", "end"), text("Objective", "objective"), text("Window", "window"), text("Alarm", "alarm")}}
	if j.raised > maxAlarms {
		t.Note = fmt.Sprintf("The newest %d of %s.", maxAlarms, thousands(j.raised))
	}
	for _, a := range j.shown() {
		t.add(when(a.start), when(a.end), label(a.objective), label(a.window), label(a.text))
	}
	out.show(t)
}

// damage tells of records that could not be read.
func (d *data) damage(out *Section) {
	tell := func(topic string, n int64) {
		if n > 0 {
			out.say("%s of topic %s could not be read and is in no figure.", plural(n, "record"), topic)
		}
	}
	for _, q := range d.objectives {
		tell(event.TopicExamples(q.objective.Name), q.damaged)
	}
	tell(event.TopicPredictions, d.predictions.damaged)
	tell(event.TopicBids, d.bids.damaged)
	tell(event.TopicDeadLetter, d.letters.damaged)
	tell(event.TopicEvaluations, d.judgements.damaged)
}
