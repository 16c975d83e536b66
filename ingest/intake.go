package ingest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/stream"
)

// verdict is what became of one event of a request.
type verdict struct {
	id       string
	reason   string // empty when accepted
	field    string
	warnings []warning
}

// intake is what one request brings.
type intake struct {
	now        event.Time
	recorded   bool
	headers    []stream.Header
	records    []stream.Record
	of         []int // of each record, its verdict
	verdicts   []verdict
	rejected   int
	firstError error
	letters    []deadletter.Letter
	warnings             // about events
	notes      []warning // about the request as a whole
}

// item is one event as it was read: the event, or why it could not be read.
type item struct {
	event event.Event
	err   error
	raw   []byte // what the sender wrote
	place string // in the request; empty when the event is all of it
	notes notes
}

// readItem reads an event of the loop's own form. of is what the array of events is called; alone
// says that the request has this event only.
func readItem(p *strictjson.Part, of string, index int, alone bool) item {
	it := item{raw: p.Text}
	if !alone {
		it.place = p.Place(of, index)
	}
	if it.err = unreadable(p); it.err != nil {
		return it
	}
	var n event.Notes
	it.event, it.err = event.ParseEventNoted(p.Text, &n)
	it.notes.ofEvent(&n)
	return it
}

// unreadable says why a part of a body cannot be an event, before it is read.
func unreadable(p *strictjson.Part) error {
	switch {
	case p.Lost != "":
		return &event.Error{Reason: p.Lost}
	case len(p.Text) == 0:
		return &event.Error{Reason: "is missing: a comma stands where an event should"}
	}
	return nil
}

// add takes an event, or rejects it.
func (in *intake) add(it *item) {
	e := &it.event
	if it.err == nil {
		it.err = clean(e, in.now, in.recorded)
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
	in.records = append(in.records, stream.Record{Partition: -1, Key: []byte(key(e)), Value: value, Headers: in.headers})
}

func (in *intake) reject(it *item, warnings []warning) {
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

// tooLarge turns what the topic does not take into verdicts and dead letters. The rest is written.
func (in *intake) tooLarge(large *stream.TooLargeError) {
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

// none says that a request brought events and not one of them is good.
func (in *intake) none() bool { return in.rejected > 0 && len(in.records) == 0 }

// appendVerdicts writes what became of each event, as the member results, and the warnings about
// the request as a whole.
func (in *intake) appendVerdicts(b []byte) []byte {
	b = append(b, `"results":[`...)
	for i, v := range in.verdicts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"id":`...)
		b = strictjson.AppendString(b, v.id)
		if v.reason == "" {
			b = append(b, `,"status":"accepted"`...)
		} else {
			b = append(b, `,"status":"rejected","reason":`...)
			b = strictjson.AppendString(b, v.reason)
		}
		if v.field != "" {
			b = append(b, `,"field":`...)
			b = strictjson.AppendString(b, v.field)
		}
		b = append(appendWarnings(b, v.warnings), '}')
	}
	b = append(b, ']')
	notes := in.notes
	if in.unwritten > 0 {
		notes = append(notes[:len(notes):len(notes)], warning{message: fmt.Sprintf("%d more warnings are left out", in.unwritten)})
	}
	return appendWarnings(b, notes)
}
