package stream

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/produce"
	"golang.org/x/sync/errgroup"
)

// produceTogether writes to all partitions that one broker leads in one request: a request costs
// the process and the broker as much as some ten records do. Each request is sent once. Where it
// fails, or is more than a broker takes at once, the records are left in byPartition, and the way
// of a single partition repeats them and says what is wrong. A partition's records are one batch
// here as there.
func (s *producer) produceTogether(ctx context.Context, topic string, byPartition []outgoing) {
	most := s.limits.batchBytes(ctx, topic)
	byLeader, sum := map[int][]int{}, map[int]int{}
	for p := range byPartition {
		leader, known := s.partitions.leader(topic, p)
		bytes := byPartition[p].bytes()
		if known && bytes > 0 && bytes <= most && sum[leader]+bytes <= maxWrite {
			byLeader[leader] = append(byLeader[leader], p)
			sum[leader] += bytes
		}
	}
	var all errgroup.Group
	for _, led := range byLeader {
		if len(led) > 1 {
			all.Go(func() error {
				if err := s.request(ctx, topic, led, byPartition); err != nil && ctx.Err() == nil {
					s.metrics.failed(requestProduce)
					s.logger.Debug("cannot write to several partitions at once, writing to each", "topic", s.name(topic), "err", err)
				}
				return nil
			})
		}
	}
	_ = all.Wait()
}

// request writes to the partitions led, and empties those of byPartition that are acknowledged.
func (s *producer) request(ctx context.Context, topic string, led []int, byPartition []outgoing) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	to := produce.RequestTopic{Topic: s.name(topic)}
	for _, p := range led {
		to.Partitions = append(to.Partitions, produce.RequestPartition{
			Partition: int32(p), RecordSet: protocol.RecordSet{Records: byPartition[p].reader()},
		})
	}
	began := time.Now()
	answer, err := s.transport.RoundTrip(ctx, s.kafka.Addr, &produce.Request{
		Acks: int16(kafka.RequireAll), Timeout: int32(attemptTimeout / time.Millisecond), Topics: []produce.RequestTopic{to},
	})
	observe(s.metrics.produced, began)
	if err != nil {
		return err
	}
	found, ok := answer.(*produce.Response)
	if !ok || len(found.Topics) != 1 {
		return errShortAnswer
	}
	for _, at := range found.Topics[0].Partitions {
		p := int(at.Partition)
		switch {
		case !slices.Contains(led, p):
			return fmt.Errorf("the answer is of partition %d, which was not written to", p)
		case at.ErrorCode != 0:
			err = fmt.Errorf("partition %d: %w", p, kafka.Error(at.ErrorCode))
			continue
		}
		for i, r := range byPartition[p].from {
			r.Offset = at.BaseOffset + int64(i)
		}
		byPartition[p] = outgoing{}
	}
	return err
}

// bytes is the size of a batch of all records.
func (o outgoing) bytes() (n int) {
	for i := range o.from {
		n += o.from[i].size()
	}
	return n
}
