package stream

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// lagOf collects how far consumers are behind, at a moment.
func lagOf(t *testing.T, m *instruments, now time.Time, want string) {
	t.Helper()
	m.now = func() time.Time { return now }
	reg := prometheus.NewRegistry()
	reg.MustRegister(m)
	text := `# HELP clickloop_kafka_lag_records Records that a consumer has not read yet: from its offset to the end of the partition, as of its last fetch.
# TYPE clickloop_kafka_lag_records gauge
` + want
	if err := testutil.GatherAndCompare(reg, strings.NewReader(text), "clickloop_kafka_lag_records"); err != nil {
		t.Error(err)
	}
}

func TestLagIsToldInRecordsAndSeconds(t *testing.T) {
	t0 := time.Unix(1_800_000_000, 0)
	m := newInstruments(&Config{Prefix: "p."})
	m.now = func() time.Time { return t0 }
	p := m.follow("profiles", "events", 3, 7)
	f := func(at time.Time, records int64, age time.Duration) {
		t.Helper()
		if n, is, ok := p.lag(at); !ok || n != records || is != age {
			t.Errorf("%d records and %v behind, known %v; want %d and %v", n, is, ok, records, age)
		}
	}
	if _, _, ok := p.lag(t0); ok {
		t.Error("a lag is known before the first fetch")
	}
	p.note(9, 20, []Record{{Time: t0.Add(-time.Minute)}, {Time: t0.Add(-30 * time.Second)}})
	f(t0, 11, 30*time.Second)
	f(t0.Add(time.Minute), 11, 90*time.Second) // it stands
	p.note(20, 20, []Record{{Time: t0.Add(-time.Second)}})
	f(t0.Add(fresh-1), 0, 0)               // all is read
	f(t0.Add(time.Minute), 0, time.Minute) // and Kafka has not answered since
	p.note(20, 20, nil)
	f(t0.Add(time.Second), 0, 0)
	lagOf(t, m, t0, "clickloop_kafka_lag_records{consumer=\"profiles\",partition=\"3\",topic=\"p.events\"} 0\n")
}

// Two readers of one consumer overlap for a moment when a partition moves. A series that came twice
// would make the whole scrape fail.
func TestOverlappingReadersAreOneSeries(t *testing.T) {
	m := newInstruments(&Config{})
	first, second := m.follow("labels.click", "predictions", 0, 0), m.follow("labels.click", "predictions", 0, 0)
	first.note(1, 4, nil)
	second.note(2, 4, nil)
	lagOf(t, m, time.Now(), "clickloop_kafka_lag_records{consumer=\"labels.click\",partition=\"0\",topic=\"predictions\"} 3\n")
	first.leave()
	lagOf(t, m, time.Now(), "clickloop_kafka_lag_records{consumer=\"labels.click\",partition=\"0\",topic=\"predictions\"} 2\n")
	second.leave()
	if n := testutil.CollectAndCount(m); n != 0 {
		t.Errorf("%d series are left of readers that ended", n)
	}
}

func TestFailedRequestsAreCounted(t *testing.T) {
	m := newInstruments(&Config{})
	c := &cluster{door: &door{}, logger: slog.New(slog.DiscardHandler), metrics: m}
	attempts := 0
	err := c.retryKind(t.Context(), requestProduce, "try", func(context.Context) error {
		if attempts++; attempts < 4 {
			return errors.New("away")
		}
		return nil
	})
	if n := testutil.ToFloat64(m.failures[requestProduce]); err != nil || n != 3 {
		t.Errorf("%v failures are counted, want 3 (%v)", n, err)
	}
}
