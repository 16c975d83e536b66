package stream

import (
	"context"
	"fmt"
	"sort"
	"time"

	"github.com/segmentio/kafka-go"
)

// A topic may be given more partitions at any time. For readers they count as soon as they are
// seen; producers choose them for keys only when every reader must have seen them. So whoever waits
// until all partitions are read up to a time, as labels do, never misses what stands in a partition
// that it did not know.
const countAge = 2 * time.Second // a number of partitions is never older, metadataTTL included

// settleTime is for how long producers choose no partition that was added.
var settleTime = 10 * time.Second

// counted is what is known of a topic's number of partitions.
type counted struct {
	n       int
	at      time.Time // when it was asked for
	settled int       // partitions that are chosen for keys
	grew    time.Time // when those beyond were seen first
}

// Partitions is the number of partitions of topic, as it was at most countAge ago.
func (c *Client) Partitions(ctx context.Context, topic string) (int, error) {
	n, _, err := c.counts(ctx, topic)
	return n, err
}

// counts returns the number of partitions, and of those among them that are chosen for keys.
func (c *Client) counts(ctx context.Context, topic string) (n, settled int, err error) {
	if n, settled, ok := c.known(topic); ok {
		return n, settled, nil
	}
	err = c.retry(ctx, "see topic "+c.name(topic), func(ctx context.Context) error {
		_, err := c.look(ctx, topic, false)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.partitions[topic]
	return k.n, k.settled, nil
}

// known returns what is known if that is young enough.
func (c *Client) known(topic string) (n, settled int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.partitions[topic]
	if k == nil {
		return 0, 0, false
	}
	if time.Since(k.at) > countAge-metadataTTL {
		return 0, 0, false
	}
	k.settle()
	return k.n, k.settled, true
}

// settle lets partitions be chosen that were added long enough ago.
func (k *counted) settle() {
	if k.settled < k.n && time.Since(k.grew) >= settleTime {
		k.settled = k.n
	}
}

// look asks for the number of partitions, which kafka-go tells as it was at most metadataTTL ago,
// and remembers it. With led, it is an error when one has no leader.
func (c *Client) look(ctx context.Context, topic string, led bool) (int, error) {
	asked := time.Now()
	meta, err := c.kafka.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{c.name(topic)}})
	if err != nil {
		return 0, err
	}
	if len(meta.Topics) == 0 {
		return 0, fmt.Errorf("topic %s is not known", c.name(topic))
	}
	t := meta.Topics[0]
	if t.Error != nil {
		return 0, fmt.Errorf("topic %s: %w", c.name(topic), t.Error)
	}
	if len(t.Partitions) == 0 {
		return 0, fmt.Errorf("topic %s has no partitions", c.name(topic))
	}
	for _, p := range t.Partitions {
		if led && (p.Error != nil || p.Leader.Host == "") {
			return 0, fmt.Errorf("topic %s partition %d has no leader", c.name(topic), p.ID)
		}
	}
	c.remember(topic, len(t.Partitions), asked)
	return len(t.Partitions), nil
}

func (c *Client) remember(topic string, n int, asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.partitions[topic]
	if k == nil {
		k = &counted{n: n, settled: n}
		c.partitions[topic] = k
	}
	if asked.Before(k.at) {
		return // an answer that was overtaken
	}
	switch {
	case n > k.n:
		k.settle()
		k.grew = time.Now()
		if c.ordered[topic] {
			c.logger.Warn("the topic is not as it should be", "topic", c.name(topic), "err", c.unordered(topic, n))
			break
		}
		c.logger.Warn("the topic has more partitions: they are read at once, and written to by key after a while",
			"topic", c.name(topic), "partitions", n, "before", k.n, "written_after", settleTime)
	case n < k.n:
		k.settled = min(k.settled, n) // it was made again
	}
	k.n, k.at = n, asked
}

// Offsets returns the Range of every partition of topic, in order: up to where readers may read. An
// open transaction, and what stands behind it, lies beyond.
func (c *Client) Offsets(ctx context.Context, topic string) ([]Range, error) {
	return c.offsets(ctx, topic, readCommitted)
}

func (c *Client) offsets(ctx context.Context, topic string, isolation int8) ([]Range, error) {
	var ranges []Range
	err := c.retry(ctx, "list offsets of "+c.name(topic), func(ctx context.Context) error {
		// the number as it is now: what ends there is read to the end
		n, err := c.look(ctx, topic, false)
		if err != nil {
			return err
		}
		ranges = make([]Range, n)
		var requests []kafka.OffsetRequest
		for p := range n {
			requests = append(requests, kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p))
		}
		resp, err := c.kafka.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{c.name(topic): requests}, IsolationLevel: kafka.IsolationLevel(isolation)})
		if err != nil {
			return err
		}
		got := resp.Topics[c.name(topic)]
		sort.Slice(got, func(i, j int) bool { return got[i].Partition < got[j].Partition })
		if len(got) != n {
			return fmt.Errorf("the broker answered for %d of %d partitions", len(got), n)
		}
		for i, o := range got {
			if o.Error != nil {
				return o.Error
			}
			ranges[i] = Range{o.FirstOffset, o.LastOffset}
		}
		return nil
	})
	return ranges, err
}
