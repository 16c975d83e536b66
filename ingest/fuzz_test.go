package ingest

import (
	"net/http"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/semaphore"
)

// Whatever comes, nothing panics, every part gets a verdict, and what is accepted is read from the
// topic as it was meant: complete, within bounds, unchanged by being written.
func FuzzIntake(f *testing.F) {
	for _, s := range []string{
		`{"type":"click","user":"u","time":"2026-11-25T09:00:00Z"}`, `[{"type":"page"},{"type":7}]`, "{\"type\":\"page\"}\n{\"type\":", `{"batch":[{"type":"track","userId":7,"event":"Ad Clicked","properties":{"revenue":2,"ad_id":"a"},"context":{"a":{"b":1}}}],"sentAt":"2026-11-25T09:00:00Z","context":{"a":{"b":2}}}`,
		`{"batch":null}`, `[{"type":"page","x":NaN},{"type":"page"},]`, `{"batch":[{"type":"track","userId":"u","event":"x","properties":{"revenue":"$1","ad":{"id":7}}},{"a":"}],"sentAt":NaN}`, `{"userId":"u","event":"x","timestamp":"","originalTimestamp":null}`, "\xff", `{"type":"page","context":{"a":1e308,"b":[["x",2],"y"]}}`,
	} {
		f.Add(s)
	}
	cfg := DefaultConfig()
	now, _ := event.ParseTime("2026-11-25T09:00:00Z")
	check := func(t *testing.T, in *intake, parts int) {
		if len(in.verdicts) != parts || len(in.records)+in.rejected != parts {
			t.Fatalf("%d parts have %d verdicts, %d records, %d rejected", parts, len(in.verdicts), len(in.records), in.rejected)
		}
		for i := range in.records {
			r := in.records[i]
			e, err := decode(&stream.Record{Value: r.Value})
			if err != nil || e.ID == "" || e.Received != now || e.Time == 0 || len(r.Key) == 0 {
				t.Fatalf("%s was accepted and reads as %+v: %v", r.Value, e, err)
			}
			if again := e.AppendJSON(nil); string(again) != string(r.Value) {
				t.Fatalf("%s was accepted and is written again as %s", r.Value, again)
			}
		}
	}
	budget := semaphore.NewWeighted(1 << 40)
	record := func(e *event.Event, value []byte) stream.Record {
		return stream.Record{Key: []byte(e.ID), Value: value}
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range dialects {
			for _, path := range d.paths {
				r, err := http.NewRequest(d.method, path, nil)
				if err != nil {
					t.Fatal(err)
				}
				events, err := d.decode(&request{Request: r, cfg: &cfg, body: &body{budget: budget, limit: cfg.MaxBody, raw: []byte(text)}})
				if err == nil {
					check(t, newIntake(&events, now, false, nil, record), events.count)
				}
			}
		}
	})
}
