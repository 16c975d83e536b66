package fold

import (
	"log/slog"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/stream"
)

// Heartbeats of collectors let records gather; those of a replay's driver, who has no name, do not;
// a batch without any changes nothing.
func TestTheClockSaysWhetherRecordsGather(t *testing.T) {
	marks, err := watermark.New(watermark.DefaultConfig(), 0, "")
	if err != nil {
		t.Fatal(err)
	}
	b := Batch{marks: marks, beats: watermark.NewReporter("test", func() event.Time { return t0 }, slog.New(slog.DiscardHandler), nil)}
	if d, known := b.pace(); known {
		t.Errorf("without a heartbeat, the pace is %v", d)
	}
	b.Beat(&event.Event{Type: event.TypeHeartbeat, Received: t0, Collector: "c1"}, &stream.Record{})
	if d, known := b.pace(); d != livePace || !known {
		t.Errorf("of a collector's clock, the pace is %v, want %v", d, livePace)
	}
	b.Beat(&event.Event{Type: event.TypeHeartbeat, Received: t0}, &stream.Record{})
	if d, known := b.pace(); d != 0 || !known {
		t.Errorf("of a recorded clock, the pace is %v, want none", d)
	}
}
