package export

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// BenchmarkWriteTable writes a file of 10,000 predictions with 20 features.
func BenchmarkWriteTable(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 1))
	var records []stream.Record
	bytes := 0
	for i := range 10_000 {
		p := event.Prediction{ID: fmt.Sprint(i), Time: event.TimeOf(start), P: []event.ObjectiveP{{Objective: "click", P: random.Float64()}}}
		for f := range 20 {
			v := event.Value{Kind: event.Number, Num: random.NormFloat64()}
			if f%2 == 0 {
				v = event.Value{Kind: event.String, Str: fmt.Sprintf("v%d", random.IntN(1+f*f))}
			}
			p.Features = append(p.Features, event.Field{Name: fmt.Sprintf("f%d", f), Value: v})
		}
		records = append(records, stream.Record{Offset: int64(i), Time: start, Value: p.AppendJSON(nil)})
		bytes += len(records[i].Value)
	}
	for _, f := range []Format{Parquet, CSV} {
		b.Run(string(f), func(b *testing.B) {
			b.SetBytes(int64(bytes))
			b.ReportAllocs()
			for b.Loop() {
				e := &exporter{cfg: Config{Format: f}, layout: layoutOf("predictions")}
				e.columns = newColumns(e.layout, 256, nil)
				e.discover(records)
				if err := e.writeTable(records, io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
