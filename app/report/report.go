// Package report makes a report of a period of the loop for people who watch money: one HTML file
// without scripts, and its tables as CSV.
//
// It reads the topics once, with bounded memory, and no clock. The one invariant: a report is a
// function of the records of its period, its configuration and the code, so the same report twice
// has the same bytes. Everything in it counts by event time: a prediction's, a bid's, a dead
// letter's.
package report

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// Config says what a report is about.
type Config struct {
	// Objectives are those of the loop; one whose topic of examples is missing is named as not
	// known.
	Objectives []event.Objective
	// Currency of the money on the topic bids, such as USD; empty: it is not told.
	Currency string
	// From and To bound the period, From included and To not: RFC 3339, a date (its midnight in
	// UTC), or a duration before To and before the newest data. From may be "beginning". An empty
	// To is the end of the data, an empty From a day before To, or the beginning of the data where
	// that is later.
	From, To string
	// Progress, if set, is called as records are read, often, from the caller's goroutine.
	Progress func(topic string, read, total int64)
}

// Report is what is told of a period, in the order of the page.
type Report struct {
	Title    string
	Period   string  // in words
	Summary  []Claim // the most important first
	Sections []*Section
}

// Claim is a sentence of the summary. Tone says how to show it: good, bad, or empty.
type Claim struct{ Tone, Text string }

// Section is a part of the page about one subject.
type Section struct {
	ID, Title string
	Text      []string // paragraphs
	Notes     []string // items of a list behind them
	Figures   []Figure
}

// Figure is charts with the table of what they draw. It may have no chart.
type Figure struct {
	Charts []*Chart
	Table  *Table
}

// say adds a paragraph to the section.
func (s *Section) say(format string, args ...any) {
	s.Text = append(s.Text, fmt.Sprintf(format, args...))
}

// show adds a table with the charts that belong to it.
func (s *Section) show(t *Table, charts ...*Chart) {
	s.Figures = append(s.Figures, Figure{charts, t})
}

// Tables are all tables of the report, in the order of the page.
func (r *Report) Tables() []*Table {
	var all []*Table
	for _, s := range r.Sections {
		for _, f := range s.Figures {
			all = append(all, f.Table)
		}
	}
	return all
}

// ErrNothing is returned when no topic holds anything to report on.
var ErrNothing = errors.New("there is nothing to report")

// Make reads the topics up to their present ends and returns the report of a period. An error about
// the period is a *PeriodError.
func Make(ctx context.Context, client *stream.Client, cfg Config) (*Report, error) {
	src, err := open(ctx, client, cfg)
	if err != nil {
		return nil, err
	}
	p, err := src.period(ctx, cfg.From, cfg.To)
	if err != nil {
		return nil, err
	}
	d := newData(p, cfg.Objectives)
	if err := d.read(ctx, src); err != nil {
		return nil, err
	}
	return d.report(cfg, src), nil
}

// data is all that is counted of a period.
type data struct {
	period      *period
	objectives  []*quality
	predictions *predictions
	bids        *bids
	letters     *letters
	judgements  *judgements
}

func newData(p *period, objectives []event.Objective) *data {
	d := &data{period: p, bids: newBids(p, len(objectives)), letters: newLetters(p), judgements: newJudgements(p)}
	for _, o := range objectives {
		d.objectives = append(d.objectives, newQuality(p, o))
	}
	d.predictions = newPredictions(p, d.objectives)
	return d
}

// read reads each topic once. Bids come before examples, which are looked up among them, and
// examples before predictions, which are labelled as far as examples go.
func (d *data) read(ctx context.Context, src *source) error {
	if err := src.each(ctx, event.TopicBids, d.bids.add); err != nil {
		return err
	}
	for i, q := range d.objectives {
		err := src.each(ctx, event.TopicExamples(q.objective.Name), func(r *stream.Record) (event.Time, error) {
			t, x := q.add(r)
			if x != nil {
				d.bids.label(i, x)
			}
			return t, nil
		})
		if err != nil {
			return err
		}
	}
	if err := src.each(ctx, event.TopicPredictions, d.predictions.add); err != nil {
		return err
	}
	if err := src.each(ctx, event.TopicDeadLetter, d.letters.add); err != nil {
		return err
	}
	return src.each(ctx, event.TopicEvaluations, d.judgements.add)
}

// report writes down what was counted.
func (d *data) report(cfg Config, src *source) *Report {
	r := &Report{Title: "clickloop report", Period: d.period.String()}
	unknown := &unknowns{}
	c := d.compare()
	c.coverage = src.coverage()
	r.Summary = d.summarize(cfg, c)
	add := func(s *Section) {
		if s != nil {
			r.Sections = append(r.Sections, s)
		}
	}
	add(c.section())
	add(d.bids.section(cfg, d.objectives, unknown))
	for _, q := range d.objectives {
		add(q.section(unknown))
	}
	add(d.judgements.networks(unknown))
	add(d.predictions.freshness(unknown))
	add(d.dataQuality(src, unknown))
	add(d.predictions.drift(unknown))
	add(unknown.section(src, d.period))
	add(src.section())
	return r
}

// unknowns collects what the report cannot tell, and why.
type unknowns struct{ notes []string }

func (u *unknowns) add(format string, args ...any) {
	u.notes = append(u.notes, fmt.Sprintf(format, args...))
}

func (u *unknowns) section(src *source, p *period) *Section {
	notes := append(u.notes, src.gaps(p)...)
	notes = append(notes,
		"What clicks and conversions were worth: topics of the loop carry that in events, which this report does not read.",
		"Intervals take examples as independent. Where a few users cause many of them, the truth is less certain than it says.")
	return &Section{ID: "unknown", Title: "What is not known", Notes: notes}
}

// plural is a count with its noun: 1 bid, 2 bids.
func plural(n int64, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "y"):
		return thousands(n) + " " + strings.TrimSuffix(noun, "y") + "ies"
	}
	return thousands(n) + " " + noun + "s"
}
