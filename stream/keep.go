package stream

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/segmentio/kafka-go"
)

// KeepBytes makes each partition of topic keep at least n bytes, where its retention.bytes is a
// bound below that, and returns what it keeps now (math.MaxInt64: there is no bound) and what it
// kept before. When it returns, the broker shows it.
func (c *Client) KeepBytes(ctx context.Context, topic string, n int64) (now, before int64, err error) {
	err = c.retry(ctx, "see what topic "+c.name(topic)+" keeps", func(ctx context.Context) error {
		before, err = c.keptBytes(ctx, topic)
		return err
	})
	if err != nil || before >= n {
		return before, before, err
	}
	err = c.retry(ctx, "make topic "+c.name(topic)+" keep more", func(ctx context.Context) error {
		resp, err := c.kafka.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: c.name(topic),
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: retentionBytes, Value: strconv.FormatInt(n, 10), ConfigOperation: kafka.ConfigOperationSet}},
		}}})
		if err != nil {
			return err
		}
		for _, r := range resp.Resources {
			if r.Error != nil {
				return &finalError{&TopicError{c.name(topic), retentionBytes, strconv.FormatInt(before, 10), fmt.Sprintf("at least %d (%v)", n, r.Error), c.mend(topic, retentionBytes, n)}}
			}
		}
		return nil
	})
	if err != nil {
		return before, before, err
	}
	// A broker answers before it shows the new setting: who asked in between for more than the old
	// one and less than the new would lower it.
	return n, before, c.retry(ctx, "see that topic "+c.name(topic)+" keeps more", func(ctx context.Context) error {
		if shown, err := c.keptBytes(ctx, topic); err != nil || shown >= n {
			return err
		}
		return fmt.Errorf("it shows less than %s=%d still", retentionBytes, n)
	})
}

const retentionBytes = "retention.bytes"

func (c *Client) keptBytes(ctx context.Context, topic string) (int64, error) {
	found, err := c.settings(ctx, topic, retentionBytes)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(found[retentionBytes], 10, 64)
	if err != nil || n < 0 { // -1, or a broker that does not say
		return math.MaxInt64, nil
	}
	return n, nil
}

// settings are some of a topic's, by name.
func (c *Client) settings(ctx context.Context, topic string, names ...string) (map[string]string, error) {
	resp, err := c.kafka.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: c.name(topic), ConfigNames: names,
	}}})
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, r := range resp.Resources {
		if r.Error != nil {
			return nil, r.Error
		}
		for _, e := range r.ConfigEntries {
			found[e.ConfigName] = e.ConfigValue
		}
	}
	return found, nil
}

// mend is a command that sets a topic's setting.
func (c *Client) mend(topic, setting string, value any) string {
	return fmt.Sprintf("kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config %s=%v", c.cfg.Brokers[0], c.name(topic), setting, value)
}
