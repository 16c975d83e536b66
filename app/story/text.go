package story

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Write prints the story as text, in sections.
func (s *Story) Write(w io.Writer) error {
	t := &text{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	t.prediction(s)
	if s.Prediction != nil {
		t.features(s)
		t.others(s)
		t.events(s)
	}
	for i := range s.Objectives {
		if s.Prediction != nil || len(s.Objectives[i].Examples) > 0 {
			t.objective(&s.Objectives[i])
		}
	}
	t.letters(s)
	t.end(s)
	return t.w.Flush()
}

type text struct{ w *tabwriter.Writer }

func (t *text) line(format string, args ...any) { fmt.Fprintf(t.w, format+"\n", args...) }

// section begins a section. Columns of sections are apart.
func (t *text) section(format string, args ...any) {
	_ = t.w.Flush() // the last Flush returns its error
	t.line("\n"+format, args...)
	_ = t.w.Flush()
}

func (t *text) prediction(s *Story) {
	t.line("prediction %s", s.ID)
	_ = t.w.Flush()
	p := s.Prediction
	if p == nil {
		t.line("  it is not on the topic of predictions")
		return
	}
	t.line("  request\t%s", s.Request)
	t.line("  time\t%s", p.Time)
	t.field("user", p.User)
	t.field("anonymous", p.Anonymous)
	t.field("ad", p.Ad)
	t.field("campaign", p.Campaign)
	choice := p.Policy
	if p.Propensity != 0 {
		choice += fmt.Sprintf(", propensity %v", p.Propensity)
	}
	t.field("policy", choice)
	if p.Value != "" && p.Score != nil {
		t.line("  value\t%s = %v", p.Value, *p.Score)
	}
	t.line("  stands at\t%s partition %d offset %d, written %s", p.Topic, p.Partition, p.Offset, p.Written.Format(stamp))
	if p.Repeats > 0 {
		t.line("  repeats\t%d further records of this id, which make no example", p.Repeats)
	}
}

const stamp = "2006-01-02T15:04:05.000Z07:00"

func (t *text) field(name, value string) {
	if value != "" {
		t.line("  %s\t%s", name, value)
	}
}

func (t *text) features(s *Story) {
	t.section("features")
	for _, f := range s.Features {
		age := ""
		if f.AgeMs != nil {
			age = "\tof " + f.Entity + ", " + (time.Duration(*f.AgeMs) * time.Millisecond).String() + " old"
		}
		t.line("  %s\t%s%s", f.Name, shortened(string(f.Value)), age)
	}
}

func shortened(s string) string {
	const most = 60
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

func (t *text) others(s *Story) {
	if n := s.Prediction.NotChosen; n > 0 {
		t.section("not chosen: %d", n)
	}
	for _, o := range s.Others {
		line := "  " + o.Ad + "\t" + o.Campaign + "\t"
		for _, objective := range s.Objectives {
			if p, ok := o.P[objective.Name]; ok {
				line += fmt.Sprintf("%s %.6g  ", objective.Name, p)
			}
		}
		if o.Score != nil {
			line += fmt.Sprintf("\tscore %.6g", *o.Score)
		}
		t.line("%s", strings.TrimRight(line, " \t"))
	}
	if len(s.Chosen) > 0 {
		t.section("chosen with it: %s", strings.Join(s.Chosen, ", "))
	}
}

func (t *text) events(s *Story) {
	t.section("events: %d", len(s.Events))
	for _, e := range s.Events {
		kind := e.Type
		if e.Name != "" {
			kind += " " + e.Name
		}
		var verdicts []string
		for _, v := range e.Verdicts {
			if v.Role == "" {
				continue
			}
			counts := "counts"
			if !v.Counts {
				counts = "does not count"
			}
			verdicts = append(verdicts, fmt.Sprintf("%s: %s as %s, since %s", v.Objective, counts, v.Role, v.Why))
		}
		if len(verdicts) == 0 {
			verdicts = []string{"no label is made of it"}
		}
		t.line("  %s\treceived %s, %s after\t%s", kind, e.Received, time.Duration(e.AfterMs)*time.Millisecond, strings.Join(verdicts, "; "))
	}
}

func (t *text) objective(o *Objective) {
	t.section("objective %s: %s", o.Name, o.State)
	if o.P != nil {
		t.line("  p\t%.9g by %s", *o.P, o.Model)
	} else {
		t.line("  p\tnone: no weights answered")
	}
	if o.Due != 0 {
		t.line("  due\t%s", o.Due)
	}
	t.line("  label\t%s", o.Why)
	for _, x := range o.Examples {
		kind := "example"
		if x.Revision {
			kind = "revision"
		}
		t.line("  %s\ty=%v, weight %.6g, p %.9g: offset %d, written %s", kind, x.Y, x.W, x.P, x.Offset, x.Written.Format(stamp))
		for _, l := range x.Learned {
			t.line("  learned by\t%s", learnedText(&l))
		}
	}
	if o.Because != nil {
		t.because(o.Because)
	}
}

func learnedText(l *Learned) string {
	switch {
	case l.Version == "":
		return l.Network + ": " + l.Why
	case l.Exact:
		return l.Version
	}
	return "about " + l.Version + ": " + l.Why
}

func (t *text) because(b *Because) {
	t.line("  why\tby the weights of %s, %s", b.Version, b.Source)
	t.line("  \t%+.4f\tbase", b.Base)
	for i, s := range b.Shifts {
		if i == shownShifts {
			rest := b.Rest
			for _, other := range b.Shifts[i:] {
				rest += other.By
			}
			t.line("  \t%+.4f\t%d other features", rest, len(b.Shifts)-i)
			break
		}
		t.line("  \t%+.4f\t%s", s.By, s.Feature)
	}
	if b.Calibration != 0 {
		t.line("  \t%+.4f\tcalibration", b.Calibration)
	}
	t.line("  \t%+.4f\tlogit, p %.9g", b.Logit+b.Calibration, b.P)
}

const shownShifts = 10

func (t *text) letters(s *Story) {
	if len(s.Letters) > 0 {
		t.section("dead letters: %d", len(s.Letters))
	}
	for _, l := range s.Letters {
		t.line("  %s\t%s\tof %s partition %d offset %d", l.Stage, l.Reason, l.Of.Topic, l.Of.Partition, l.Of.Offset)
	}
}

func (t *text) end(s *Story) {
	t.section("searched in %.0f ms", s.Ms)
	for _, x := range s.Searched {
		part := ""
		if x.Part != "" {
			part = "; " + x.Part
		}
		t.line("  %s\tby %s\t%d records, %.1f MB\tfound %d%s", x.Topic, x.How, x.Records, float64(x.Bytes)/1e6, x.Found, part)
	}
	for _, n := range s.Notes {
		t.section("note: %s", n)
	}
}

// Found says whether the topics know of the prediction at all.
func (s *Story) Found() bool {
	if s.Prediction != nil {
		return true
	}
	for i := range s.Objectives {
		if len(s.Objectives[i].Examples) > 0 {
			return true
		}
	}
	return false
}
