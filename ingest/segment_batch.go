package ingest

import (
	"errors"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/internal/web"
	"github.com/clickloop/clickloop/stream"
)

// segmentBatch is a decoded body in Segment's form.
type segmentBatch struct {
	calls   []segmentCall
	key     string              // the member writeKey
	notes   []web.Warning       // about the batch as a whole
	letters []deadletter.Letter // members of the batch that its calls had to do without
}

// maxMembers bounds the members of a batch. Only a few are known.
const maxMembers = 1000

// segmentCalls reads a body: one call of kind, or a batch. The batch's sentAt and context hold for
// all its calls. A broken part spares the rest: a broken call is one rejected event, and calls do
// without a context or a sentAt that cannot be read.
func segmentCalls(body []byte, kind string, cfg *Config) (segmentBatch, error) {
	if kind != "batch" {
		var r event.Reader
		r.Reset(string(body), event.Limits{Bytes: cfg.MaxBody, Depth: 20, Fields: 1000 * cfg.MaxEvents})
		call := segmentCall{part: strictjson.Part{Text: body}}
		call.read(&r)
		call.kind = kind
		return segmentBatch{calls: []segmentCall{call}, key: call.key}, r.End()
	}
	members, err := strictjson.SplitObject(body, maxMembers)
	if err != nil {
		return segmentBatch{}, err
	}
	var b segmentBatch
	var shared segmentCall
	given := false
	for i := range members {
		m := &members[i]
		switch {
		case m.Name == "batch" && given:
			return b, &event.Error{Field: "batch", Reason: "is given twice"}
		case m.Name == "batch" && len(m.Text) > 0 && m.Text[0] == '[':
			given = true
			if err := b.split(&m.Part, cfg.MaxEvents); err != nil {
				return b, err
			}
		case m.Lost != "":
			b.calls = append(b.calls, segmentCall{part: m.Part, batch: true})
		case m.Name == "context":
			b.doWithout(m, func(r *event.Reader) { shared.context = r.Fields(nil) })
		case m.Name == writeKey:
			b.doWithout(m, func(r *event.Reader) { b.key = readKey(r) })
		case m.Name == "sentAt":
			b.doWithout(m, func(r *event.Reader) { shared.sent = looseTime(r) })
		}
	}
	if !given {
		if n := len(b.calls); n > 0 {
			return b, &event.Error{Reason: b.calls[n-1].part.Lost}
		}
		return b, &event.Error{Field: "batch", Reason: "is missing, want an array of messages"}
	}
	for i := range b.calls {
		b.calls[i].sent = shared.sent
		b.calls[i].context = append(b.calls[i].context, shared.context...)
	}
	return b, nil
}

// split adds the calls of a batch's array.
func (b *segmentBatch) split(array *strictjson.Part, limit int) error {
	parts, err := strictjson.SplitArray(array.Text, limit)
	var wrong *event.Error
	if errors.As(err, &wrong) {
		return &event.Error{Field: "batch", Reason: wrong.Reason}
	}
	for _, p := range parts {
		p.At += array.At
		b.calls = append(b.calls, segmentCall{part: p, batch: true})
	}
	if n := len(parts); array.Lost != "" && (n == 0 || parts[n-1].Lost == "") {
		end := strictjson.Part{At: array.At + len(array.Text), Lost: "is not there: the body has no end, so what came after the batch is lost"}
		b.calls = append(b.calls, segmentCall{part: end, batch: true})
	}
	return err
}

// doWithout reads a member that holds for all calls. When it cannot be read, it becomes a warning
// and a dead letter, and the calls are accepted without it.
func (b *segmentBatch) doWithout(m *strictjson.Member, read func(*event.Reader)) {
	var r event.Reader
	r.Reset(string(m.Text), event.EventLimits)
	read(&r)
	err := r.End()
	if err == nil {
		return
	}
	reason := "the batch's " + m.Name + " is left out of its messages: " + err.Error()
	b.notes = append(b.notes, web.Warning{Field: m.Name, Message: reason})
	b.letters = append(b.letters, deadletter.Letter{Record: stream.Record{Value: m.Text}, Reason: reason + " (" + m.Place(m.Name, 0) + ")"})
}
