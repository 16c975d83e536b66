package stream_test

import (
	"strconv"
	"testing"

	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

// BenchmarkRead reads a partition from its start: records like predictions, with three headers.
func BenchmarkRead(b *testing.B) {
	const n = 20_000
	c := dial(b, backend.Kafka(b))
	topic(b, c, "a", 1)
	recs := make([]stream.Record, n)
	headers := c.MessageHeaders("prediction/1")
	for i := range recs {
		recs[i] = stream.Record{Key: []byte("request-" + strconv.Itoa(i)), Value: make([]byte, 500), Headers: headers}
	}
	for at := 0; at < n; at += 500 {
		if err := c.Produce(b.Context(), "a", recs[at:at+500]); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		r := c.NewReader("a", 0, 0)
		for got := 0; got < n; {
			records, err := r.Read(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			got += len(records)
		}
		_ = r.Close()
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "records/s")
}
