package stream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/segmentio/kafka-go"
)

const retentionBytes = "retention.bytes"

// KeepBytes raises retention.bytes of topic to n where it is lower. It returns what each partition
// keeps now and what it kept before; math.MaxInt64 stands for no limit. The broker shows the new
// value when KeepBytes returns.
func (s *topics) KeepBytes(ctx context.Context, topic string, n int64) (now, before int64, err error) {
	err = s.retry(ctx, "see what topic "+s.name(topic)+" keeps", func(ctx context.Context) error {
		before, err = s.keptBytes(ctx, topic)
		return err
	})
	if err != nil || before >= n {
		return before, before, err
	}
	err = s.retry(ctx, "make topic "+s.name(topic)+" keep more", func(ctx context.Context) error {
		return s.raiseKept(ctx, topic, before, n)
	})
	if err != nil {
		return before, before, err
	}
	// A broker confirms a change before it shows it. Another caller who saw the old value
	// meanwhile, and wants more than it and less than n, would lower the new one.
	return n, before, s.retry(ctx, "see that topic "+s.name(topic)+" keeps more", func(ctx context.Context) error {
		if shown, err := s.keptBytes(ctx, topic); err != nil || shown >= n {
			return err
		}
		return fmt.Errorf("it shows less than %s=%d still", retentionBytes, n)
	})
}

func (s *topics) keptBytes(ctx context.Context, topic string) (int64, error) {
	found, err := s.settings(ctx, topic, retentionBytes)
	var denied *AccessError
	if errors.As(err, &denied) {
		return 0, &finalError{err}
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(found[retentionBytes], 10, 64)
	if err != nil || n < 0 { // -1, or a broker that does not say
		return math.MaxInt64, nil
	}
	return n, nil
}

func (s *topics) raiseKept(ctx context.Context, topic string, before, n int64) error {
	resp, err := s.kafka.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: s.name(topic),
		Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: retentionBytes, Value: strconv.FormatInt(n, 10), ConfigOperation: kafka.ConfigOperationSet}},
	}}})
	if err != nil {
		return err
	}
	for _, r := range resp.Resources {
		if r.Error != nil {
			return &finalError{&TopicError{s.name(topic), retentionBytes, strconv.FormatInt(before, 10), fmt.Sprintf("at least %d (%v)", n, r.Error), s.alterCommand(topic, retentionBytes, n)}}
		}
	}
	return nil
}
