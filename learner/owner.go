package learner

import (
	"context"
	"log/slog"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/tracing"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
)

// owner learns one network of an objective whenever the group assigns the topic's partition to this
// process.
type owner struct {
	cfg       Config
	objective string
	key       string // the network's NetworkKey
	config    model.Config
	files     *files // nil: no checkpoints
	client    *stream.Client
	letters   *deadletter.Writer
	tracer    *tracing.Tracer // nil: no traces
	logger    *slog.Logger
	metrics   *instruments
	requests  chan request // unbuffered: taken by the loop while this process is the owner
}

func (o *owner) topic() string { return event.TopicExamples(o.objective) }

// network is empty for the default one.
func (o *owner) network() string { return strings.TrimPrefix(o.key[len(o.objective):], ".") }

func (o *owner) run(ctx context.Context) error {
	return o.client.Join(ctx, "learner."+o.key, []string{o.topic()}, func(ctx context.Context, g *stream.Generation) error {
		if !g.Has(o.topic(), 0) {
			o.logger.Info("another process learns this objective: standing by")
			<-ctx.Done()
			return ctx.Err()
		}
		return o.own(ctx, g)
	})
}

// own learns until the generation ends.
func (o *owner) own(ctx context.Context, g *stream.Generation) error {
	c, err := o.resume(ctx)
	if err != nil {
		return err
	}
	epoch, published, err := o.claim(ctx, g, c)
	if err != nil {
		return err
	}
	c.net.ServeBits(o.cfg.ServeBits)
	l := newLearning(o, c, epoch, g)
	l.takeover = takeover{published: published, end: c.topicEnd}
	if l.writer.lastSnapshot, _, err = weights.LastSnapshot(ctx, o.client, o.key); err != nil {
		return err
	}
	return l.run(ctx)
}

// claim returns an epoch above all others, and how many examples the weights on the topic have
// learned. It commits after it has searched the topic: that proves that this process was still the
// owner then. A later owner finds what this one writes, or has a higher generation.
func (o *owner) claim(ctx context.Context, g *stream.Generation, c *core) (epoch, published int64, err error) {
	highest, published, err := weights.Newest(ctx, o.client, o.key)
	if err != nil {
		return 0, 0, err
	}
	if c.at.Next > 0 {
		if err := g.Commit(ctx, o.topic(), map[int]int64{0: c.at.Next}); err != nil {
			return 0, 0, err
		}
	}
	return epochAfter(max(highest, c.at.Epoch), g.ID), published, nil
}

// generations is how many generations of the group an epoch tells apart.
const generations = 1_000_000

// epochAfter returns the epoch of a learner that found the epoch highest on the topic and owns the
// objective in a generation of the group. It is a term above, so it outranks all earlier ones.
// Within the term, the generation decides: when two learners begin at the same moment, the present
// owner outranks the deposed one, which does not know yet that it is.
func epochAfter(highest int64, generation int32) int64 {
	return (highest/generations+1)*generations + int64(generation)%generations
}
