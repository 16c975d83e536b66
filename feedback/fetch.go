package feedback

import (
	"context"
	"errors"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
)

// fetched is a batch that a fetcher has read from its partition.
type fetched struct {
	from    *fetcher
	records []stream.Record
	next    int64 // offset behind the batch
}

// fetcher reads one partition of predictions. It reads a batch only when its queue has room for it.
type fetcher struct {
	*labeler
	queue  *queue
	reader *stream.Reader
	out    chan<- fetched // has a place for each fetcher, so handing over never waits
	room   chan struct{}  // holds at most one token: the queue may take another batch
	idle   bool           // no token is in room and no batch is under way; owned by labeling

	youngUntil event.Time // see across.go
}

// open begins at an offset. It first reads back the ids and choices of the predictions before it.
func (f *fetcher) open(ctx context.Context, topicID string, begin int64) error {
	err := f.queue.choices.Refill(ctx, f.client, event.TopicPredictions, f.queue.partition, begin)
	if errors.Is(err, stream.ErrBeyond) {
		f.logger.Error("the partition ends before the group's offset: reading it from its start", "topic", event.TopicPredictions, "partition", f.queue.partition, "err", err)
		begin, err = 0, nil
	}
	if err != nil {
		return err
	}
	if err := f.readStart(ctx, begin); err != nil {
		return err
	}
	f.queue.next, f.queue.done = begin, begin
	f.reader = f.client.NewReader(event.TopicPredictions, f.queue.partition, begin).Hold(topicID).As("labels." + f.objective.Name).Paced()
	f.room <- struct{}{}
	return nil
}

// run hands over batch after batch until ctx ends.
func (f *fetcher) run(ctx context.Context) error {
	defer f.reader.Close()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.room:
		}
		records, err := f.reader.Next(ctx)
		for errors.Is(err, stream.ErrTrimmed) {
			f.logger.Error("predictions were deleted before they were labelled", "topic", event.TopicPredictions, "partition", f.queue.partition, "err", err)
			records, err = f.reader.Next(ctx)
		}
		if err != nil {
			return err
		}
		f.out <- fetched{f, records, f.reader.Offset()}
	}
}
