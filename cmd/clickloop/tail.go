package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/tail"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/stream"
)

const tailExamples = `  clickloop tail predictions                       what is scored from now on
  clickloop tail examples.click -o -100 -e         the last 100, then stop
  clickloop tail events -o @2026-11-25T09:00:00Z   from a moment of production
  clickloop tail predictions 'p.click > 0.1 && features.device == "mobile"'
  clickloop tail predictions -o -1000 -e --join 'outcomes.click.y == 1'
  clickloop tail deadletter -o beginning -e -f '%T %p %o %s\n'
  clickloop tail deadletter -o beginning -J | jq -c '.payload|fromjson'

Beside a running ` + "`clickloop up`" + ` no address is needed. A condition is written as value expressions are: members of the
message by name (user == "u1", features["add-to-cart"] > 2), and record.key, record.partition, record.offset, record.time_ms
and header.NAME. A message that lacks a member does not pass; p.click ?? 0 gives a default, and user == nil asks for it.
The line of kcat that does the same is on standard error.
`

// tailFlags declares the flags of tail. They have kcat's names where kcat has the same flags.
func tailFlags(fs *flag.FlagSet, o *tail.Options) (color *string) {
	fs.Func("o", "`where` to begin (end by default): "+tail.OffsetForms, o.Span.Set)
	fs.IntVar(&o.Partition, "p", -1, "read one `partition` only (-1: all)")
	fs.Int64Var(&o.Count, "c", 0, "stop after `N` messages; 0 for no end")
	fs.BoolVar(&o.Exit, "e", false, "stop at the end of the topic")
	fs.BoolVar(&o.Envelope, "J", false, "print topic, partition, offset, time, headers and key around each message, as kcat -J does")
	fs.StringVar(&o.Format, "f", "", "print each message in a `format`, as kcat -f does: "+tail.FormatHelp+"; \\n, \\t, \\r, \\xHH")
	fs.Func("where", "print only messages that meet the `condition`, such as 'p.click > 0.1'; may repeat, and may stand behind the topic without the flag", func(s string) error {
		o.Where = append(o.Where, s)
		return nil
	})
	fs.BoolVar(&o.Join, "join", false, "print predictions with the labels of their examples, once these are written")
	return fs.String("color", "auto", "`when` to color JSON: always, never, or auto (on a terminal, unless NO_COLOR is set)")
}

// tailCommand prints the messages of one topic.
func tailCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o tail.Options
	fs := newFlags("tail", "tail TOPIC [CONDITION] [flags]", tailExamples, stderr)
	common := config.CommonFlags(fs)
	color := tailFlags(fs, &o)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) == 0 || len(rest) > 2 {
		return misused(stderr, "tail", "name one topic, such as predictions, events, examples.click, evaluations or deadletter, and perhaps one condition in quotes behind it")
	}
	if o.Color, err = colored(*color, stdout); err != nil {
		return err
	}
	cfg, err := loadRunning(common, stderr)
	if err != nil {
		return err
	}
	o.Topic, o.Brokers = strings.TrimPrefix(rest[0], cfg.Kafka.Prefix), cfg.Kafka.Brokers
	o.Where = append(o.Where, rest[1:]...)
	// of brokers that only an address tells, the objectives are not known
	if common.Given("objectives") || !common.Given("kafka.brokers") {
		o.Objectives = cfg.Objectives
	}
	if err := o.Check(); err != nil {
		return err
	}
	needs := []stream.Need{{Name: o.Topic, Operations: []string{stream.OpRead}}}
	client, err := dialKafka(ctx, cfg.Kafka, "clickloop-tail", nil, needs...)
	if err != nil {
		return err
	}
	defer client.Close()
	err = tail.Run(ctx, client, &o, stdout, stderr)
	var missing *tail.TopicError
	if errors.As(err, &missing) {
		return fmt.Errorf("%w%s", err, topicHint(&cfg, missing.Topic))
	}
	return err
}

// colored says whether JSON is colored. NO_COLOR is that of https://no-color.org.
func colored(when string, stdout io.Writer) (bool, error) {
	switch when {
	case "always", "never":
		return when == "always", nil
	case "auto":
		return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(stdout), nil
	}
	return false, field.Wrong("--color", "is %q, want always, never or auto", when)
}

// topicHint suggests the topic that was probably meant.
func topicHint(cfg *config.Config, topic string) string {
	var names []string
	for _, t := range cfg.Topics() {
		names = append(names, t.Name)
	}
	if slices.Contains(names, topic) {
		return " (is the address right? `clickloop doctor` checks it)"
	}
	if near := event.Nearest(topic, names); near != "" {
		return fmt.Sprintf(" (did you mean %s?)", near)
	}
	return " (topics are " + strings.Join(names, ", ") + ")"
}
