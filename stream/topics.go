package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// Topic is what EnsureTopics creates or checks. Name has no prefix.
type Topic struct {
	Name           string
	Partitions     int
	Retention      time.Duration // 0: the broker's default
	RetentionBytes int64         // per partition; 0: no bound by size
	SegmentBytes   int64
	MaxMessage     int // bytes of a record batch; 0: the broker's default, 1 MiB
	// records carry the time at which the broker took them; a topic that exists is not asked for it
	AppendTime bool
	// bytes that the topic must take in a batch, or records are refused; less is told, not refused;
	// 0: not looked at
	NeedMessage int
	// each partition is written to all the time: one that is empty beside others was added just now
	Busy bool
	// partition 0 alone is written and read, since its order is the topic's; more partitions are
	// told of
	Ordered bool
}

// TopicError says what an existing topic lacks and how to mend it.
type TopicError struct {
	Topic, Setting, Found, Wanted, Mend string
}

func (e *TopicError) Error() string {
	return fmt.Sprintf("topic %s has %s %s, want %s; mend it with: %s", e.Topic, e.Setting, e.Found, e.Wanted, e.Mend)
}

// EnsureTopics creates what is missing, waits until it can be written, and checks what exists: a
// topic with too few partitions, compaction, or a shorter retention gives a *TopicError. What is
// wrong and does no harm yet is logged. A broker that is still starting is waited for.
func (c *Client) EnsureTopics(ctx context.Context, topics ...Topic) error {
	c.mu.Lock()
	for _, t := range topics {
		c.ordered[t.Name] = t.Ordered
	}
	c.mu.Unlock()
	created := map[string]bool{}
	err := c.retry(ctx, "create topics", func(ctx context.Context) error { return c.create(ctx, topics, created) })
	if err != nil {
		return err
	}
	for _, t := range topics {
		if err := c.retry(ctx, "see topic "+c.name(t.Name), func(ctx context.Context) error { return c.visible(ctx, t) }); err != nil {
			return err
		}
		if created[t.Name] {
			continue
		}
		if err := c.retry(ctx, "check topic "+c.name(t.Name), func(ctx context.Context) error { return c.check(ctx, t) }); err != nil {
			return err
		}
		if err := c.noticeNew(ctx, t); err != nil {
			return err
		}
		for _, warning := range c.warnings(ctx, t) {
			c.logger.Warn("the topic is not as it should be", "topic", c.name(t.Name), "err", warning)
		}
	}
	return nil
}

// noticeNew makes a process that starts wait, before it chooses partitions that were just added, as
// those wait that saw them come.
func (c *Client) noticeNew(ctx context.Context, t Topic) error {
	if !t.Busy {
		return nil
	}
	ranges, err := c.offsets(ctx, t.Name, readUncommitted)
	if err != nil {
		return err
	}
	old := len(ranges)
	for old > 0 && ranges[old-1].End == 0 {
		old--
	}
	if old == 0 {
		return nil // all are as new
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.partitions[t.Name]; old < k.settled {
		k.settled, k.grew = old, time.Now()
	}
	return nil
}

// warnings are faults of a topic that stop nothing: partitions that nobody reads, and messages that
// are too small for some of ours.
func (c *Client) warnings(ctx context.Context, t Topic) []error {
	var found []error
	if n, err := c.Partitions(ctx, t.Name); err == nil && t.Ordered && n > 1 {
		found = append(found, c.unordered(t.Name, n))
	}
	bounded, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	if small, err := c.smallMessages(bounded, t); err == nil && small != nil {
		found = append(found, small)
	}
	return found
}

// unordered says that a topic of one partition has more.
func (c *Client) unordered(topic string, n int) error {
	name := c.name(topic)
	return &TopicError{name, "partitions", strconv.Itoa(n), "1: its order is that of partition 0, which alone is written and read, and whatever others write to the rest is lost",
		fmt.Sprintf("writing to partition 0; partitions cannot be taken away, but they do no harm while they are empty (kafka-get-offsets.sh --bootstrap-server %s --topic %s)", c.cfg.Brokers[0], name)}
}

func (t Topic) entries() []kafka.ConfigEntry {
	entries := []kafka.ConfigEntry{{ConfigName: "cleanup.policy", ConfigValue: "delete"}}
	add := func(name string, value int64) {
		if value > 0 {
			entries = append(entries, kafka.ConfigEntry{ConfigName: name, ConfigValue: strconv.FormatInt(value, 10)})
		}
	}
	add("retention.ms", t.Retention.Milliseconds())
	add(retentionBytes, t.RetentionBytes)
	add("segment.bytes", t.SegmentBytes)
	add("max.message.bytes", int64(t.MaxMessage))
	if t.AppendTime {
		entries = append(entries, kafka.ConfigEntry{ConfigName: "message.timestamp.type", ConfigValue: "LogAppendTime"})
	}
	return entries
}

func (c *Client) create(ctx context.Context, topics []Topic, created map[string]bool) error {
	req := &kafka.CreateTopicsRequest{}
	for _, t := range topics {
		req.Topics = append(req.Topics, kafka.TopicConfig{
			Topic: c.name(t.Name), NumPartitions: t.Partitions, ReplicationFactor: -1, ConfigEntries: t.entries(),
		})
	}
	resp, err := c.kafka.CreateTopics(ctx, req)
	if err != nil {
		return err
	}
	for _, t := range topics {
		switch err := resp.Errors[c.name(t.Name)]; {
		case err == nil:
			created[t.Name] = true
		case errors.Is(err, kafka.TopicAlreadyExists):
		case errors.Is(err, kafka.InvalidTopic), errors.Is(err, kafka.TopicAuthorizationFailed), errors.Is(err, kafka.PolicyViolation):
			return &finalError{fmt.Errorf("cannot create topic %s: %w", c.name(t.Name), err)}
		default:
			return fmt.Errorf("cannot create topic %s: %w", c.name(t.Name), err)
		}
	}
	return nil
}

// visible checks that every partition has a leader and remembers their number.
func (c *Client) visible(ctx context.Context, t Topic) error {
	n, err := c.look(ctx, t.Name, true)
	if err != nil {
		return err
	}
	if n < t.Partitions {
		name := c.name(t.Name)
		return &finalError{&TopicError{name, "partitions", strconv.Itoa(n), "at least " + strconv.Itoa(t.Partitions),
			fmt.Sprintf("kafka-topics.sh --bootstrap-server %s --alter --topic %s --partitions %d", c.cfg.Brokers[0], name, t.Partitions)}}
	}
	return nil
}

// check compares an existing topic's settings.
func (c *Client) check(ctx context.Context, t Topic) error {
	name := c.name(t.Name)
	found, err := c.settings(ctx, t.Name, "cleanup.policy", "retention.ms")
	if err != nil {
		return err
	}
	if policy := found["cleanup.policy"]; strings.Contains(policy, "compact") {
		return &finalError{&TopicError{name, "cleanup.policy", policy, "delete", c.mend(t.Name, "cleanup.policy", "delete")}}
	}
	if ms, err := strconv.ParseInt(found["retention.ms"], 10, 64); err == nil && ms >= 0 && ms < t.Retention.Milliseconds() {
		want := strconv.FormatInt(t.Retention.Milliseconds(), 10)
		return &finalError{&TopicError{name, "retention.ms", found["retention.ms"], "at least " + want, c.mend(t.Name, "retention.ms", want)}}
	}
	return nil
}

// TopicID is the first 8 hexadecimal digits of the topic's id: a topic that was deleted and created
// again has another.
//
// kafka-go asks for metadata of versions that carry no ids, so this is one request by franz-go's
// codec.
func (c *Client) TopicID(ctx context.Context, topic string) (string, error) {
	id := ""
	i := 0
	err := c.retry(ctx, "read the id of topic "+c.name(topic), func(ctx context.Context) (err error) {
		broker := c.cfg.Brokers[i%len(c.cfg.Brokers)]
		i++
		p, err := describe(ctx, broker, c.cfg.ClientID, c.name(topic))
		id = p.id
		return err
	})
	return id, err
}

// CheckTopic says what is wrong with a topic: that it is missing, or what EnsureTopics would refuse
// or warn of. It creates nothing.
func (c *Client) CheckTopic(ctx context.Context, t Topic) error {
	if err := c.visible(ctx, t); err != nil {
		return unwrapFinal(err)
	}
	if err := c.check(ctx, t); err != nil {
		return unwrapFinal(err)
	}
	var found []error
	if lost, err := c.beside(ctx, t); err != nil || lost > 0 {
		if err == nil {
			err = c.unordered(t.Name, lost)
		}
		found = append(found, err)
	}
	if small, err := c.smallMessages(ctx, t); err != nil || small != nil {
		if err == nil {
			err = small
		}
		found = append(found, err)
	}
	return errors.Join(found...)
}

// beside returns how many partitions an ordered topic has, when others than partition 0 hold
// records, else 0: empty ones do no harm.
func (c *Client) beside(ctx context.Context, t Topic) (int, error) {
	if !t.Ordered {
		return 0, nil
	}
	ranges, err := c.offsets(ctx, t.Name, readUncommitted)
	if err != nil {
		return 0, err
	}
	for _, r := range ranges[1:] {
		if r.First < r.End {
			return len(ranges), nil
		}
	}
	return 0, nil
}

func unwrapFinal(err error) error {
	var final *finalError
	if errors.As(err, &final) {
		return final.err
	}
	return err
}
