package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/clickloop/clickloop/event"
)

// summarize says in words what a person must know who reads no further: money first, then how good
// predictions were, what changed, and what needs attention.
func (d *data) summarize(cfg Config, c *changes) (all []Claim) {
	say := func(tone, format string, args ...any) { all = append(all, Claim{tone, fmt.Sprintf(format, args...)}) }
	d.sayVolume(say)
	for _, note := range c.coverage {
		say("", "%s", note)
	}
	d.sayMoney(cfg, say)
	for _, q := range d.objectives {
		q.saySummary(say)
	}
	c.sayChanges(say)
	d.sayAttention(say)
	return all
}

// sayer adds a sentence to the summary.
type sayer func(tone, format string, args ...any)

func (d *data) sayVolume(say sayer) {
	p := d.predictions
	if p.total() == 0 {
		say("", "The period has no predictions.")
		return
	}
	text := fmt.Sprintf("%s in %s", plural(p.total(), "prediction"), span((d.period.to - d.period.from).Duration()))
	if n := p.counts[before]; n > 0 {
		text += fmt.Sprintf(", %s in the span before", thousands(n))
	}
	say("", "%s.", text)
}

func (d *data) sayMoney(cfg Config, say sayer) {
	if !d.bids.any() {
		return
	}
	m, was := d.bids.now(), d.bids.sides[before]
	price := priced(cfg.Currency)
	text := fmt.Sprintf("%s won %s of %s and spent %s", plural(int64(len(d.bids.sorted())), "campaign"), m.winRate().text(percent), plural(m.bids, "bid"), price(units(m.spent)))
	if was.bids > 0 {
		text += fmt.Sprintf(", after %s in the span before", price(units(was.spent)))
	}
	if r := m.returned(); !math.IsNaN(r) {
		text += fmt.Sprintf("; by their own values a unit of spend was worth %s", decimals(2)(r))
	}
	say("", "%s.", text)
	for i, q := range d.objectives {
		if f := m.perPositive(i); m.positives[i] > 0 {
			say("", "One %s cost %s, %s of %s.", q.objective.Name, inCurrency(f.text(amount), cfg.Currency), thousands(m.positives[i]), plural(m.labelled[i], "labelled impression"))
		}
	}
}

func (q *quality) saySummary(say sayer) {
	v := evaluate(&q.whole)
	if v.Examples == 0 {
		say("", "%s: the period has no labelled example.", q.objective.Name)
		return
	}
	of := func(key string) string { m := measureOf(key); return m.of(&v).text(m.write) }
	say("", "%s: %s of %s positive, %s. Log loss %s, normalized entropy %s, AUC %s.", q.objective.Name, thousands(v.Positives), plural(v.Examples, "example")+" "+were(v.Positives), of("rate"), of("log_loss"), of("normalized_entropy"), of("auc"))
	f := measureOf("predicted_over_actual").of(&v)
	switch {
	case !f.known():
		say("bad", "%s: no positive came where %s were predicted.", q.objective.Name, decimals(1)(defined(v.Predicted)))
	case f.bounded() && f.low > 1:
		say("bad", "%s predicts too much: predicted over actual is %s, and 1 would be right. Prices that follow it are too high.", q.objective.Name, f.text(decimals(3)))
	case f.bounded() && f.high < 1:
		say("bad", "%s predicts too little: predicted over actual is %s, and 1 would be right. Prices that follow it are too low.", q.objective.Name, f.text(decimals(3)))
	default:
		say("", "%s is calibrated as far as can be told: predicted over actual is %s.", q.objective.Name, f.text(decimals(3)))
	}
	off := 0
	for _, b := range v.Calibration {
		off += b2i(binOff(b, len(v.Calibration)) != 0)
	}
	if off > 0 {
		say("bad", "%s is miscalibrated by more than chance in %d of %d bins of scores.", q.objective.Name, off, len(v.Calibration))
	}
	if ne := measureOf("normalized_entropy").of(&v); ne.bounded() && ne.low > 1 {
		say("bad", "%s knows less than the share of positives does: normalized entropy is above 1.", q.objective.Name)
	}
}

func (c *changes) sayChanges(say sayer) {
	if c.skipped {
		return
	}
	sides := "The period is compared with " + c.then + "."
	if c.halves {
		sides = "Nothing lies before the period, so its second half is compared with its first."
	}
	say("", "%s", sides)
	n := 0
	for i := range c.list {
		n += b2i(c.list[i].more)
	}
	switch {
	case n == 0:
		say("", "None of %d differences is more than chance.", len(c.list))
		return
	case n < len(c.list):
		say("", "Of %d differences, %d may be chance. The others are more:", len(c.list), len(c.list)-n)
	default:
		say("", "All %d differences are more than chance:", n)
	}
	for i := range c.list {
		if x := &c.list[i]; x.more {
			tone := map[int]string{1: "good", -1: "bad"}[x.better()]
			say(tone, "%s: %s, from %s to %s.", x.name(), x.by.text(x.difference()), x.was.text(x.write), x.now.text(x.write))
		}
	}
}

// sayAttention says what somebody should look at.
func (d *data) sayAttention(say sayer) {
	if n := d.judgements.raised; n > 0 {
		say("bad", "The guard raised %s.", plural(n, "alarm"))
	}
	if n := d.letters.total(firstHalf, secondHalf); n > 0 {
		say("bad", "%s became dead letters.", plural(n, "record"))
	}
	for _, q := range d.objectives {
		if all := q.split.all(); len(all) > 0 {
			if off := worst(all); len(off) > 0 {
				say("bad", "%s: %s miscalibrated by more than chance, of %d; the furthest is %s (%s).", q.objective.Name, areOff(len(off)), len(all), quoted(off[0].name, off[0].value), off[0].now.calibration(z95).text(decimals(2)))
			}
		}
	}
	if names, words := d.predictions.worstDrift(); len(names) > 0 {
		shown := strings.Join(names[:min(len(names), 5)], ", ")
		if len(names) > 5 {
			shown += fmt.Sprintf(" and %d more", len(names)-5)
		}
		tone := "bad"
		if d.predictions.counts[before] == 0 { // the hour of the day is not the same in both halves
			tone = ""
		}
		say(tone, "Features have drifted, comparing %s: %s.", words, shown)
	}
	if a := d.predictions.ages[modelAge]; a != nil {
		all := merge(&a.sides[firstHalf], &a.sides[secondHalf])
		if all.n > 0 {
			say("", "Weights were %s old at the median, and at most %s in 99%% of the predictions.", span(event.Time(all.quantile(0.5)).Duration()), span(event.Time(all.quantile(0.99)).Duration()))
		}
	}
}

// were is the verb of a count.
func were(n int64) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

func areOff(n int) string {
	if n == 1 {
		return "1 segment is"
	}
	return fmt.Sprintf("%d segments are", n)
}

// quoted is a segment in words.
func quoted(name, value string) string { return fmt.Sprintf("%s = %q", name, cut(value, 80)) }
