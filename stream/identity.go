package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/clickloop/clickloop/internal/retry"
)

// ErrRecreated is returned by WatchTopic, and by a Reader that Hold ties to a topic's id, when the
// topic was deleted and created again.
var ErrRecreated = errors.New("the topic was deleted and made again")

// identityAge is how long a topic's id is trusted: a topic that is created again is noticed within
// it.
const identityAge = time.Second

// identities knows topics by their ids.
type identities struct {
	*cluster

	mu    sync.Mutex
	known map[string]identity // by topic
}

// identity is a topic's id and the time at which a broker gave it.
type identity struct {
	id string
	at time.Time
}

// TopicID returns the first 8 hexadecimal digits of the topic's id: a topic that was deleted and
// created again has another. kafka-go's versions of the metadata request carry no ids.
func (s *identities) TopicID(ctx context.Context, topic string) (string, error) {
	_, id, err := s.Identity(ctx, topic)
	return id, err
}

// Identity returns the id of the cluster, empty where it has none, and the TopicID of the topic.
func (s *identities) Identity(ctx context.Context, topic string) (cluster, id string, err error) {
	attempts := 0
	err = s.retry(ctx, "read the id of topic "+s.name(topic), func(ctx context.Context) error {
		broker := s.cfg.Brokers[attempts%len(s.cfg.Brokers)]
		attempts++
		found, err := s.describe(ctx, broker, topic)
		cluster, id = found.cluster, found.id
		return err
	})
	return cluster, id, err
}

// RecentTopicID is TopicID, at most a second old: for callers who ask often.
func (s *identities) RecentTopicID(ctx context.Context, topic string) (string, error) {
	s.mu.Lock()
	known := s.known[topic]
	s.mu.Unlock()
	if known.id != "" && time.Since(known.at) < identityAge {
		return known.id, nil
	}
	id, err := s.TopicID(ctx, topic)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	s.known[topic] = identity{id, time.Now()}
	s.mu.Unlock()
	return id, nil
}

// WatchTopic returns an ErrRecreated when topic's id is no longer id, or ctx's error. Offsets alone
// do not show a new topic: it may be as long as the old one was.
func (s *identities) WatchTopic(ctx context.Context, topic, id string) error {
	for retry.Sleep(ctx, identityAge) {
		now, err := s.RecentTopicID(ctx, topic)
		if err != nil {
			return err
		}
		if now != id {
			return recreated(s.name(topic), id, now)
		}
	}
	return ctx.Err()
}

func recreated(name, before, now string) error {
	return fmt.Errorf("%s: %w (its id was %s and is %s)", name, ErrRecreated, before, now)
}
