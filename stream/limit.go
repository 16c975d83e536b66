package stream

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"
)

const maxMessageBytes = "max.message.bytes"

const (
	batchOverhead = 100              // bytes of a batch beyond the sizes of its records
	limitAge      = 10 * time.Second // after which a limit is asked for again
	limitWait     = time.Second      // for the broker's answer about a limit
)

// sizeLimits knows the topics that take smaller batches than usual. It learns of one when the
// broker refuses a batch, since nearly all topics take every batch.
type sizeLimits struct {
	*cluster

	mu    sync.Mutex
	known map[string]sizeLimit // by topic
}

// sizeLimit is how large a topic's batches may be.
type sizeLimit struct {
	bytes int // max.message.bytes; half of a refused batch when the broker does not say
	at    time.Time
}

// batchBytes returns how large a batch for topic may be, as the sum of its records' sizes.
func (s *sizeLimits) batchBytes(ctx context.Context, topic string) int {
	limit, known := s.limit(topic)
	if known && time.Since(limit.at) > limitAge {
		s.learn(ctx, topic, 0)
		limit, known = s.limit(topic)
	}
	if !known {
		return maxBatchBytes
	}
	return max(1, min(maxBatchBytes, limit.bytes-batchOverhead))
}

func (s *sizeLimits) limit(topic string) (limit sizeLimit, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit, known = s.known[topic]
	return limit, known
}

// learn asks for the topic's limit and returns it, or 0 when the broker does not say. refused is
// the size of a batch that the broker has just refused, or 0.
func (s *sizeLimits) learn(ctx context.Context, topic string, refused int) int {
	bounded, cancel := context.WithTimeout(ctx, limitWait)
	defer cancel()
	n, err := s.messageLimit(bounded, topic)
	s.mu.Lock()
	defer s.mu.Unlock()
	before, known := s.known[topic]
	switch {
	case err == nil && n >= maxBatchBytes+batchOverhead && refused == 0:
		delete(s.known, topic)
		if known {
			s.logger.Info("the topic takes whole batches now", "topic", s.name(topic), maxMessageBytes, n)
		}
		return n
	case err == nil:
		if !known || before.bytes != n {
			s.logger.Warn("the topic takes smaller messages than usual: batches are cut to it, and records that are larger are refused",
				"topic", s.name(topic), maxMessageBytes, n, "mend", s.alterCommand(topic, maxMessageBytes, roomFor(maxBatchBytes)))
		}
		s.known[topic] = sizeLimit{n, time.Now()}
		return n
	case refused > 0:
		s.known[topic] = sizeLimit{max(refused/2, 1), time.Now()}
	default: // still unknown: try larger batches again
		delete(s.known, topic)
	}
	return 0
}

// messageLimit asks for a topic's max.message.bytes.
func (s *sizeLimits) messageLimit(ctx context.Context, topic string) (int, error) {
	found, err := s.settings(ctx, topic, maxMessageBytes)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(found[maxMessageBytes])
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("the broker does not say %s of %s", maxMessageBytes, s.name(topic))
	}
	return n, nil
}

// roomFor returns a max.message.bytes with room for a record, or a batch, of so many bytes.
func roomFor(bytes int) int {
	const step = 1 << 16
	return int(math.Ceil(float64(bytes+batchOverhead)/step)) * step
}

// tooSmall returns the TopicError of a topic that takes smaller messages than it needs to, else
// nil.
func (s *sizeLimits) tooSmall(ctx context.Context, t Topic) (*TopicError, error) {
	if t.NeedMessage == 0 {
		return nil, nil
	}
	n, err := s.messageLimit(ctx, t.Name)
	if err != nil || n >= t.NeedMessage {
		return nil, err
	}
	return &TopicError{s.name(t.Name), maxMessageBytes, strconv.Itoa(n), "at least " + strconv.Itoa(t.NeedMessage), s.alterCommand(t.Name, maxMessageBytes, roomFor(t.NeedMessage))}, nil
}
