// Package deadletter writes records that can never succeed to the topic deadletter, with the reason and the original bytes.
package deadletter

import (
	"context"
	"log/slog"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// MaxPayload is how many bytes of the original are kept; the reason says so when there were more.
const MaxPayload = 256 << 10

// Writer writes the dead letters of one stage.
type Writer struct {
	stage   string
	client  *stream.Client
	now     func() event.Time
	logger  *slog.Logger
	written prometheus.Counter
}

// New returns the Writer of stage. reg may be nil.
func New(stage string, client *stream.Client, now func() event.Time, logger *slog.Logger, reg prometheus.Registerer) *Writer {
	w := &Writer{stage, client, now, logger, prometheus.NewCounter(prometheus.CounterOpts{
		Name: "clickloop_" + stage + "_deadletters_total", Help: "Records written to the dead letter topic.",
	})}
	if reg != nil {
		reg.MustRegister(w.written)
	}
	return w
}

// Letter is one record and why it is dead.
type Letter struct {
	Topic  string // where it came from; empty when it came over HTTP
	Record stream.Record
	Reason string
}

// Write returns once all are acknowledged, or with ctx's error: a dead letter is a record like others, and is not dropped either.
func (w *Writer) Write(ctx context.Context, letters ...Letter) error {
	if len(letters) == 0 {
		return nil
	}
	records := make([]stream.Record, len(letters))
	headers := w.client.MessageHeaders(event.SchemaDeadLetter)
	for i, l := range letters {
		d := event.DeadLetter{
			Stage: w.stage, Reason: l.Reason, Topic: l.Topic, Partition: int32(l.Record.Partition), Offset: l.Record.Offset, Time: w.now(), Payload: l.Record.Value,
		}
		if len(d.Payload) > MaxPayload {
			d.Payload, d.Reason = d.Payload[:MaxPayload], d.Reason+" (payload cut)"
		}
		records[i] = stream.Record{Partition: -1, Key: l.Record.Key, Value: d.AppendJSON(nil), Headers: headers}
	}
	if err := w.client.Produce(ctx, event.TopicDeadLetter, records); err != nil {
		return err
	}
	w.written.Add(float64(len(letters)))
	w.logger.Debug("wrote dead letters", "stage", w.stage, "count", len(letters), "reason", letters[0].Reason)
	return nil
}
