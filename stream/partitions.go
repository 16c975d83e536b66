package stream

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// A topic may be given more partitions at any time. Readers read a new partition as soon as they
// see it. Producers choose it for keys only when every reader must have seen it. Labels wait until
// all partitions are read up to a time; so they never miss a record in a partition that their stage
// did not know.

// countAge bounds the age of a number of partitions, metadataTTL included.
const countAge = 2 * time.Second

// settleTime is how long producers choose no partition that was added.
var settleTime = 10 * time.Second

// partitions knows how many partitions topics have, and their offsets.
type partitions struct {
	*cluster

	mu      sync.Mutex
	known   map[string]*partitionCount // by topic
	ordered map[string]bool            // topics of which only partition 0 is used
}

// partitionCount is what is known of a topic's number of partitions.
type partitionCount struct {
	n       int
	leaders []int     // ids of the brokers that lead them, -1 for none
	asked   time.Time // when the request for n began
	settled int       // partitions that are chosen for keys
	grew    time.Time // when the partitions beyond settled were seen first
}

// settle admits partitions for keys that were added long enough ago.
func (k *partitionCount) settle() {
	if k.settled < k.n && time.Since(k.grew) >= settleTime {
		k.settled = k.n
	}
}

// Partitions returns the number of partitions of topic, as it was at most countAge ago.
func (s *partitions) Partitions(ctx context.Context, topic string) (int, error) {
	n, _, err := s.counts(ctx, topic)
	return n, err
}

// counts returns the number of partitions, and how many of them are chosen for keys.
func (s *partitions) counts(ctx context.Context, topic string) (n, settled int, err error) {
	if n, settled, ok := s.recent(topic); ok {
		return n, settled, nil
	}
	err = s.retry(ctx, "see topic "+s.name(topic), func(ctx context.Context) error {
		_, err := s.ask(ctx, topic, false)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known[topic]
	return k.n, k.settled, nil
}

// recent returns what is known, if it is recent enough.
func (s *partitions) recent(topic string) (n, settled int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known[topic]
	if k == nil || time.Since(k.asked) > countAge-metadataTTL {
		return 0, 0, false
	}
	k.settle()
	return k.n, k.settled, true
}

// ask asks a broker for the number of partitions and remembers it. kafka-go's answer is up to
// metadataTTL old. With needLeaders, a partition without a leader is an error.
func (s *partitions) ask(ctx context.Context, topic string, needLeaders bool) (int, error) {
	asked, name := time.Now(), s.name(topic)
	meta, err := s.kafka.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{name}})
	if err != nil {
		return 0, err
	}
	if len(meta.Topics) == 0 {
		return 0, fmt.Errorf("topic %s is not known", name)
	}
	t := meta.Topics[0]
	if t.Error != nil {
		return 0, s.denied(fmt.Errorf("topic %s: %w", name, t.Error), Need{Name: topic, Operations: []string{OpDescribe}})
	}
	if len(t.Partitions) == 0 {
		return 0, fmt.Errorf("topic %s has no partitions", name)
	}
	leaders := make([]int, len(t.Partitions))
	for _, p := range t.Partitions {
		if p.ID < len(leaders) {
			if leaders[p.ID] = p.Leader.ID; p.Error != nil || p.Leader.Host == "" {
				leaders[p.ID] = -1
			}
		}
		if needLeaders && (p.Error != nil || p.Leader.Host == "") {
			return 0, fmt.Errorf("topic %s partition %d has no leader", name, p.ID)
		}
	}
	s.remember(topic, leaders, asked)
	return len(t.Partitions), nil
}

// leader returns the id of the broker that led a partition when its topic was asked for last.
func (s *partitions) leader(topic string, p int) (id int, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known[topic]
	if k == nil || p >= len(k.leaders) || k.leaders[p] < 0 {
		return 0, false
	}
	return k.leaders[p], true
}

func (s *partitions) remember(topic string, leaders []int, asked time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(leaders)
	k := s.known[topic]
	if k == nil {
		k = &partitionCount{n: n, settled: n}
		s.known[topic] = k
	}
	if asked.Before(k.asked) {
		return // a later request was answered earlier
	}
	switch {
	case n > k.n:
		k.settle()
		k.grew = time.Now()
		if s.ordered[topic] {
			s.logger.Warn("the topic is not as it should be", "topic", s.name(topic), "err", s.unordered(topic, n))
			break
		}
		s.logger.Warn("the topic has more partitions: they are read at once, and written to by key after a while",
			"topic", s.name(topic), "partitions", n, "before", k.n, "written_after", settleTime)
	case n < k.n:
		k.settled = min(k.settled, n) // the topic was created again
	}
	k.n, k.leaders, k.asked = n, leaders, asked
}

// declare remembers which topics use partition 0 only.
func (s *partitions) declare(topics []Topic) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range topics {
		s.ordered[t.Name] = t.Ordered
	}
}

// unsettleEmpty makes a starting process treat partitions without records as added just now, when
// other partitions of a busy topic have some. Processes that saw them added wait as long before
// they choose them.
func (s *partitions) unsettleEmpty(ctx context.Context, t Topic) error {
	if !t.Busy {
		return nil
	}
	ranges, err := s.offsets(ctx, t.Name, readUncommitted)
	if err != nil {
		return err
	}
	old := len(ranges)
	for old > 0 && ranges[old-1].End == 0 {
		old--
	}
	if old == 0 {
		return nil // the whole topic is new
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if k := s.known[t.Name]; old < k.settled {
		k.settled, k.grew = old, time.Now()
	}
	return nil
}

// unordered returns the error of a topic that must have one partition and has n.
func (s *partitions) unordered(topic string, n int) error {
	name := s.name(topic)
	return &TopicError{name, "partitions", strconv.Itoa(n), "1: its order is that of partition 0, which alone is written and read, and whatever others write to the rest is lost",
		fmt.Sprintf("writing to partition 0; partitions cannot be taken away, but they do no harm while they are empty (kafka-get-offsets.sh --bootstrap-server %s --topic %s)", s.cfg.Brokers[0], name)}
}
