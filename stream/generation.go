package stream

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"golang.org/x/sync/errgroup"
)

// Generation is what the group has assigned to this member.
type Generation struct {
	ID       int32
	Assigned map[string][]Assignment // by topic (no prefix), sorted by partition

	cluster *cluster
	kafka   *kafka.Generation

	mu        sync.Mutex
	committed map[string]map[int]int64
}

// Assignment is one partition and the offset that the group has committed: the next to read, or -1
// when there is none.
type Assignment struct {
	Partition int
	Committed int64
}

func newGeneration(c *cluster, gen *kafka.Generation) *Generation {
	g := &Generation{ID: gen.ID, Assigned: map[string][]Assignment{}, cluster: c, kafka: gen, committed: map[string]map[int]int64{}}
	for name, assignments := range gen.Assignments {
		var assigned []Assignment
		for _, a := range assignments {
			assigned = append(assigned, Assignment{a.ID, max(a.Offset, -1)})
		}
		sort.Slice(assigned, func(i, j int) bool { return assigned[i].Partition < assigned[j].Partition })
		g.Assigned[name[len(c.cfg.Prefix):]] = assigned
	}
	return g
}

// Has tells whether the group has assigned a partition to this member.
func (g *Generation) Has(topic string, partition int) bool {
	return slices.ContainsFunc(g.Assigned[topic], func(a Assignment) bool { return a.Partition == partition })
}

// Commit moves the group's offsets in this generation, within a timeout. next holds the first
// offset that is not handled yet, by partition. Commit leaves out offsets below those that this
// generation has committed; so a late commit moves nothing back.
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
	name := g.cluster.name(topic)
	// kafka-go bounds the call by the group's Timeout.
	began := time.Now()
	err := g.kafka.CommitOffsets(map[string]map[int]int64{name: offsets})
	observe(g.cluster.metrics.commits, began)
	if err != nil {
		g.cluster.metrics.failed(requestCommit)
		return fmt.Errorf("cannot commit %s: %w", name, err)
	}
	for p, o := range offsets {
		done[p] = o
	}
	return nil
}

// EachPartition runs fn in a goroutine for every assigned partition, and returns when all have
// returned; the first error cancels the others. Without partitions it waits for the generation's
// end.
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
