package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

const tailExamples = `  clickloop tail predictions                       what is scored from now on
  clickloop tail examples.click -o -100 -e         the last 100, then stop
  clickloop tail events -o @2026-11-25T09:00:00Z   from a moment of production
  clickloop tail predictions --where user=u1 --where 'p.click>0.1'
  clickloop tail deadletter -o beginning -J | jq -c '.payload|fromjson'

Beside a running ` + "`clickloop up`" + ` no address is needed. Of --where, the value is a number, true, false, null or a text
("17" in double quotes is always a text); null is what is missing, too. The line of kcat that does the same is on standard error.
`

// tailOptions holds the flags of tail. They have kcat's names where kcat has the same flags.
type tailOptions struct {
	topic     string // without the prefix
	span      span
	partition int         // -1 for all
	count     int64       // messages to print; 0 for no end
	exit      bool        // stop at the end of the topic
	envelope  bool        // print each message as kcat -J does
	where     []condition // all must hold
}

// flags declares the flags on fs.
func (o *tailOptions) flags(fs *flag.FlagSet) {
	o.span.start = "end"
	fs.Func("o", "`where` to begin (end by default): "+offsetForms, o.span.set)
	fs.IntVar(&o.partition, "p", -1, "read one `partition` only (-1: all)")
	fs.Int64Var(&o.count, "c", 0, "stop after `N` messages; 0 for no end")
	fs.BoolVar(&o.exit, "e", false, "stop at the end of the topic")
	fs.BoolVar(&o.envelope, "J", false, "print topic, partition, offset, time, headers and key around each message, as kcat -J does")
	fs.Func("where", "print only messages that meet the `condition`, such as user=u1, 'p.click>0.1', 'type!=heartbeat' (quoted: a shell takes > and ! for itself); may repeat", func(s string) error {
		c, err := parseCondition(s)
		o.where = append(o.where, c)
		return err
	})
}

// check refuses flags that could print nothing.
func (o *tailOptions) check() error {
	switch {
	case o.partition < -1:
		return fmt.Errorf("-p is %d, want a partition from 0, or -1 for all", o.partition)
	case o.count < 0:
		return fmt.Errorf("-c is %d, want how many messages, or 0 for no end", o.count)
	case !o.span.until.IsZero() && !o.span.since.IsZero() && !o.span.since.Before(o.span.until):
		return fmt.Errorf("-o e@ (%s) is not after -o s@ (%s)", o.span.until.Format(time.RFC3339), o.span.since.Format(time.RFC3339))
	}
	return nil
}

// tailCommand prints the messages of one topic. It belongs to no consumer group, so that it never
// takes work from a stage.
func tailCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o tailOptions
	fs := newFlags("tail", "tail TOPIC [flags]", tailExamples, stderr)
	common := config.CommonFlags(fs)
	o.flags(fs)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return misused(stderr, "tail", "name one topic, such as predictions, events, examples.click, evaluations or deadletter")
	}
	if err := o.check(); err != nil {
		return err
	}
	cfg, err := loadRunning(common, stderr)
	if err != nil {
		return err
	}
	o.topic = strings.TrimPrefix(rest[0], cfg.Kafka.Prefix)
	client, err := dialKafka(ctx, cfg.Kafka, "clickloop-tail", nil, stream.Need{Name: o.topic, Operations: []string{stream.OpRead}})
	if err != nil {
		return err
	}
	defer client.Close()
	return tail(ctx, client, &cfg, &o, stdout, stderr)
}

// tail prints messages until it reaches the limits of o, or ctx ends. It reads partitions
// concurrently: order holds within a partition, as on the topic.
func tail(ctx context.Context, client *stream.Client, cfg *config.Config, o *tailOptions, stdout, stderr io.Writer) error {
	name := cfg.Kafka.Prefix + o.topic
	bounded, cancelBounded := context.WithTimeout(ctx, 5*time.Second)
	defer cancelBounded()
	ranges, err := client.Offsets(bounded, o.topic)
	if err != nil {
		return fmt.Errorf("cannot read topic %s: %w%s", name, err, topicHint(cfg, o.topic))
	}
	if o.partition >= len(ranges) {
		return fmt.Errorf("-p is %d, but topic %s has %d partitions, from 0", o.partition, name, len(ranges))
	}
	starts, err := o.span.starts(bounded, client, o.topic, ranges)
	if err != nil {
		return fmt.Errorf("cannot find where to begin in topic %s: %w", name, err)
	}
	line, leftOut := kcatLine(cfg.Kafka.Brokers, name, o, ranges)
	fmt.Fprintf(stderr, "the same with kcat: %s\n", line)
	for _, what := range leftOut {
		fmt.Fprintf(stderr, "but it leaves out %s\n", what)
	}
	out := &printer{w: bufio.NewWriter(stdout), options: o, topic: name}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	for p, r := range ranges {
		if o.partition >= 0 && p != o.partition {
			continue
		}
		g.Go(func() error { return tailPartition(ctx, client, o, p, starts[p], r.End, out) })
	}
	if err := g.Wait(); err != nil && !errors.Is(err, errDone) && !errors.Is(err, context.Canceled) {
		return err
	}
	return out.w.Flush()
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

// errDone is returned when -c messages are printed. It ends the readers of all partitions.
var errDone = errors.New("done")

// tailPartition prints one partition from offset from. With -e it stops at end, the partition's end
// when the command began: on a busy topic the real end is never reached.
func tailPartition(ctx context.Context, client *stream.Client, o *tailOptions, p int, from, end int64, out *printer) error {
	if o.exit && from >= end {
		return nil
	}
	r := client.NewReader(o.topic, p, from)
	defer r.Close()
	for {
		records, err := r.Next(ctx)
		if errors.Is(err, stream.ErrTrimmed) { // retention was faster; the reader goes on behind the gap
			continue
		}
		if err != nil {
			return err
		}
		for i := range records {
			late := !o.span.until.IsZero() && !records[i].Time.Before(o.span.until)
			if late || o.exit && records[i].Offset >= end {
				return out.flush()
			}
			if err := out.print(&records[i]); err != nil {
				return err
			}
		}
		if err := out.flush(); err != nil {
			return err
		}
		if o.exit && r.Offset() >= end {
			return nil
		}
	}
}

// printer writes the messages of all partitions, one at a time.
type printer struct {
	mu      sync.Mutex
	w       *bufio.Writer
	options *tailOptions
	topic   string // with the prefix
	n       int64  // messages printed
}

// envelope is the object that kcat -J prints for a message. It tells a null key or value from an
// empty one.
type envelope struct {
	Topic     string    `json:"topic"`
	Partition int       `json:"partition"`
	Offset    int64     `json:"offset"`
	TsType    string    `json:"tstype"`
	Ts        int64     `json:"ts"`
	Headers   []*string `json:"headers,omitempty"`
	Key       *string   `json:"key"`
	Payload   *string   `json:"payload"`
}

// print writes one message. Partitions share the count of -c, so the limit is checked under the
// lock.
func (p *printer) print(r *stream.Record) error {
	if len(p.options.where) > 0 && !holds(p.options.where, r.Value) {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.full() {
		return errDone
	}
	p.n++
	if !p.options.envelope {
		p.w.Write(r.Value)
		return p.w.WriteByte('\n')
	}
	e := envelope{Topic: p.topic, Partition: r.Partition, Offset: r.Offset, TsType: "create", Ts: r.Time.UnixMilli(), Key: text(r.Key), Payload: text(r.Value)}
	for _, h := range r.Headers {
		e.Headers = append(e.Headers, &h.Key, text(h.Value))
	}
	encoder := json.NewEncoder(p.w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(e)
}

// text returns nil for null.
func text(b []byte) *string {
	if b == nil {
		return nil
	}
	s := string(b)
	return &s
}

// full tells whether -c messages are printed. The caller holds the lock.
func (p *printer) full() bool { return p.options.count > 0 && p.n >= p.options.count }

// flush shows what is printed. Readers call it after each fetch, so that messages appear at once.
func (p *printer) flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.w.Flush(); err != nil {
		return err
	}
	if p.full() {
		return errDone
	}
	return nil
}
