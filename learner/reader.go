package learner

import (
	"context"
	"errors"
	"fmt"

	"github.com/clickloop/clickloop/stream"
)

// reader reads the examples topic and decodes its records into batches, while the loop learns the
// batch before.
type reader struct {
	o           *owner
	full, empty chan *batch // have room for both batches
}

func newReader(o *owner) *reader {
	r := &reader{o: o, full: make(chan *batch, 2), empty: make(chan *batch, 2)}
	r.empty <- &batch{}
	r.empty <- &batch{}
	return r
}

var errRecreated = errors.New("the examples topic was deleted and made again")

// run reads from an offset on until ctx ends. It reads nothing of a topic with another id.
func (r *reader) run(ctx context.Context, topicID string, from int64) error {
	records := r.o.client.NewReader(r.o.topic(), 0, from).Hold(topicID).As("learner." + r.o.key)
	defer records.Close()
	d := decoder{objective: r.o.objective, tracer: r.o.tracer}
	gap := false // before the next records
	for {
		read, err := records.Next(ctx)
		var trimmed *stream.TrimmedError
		switch {
		case errors.As(err, &trimmed):
			r.o.trimmed(trimmed.First-trimmed.Wanted, "from", trimmed.Wanted, "to", trimmed.First-1)
			gap = true
			continue
		case errors.Is(err, stream.ErrBeyond), errors.Is(err, stream.ErrRecreated):
			return fmt.Errorf("%w, or lost its end: %w", errRecreated, err)
		case err != nil:
			return err
		}
		// when the offset has moved past markers of transactions alone, one batch without records
		// tells it
		for first := true; first || len(read) > 0; first = false {
			n := min(len(read), batchExamples)
			if n > 0 && records.End()-read[0].Offset > farBehind {
				n = min(len(read), 4*batchExamples) // faster, and no scorer waits for the versions between
			}
			select {
			case b := <-r.empty:
				d.decode(b, read[:n], records.End())
				if n > 0 {
					b.trimmed, gap = gap, false
				}
				if n == len(read) {
					b.next = records.Offset()
				}
				r.full <- b
			case <-ctx.Done():
				return ctx.Err()
			}
			read = read[n:]
		}
	}
}
