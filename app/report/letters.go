package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// letters counts dead letters by stage and reason.
type letters struct {
	period  *period
	d       event.DeadLetter // reused
	reasons map[reason]*[sides]int64
	other   [sides]int64 // of reasons beyond maxReasons
	damaged int64
}

// reason is why records were buried. Texts are cut to maxReason bytes.
type reason struct{ stage, topic, text string }

const (
	maxReasons = 500
	maxReason  = 200
)

func newLetters(p *period) *letters { return &letters{period: p, reasons: map[reason]*[sides]int64{}} }

// add counts a dead letter by the time at which it was written.
func (l *letters) add(r *stream.Record) (event.Time, error) {
	d := &l.d
	if d.UnmarshalJSON(r.Value) != nil {
		l.damaged++
		return 0, nil
	}
	at := l.period.side(d.Time)
	if at == outside {
		return d.Time, nil
	}
	n := tally(l.reasons, reason{d.Stage, d.Topic, cut(d.Reason, maxReason)}, maxReasons)
	if n == nil {
		n = &l.other
	}
	n[at]++
	return d.Time, nil
}

// cut shortens a text to at most n bytes, between characters.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}

// total is how many letters a side has.
func (l *letters) total(at ...side) int64 {
	n := total(l.other, at)
	for _, c := range l.reasons {
		n += total(*c, at)
	}
	return n
}

// table lists the reasons of the period, the most frequent first.
func (l *letters) table() *Table {
	t := &Table{ID: "deadletters", Title: "Dead letters by reason", Columns: []Column{text("Stage", "stage"), text("Topic", "topic"), text("Reason", "reason"), number("Letters", "letters"), number("Before", "letters_before")}}
	now := func(n *[sides]int64) int64 { return total(*n, []side{firstHalf, secondHalf}) }
	sorted := slices.SortedFunc(maps.Keys(l.reasons), func(a, b reason) int {
		return cmp.Or(cmp.Compare(now(l.reasons[b]), now(l.reasons[a])), cmp.Compare(a.stage, b.stage), cmp.Compare(a.topic, b.topic), cmp.Compare(a.text, b.text))
	})
	for _, r := range sorted {
		n := l.reasons[r]
		t.add(label(r.stage), label(r.topic), label(r.text), count(now(n)), count(n[before]))
	}
	if n := now(&l.other); n > 0 {
		t.add(label(""), label(""), label(fmt.Sprintf("(other reasons than the first %d)", maxReasons)), count(n), count(l.other[before]))
	}
	return t
}
