package stream

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrRecreated is returned by WatchTopic, and by a Reader that is held to a topic's id, when the
// topic was deleted and made again.
var ErrRecreated = errors.New("the topic was deleted and made again")

// identityAge is for how long a topic's id is believed: a topic that is made again is noticed
// within it.
const identityAge = time.Second

// identity is a topic's id and when it was read.
type identity struct {
	id string
	at time.Time
}

// RecentTopicID is TopicID, at most a second old: for those who ask often.
func (c *Client) RecentTopicID(ctx context.Context, topic string) (string, error) {
	c.mu.Lock()
	known := c.identities[topic]
	c.mu.Unlock()
	if known.id != "" && time.Since(known.at) < identityAge {
		return known.id, nil
	}
	id, err := c.TopicID(ctx, topic)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	c.identities[topic] = identity{id, time.Now()}
	c.mu.Unlock()
	return id, nil
}

// WatchTopic returns an ErrRecreated when topic's id is no longer id, or ctx's error. A reader by
// offsets cannot notice it alone: the new topic may be as long as the old one was.
func (c *Client) WatchTopic(ctx context.Context, topic, id string) error {
	for sleep(ctx, identityAge) {
		now, err := c.RecentTopicID(ctx, topic)
		if err != nil {
			return err
		}
		if now != id {
			return recreated(c.name(topic), id, now)
		}
	}
	return ctx.Err()
}

func recreated(name, before, now string) error {
	return fmt.Errorf("%s: %w (its id was %s and is %s)", name, ErrRecreated, before, now)
}

// ReadRange calls fn for the records from <= offset < to of a partition, in order. What is held no
// longer is passed over; a partition that ends before to gives ErrBeyond.
func (c *Client) ReadRange(ctx context.Context, topic string, partition int, from, to int64, fn func(*Record) error) error {
	if from >= to {
		return nil
	}
	ranges, err := c.Offsets(ctx, topic)
	if err != nil {
		return err
	}
	if partition >= len(ranges) || ranges[partition].End < to {
		return fmt.Errorf("%w: %s partition %d, wanted up to %d", ErrBeyond, c.name(topic), partition, to)
	}
	r := c.NewReader(topic, partition, max(from, ranges[partition].First))
	defer r.Close()
	for r.Offset() < to {
		records, err := r.Next(ctx)
		if errors.Is(err, ErrTrimmed) {
			continue
		}
		if err != nil {
			return err
		}
		for i := range records {
			if records[i].Offset >= to {
				return nil
			}
			if err := fn(&records[i]); err != nil {
				return err
			}
		}
	}
	return nil
}
