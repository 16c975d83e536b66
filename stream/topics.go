package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	RetentionBytes int64         // per partition; 0: no limit by size
	SegmentBytes   int64
	// records carry the time at which the broker received them; an existing topic is not checked
	// for it
	AppendTime bool
	// bytes of a batch that the topic must take; a lower limit is logged, since Kafka refuses some
	// records then; 0: not checked
	NeedMessage int
	// producers write to each partition all the time: an empty one beside others was added just now
	Busy bool
	// only partition 0 is written and read, since its order is the topic's; more partitions are
	// logged
	Ordered bool
	// the last record of each key is kept for ever, by the policy compact
	Compacted bool
}

// TopicError says what an existing topic lacks and how to mend it.
type TopicError struct {
	Topic, Setting, Found, Wanted, Mend string
}

func (e *TopicError) Error() string {
	return fmt.Sprintf("topic %s has %s %s, want %s; mend it with: %s", e.Topic, e.Setting, e.Found, e.Wanted, e.Mend)
}

// topics creates and checks topics.
type topics struct {
	*cluster
	partitions *partitions
	limits     *sizeLimits
}

// EnsureTopics creates missing topics, waits until they can be written, and checks existing ones.
// It needs the right to create topics only when one is missing. It returns a *TopicError for too
// few partitions, another cleanup policy, or too short a retention, an *AccessError for what it may
// not do, and logs faults that do no harm yet. It waits for a broker that is still starting.
func (s *topics) EnsureTopics(ctx context.Context, topics ...Topic) error {
	_, err := s.MakeTopics(ctx, topics...)
	return err
}

// MakeTopics is EnsureTopics, and returns the names (no prefix) of the topics that it has created.
func (s *topics) MakeTopics(ctx context.Context, topics ...Topic) ([]string, error) {
	s.partitions.declare(topics)
	created := map[string]bool{}
	err := s.retry(ctx, "create topics", func(ctx context.Context) error { return s.createMissing(ctx, topics, created) })
	for i := 0; err == nil && i < len(topics); i++ {
		err = s.see(ctx, topics[i], created[topics[i].Name])
	}
	return slices.Sorted(maps.Keys(created)), err
}

// see waits until a topic can be written, and checks one that was not created just now.
func (s *topics) see(ctx context.Context, t Topic, created bool) error {
	if err := s.retry(ctx, "see topic "+s.name(t.Name), func(ctx context.Context) error { return s.checkPartitions(ctx, t) }); err != nil || created {
		return err
	}
	err := s.retry(ctx, "check topic "+s.name(t.Name), func(ctx context.Context) error { return s.checkSettings(ctx, t) })
	var denied *AccessError
	if errors.As(err, &denied) {
		s.logger.Warn("the topic's settings are not checked", "topic", s.name(t.Name), "err", err)
		err = nil
	}
	if err == nil {
		err = s.partitions.unsettleEmpty(ctx, t)
	}
	if err != nil {
		return err
	}
	for _, warning := range s.warnings(ctx, t) {
		s.logger.Warn("the topic is not as it should be", "topic", s.name(t.Name), "err", warning)
	}
	return nil
}

// warnings returns faults of a topic that stop no stage: partitions that no stage reads, and a
// limit below our largest messages.
func (s *topics) warnings(ctx context.Context, t Topic) []error {
	var found []error
	if n, err := s.partitions.Partitions(ctx, t.Name); err == nil && t.Ordered && n > 1 {
		found = append(found, s.partitions.unordered(t.Name, n))
	}
	bounded, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	if small, err := s.limits.tooSmall(bounded, t); err == nil && small != nil {
		found = append(found, small)
	}
	return found
}

const (
	cleanupPolicy = "cleanup.policy"
	policyCompact = "compact"
	policyDelete  = "delete"
)

func (t Topic) policy() string {
	if t.Compacted {
		return policyCompact
	}
	return policyDelete
}

func (t Topic) entries() []kafka.ConfigEntry {
	entries := []kafka.ConfigEntry{{ConfigName: cleanupPolicy, ConfigValue: t.policy()}}
	if t.Compacted {
		// a broker's own bounds must not apply: a record that is gone would be a key that is gone
		return append(entries, kafka.ConfigEntry{ConfigName: "retention.ms", ConfigValue: "-1"}, kafka.ConfigEntry{ConfigName: retentionBytes, ConfigValue: "-1"})
	}
	add := func(name string, value int64) {
		if value > 0 {
			entries = append(entries, kafka.ConfigEntry{ConfigName: name, ConfigValue: strconv.FormatInt(value, 10)})
		}
	}
	add("retention.ms", t.Retention.Milliseconds())
	add(retentionBytes, t.RetentionBytes)
	add("segment.bytes", t.SegmentBytes)
	if t.AppendTime {
		entries = append(entries, kafka.ConfigEntry{ConfigName: "message.timestamp.type", ConfigValue: "LogAppendTime"})
	}
	return entries
}

// createMissing sets created for each topic that it has created.
func (s *topics) createMissing(ctx context.Context, topics []Topic, created map[string]bool) error {
	missing, err := s.missing(ctx, topics)
	if err != nil || len(missing) == 0 {
		return err
	}
	req := &kafka.CreateTopicsRequest{}
	for _, t := range missing {
		req.Topics = append(req.Topics, kafka.TopicConfig{
			Topic: s.name(t.Name), NumPartitions: t.Partitions, ReplicationFactor: -1, ConfigEntries: t.entries(),
		})
	}
	resp, err := s.kafka.CreateTopics(ctx, req)
	if err != nil {
		return err
	}
	for _, t := range missing {
		switch err := resp.Errors[s.name(t.Name)]; {
		case err == nil:
			created[t.Name] = true
		case errors.Is(err, kafka.TopicAlreadyExists):
		case errors.Is(err, kafka.TopicAuthorizationFailed), errors.Is(err, kafka.ClusterAuthorizationFailed):
			return &finalError{&AccessError{What: fmt.Sprintf("topic %s does not exist, and %s may not create it", s.name(t.Name), s.cfg.Principal()),
				Mend: "run `clickloop topics` as a user who may create topics", Err: err}}
		case errors.Is(err, kafka.InvalidTopic), errors.Is(err, kafka.PolicyViolation):
			return &finalError{fmt.Errorf("cannot create topic %s: %w", s.name(t.Name), err)}
		default:
			return fmt.Errorf("cannot create topic %s: %w", s.name(t.Name), err)
		}
	}
	return nil
}

// missing returns the topics that do not exist. kafka-go's metadata cannot tell them from topics
// that may not be described.
func (s *topics) missing(ctx context.Context, topics []Topic) ([]Topic, error) {
	var w *wire
	var err error
	for _, broker := range s.cfg.Brokers {
		if w, err = s.connect(ctx, broker); err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	defer w.close()
	stop, err := w.bound(ctx, attemptTimeout)
	if err != nil {
		return nil, err
	}
	defer stop()
	var missing []Topic
	for _, t := range topics {
		switch _, err := w.describe(s.name(t.Name)); {
		case err == nil, errors.Is(err, kafka.LeaderNotAvailable):
		case errors.Is(err, kafka.UnknownTopicOrPartition):
			missing = append(missing, t)
		case errors.Is(err, kafka.TopicAuthorizationFailed):
			return nil, &finalError{s.denied(err, Need{Name: t.Name, Operations: []string{OpDescribe}})}
		default:
			return nil, err
		}
	}
	return missing, nil
}

// checkPartitions requires enough partitions, each with a leader.
func (s *topics) checkPartitions(ctx context.Context, t Topic) error {
	n, err := s.partitions.ask(ctx, t.Name, true)
	if err != nil {
		return err
	}
	if n < t.Partitions {
		name := s.name(t.Name)
		return &finalError{&TopicError{name, "partitions", strconv.Itoa(n), "at least " + strconv.Itoa(t.Partitions),
			fmt.Sprintf("kafka-topics.sh --bootstrap-server %s --alter --topic %s --partitions %d", s.cfg.Brokers[0], name, t.Partitions)}}
	}
	return nil
}

// checkSettings refuses another policy than the topic's, and too short a retention.
func (s *topics) checkSettings(ctx context.Context, t Topic) error {
	name := s.name(t.Name)
	found, err := s.settings(ctx, t.Name, cleanupPolicy, "retention.ms")
	var denied *AccessError
	if errors.As(err, &denied) {
		return &finalError{err}
	}
	if err != nil {
		return err
	}
	policy := found[cleanupPolicy]
	if wrong := strings.Contains(policy, policyCompact) && !t.Compacted || t.Compacted && policy != policyCompact && policy != ""; wrong {
		return &finalError{&TopicError{name, cleanupPolicy, policy, t.policy(), s.alterCommand(t.Name, cleanupPolicy, t.policy())}}
	}
	if t.Compacted {
		return nil
	}
	if ms, err := strconv.ParseInt(found["retention.ms"], 10, 64); err == nil && ms >= 0 && ms < t.Retention.Milliseconds() {
		want := strconv.FormatInt(t.Retention.Milliseconds(), 10)
		return &finalError{&TopicError{name, "retention.ms", found["retention.ms"], "at least " + want, s.alterCommand(t.Name, "retention.ms", want)}}
	}
	return nil
}

// CheckTopic returns what is wrong with a topic: that it is missing, or what EnsureTopics would
// refuse or log. It creates nothing.
func (s *topics) CheckTopic(ctx context.Context, t Topic) error {
	err := s.checkPartitions(ctx, t)
	if err == nil {
		err = s.checkSettings(ctx, t)
	}
	var final *finalError
	if errors.As(err, &final) {
		return final.err
	}
	if err != nil {
		return err
	}
	unread := s.checkOrder(ctx, t)
	small, err := s.limits.tooSmall(ctx, t)
	if small != nil {
		err = small
	}
	return errors.Join(unread, err)
}

// checkOrder refuses an ordered topic with records outside partition 0, which no stage reads.
func (s *topics) checkOrder(ctx context.Context, t Topic) error {
	if !t.Ordered {
		return nil
	}
	ranges, err := s.partitions.offsets(ctx, t.Name, readUncommitted)
	if err != nil {
		return err
	}
	for _, r := range ranges[1:] {
		if r.First < r.End {
			return s.partitions.unordered(t.Name, len(ranges))
		}
	}
	return nil
}
