package learner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/deadletter"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/model"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

// owner learns one objective whenever its group gives it the topic's one partition.
type owner struct {
	cfg       Config
	objective string
	key       string // the network's NetworkKey
	client    *stream.Client
	config    model.Config
	files     *files // nil: no checkpoints
	letters   *deadletter.Writer
	logger    *slog.Logger
	metrics   *instruments
	requests  chan request
}

// topicCheck is how often the id of the examples topic is looked at.
const topicCheck = 2 * time.Second

var errMadeAgain = errors.New("the examples topic was deleted and made again")

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
	l := &learning{
		o: o, core: c, generation: g, pub: newPublisher(o.key, epoch, o.metrics), saver: newSaver(o.files, c.saved), hasher: newHasher(),
		takeover: takeover{published: published, end: c.end},
		full:     make(chan *decoded, 2), empty: make(chan *decoded, 2), lost: make(chan struct{}, 1), mark: o.metrics.marker(),
	}
	if l.pub.last, _, err = weights.LastSnapshot(ctx, o.client, o.key); err != nil {
		return err
	}
	l.pub.logger = o.logger
	l.empty <- &decoded{}
	l.empty <- &decoded{}
	group, inner := errgroup.WithContext(ctx)
	group.Go(func() error { return o.read(inner, c.at.TopicID, c.at.Next, l.full, l.empty) })
	group.Go(func() error { return l.watch(inner, c.at.TopicID) })
	group.Go(func() error { return l.guard(inner) })
	group.Go(func() error { return l.pub.write(inner, o.client) })
	group.Go(func() error { return l.saver.run(inner) })
	group.Go(func() error { return l.hasher.run(inner) })
	group.Go(func() error { return l.commits(inner) })
	group.Go(func() error { return l.loop(inner) })
	err = group.Wait()
	l.giveBack()
	if !l.broken && !l.unburied && !l.suspect.Load() {
		if err := l.saver.last(l.core, epoch); err != nil {
			o.metrics.unsaved.WithLabelValues(o.key).Inc()
			o.logger.Error("cannot write the last checkpoint: the examples behind the one before will be learned again", "err", err)
		}
	}
	return err
}

// claim takes an epoch above all others, and says how many examples the weights on the topic have
// learned. The commit after the search proves that this process still owned the objective then:
// whoever comes later finds what this one writes, or has a higher generation.
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

// resume takes the newest checkpoint, or a network that learns the topic from its start, and says
// which.
func (o *owner) resume(ctx context.Context) (*core, error) {
	id, err := o.client.TopicID(ctx, o.topic())
	if err != nil {
		return nil, err
	}
	c := &core{saved: -1}
	if o.files != nil {
		if err := o.restore(c); err != nil {
			return nil, err
		}
	}
	if c.net == nil {
		if err := o.begin(c); err != nil {
			return nil, err
		}
	}
	if c.at.TopicID != id && c.at.TopicID != "" {
		o.logger.Warn("the examples topic was made again: reading it from its start, leaving out what was learned before", "topic", o.topic(), "id", id, "before", c.at.TopicID)
		c.at.Next = 0
	}
	c.at.Objective, c.at.Network, c.at.TopicID = o.objective, o.network(), id
	return c, o.place(ctx, c)
}

// restore takes the newest checkpoint that fits.
func (o *owner) restore(c *core) error {
	p, problems := o.files.read()
	for _, problem := range problems {
		o.logger.Error("a checkpoint is of no use", "err", problem)
	}
	switch {
	case p.net == nil && len(problems) > 0:
		o.logger.Error("no checkpoint can be used: learning anew from the examples topic")
	case p.net == nil:
	case event.NetworkKey(p.Objective, p.Network) != o.key:
		return fmt.Errorf("checkpoint %s is of %q, not %q: give each its own file", p.from, event.NetworkKey(p.Objective, p.Network), o.key)
	case !sameConfig(p.net.Config(), o.config):
		o.logger.Warn("the checkpoint is of another configuration of the model: learning anew from the examples topic", "differs", differences(p.net.Config(), o.config), "checkpoint", p.from, "examples", p.net.Examples())
		c.at.Epoch = p.Epoch
	default:
		c.net, c.at, c.saved = p.net, p.position, p.net.Examples()
		c.water.Restore(p.Marks)
		o.logger.Info("resumed from a checkpoint", "checkpoint", p.from, "examples", p.net.Examples(), "offset", p.Next)
	}
	return nil
}

// begin makes a new network, or reads the one that the configuration names.
func (o *owner) begin(c *core) (err error) {
	path := o.cfg.Warm[o.key]
	if path == "" {
		o.logger.Info("learning anew from the start of the examples topic", "topic", o.topic())
		c.net, err = model.New(o.config)
		return err
	}
	if c.net, err = o.warm(path); err != nil {
		return err
	}
	o.logger.Info("starting from a model that was fitted before", "file", path, "examples", c.net.Examples())
	return nil
}

// place says which examples are gone before they were learned, and puts the position into the
// topic's range.
func (o *owner) place(ctx context.Context, c *core) error {
	ranges, err := o.client.Offsets(ctx, o.topic())
	if err != nil {
		return err
	}
	c.end = ranges[0].End
	if missing := ranges[0].First - c.at.Next; missing > 0 {
		o.trimmed(missing, "from", c.at.Next, "to", ranges[0].First-1)
		c.at.Next = ranges[0].First
	}
	if end := ranges[0].End; c.at.Next > end {
		o.logger.Error("the examples topic ends before what was learned: the broker lost records; going on at its end", "learned_to", c.at.Next, "end", end)
		c.at.Next = end
	} else if end-c.at.Next >= batchExamples {
		c.net.Expect()
	}
	return nil
}

func (o *owner) trimmed(n int64, args ...any) {
	o.logger.Error("examples were deleted before they were learned: going on behind them", append(args, "count", n)...)
	o.metrics.examples.WithLabelValues(o.key, "trimmed").Add(float64(n))
}

// read fills the batches that come back empty.
func (o *owner) read(ctx context.Context, id string, from int64, full chan<- *decoded, empty <-chan *decoded) error {
	r := o.client.NewReader(o.topic(), 0, from).Hold(id)
	defer r.Close()
	d := decoder{objective: o.objective}
	for {
		records, err := r.Next(ctx)
		var trimmed *stream.TrimmedError
		switch {
		case errors.As(err, &trimmed):
			o.trimmed(trimmed.First-trimmed.Wanted, "from", trimmed.Wanted, "to", trimmed.First-1)
			continue
		case errors.Is(err, stream.ErrBeyond), errors.Is(err, stream.ErrRecreated):
			// nothing of the new one was read
			return fmt.Errorf("%w, or lost its end: %w", errMadeAgain, err)
		case err != nil:
			return err
		}
		// once without any, where nothing but markers of transactions came
		for first := true; first || len(records) > 0; first = false {
			n := min(len(records), batchExamples)
			// then larger ones are faster, and nobody waits for what is between
			if n > 0 && r.End()-records[0].Offset > farBehind {
				n = min(len(records), 4*batchExamples)
			}
			select {
			case b := <-empty:
				d.decode(b, records[:n], r.End())
				if n == len(records) {
					b.next = r.Offset()
				}
				full <- b // has room for both
			case <-ctx.Done():
				return ctx.Err()
			}
			records = records[n:]
		}
	}
}

// watch ends the generation when the topic is no longer the one that is being learned. What was
// read since it last was might be of the new one, which may have been read from its middle: then
// the network is suspect, and the checkpoint before is gone on from.
func (l *learning) watch(ctx context.Context, id string) error {
	tick := time.NewTicker(topicCheck)
	defer tick.Stop()
	for taken := int64(0); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		before := l.taken.Load()
		now, err := l.o.client.TopicID(ctx, l.o.topic())
		if err != nil {
			return err
		}
		if now != id {
			l.suspect.Store(l.taken.Load() != taken)
			return errMadeAgain
		}
		taken = before
	}
}

// generations is how many generations of the group an epoch tells apart.
const generations = 1_000_000

// epochAfter is the epoch of a learner that found highest in the topic and owns the objective in a
// generation of its group: a term above, so that it outranks all that were before, and within the
// term the generation, so that of two that started at the same moment the one that owns the
// objective now outranks the one that is deposed and does not know it yet.
func epochAfter(highest int64, generation int32) int64 {
	return (highest/generations+1)*generations + int64(generation)%generations
}
