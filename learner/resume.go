package learner

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

// resume returns the network of the newest checkpoint, or one that learns the topic from its start.
func (o *owner) resume(ctx context.Context) (*core, error) {
	id, err := o.client.TopicID(ctx, o.topic())
	if err != nil {
		return nil, err
	}
	c := &core{resumed: -1}
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
		c.judged.skip(0)
		c.judged.done = nil
	}
	c.at.Objective, c.at.Network, c.at.TopicID = o.objective, o.network(), id
	return c, o.place(ctx, c)
}

// restore makes c what the newest checkpoint holds, when its configuration is still the same.
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
		return fmt.Errorf("checkpoint %s is of %q, not %q: give each its own file", p.path, event.NetworkKey(p.Objective, p.Network), o.key)
	case o.differences(p.net) != "":
		o.logger.Warn("the checkpoint is of another configuration of the model: learning anew from the examples topic", "differs", o.differences(p.net), "checkpoint", p.path, "examples", p.net.Examples())
		c.at.Epoch = p.Epoch
	default:
		c.restore(p.position, p.net)
		c.resumed = p.net.Examples()
		o.logger.Info("resumed from a checkpoint", "checkpoint", p.path, "examples", p.net.Examples(), "offset", p.Next)
	}
	return nil
}

// differences names the settings of net that differ from the configuration, such as "table_bits is
// 18, here 20".
func (o *owner) differences(net *model.Net) string {
	var texts []string
	for _, d := range net.Config().Differences(o.config) {
		texts = append(texts, fmt.Sprintf("%s is %s, here %s", d.Name, cmp.Or(d.From, "none"), cmp.Or(d.To, "none")))
	}
	return strings.Join(texts, ", ")
}

// begin makes a new network, or reads the one that the setting warm names.
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

// warm reads the model that a network starts from: a file of `fit --out`, or a checkpoint.
func (o *owner) warm(path string) (*model.Net, error) {
	state, err := ReadState(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the model that %s starts from (learner.warm): %w", o.key, err)
	}
	if differ := o.differences(state.Net()); differ != "" {
		return nil, fmt.Errorf("the model that %s starts from (learner.warm), %s, was made with another configuration: %s; give its network these settings, or make the model with those of the network",
			o.key, path, differ)
	}
	return state.Net(), nil
}

// checkWarm returns an error when the model to start from will be needed and cannot be used. It
// runs when the process starts, so that the operator reads the error at once. Later the member of
// the group would only join again and again.
func (o *owner) checkWarm() error {
	path := o.cfg.Warm[o.key]
	if path == "" {
		return nil
	}
	if o.files != nil {
		if p, _ := o.files.read(); p.net != nil && o.differences(p.net) == "" {
			return nil // the network resumes from its checkpoint
		}
	}
	_, err := o.warm(path)
	return err
}

// place moves the position into the range of the topic, and reports examples that were deleted
// before they were learned.
func (o *owner) place(ctx context.Context, c *core) error {
	ranges, err := o.client.Offsets(ctx, o.topic())
	if err != nil {
		return err
	}
	first, end := ranges[0].First, ranges[0].End
	c.topicEnd = end
	if missing := first - c.at.Next; missing > 0 {
		o.trimmed(missing, "from", c.at.Next, "to", first-1)
		c.at.Next = first
		c.judged.skip(first)
	}
	if c.at.Next > end {
		o.logger.Error("the examples topic ends before what was learned: the broker lost records; going on at its end", "learned_to", c.at.Next, "end", end)
		c.at.Next = end
		c.judged.skip(end)
	} else if end-c.at.Next >= batchExamples {
		c.net.Expect()
	}
	return nil
}

func (o *owner) trimmed(n int64, args ...any) {
	o.logger.Error("examples were deleted before they were learned: going on behind them", append(args, "count", n)...)
	o.metrics.examples.WithLabelValues(o.key, "trimmed").Add(float64(n))
}
