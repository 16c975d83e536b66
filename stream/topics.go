package stream

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topic is what EnsureTopics creates or checks. Name has no prefix.
type Topic struct {
	Name           string
	Partitions     int
	Retention      time.Duration // 0: the broker's default
	RetentionBytes int64         // per partition; 0: no bound by size
	SegmentBytes   int64
	MaxMessage     int  // bytes of a record batch; 0: the broker's default, 1 MiB
	AppendTime     bool // records carry the time at which the broker took them; a topic that exists is not asked for it
}

// TopicError says what an existing topic lacks and how to mend it.
type TopicError struct {
	Topic, Setting, Found, Wanted, Mend string
}

func (e *TopicError) Error() string {
	return fmt.Sprintf("topic %s has %s %s, want %s; mend it with: %s", e.Topic, e.Setting, e.Found, e.Wanted, e.Mend)
}

// EnsureTopics creates what is missing, waits until it can be written, and checks what exists: a topic with too few partitions, compaction, or a
// shorter retention gives a *TopicError. A broker that is still starting is waited for.
func (c *Client) EnsureTopics(ctx context.Context, topics ...Topic) error {
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
	}
	return nil
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
	n, err := c.leaders(ctx, t.Name)
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

// leaders returns the number of partitions of topic; an error when one has no leader.
func (c *Client) leaders(ctx context.Context, topic string) (int, error) {
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
	for _, p := range t.Partitions {
		if p.Error != nil || p.Leader.Host == "" {
			return 0, fmt.Errorf("topic %s partition %d has no leader", c.name(topic), p.ID)
		}
	}
	c.mu.Lock()
	c.partitions[topic] = len(t.Partitions)
	c.mu.Unlock()
	return len(t.Partitions), nil
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

// Partitions is the number of partitions of topic (cached after the first call).
func (c *Client) Partitions(ctx context.Context, topic string) (int, error) {
	c.mu.Lock()
	n := c.partitions[topic]
	c.mu.Unlock()
	if n > 0 {
		return n, nil
	}
	err := c.retry(ctx, "see topic "+c.name(topic), func(ctx context.Context) (err error) {
		n, err = c.leaders(ctx, topic)
		return err
	})
	return n, err
}

// Offsets returns the Range of every partition of topic, in order.
func (c *Client) Offsets(ctx context.Context, topic string) ([]Range, error) {
	n, err := c.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	ranges := make([]Range, n)
	err = c.retry(ctx, "list offsets of "+c.name(topic), func(ctx context.Context) error {
		var requests []kafka.OffsetRequest
		for p := range n {
			requests = append(requests, kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p))
		}
		resp, err := c.kafka.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{c.name(topic): requests}})
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

// TopicID is the first 8 hexadecimal digits of the topic's id: a topic that was deleted and created again has another.
//
// kafka-go asks for metadata of versions that carry no ids, so this is one request of version 12 by franz-go's codec.
func (c *Client) TopicID(ctx context.Context, topic string) (string, error) {
	id := ""
	i := 0
	err := c.retry(ctx, "read the id of topic "+c.name(topic), func(ctx context.Context) (err error) {
		broker := c.cfg.Brokers[i%len(c.cfg.Brokers)]
		i++
		id, err = topicID(ctx, broker, c.name(topic), c.cfg.ClientID)
		return err
	})
	return id, err
}

func topicID(ctx context.Context, broker, topic, clientID string) (string, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", broker)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return "", err
		}
	}
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 12
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	if _, err := conn.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID)).AppendRequest(nil, req, 1)); err != nil {
		return "", err
	}
	var head [9]byte // size, correlation id, tagged fields
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return "", err
	}
	size := int(binary.BigEndian.Uint32(head[:])) - 5
	if size < 0 || size > 16<<20 {
		return "", fmt.Errorf("the answer has %d bytes", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(conn, body); err != nil {
		return "", err
	}
	resp := kmsg.NewPtrMetadataResponse()
	resp.Version = 12
	if err := resp.ReadFrom(body); err != nil {
		return "", err
	}
	if len(resp.Topics) != 1 || resp.Topics[0].ErrorCode != 0 {
		return "", fmt.Errorf("topic %s is not known", topic)
	}
	return hex.EncodeToString(resp.Topics[0].TopicID[:4]), nil
}

// CheckTopic says what is wrong with a topic: that it is missing, or what EnsureTopics would refuse. It creates nothing.
func (c *Client) CheckTopic(ctx context.Context, t Topic) error {
	if err := c.visible(ctx, t); err != nil {
		return unwrapFinal(err)
	}
	return unwrapFinal(c.check(ctx, t))
}

func unwrapFinal(err error) error {
	var final *finalError
	if errors.As(err, &final) {
		return final.err
	}
	return err
}
