package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// OffsetsAt returns, for every partition of topic, the first offset whose record was produced at t
// or later; the partition's end where there is none.
func (c *Client) OffsetsAt(ctx context.Context, topic string, t time.Time) ([]int64, error) {
	ranges, err := c.Offsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	offsets := make([]int64, len(ranges))
	err = c.retry(ctx, "list offsets of "+c.name(topic)+" by time", func(ctx context.Context) error {
		var requests []kafka.OffsetRequest
		for p := range ranges {
			offsets[p] = ranges[p].End
			requests = append(requests, kafka.TimeOffsetOf(p, t))
		}
		resp, err := c.kafka.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{c.name(topic): requests}})
		if err != nil {
			return err
		}
		got := resp.Topics[c.name(topic)]
		if len(got) != len(ranges) {
			return fmt.Errorf("the broker answered for %d of %d partitions", len(got), len(ranges))
		}
		for _, p := range got {
			if p.Error != nil {
				return p.Error
			}
			for offset := range p.Offsets {
				if offset >= 0 && p.Partition < len(offsets) {
					offsets[p.Partition] = offset
				}
			}
		}
		return nil
	})
	return offsets, err
}
