package campaign

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/retry"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/stream"
)

// headerSeed has the etag of what a file of campaigns said when the file was last written for the
// record's campaign. Later changes by the API keep it.
const headerSeed = "seed"

// Follower brings the topic of campaigns into a Catalogue, in every bidder. It reads the topic from
// its start: a topic that was created again, or whose end went back, is read anew, and replaces the
// campaigns when it is read whole. A record that cannot be used changes nothing: it is counted, and
// logged once.
type Follower struct {
	Client     *stream.Client
	Catalogue  *Catalogue
	Objectives []string // that are configured
	Logger     *slog.Logger
	// Count is called for what became of records, one of the results below; nil: nobody counts.
	Count func(result string, n int)

	backoff retry.Backoff
	whole   atomic.Bool
	next    atomic.Int64 // offset up to which the View has all records
	logged  int64        // offset up to which records that are of no use were logged
}

// What became of a record.
const (
	ResultPut       = "put"
	ResultDeleted   = "deleted"
	ResultMalformed = "malformed"
	ResultFull      = "full"
)

// Results are all of them, for metrics.
var Results = []string{ResultPut, ResultDeleted, ResultMalformed, ResultFull}

const followPause = 500 * time.Millisecond // before the topic is followed again after a fault

// Ready returns nil once the topic was read to the end that it had when reading began.
func (f *Follower) Ready() error {
	if !f.whole.Load() {
		return errors.New("the campaigns are being read")
	}
	return nil
}

// Await waits until the View has the record at an offset, and returns ctx's error when that ends
// first.
func (f *Follower) Await(ctx context.Context, offset int64) error {
	for {
		changed := f.Catalogue.Changed.Wait()
		if f.whole.Load() && f.next.Load() > offset {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// CatchUp waits until the View has what the topic has now.
func (f *Follower) CatchUp(ctx context.Context) error {
	ranges, err := f.Client.Offsets(ctx, event.TopicCampaigns)
	if err != nil {
		return err
	}
	return f.Await(ctx, ranges[0].End-1)
}

// Run follows the topic until ctx ends.
func (f *Follower) Run(ctx context.Context) error {
	f.backoff = retry.Backoff{Min: followPause, Max: followPause}
	f.logged = -1
	for {
		err := f.follow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if f.backoff.ShouldLog() {
			f.Logger.Warn("cannot follow the campaigns, reading them again", "err", err)
		}
		if !f.backoff.Pause(ctx) {
			return ctx.Err()
		}
	}
}

// follow reads the topic from its start. Campaigns that are there already stay until all is read;
// those that the topic does not have are deleted then.
func (f *Follower) follow(ctx context.Context) error {
	id, err := f.Client.TopicID(ctx, event.TopicCampaigns)
	if err != nil {
		return err
	}
	ranges, err := f.Client.Offsets(ctx, event.TopicCampaigns)
	if err != nil {
		return err
	}
	if ranges[0].End <= f.logged {
		f.logged = -1 // another topic
	}
	f.next.Store(0)
	r := f.Client.NewReader(event.TopicCampaigns, 0, ranges[0].First).Hold(id).As("campaigns")
	defer r.Close()
	seen := map[string]bool{} // while the topic is read for the first time
	for {
		if seen != nil && r.Offset() >= ranges[0].End {
			f.sweep(seen)
			seen = nil
			f.next.Store(r.Offset())
			f.whole.Store(true)
			f.Catalogue.Changed.Fire()
		}
		records, err := r.Next(ctx)
		if errors.Is(err, stream.ErrTrimmed) {
			continue // compaction leaves the last record of each key
		}
		if err != nil {
			return err
		}
		f.apply(records, seen)
		f.next.Store(r.Offset())
		f.Catalogue.Changed.Fire()
	}
}

// sweep deletes the campaigns that the topic does not have.
func (f *Follower) sweep(seen map[string]bool) {
	c := f.Catalogue
	c.mu.Lock()
	defer c.mu.Unlock()
	var gone []string
	for id := range c.campaigns {
		if !seen[id] {
			gone = append(gone, id)
		}
	}
	for _, id := range gone {
		c.delete(id)
	}
	c.publish()
}

// apply takes records in their order, and then shows what they changed.
func (f *Follower) apply(records []stream.Record, seen map[string]bool) {
	if len(records) == 0 {
		return
	}
	c := f.Catalogue
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range records {
		result := f.applyOne(&records[i], seen)
		if f.Count != nil {
			f.Count(result, 1)
		}
	}
	c.publish()
}

func (f *Follower) applyOne(r *stream.Record, seen map[string]bool) string {
	c := f.Catalogue
	if len(r.Value) == 0 {
		if id := string(r.Key); c.delete(id) {
			delete(seen, id)
		}
		return ResultDeleted
	}
	campaign, err := Parse(r.Value, "", f.Objectives)
	if err == nil && campaign.ID != string(r.Key) {
		err = field.Wrong("id", "is %s, and the record's key another one: a compacted topic would not replace the campaign", strictjson.Quote(campaign.ID))
	}
	result := ResultMalformed
	if err == nil {
		if err, result = c.put(newEntry(campaign, c.cfg.Seat, seedOf(r))), ResultFull; err == nil {
			if seen != nil {
				seen[campaign.ID] = true
			}
			return ResultPut
		}
	}
	if r.Offset > f.logged { // reading the topic again tells nothing new
		f.logged = r.Offset
		f.Logger.Warn("a record of a campaign is passed over", "topic", event.TopicCampaigns, "offset", r.Offset, "key", string(r.Key[:min(len(r.Key), 100)]), "err", err)
	}
	return result
}

func seedOf(r *stream.Record) string {
	i := slices.IndexFunc(r.Headers, func(h stream.Header) bool { return h.Key == headerSeed })
	if i < 0 {
		return ""
	}
	return string(r.Headers[i].Value)
}
