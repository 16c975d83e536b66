package notice

import (
	"context"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/collect"
	"github.com/clickloop/clickloop/stream"
)

func TestMain(m *testing.M) { backend.Main(m) }

var _ Events = (*collect.Collector)(nil)

// While Kafka refuses writes, a bill is asked for again. It stands on the topic once afterwards,
// before the heartbeat that vouches for it.
func TestABillWaitsForKafka(t *testing.T) {
	kafka := backend.NewRefusing(t)
	client, err := stream.Dial(stream.Config{Brokers: []string{kafka.Kafka}, Prefix: "n.", ClientID: "test", Session: backend.Session()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.EnsureTopics(t.Context(), stream.Topic{Name: event.TopicEvents, Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	now := func() event.Time { return event.TimeOf(time.Now()) }
	c := collect.New(collect.Config{
		Client: client, Clock: collect.NewClock(now, false), MaxWaiting: 1 << 20, Heartbeat: 10 * time.Millisecond, Lease: time.Minute, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	s := run(t, func(cfg *Config, d *Deps) { d.Events, cfg.Wait = c, 10*time.Second })
	s.expect(Win, s.call("GET", filled(s.link(Win)))) // it has announced itself
	s = run(t, func(cfg *Config, d *Deps) { d.Events, cfg.Wait = c, 200*time.Millisecond })
	kafka.Refuse("n."+event.TopicEvents, true)
	bill := filled(s.link(Bill))
	if w := s.call("GET", bill); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("while Kafka refuses: %d", w.Code)
	}
	kafka.Refuse("n."+event.TopicEvents, false)
	for end := time.Now().Add(20 * time.Second); s.call("GET", bill).Code != http.StatusNoContent; {
		if time.Now().After(end) {
			t.Fatal("it is not taken afterwards")
		}
	}
	stop()
	<-ended
	bills := 0
	for p, mark := range []event.Time{0, 0} {
		ranges, err := client.Offsets(t.Context(), event.TopicEvents)
		if err != nil {
			t.Fatal(err)
		}
		err = client.ReadRange(t.Context(), event.TopicEvents, p, ranges[p].First, ranges[p].End, func(r *stream.Record) error {
			e, err := event.ParseEvent(r.Value)
			switch {
			case e.Type == event.TypeHeartbeat:
				mark = e.Received
			case e.Received < mark:
				t.Errorf("%+v stands behind the heartbeat of %v", e, mark)
			case e.Type == event.TypeBilling:
				bills++ // more than one if the first was written in the end, under the same id
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if bills == 0 || len(s.books.notices) != 1 {
		t.Errorf("%d bills on the topic, %d in the ledger", bills, len(s.books.notices))
	}
}
