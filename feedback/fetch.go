package feedback

import (
	"context"
	"errors"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// Bounds on the predictions of a partition that are held in memory while they wait for their
// windows; those behind them stay in Kafka.
const (
	readAhead      = 4096
	readAheadBytes = 4 << 20
)

// fetched is what a fetcher hands over: records of one partition.
type fetched struct {
	f       *fetcher
	records []stream.Record
	next    int64 // offset behind them
}

// fetcher reads one partition; it hands over a batch only when there is room for it.
type fetcher struct {
	l    *labeler
	q    *queue
	r    *stream.Reader
	out  chan<- fetched // one place for each fetcher, so handing over never waits
	room chan struct{}  // a token: the queue may take another batch
	idle bool           // no token is out and no batch is under way

	young event.Time // see labeling
}

// open begins at an offset, having put back the ids and choices of the predictions before it.
func (f *fetcher) open(ctx context.Context, topicID string, begin int64) error {
	err := f.q.choices.Refill(ctx, f.l.client, event.TopicPredictions, f.q.partition, begin)
	if errors.Is(err, stream.ErrBeyond) {
		f.l.logger.Error("the partition ends before the group's offset: reading it from its start", "topic", event.TopicPredictions, "partition", f.q.partition, "err", err)
		begin, err = 0, nil
	}
	if err != nil {
		return err
	}
	if err := f.firstRecord(ctx, begin); err != nil {
		return err
	}
	f.q.next, f.q.done = begin, begin
	f.r = f.l.client.NewReader(event.TopicPredictions, f.q.partition, begin).Hold(topicID)
	f.room <- struct{}{}
	return nil
}

// run hands over batch after batch until ctx ends.
func (f *fetcher) run(ctx context.Context) error {
	defer f.r.Close()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.room:
		}
		records, err := f.r.Next(ctx)
		for errors.Is(err, stream.ErrTrimmed) {
			f.l.logger.Error("predictions were deleted before they were labelled", "topic", event.TopicPredictions, "partition", f.q.partition, "err", err)
			records, err = f.r.Next(ctx)
		}
		if err != nil {
			return err
		}
		f.out <- fetched{f, records, f.r.Offset()}
	}
}
