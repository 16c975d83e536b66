package catalogue

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/retry"
	"github.com/clickloop/clickloop/stream"
)

// Follower brings a catalogue's topic into a Catalogue. It reads the topic from its start: a topic
// that was created again, or whose end went back, is read anew, and replaces the items when it is
// read whole.
type Follower struct {
	Client *stream.Client
	Logger *slog.Logger
	// Count is called for what became of records: put, deleted, malformed, full.
	Count func(result string, n int)

	backoff retry.Backoff
	whole   atomic.Bool
	next    atomic.Int64 // offset up to which the View has all records
}

const followPause = 500 * time.Millisecond // before the topic is followed again after a fault

// Whole says whether the topic was read to the end that it had when reading began.
func (f *Follower) Whole() bool { return f.whole.Load() }

// Await waits until the View has the record at an offset, but at most for d.
func (f *Follower) Await(ctx context.Context, c *Catalogue, offset int64, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for {
		changed := c.Changed.Wait()
		if f.next.Load() > offset {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// Run follows the topic until ctx ends.
func (f *Follower) Run(ctx context.Context, c *Catalogue) error {
	f.backoff = retry.Backoff{Min: followPause, Max: followPause}
	for {
		err := f.follow(ctx, c)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if f.backoff.ShouldLog() {
			f.Logger.Warn("cannot follow the catalogue, reading it again", "catalogue", c.Name, "err", err)
		}
		if !f.backoff.Pause(ctx) {
			return ctx.Err()
		}
	}
}

// follow reads the topic from its start. Items that are there already stay until all is read; those
// that the topic does not have are deleted then.
func (f *Follower) follow(ctx context.Context, c *Catalogue) error {
	topic := event.TopicCatalogue(c.Name)
	id, err := f.Client.TopicID(ctx, topic)
	if err != nil {
		return err
	}
	ranges, err := f.Client.Offsets(ctx, topic)
	if err != nil {
		return err
	}
	f.next.Store(0)
	r := f.Client.NewReader(topic, 0, ranges[0].First).Hold(id).As("catalogue")
	defer r.Close()
	seen := map[string]bool{} // while the topic is read for the first time
	for {
		if seen != nil && r.Offset() >= ranges[0].End {
			f.sweep(c, seen)
			seen = nil
		}
		records, err := r.Next(ctx)
		if errors.Is(err, stream.ErrTrimmed) {
			continue // compaction leaves the last record of each key
		}
		if err != nil {
			return err
		}
		f.apply(c, records, seen)
		f.next.Store(r.Offset())
		c.Changed.Fire()
	}
}

// sweep deletes the items that the topic does not have.
func (f *Follower) sweep(c *Catalogue, seen map[string]bool) {
	for id := range c.slots {
		if !seen[id] {
			c.delete(id)
		}
	}
	c.publish()
	f.whole.Store(true)
}

// apply takes records in their order, and then shows what they changed.
func (f *Follower) apply(c *Catalogue, records []stream.Record, seen map[string]bool) {
	if len(records) == 0 {
		return
	}
	for i := range records {
		f.Count(f.applyOne(c, &records[i], seen), 1)
	}
	c.publish()
}

// What became of a record.
const (
	ResultPut       = "put"
	ResultDeleted   = "deleted"
	ResultMalformed = "malformed"
	ResultFull      = "full"
)

func (f *Follower) applyOne(c *Catalogue, r *stream.Record, seen map[string]bool) string {
	if len(r.Value) == 0 {
		if id := string(r.Key); c.delete(id) {
			delete(seen, id)
		}
		return ResultDeleted
	}
	item, err := event.ParseItem(r.Value)
	if err == nil && item.ID != string(r.Key) {
		err = &event.Error{Field: "id", Reason: "is not the record's key: a compacted topic would not replace the item"}
	}
	result := ResultMalformed
	if err == nil {
		if err, result = c.put(&item), ResultFull; err == nil {
			if seen != nil {
				seen[item.ID] = true
			}
			return ResultPut
		}
	}
	if f.backoff.ShouldLog() {
		f.Logger.Warn("a record of the catalogue is passed over", "catalogue", c.Name, "offset", r.Offset, "key", string(r.Key[:min(len(r.Key), 100)]), "err", err)
	}
	return result
}
