package ingest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/stream"
)

// verdict is what became of one event of a request.
type verdict struct {
	id     string
	reason string // empty when accepted
	field  string
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
}

// add takes an event, or the error of reading it; raw is what the sender wrote.
func (in *intake) add(e *event.Event, err error, raw []byte) {
	if err == nil {
		err = clean(e, in.now, in.recorded)
	}
	if err != nil {
		in.reject(e.ID, err, raw)
		return
	}
	value := e.AppendJSON(nil)
	if len(value) > event.EventLimits.Bytes {
		in.reject(e.ID, &event.Error{Reason: fmt.Sprintf("has %d bytes, at most %d are allowed", len(value), event.EventLimits.Bytes)}, raw)
		return
	}
	in.of = append(in.of, len(in.verdicts))
	in.verdicts = append(in.verdicts, verdict{id: e.ID})
	in.records = append(in.records, stream.Record{Partition: -1, Key: []byte(key(e)), Value: value, Headers: in.headers})
}

func (in *intake) reject(id string, err error, raw []byte) {
	v := verdict{id: id, reason: err.Error()}
	var wrong *event.Error
	if errors.As(err, &wrong) {
		v.field = wrong.Field
	}
	if in.firstError == nil {
		in.firstError = err
	}
	in.rejected++
	in.verdicts = append(in.verdicts, v)
	in.letters = append(in.letters, deadletter.Letter{Record: stream.Record{Value: raw}, Reason: v.reason})
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

// appendVerdicts writes what became of each event, as the member results.
func (in *intake) appendVerdicts(b []byte) []byte {
	b = append(b, `"results":[`...)
	for i, v := range in.verdicts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"id":`...)
		b = event.AppendString(b, v.id)
		if v.reason == "" {
			b = append(b, `,"status":"accepted"}`...)
			continue
		}
		b = append(b, `,"status":"rejected","reason":`...)
		b = event.AppendString(b, v.reason)
		if v.field != "" {
			b = append(b, `,"field":`...)
			b = event.AppendString(b, v.field)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}
