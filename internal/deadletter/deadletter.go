// Package deadletter writes records that can never be handled to the topic deadletter, with the
// reason and the original bytes.
//
// The one invariant: a letter fits its topic, whatever the record holds. One that could never be
// written would block the partition that its record came from.
package deadletter

import (
	"context"
	"errors"
	"log/slog"
	"unicode/utf8"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// MaxPayload is how many bytes of the original a letter keeps; its reason says when there were
// more.
const MaxPayload = 256 << 10

// Bounds, in bytes, that keep a letter below what a broker takes. In JSON a byte may become six.
const (
	maxReason  = 2 << 10
	maxKey     = 1 << 10
	maxEncoded = 800 << 10
	cutNote    = " (payload cut)"
)

// Writer writes the dead letters of one stage. Any number of goroutines may use it.
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
		Name: "clickloop_" + stage + "_deadletters_total", Help: "Records written to the dead-letter topic.",
	})}
	if reg != nil {
		reg.MustRegister(w.written)
	}
	return w
}

// Letter is a record that can never be handled, and why.
type Letter struct {
	Topic  string // that the record came from; empty when it came over HTTP
	Record stream.Record
	Reason string
}

// Write returns once all letters are acknowledged, or with ctx's error: dead letters are not
// dropped either. A caller that crashes after it writes them again.
func (w *Writer) Write(ctx context.Context, letters ...Letter) error {
	if len(letters) == 0 {
		return nil
	}
	if err := w.produce(ctx, letters, maxEncoded); err != nil {
		return err
	}
	w.written.Add(float64(len(letters)))
	w.logger.Debug("wrote dead letters", "stage", w.stage, "count", len(letters), "reason", letters[0].Reason)
	return nil
}

const (
	leastEncoded = 256 // bytes; a letter that is cut to fewer says nothing any more
	framing      = 512 // bytes of headers and of what the broker adds
	keyShare     = 4   // a key may take one part in so many of a letter
)

// produce writes letters, cut to most bytes. It cuts those that the topic does not take further and
// writes them again.
func (w *Writer) produce(ctx context.Context, letters []Letter, most int) error {
	records := make([]stream.Record, len(letters))
	headers := w.client.MessageHeaders(event.SchemaDeadLetter)
	for i := range letters {
		key := letters[i].Record.Key
		records[i] = stream.Record{Partition: -1, Key: key[:min(len(key), maxKey, most/keyShare)], Value: w.encode(&letters[i], most), Headers: headers}
	}
	err := w.client.Produce(ctx, event.TopicDeadLetter, records)
	var large *stream.TooLargeError
	if !errors.As(err, &large) {
		return err
	}
	less := most / 2
	if fits := (large.Limit - framing) * keyShare / (keyShare + 1); large.Limit > 0 {
		less = min(fits, less)
	}
	if less < leastEncoded {
		return err
	}
	again := make([]Letter, 0, len(large.Records))
	for _, i := range large.Records {
		again = append(again, letters[i])
	}
	return w.produce(ctx, again, less)
}

// encode cuts the payload, and then the reason, until the letter fits.
func (w *Writer) encode(l *Letter, most int) []byte {
	d := event.DeadLetter{
		Stage: w.stage, Reason: cutText(l.Reason, maxReason), Topic: l.Topic, Partition: int32(l.Record.Partition), Offset: l.Record.Offset, Time: w.now(), Payload: l.Record.Value,
	}
	if d.Reason == "" {
		d.Reason = "no reason was given"
	}
	reason, keep := d.Reason, MaxPayload
	for {
		if len(l.Record.Value) > keep {
			d.Payload, d.Reason = cutRune(l.Record.Value, keep), reason+cutNote
		}
		b := d.AppendJSON(nil)
		if len(b) <= most || keep == 0 && len(reason) <= len(cutNote) {
			return b
		}
		if keep /= 2; keep < leastEncoded {
			keep, reason = 0, cutText(reason, len(reason)/2)
			d.Reason = reason
		}
	}
}

func cutText(s string, limit int) string { return string(cutRune([]byte(s), limit)) }

// cutRune keeps at most limit bytes, and no part of a character, so that text stays text.
func cutRune(b []byte, limit int) []byte {
	if len(b) <= limit {
		return b
	}
	for n := limit; n > max(0, limit-utf8.UTFMax); n-- {
		if utf8.RuneStart(b[n]) {
			return b[:n]
		}
	}
	return b[:limit]
}
