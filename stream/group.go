package stream

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"time"

	"github.com/clickloop/clickloop/internal/retry"
	"github.com/segmentio/kafka-go"
)

// groups joins consumer groups.
type groups struct {
	*cluster
	partitions *partitions
}

// membership is one stay in a group, over as many generations as go well.
type membership struct {
	*groups
	group  string
	topics []string // prefix included
	counts map[string]int
	run    func(ctx context.Context, g *Generation) error
}

// steady is how long a membership lasts that is worth a short pause when it ends.
const steady = 10 * time.Second

// Join is a member of a consumer group until ctx ends. It calls fn for every generation, with a ctx
// that ends with the generation, and waits for fn before it joins again. When fn returns an error
// other than its ctx's, Join logs it and calls fn in a new generation after a pause.
func (s *groups) Join(ctx context.Context, group string, topics []string, fn func(ctx context.Context, g *Generation) error) error {
	m := membership{groups: s, group: s.name(group), run: fn}
	for _, t := range topics {
		m.topics = append(m.topics, s.name(t))
	}
	backoff := newBackoff()
	backoff.LogFrom = 0
	logged := ""
	for ctx.Err() == nil {
		began := time.Now()
		if err := m.denied(m.stay(ctx), Need{Group: true, Name: group, Operations: []string{OpRead}}); err != nil && ctx.Err() == nil {
			// a fault that lasts, as while a broker creates the topic of groups, is not repeated
			level := slog.LevelDebug
			if backoff.ShouldLog() || err.Error() != logged {
				logged, level = err.Error(), slog.LevelWarn
			}
			s.logger.Log(ctx, level, "left the group, joining again", "group", m.group, "err", err)
		}
		if time.Since(began) > steady {
			backoff.Reset()
		}
		backoff.Pause(ctx)
	}
	return ctx.Err()
}

// stay joins once and returns when a generation fails.
func (m *membership) stay(ctx context.Context) error {
	if err := m.countPartitions(ctx); err != nil { // before the group assigns them
		return err
	}
	session := m.cfg.Session
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: m.group, Brokers: m.cfg.Brokers, Topics: m.topics,
		Dialer:            &kafka.Dialer{DialFunc: m.cfg.dial, ClientID: m.cfg.ClientID, Timeout: attemptTimeout},
		GroupBalancers:    []kafka.GroupBalancer{kafka.RangeGroupBalancer{}},
		HeartbeatInterval: session / 10, SessionTimeout: session, RebalanceTimeout: session * 3 / 2, JoinGroupBackoff: 200 * time.Millisecond,
		StartOffset: kafka.FirstOffset, Timeout: attemptTimeout,
	})
	if err != nil {
		return err
	}
	defer group.Close()
	for {
		gen, err := group.Next(ctx)
		if err != nil {
			return err
		}
		if err := m.generation(ctx, gen); err != nil {
			return err
		}
	}
}

// countPartitions remembers how many partitions the topics have.
func (m *membership) countPartitions(ctx context.Context) error {
	counts := map[string]int{}
	for _, name := range m.topics {
		n, err := m.partitions.Partitions(ctx, name[len(m.cfg.Prefix):])
		if err != nil {
			return err
		}
		counts[name] = n
	}
	m.counts = counts
	return nil
}

// awaitOtherCounts returns true once a topic has another number of partitions than the group has
// assigned, and false when ctx ends. kafka-go's own watch begins after the group has assigned
// partitions; so it misses one that is added before.
func (m *membership) awaitOtherCounts(ctx context.Context) bool {
	assigned := m.counts
	for retry.Sleep(ctx, countAge/2) {
		if err := m.countPartitions(ctx); err == nil && !maps.Equal(m.counts, assigned) {
			return true
		}
	}
	return false
}

// generation calls m.run and waits for it. It ends m.run's ctx when the group ends the generation,
// or a topic has another number of partitions than the group has assigned.
func (m *membership) generation(ctx context.Context, gen *kafka.Generation) error {
	g := newGeneration(m.cluster, gen)
	done := make(chan error, 1)
	gen.Start(func(ended context.Context) {
		inner, cancel := context.WithCancel(ctx)
		defer cancel()
		stop := context.AfterFunc(ended, cancel)
		defer stop()
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			if m.awaitOtherCounts(inner) {
				m.logger.Warn("sharing out the partitions anew, since some were added", "group", m.group, "partitions", m.counts)
				cancel()
			}
		}()
		err := m.run(inner, g)
		canceled := inner.Err() != nil
		cancel()
		<-watched
		if canceled && ctx.Err() == nil && errors.Is(err, context.Canceled) {
			err = nil // the generation ended: a rebalance is no fault
		}
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		done <- err
		// After a fault the member leaves the group. Were this function to return first, kafka-go
		// would join again at once, and the other members would wait for one that is gone.
		if err != nil {
			<-ended.Done()
		}
	})
	return <-done
}
