package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"
)

// Generation is what the group gave to this member.
type Generation struct {
	ID       int32
	Assigned map[string][]Assignment // by topic (no prefix), sorted by partition

	client *Client
	group  string
	kafka  *kafka.Generation

	mu        sync.Mutex
	committed map[string]map[int]int64
}

// Assignment is one partition and the offset that the group has committed: the next to read, -1
// when none.
type Assignment struct {
	Partition int
	Committed int64
}

// Has says whether the group gave a partition to this member.
func (g *Generation) Has(topic string, partition int) bool {
	for _, a := range g.Assigned[topic] {
		if a.Partition == partition {
			return true
		}
	}
	return false
}

// Join is a member of a consumer group until ctx ends: it calls fn for every generation, with a ctx
// that ends with the generation, and waits for fn before it joins again. fn's error other than
// ctx's is logged, counted and retried in a new generation after backoff.
func (c *Client) Join(ctx context.Context, group string, topics []string, fn func(ctx context.Context, g *Generation) error) error {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = c.name(t)
	}
	wait := backoffMin
	told, at := "", time.Time{}
	for ctx.Err() == nil {
		began := time.Now()
		if err := c.member(ctx, group, names, fn); err != nil && ctx.Err() == nil {
			// of what was said a moment ago, as while a broker makes the topic of groups
			level := slog.LevelDebug
			if err.Error() != told || time.Since(at) > 10*time.Second {
				told, at, level = err.Error(), time.Now(), slog.LevelWarn
			}
			c.logger.Log(ctx, level, "left the group, joining again", "group", c.name(group), "err", err)
		}
		if time.Since(began) > 10*time.Second {
			wait = backoffMin
		}
		sleep(ctx, wait)
		wait = min(2*wait, backoffMax)
	}
	return ctx.Err()
}

// member joins once and stays for as many generations as go well.
func (c *Client) member(ctx context.Context, group string, names []string, fn func(ctx context.Context, g *Generation) error) error {
	known, err := c.partitionCounts(ctx, names) // before the group shares them out
	if err != nil {
		return err
	}
	cg, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: c.name(group), Brokers: c.cfg.Brokers, Topics: names, Dialer: c.dialer,
		GroupBalancers:    []kafka.GroupBalancer{kafka.RangeGroupBalancer{}},
		HeartbeatInterval: c.cfg.Session / 10, SessionTimeout: c.cfg.Session, RebalanceTimeout: c.cfg.Session * 3 / 2, JoinGroupBackoff: 200 * time.Millisecond,
		StartOffset: kafka.FirstOffset, Timeout: attemptTimeout,
	})
	if err != nil {
		return err
	}
	defer cg.Close()
	for {
		gen, err := cg.Next(ctx)
		if err != nil {
			return err
		}
		if err := c.generation(ctx, gen, known, fn); err != nil {
			return err
		}
	}
}

// partitionCounts are the numbers of partitions of some topics, prefix included.
func (c *Client) partitionCounts(ctx context.Context, names []string) (map[string]int, error) {
	counts := map[string]int{}
	for _, name := range names {
		n, err := c.Partitions(ctx, name[len(c.cfg.Prefix):])
		if err != nil {
			return nil, err
		}
		counts[name] = n
	}
	return counts, nil
}

// errPartitionsAdded ends a generation whose group does not know all partitions.
var errPartitionsAdded = errors.New("a topic has more partitions than when the group shared them out")

// watchPartitions returns errPartitionsAdded when a topic has another number of partitions than in
// known, which then holds the new numbers. kafka-go's own watch takes the number after partitions
// were shared out for the one before, and so misses one that changes in between.
func (c *Client) watchPartitions(ctx context.Context, known map[string]int) error {
	for sleep(ctx, countAge/2) {
		changed := false
		for name, before := range known {
			n, err := c.Partitions(ctx, name[len(c.cfg.Prefix):])
			if err != nil {
				return err
			}
			if n != before {
				known[name], changed = n, true
			}
		}
		if changed {
			return errPartitionsAdded
		}
	}
	return ctx.Err()
}

// generation runs fn until it returns, the generation ends, or topics have other numbers of
// partitions than known tells, and waits for it.
func (c *Client) generation(ctx context.Context, gen *kafka.Generation, known map[string]int, fn func(ctx context.Context, g *Generation) error) error {
	g := &Generation{ID: gen.ID, Assigned: map[string][]Assignment{}, client: c, group: gen.GroupID, kafka: gen, committed: map[string]map[int]int64{}}
	for name, assignments := range gen.Assignments {
		topic := name[len(c.cfg.Prefix):]
		for _, a := range assignments {
			committed := a.Offset
			if committed < 0 {
				committed = -1
			}
			g.Assigned[topic] = append(g.Assigned[topic], Assignment{a.ID, committed})
		}
		sort.Slice(g.Assigned[topic], func(i, j int) bool { return g.Assigned[topic][i].Partition < g.Assigned[topic][j].Partition })
	}
	done := make(chan error, 1)
	gen.Start(func(ended context.Context) {
		inner, cancel := context.WithCancel(ctx)
		defer cancel()
		stop := context.AfterFunc(ended, cancel)
		defer stop()
		watched := make(chan struct{})
		added := false
		go func() {
			defer close(watched)
			if added = errors.Is(c.watchPartitions(inner, known), errPartitionsAdded); added {
				c.logger.Warn("sharing out the partitions anew, since some were added", "group", g.group, "partitions", known)
				cancel()
			}
		}()
		err := fn(inner, g)
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
		// the group is left: to return now would be to join it again first, and others would wait
		// for a member that is gone
		if err != nil {
			<-ended.Done()
		}
	})
	return <-done
}

// Commit moves the group's offset in this generation, with a timeout: next is the offset of the
// first record not yet handled. An offset below one that this generation has committed is left out,
// so a commit that comes late moves nothing back.
func (g *Generation) Commit(ctx context.Context, topic string, next map[int]int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	done := g.committed[topic]
	if done == nil {
		done = map[int]int64{}
		g.committed[topic] = done
	}
	offsets := map[int]int64{}
	for p, o := range next {
		if o > done[p] {
			offsets[p] = o
		}
	}
	if len(offsets) == 0 {
		return nil
	}
	// kafka-go bounds the call by the group's Timeout.
	if err := g.kafka.CommitOffsets(map[string]map[int]int64{g.client.name(topic): offsets}); err != nil {
		return fmt.Errorf("cannot commit %s: %w", g.client.name(topic), err)
	}
	for p, o := range offsets {
		done[p] = o
	}
	return nil
}

// EachPartition runs fn for every assigned partition, a goroutine each, until all have returned;
// the first error cancels the others. With nothing assigned it waits for the generation's end.
func (g *Generation) EachPartition(ctx context.Context, fn func(ctx context.Context, topic string, a Assignment) error) error {
	group, inner := errgroup.WithContext(ctx)
	n := 0
	for topic, assignments := range g.Assigned {
		for _, a := range assignments {
			n++
			group.Go(func() error { return fn(inner, topic, a) })
		}
	}
	if n == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	return group.Wait()
}
