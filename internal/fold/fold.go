// Package fold folds the topic of events into a Store: ingest into profiles, feedback into
// outcomes.
//
// The one invariant: the store alone says where folding goes on. A run begins at the position that
// the store keeps beside what is folded, and Apply refuses a batch that begins anywhere else. So an
// emptied store is filled again from the log, a store that lost its last second goes back by a
// second, and a batch that is folded twice changes nothing. The group's commits are for lag tools
// only.
package fold

import (
	"context"
	"errors"
	"log/slog"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/tracing"
	"github.com/clickloop/clickloop/internal/watermark"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Config says what one fold does differently from another.
type Config struct {
	Client    *stream.Client
	Group     string // consumer group that shares out the partitions of events
	Store     features.Store
	Into      string             // what the store holds, for the log, such as "profiles"
	Letters   *deadletter.Writer // takes Batch.Letters; nil when the Handler writes none
	Watermark watermark.Config
	Beats     *watermark.Reporter
	// Now is this process's clock, 0 while times are recorded ones: no clock is held against those.
	Now   func() event.Time
	Moved prometheus.Counter // runs that ended with features.ErrMoved; nil for none
	// Rewound counts runs that began before what this process had folded; nil for none
	Rewound prometheus.Counter
	Tracer  *tracing.Tracer // nil: no traces
	Logger  *slog.Logger

	// Start returns the Handler of one run, which begins at a position. It is called once a run.
	Start func(ctx context.Context, at features.Position) (Handler, error)
	// Positions is nil where the store keeps positions under the topic's own id.
	Positions *Positions
}

// Handler folds one record: it appends to the batch's Updates or Letters. A Handler serves one run,
// in the order of offsets.
type Handler func(b *Batch, r *stream.Record)

// Positions names the id under which the store keeps the positions of events. A new id has none
// yet, so that events are folded again from their start.
type Positions struct {
	// Begin is called when a run begins, and again after an error.
	Begin func(ctx context.Context, topicID string) (id string, err error)
	// Current is called once a second. A run ends when the id is another than its own.
	Current func(ctx context.Context, topicID string) (id string, err error)
}

// Fold folds the partitions of events that its group gives to this process.
type Fold struct {
	cfg    Config
	logger *slog.Logger
	folded folded
}

// New returns a Fold; Run runs it.
func New(cfg Config) *Fold {
	if cfg.Positions == nil {
		ofTopic := func(_ context.Context, topicID string) (string, error) { return topicID, nil }
		cfg.Positions = &Positions{Begin: ofTopic, Current: ofTopic}
	}
	return &Fold{cfg: cfg, logger: cfg.Logger.With("topic", event.TopicEvents), folded: folded{upTo: map[int]event.Time{}, reached: map[int]reached{}}}
}

// Run folds until ctx ends.
func (f *Fold) Run(ctx context.Context) error {
	client := f.cfg.Client
	return client.Join(ctx, f.cfg.Group, []string{event.TopicEvents}, func(ctx context.Context, g *stream.Generation) error {
		id, err := client.TopicID(ctx, event.TopicEvents)
		if err != nil {
			return err
		}
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return client.WatchTopic(ctx, event.TopicEvents, id) })
		group.Go(func() error {
			return g.EachPartition(ctx, func(ctx context.Context, _ string, a stream.Assignment) error {
				return f.partition(ctx, g, id, a.Partition)
			})
		})
		return group.Wait()
	})
}

// errRebuild ends a run because the id of positions has changed.
var errRebuild = errors.New("events are to be folded again from their start")

// partition folds one partition, run after run, until the generation ends.
func (f *Fold) partition(ctx context.Context, g *stream.Generation, topicID string, p int) error {
	defer f.folded.drop(p)
	logger := f.logger.With("partition", p)
	for {
		err := f.run(ctx, g, topicID, p)
		switch {
		case errors.Is(err, features.ErrMoved):
			logger.Warn("the store of " + f.cfg.Into + " is not where it was left: folding again from its position")
			if f.cfg.Moved != nil {
				f.cfg.Moved.Inc()
			}
		case errors.Is(err, errRebuild):
			logger.Warn(f.cfg.Into + " are folded again from the start")
		default:
			return err
		}
	}
}
