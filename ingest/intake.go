package ingest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/web"
	"github.com/clickloop/clickloop/stream"
)

// verdict is the outcome of one event of a request.
type verdict struct {
	id       string
	reason   string // why it is rejected; empty when it is accepted
	field    string
	warnings []web.Warning
}

// intake is a delivery whose events are stamped and checked.
type intake struct {
	now        event.Time // of receipt
	recorded   bool       // times are kept as given
	maxAge     event.AgeLimits
	refusable  bool // see delivery
	record     func(*event.Event, []byte) stream.Record
	records    []stream.Record // the accepted events
	of         []int           // the verdict of each record
	verdicts   []verdict
	rejected   int
	firstError error
	letters    []deadletter.Letter
	warnings                 // about events
	notes      []web.Warning // about the request as a whole
}

// item is one event that was read, or the reason why it could not be read.
type item struct {
	event event.Event
	err   error
	raw   []byte // as the sender wrote it
	place string // in the request; empty when the event is all of it
	notes notes
}

// newIntake stamps the events of a delivery with their receipt, and checks them.
func newIntake(d *delivery, now event.Time, recorded bool, maxAge event.AgeLimits, record func(*event.Event, []byte) stream.Record) *intake {
	in := &intake{
		now: now, recorded: recorded, maxAge: maxAge, record: record, refusable: d.refusable, notes: d.notes, letters: d.letters,
		records: make([]stream.Record, 0, d.count), verdicts: make([]verdict, 0, d.count),
	}
	for i := range d.count {
		it := d.event(i, in)
		in.add(&it)
	}
	return in
}

// add accepts an event, or rejects it.
func (in *intake) add(it *item) {
	e := &it.event
	if it.err == nil {
		it.err = clean(e, in.now, in.recorded)
	}
	if it.err == nil && !in.recorded {
		it.err = in.maxAge.Check(e)
	}
	var value []byte
	if it.err == nil {
		if value = e.AppendJSON(nil); len(value) > event.EventLimits.Bytes {
			it.err = &event.Error{Reason: fmt.Sprintf("has %d bytes, at most %d are allowed", len(value), event.EventLimits.Bytes)}
		}
	}
	warnings := in.warn(&it.notes)
	if it.err != nil {
		in.reject(it, warnings)
		return
	}
	in.of = append(in.of, len(in.verdicts))
	in.verdicts = append(in.verdicts, verdict{id: e.ID, warnings: warnings})
	in.records = append(in.records, in.record(e, value))
}

func (in *intake) reject(it *item, warnings []web.Warning) {
	v := verdict{id: it.event.ID, reason: it.err.Error(), warnings: warnings}
	var wrong *event.Error
	if errors.As(it.err, &wrong) {
		v.field = wrong.Field
	}
	if it.place != "" {
		v.reason += " (" + it.place + ")"
	}
	if in.firstError == nil {
		in.firstError = it.err
	}
	in.rejected++
	in.verdicts = append(in.verdicts, v)
	in.letters = append(in.letters, deadletter.Letter{Record: stream.Record{Value: it.raw}, Reason: v.reason})
}

// rejectTooLarge turns what the topic does not take into verdicts and dead letters. The rest is
// written.
func (in *intake) rejectTooLarge(large *stream.TooLargeError) {
	for _, i := range large.Records {
		if i >= len(in.records) {
			continue
		}
		v := &in.verdicts[in.of[i]]
		v.reason = large.Error()
		if in.firstError == nil {
			in.firstError = large
		}
		in.rejected++
		in.letters = append(in.letters, deadletter.Letter{Record: in.records[i], Reason: v.reason})
	}
	kept := in.records[:0]
	for i := range in.records {
		if !slices.Contains(large.Records, i) {
			kept = append(kept, in.records[i])
		}
	}
	in.records = kept
}

// refused says that a request brought events, that not one of them is good, and that its sender is
// to be told so by the status.
func (in *intake) refused() bool {
	return in.refusable && in.rejected > 0 && len(in.records) == 0
}

// addResults adds what became of each event, as the member results, and the warnings about the
// request as a whole.
func (in *intake) addResults(o *strictjson.Object) {
	o.Key("results")
	o.Buf = append(o.Buf, '[')
	for i := range in.verdicts {
		if i > 0 {
			o.Buf = append(o.Buf, ',')
		}
		o.Buf = in.verdicts[i].appendJSON(o.Buf)
	}
	o.Buf = append(o.Buf, ']')
	notes := in.notes
	if in.unwritten > 0 {
		notes = append(notes[:len(notes):len(notes)], web.Warning{Message: fmt.Sprintf("%d more warnings are left out", in.unwritten)})
	}
	web.AddWarnings(o, notes)
}

func (v *verdict) appendJSON(dst []byte) []byte {
	o := strictjson.NewObject(dst)
	o.Text("id", v.id)
	if v.reason == "" {
		o.Text("status", "accepted")
	} else {
		o.Text("status", "rejected")
		o.Text("reason", v.reason)
	}
	o.OptionalText("field", v.field)
	web.AddWarnings(&o, v.warnings)
	return o.End()
}
