package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/inspect"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/learner"
	"github.com/clickloop/clickloop/stream"
)

const modelExamples = `  clickloop model show click --kafka localhost:9092                 what scorers serve now, and which features matter
  clickloop model show data/checkpoints/click.checkpoint            what a learner has saved
  clickloop model diff monday.model click --kafka localhost:9092    what changed, in settings and predictions
  clickloop model verify data/checkpoints/click.checkpoint --kafka localhost:9092
                                                                    do the examples give these very bytes?
  clickloop model compare click --kafka localhost:9092              which of the objective's networks is better?
A model is a file (a learner's checkpoint, or one of fit --out) or the name of an objective.
`

// modelOptions holds the flags of model.
type modelOptions struct {
	common   *config.Common
	json     bool
	top      int    // features and values to list
	sample   int    // examples to measure on
	examples string // file of examples; empty: the topic's last ones
	from     string // checkpoint that verify starts from
	stdout   io.Writer
	stderr   io.Writer

	client *stream.Client // nil until a model or an example needs Kafka
	cfg    config.Config  // once there is a client
}

// modelCommand is `clickloop model show|diff|verify|compare`.
func modelCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o := &modelOptions{stdout: stdout, stderr: stderr}
	fs := newFlags("model", "model show|diff|verify|compare MODEL... [flags]", modelExamples, stderr)
	o.flags(fs)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	defer o.close()
	switch {
	case len(rest) == 2 && rest[0] == "show":
		return o.show(ctx, rest[1])
	case len(rest) == 3 && rest[0] == "diff":
		return o.diff(ctx, rest[1], rest[2])
	case len(rest) == 2 && rest[0] == "verify":
		return o.verify(ctx, rest[1])
	case len(rest) == 2 && rest[0] == "compare":
		return o.compare(ctx, rest[1])
	}
	return misused(stderr, "model", "want show MODEL, diff MODEL MODEL, verify MODEL or compare OBJECTIVE; --help shows examples")
}

// flags declares the flags on fs.
func (o *modelOptions) flags(fs *flag.FlagSet) {
	o.common = config.CommonFlags(fs)
	fs.BoolVar(&o.json, "json", false, "print one JSON object")
	fs.IntVar(&o.top, "top", 15, "features and values that are listed")
	fs.IntVar(&o.sample, "sample", 500, "recent examples on which influence and differences are measured")
	fs.StringVar(&o.examples, "examples", "", "`file` of examples (JSON lines) to measure on, instead of the topic's last")
	fs.StringVar(&o.from, "from", "", "verify: replay from this earlier checkpoint `file`, not from the start of the topic")
}

// dial connects at first use, and waits for a broker that is starting. Files need no Kafka: after
// errNoBrokers the command inspects them without examples.
func (o *modelOptions) dial(ctx context.Context) (*stream.Client, error) {
	if o.client != nil {
		return o.client, nil
	}
	cfg, err := loadRunning(o.common, o.stderr)
	if err != nil {
		return nil, err
	}
	client, err := dialKafka(ctx, cfg.Kafka, "clickloop-model", newLogger(o.stderr, false))
	if err != nil {
		return nil, err
	}
	if err := within(ctx, startPatience, client.Await); err != nil {
		return nil, errors.Join(err, client.Close())
	}
	o.client, o.cfg = client, cfg
	return client, nil
}

// open opens the model of a file or an objective. A file needs no Kafka.
func (o *modelOptions) open(ctx context.Context, name string) (*inspect.Model, error) {
	return inspect.Open(ctx, name, func() (*stream.Client, error) { return o.dial(ctx) })
}

// close closes the client, if any model or example needed one.
func (o *modelOptions) close() {
	if o.client != nil {
		_ = o.client.Close()
	}
}

// sampled returns examples to measure on, or none when no topic has any: a model can be inspected
// without.
func (o *modelOptions) sampled(ctx context.Context, objective string) ([]event.Example, error) {
	if o.examples != "" {
		return inspect.FileExamples(o.examples, o.sample)
	}
	if objective == "" {
		return nil, nil
	}
	client, err := o.dial(ctx)
	if errors.Is(err, errNoBrokers) {
		return nil, nil
	}
	var examples []event.Example
	if err == nil {
		bounded, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		examples, err = inspect.RecentExamples(bounded, client, objective, int64(o.sample))
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintf(o.stderr, "going on without examples: %v\n", err)
		err = nil
	}
	return examples, err
}

// show describes one model, and measures on recent examples how much each feature matters.
func (o *modelOptions) show(ctx context.Context, name string) error {
	m, err := o.open(ctx, name)
	if err != nil {
		return err
	}
	examples, err := o.sampled(ctx, m.Objective)
	if err != nil {
		return err
	}
	r := inspect.Describe(m, examples, o.top)
	return o.print(r, r.Write)
}

// diff compares the settings, the weights and the predictions of two models. The examples are of
// the second model's objective, or of the first one's where the second is a file of fit, which has
// none.
func (o *modelOptions) diff(ctx context.Context, first, second string) error {
	a, err := o.open(ctx, first)
	if err != nil {
		return err
	}
	b, err := o.open(ctx, second)
	if err != nil {
		return err
	}
	examples, err := o.sampled(ctx, cmp.Or(b.Objective, a.Objective))
	if err != nil {
		return err
	}
	d := inspect.Diff(a, b, examples)
	d.Features = d.Features[:min(len(d.Features), o.top)]
	return o.print(d, d.Write)
}

// verify learns the examples on the topic again and compares the result with the model, byte by
// byte. It is how an operator proves that a checkpoint comes from the log alone.
func (o *modelOptions) verify(ctx context.Context, name string) error {
	m, err := o.open(ctx, name)
	if err != nil {
		return err
	}
	var from *learner.State
	if o.from != "" {
		if from, err = learner.ReadState(o.from); err != nil {
			return err
		}
	}
	client, err := o.dial(ctx)
	if err != nil {
		return err
	}
	printed := time.Now()
	v, err := inspect.Verify(ctx, m, from, client, func(examples int64) {
		if time.Since(printed) > time.Second {
			printed = time.Now()
			fmt.Fprintf(o.stderr, "replayed to %d examples\n", examples)
		}
	})
	if err != nil {
		return err
	}
	if err := o.print(v, v.Write); err != nil {
		return err
	}
	if !v.Same {
		return errors.New("the examples do not give this model")
	}
	return nil
}

// compare tells which of an objective's networks is better.
func (o *modelOptions) compare(ctx context.Context, name string) error {
	client, err := o.dial(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(o.cfg.Objectives, func(x event.Objective) bool { return x.Name == name })
	switch {
	case i < 0:
		return fmt.Errorf("there is no objective %q in the configuration", name)
	case len(o.cfg.Objectives[i].NetworkNames()) < 2:
		return fmt.Errorf("objective %s has one network: name several in its setting networks to compare them", name)
	}
	c, err := inspect.Compare(ctx, client, o.cfg.Objectives[i])
	if err != nil {
		return err
	}
	return o.print(c, c.Write)
}

// print prints v as JSON, or by text.
func (o *modelOptions) print(v any, text func(io.Writer)) error {
	if o.json {
		return json.NewEncoder(o.stdout).Encode(v)
	}
	text(o.stdout)
	return nil
}
