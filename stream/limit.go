package stream

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"
)

const maxMessageBytes = "max.message.bytes"

const (
	batchOverhead = 100              // of a batch, beside what size counts of its records
	limitAge      = 10 * time.Second // after which a topic that took too little is looked at again
	limitWait     = time.Second      // for the broker to tell it
)

// sizeLimit is how large a topic's batches may be. It is learned when a batch was refused: nearly
// all topics take what we send.
type sizeLimit struct {
	bytes int // max.message.bytes; when the broker does not say, less than what it refused
	told  bool
	at    time.Time
}

// batchBytes is how large a batch for topic may be, by size.
func (c *Client) batchBytes(ctx context.Context, topic string) int {
	c.mu.Lock()
	l, known := c.limits[topic]
	c.mu.Unlock()
	if !known {
		return maxBatchBytes
	}
	if time.Since(l.at) > limitAge {
		c.learnLimit(ctx, topic, 0)
		c.mu.Lock()
		l, known = c.limits[topic]
		c.mu.Unlock()
		if !known {
			return maxBatchBytes
		}
	}
	return max(1, min(maxBatchBytes, l.bytes-batchOverhead))
}

// learnLimit asks for the topic's limit, having had a batch of so many bytes refused (0: none), and
// returns it; 0 when the broker does not say.
func (c *Client) learnLimit(ctx context.Context, topic string, refused int) int {
	bounded, cancel := context.WithTimeout(ctx, limitWait)
	defer cancel()
	n, err := c.messageLimit(bounded, topic)
	c.mu.Lock()
	defer c.mu.Unlock()
	before, known := c.limits[topic]
	switch {
	case err == nil && n >= maxBatchBytes+batchOverhead && refused == 0:
		delete(c.limits, topic)
		if known {
			c.logger.Info("the topic takes whole batches now", "topic", c.name(topic), maxMessageBytes, n)
		}
		return n
	case err == nil:
		if !known || before.bytes != n {
			c.logger.Warn("the topic takes smaller messages than usual: batches are cut to it, and records that are larger are refused",
				"topic", c.name(topic), maxMessageBytes, n, "mend", c.mend(topic, maxMessageBytes, roomFor(maxBatchBytes)))
		}
		c.limits[topic] = sizeLimit{n, true, time.Now()}
		return n
	case refused > 0:
		c.limits[topic] = sizeLimit{max(refused/2, 1), false, time.Now()}
	default: // unknown still: try larger ones again
		delete(c.limits, topic)
	}
	return 0
}

// messageLimit is a topic's max.message.bytes.
func (c *Client) messageLimit(ctx context.Context, topic string) (int, error) {
	found, err := c.settings(ctx, topic, maxMessageBytes)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(found[maxMessageBytes])
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("the broker does not say %s of %s", maxMessageBytes, c.name(topic))
	}
	return n, nil
}

// roomFor is a max.message.bytes with room for a record, or a batch, of so many bytes.
func roomFor(bytes int) int {
	const step = 1 << 16
	return int(math.Ceil(float64(bytes+batchOverhead)/step)) * step
}

// smallMessages is the TopicError of a topic that takes less than is needed, nil when it takes it.
func (c *Client) smallMessages(ctx context.Context, t Topic) (*TopicError, error) {
	if t.NeedMessage == 0 {
		return nil, nil
	}
	n, err := c.messageLimit(ctx, t.Name)
	if err != nil || n >= t.NeedMessage {
		return nil, err
	}
	return &TopicError{c.name(t.Name), maxMessageBytes, strconv.Itoa(n), "at least " + strconv.Itoa(t.NeedMessage), c.mend(t.Name, maxMessageBytes, roomFor(t.NeedMessage))}, nil
}
