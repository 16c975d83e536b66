package fit

import (
	"os"
	"testing"

	"github.com/clickloop/clickloop/internal/metrics"
	"github.com/clickloop/clickloop/model"
)

// Weights of 16 bits, served by deltas from 50 examples to the next, must cost less than a
// thousandth of the log loss, and half of the bytes.
func TestServing16BitsCostsNoQuality(t *testing.T) {
	if testing.Short() {
		t.Skip("learns two whole data sets")
	}
	for name, f := range map[string]*Files{
		"../../examples/bank-marketing/bank-additional-full.csv.gz": {Label: "y", Positive: []string{"yes"}, Drop: []string{"duration"}},
		"../../examples/online-shoppers/online_shoppers.csv.gz":     {Label: "Revenue", Positive: []string{"TRUE"}},
	} {
		if _, err := os.Stat(name); err != nil {
			t.Fatal(err)
		}
		wide, narrow := newServed(t, 32), newServed(t, 16)
		if _, err := f.pipe(t.Context(), []string{name}, func(b *block) error {
			for at := 0; at < len(b.x); at += 50 {
				end := min(at+50, len(b.x))
				wide.take(t, b, at, end)
				narrow.take(t, b, at, end)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		a, b := wide.metrics.Result(), narrow.metrics.Result()
		full, half := len(wide.net.AppendSnapshot(nil)), len(narrow.net.AppendSnapshot(nil))
		t.Logf("%s: log loss %.6f with 32 bits, %.6f with 16 (%+.4f%%); snapshot %d and %d bytes (%.1f%%), deltas %d and %d",
			name, a.LogLoss, b.LogLoss, 100*(b.LogLoss/a.LogLoss-1), full, half, 100*float64(half)/float64(full), wide.deltas, narrow.deltas)
		if a.Examples < 10000 || b.LogLoss > 1.001*a.LogLoss || 100*half > 55*full {
			t.Errorf("%s: %d examples; 16 bits cost too much", name, a.Examples)
		}
	}
}

// served is a net and a replica that follows it.
type served struct {
	net     *model.Net
	replica *model.Replica
	scratch *model.Scratch
	metrics *metrics.Accumulator
	deltas  int
	msg     []byte
}

func newServed(t *testing.T, bits int) *served {
	net, err := model.New(model.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	net.ServeBits(bits)
	s := &served{net: net, replica: model.NewReplica(), scratch: net.NewScratch(), metrics: metrics.New()}
	if err := s.replica.Apply(net.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	return s
}

// take serves examples with the weights of before, then learns them.
func (s *served) take(t *testing.T, b *block, from, to int) {
	for i := from; i < to; i++ {
		s.metrics.Add(s.replica.Predict(b.x[i], s.scratch), b.y[i], b.w[i])
	}
	if err := s.net.LearnBatch(b.x[from:to], b.y[from:to], b.w[from:to], b.p[from:to]); err != nil {
		t.Fatal(err)
	}
	s.msg = s.net.AppendDelta(s.msg[:0])
	s.deltas += len(s.msg)
	if err := s.replica.Apply(s.msg); err != nil {
		t.Fatal(err)
	}
}
