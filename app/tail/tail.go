// Package tail prints the messages of a topic as they come, for the command tail: from any place
// on, those that meet conditions, in any format of kcat, or as predictions joined with their
// outcomes. It also prints the line of kcat and jq that does the same.
//
// It belongs to no consumer group, so it never takes work from a stage.
package tail

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/expression"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

// Options say what is printed, and how.
type Options struct {
	Topic     string // without prefix
	Span      Span
	Partition int      // -1 for all
	Count     int64    // messages to print; 0 for no end
	Exit      bool     // stop at the end of the topic
	Envelope  bool     // print each message as kcat -J does
	Format    string   // print each message as kcat -f does
	Where     []string // conditions that must all hold
	Join      bool     // print predictions with their outcomes
	Color     bool     // color members, texts and numbers of JSON
	// Objectives of the loop, which decide the names p.NAME; nil: any name
	Objectives []event.Objective
	Brokers    []string // for the line of kcat
}

// Check refuses options that could print nothing, or that contradict each other.
func (o *Options) Check() error {
	switch {
	case o.Partition < -1:
		return fmt.Errorf("-p is %d, want a partition from 0, or -1 for all", o.Partition)
	case o.Count < 0:
		return fmt.Errorf("-c is %d, want how many messages, or 0 for no end", o.Count)
	case !o.Span.until.IsZero() && !o.Span.since.IsZero() && !o.Span.since.Before(o.Span.until):
		return fmt.Errorf("-o e@ (%s) is not after -o s@ (%s)", o.Span.until.Format(time.RFC3339), o.Span.since.Format(time.RFC3339))
	case o.Envelope && o.Format != "":
		return errors.New("-J and -f are two forms of a message: give one of them")
	case o.Join && o.Topic != event.TopicPredictions:
		return fmt.Errorf("--join shows predictions with their outcomes: the topic is %s, want %s", o.Topic, event.TopicPredictions)
	case o.Join && (o.Envelope || o.Format != ""):
		return errors.New("--join prints messages of its own form: leave out -J and -f")
	case o.Join && len(o.Objectives) == 0:
		return errors.New("--join needs the objectives: give the configuration of the loop by --config")
	}
	if _, err := parseFormat(o.Format); err != nil {
		return err
	}
	_, err := newFilter(o.Where, o.names())
	return err
}

func (o *Options) names() expression.Names { return namesOf(o.Topic, o.Objectives, o.Join) }

// A tailer reads the partitions of a topic concurrently: order holds within a partition, as on the
// topic.
type tailer struct {
	*Options
	client *stream.Client
	filter *filter // nil: every message passes
	out    *printer
}

// Run prints messages until it reaches the limits of o, or ctx ends. It calls Check itself. What a
// reader should know beside the messages goes to stderr.
func Run(ctx context.Context, client *stream.Client, o *Options, stdout, stderr io.Writer) error {
	if err := o.Check(); err != nil {
		return err
	}
	name := client.Prefix() + o.Topic
	bounded, cancelBounded := context.WithTimeout(ctx, 5*time.Second)
	defer cancelBounded()
	ranges, err := client.Offsets(bounded, o.Topic)
	if err != nil {
		return &TopicError{Topic: o.Topic, Err: fmt.Errorf("cannot read topic %s: %w", name, err)}
	}
	if o.Partition >= len(ranges) {
		return fmt.Errorf("-p is %d, but topic %s has %d partitions, from 0", o.Partition, name, len(ranges))
	}
	starts, err := o.Span.starts(bounded, client, o.Topic, ranges)
	if err != nil {
		return fmt.Errorf("cannot find where to begin in topic %s: %w", name, err)
	}
	line, leftOut := kcatLine(name, o, ranges)
	fmt.Fprintf(stderr, "the same with kcat: %s\n", line)
	for _, what := range leftOut {
		fmt.Fprintf(stderr, "but it leaves out %s\n", what)
	}
	t := &tailer{Options: o, client: client, out: newPrinter(stdout, o, name)}
	if t.filter, err = newFilter(o.Where, o.names()); err != nil {
		return err
	}
	if o.Join {
		err = t.join(ctx, ranges, starts, stderr)
	} else {
		err = t.all(ctx, ranges, starts)
	}
	if t.filter != nil {
		for _, complaint := range t.filter.complaints() {
			fmt.Fprintln(stderr, complaint)
		}
	}
	if err != nil && !errors.Is(err, errDone) && !errors.Is(err, context.Canceled) {
		return err
	}
	return t.out.w.Flush()
}

// TopicError is returned by Run for a topic that cannot be read.
type TopicError struct {
	Topic string
	Err   error
}

func (e *TopicError) Error() string { return e.Err.Error() }

// Unwrap gives the reason.
func (e *TopicError) Unwrap() error { return e.Err }

// errDone is returned when -c messages are printed. It ends the readers of all partitions.
var errDone = errors.New("done")

// all prints the partitions that o asks for.
func (t *tailer) all(ctx context.Context, ranges []stream.Range, starts []int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	for p, r := range ranges {
		if t.Partition < 0 || p == t.Partition {
			g.Go(func() error { return t.partition(ctx, p, starts[p], r.End) })
		}
	}
	return g.Wait()
}

// partition prints one partition from offset from. With Exit it stops at end, the partition's end
// when the command began: on a busy topic the real end is never reached.
func (t *tailer) partition(ctx context.Context, p int, from, end int64) error {
	var f *filter
	if t.filter != nil {
		f = t.filter.fork()
		defer f.tally()
	}
	return t.read(ctx, t.Topic, p, from, end, func(records []stream.Record) error {
		for i := range records {
			if f != nil && !f.holds(&records[i], records[i].Value) {
				continue
			}
			if err := t.out.print(&records[i], records[i].Value); err != nil {
				return err
			}
		}
		return t.out.flush()
	})
}

// read calls fn with the records of a partition of a topic from offset from. It ends where Exit and
// the span say. A record slice is valid during the call.
func (t *tailer) read(ctx context.Context, topic string, p int, from, end int64, fn func([]stream.Record) error) error {
	if t.Exit && from >= end {
		return nil
	}
	r := t.client.NewReader(topic, p, from)
	defer r.Close()
	for {
		records, err := r.Next(ctx)
		if errors.Is(err, stream.ErrTrimmed) { // retention was faster; the reader goes on behind the gap
			continue
		}
		if err != nil {
			return err
		}
		last := false
		for i := range records {
			late := topic == t.Topic && !t.Span.until.IsZero() && !records[i].Time.Before(t.Span.until)
			if last = late || t.Exit && records[i].Offset >= end; last {
				records = records[:i]
				break
			}
		}
		if err := fn(records); err != nil || last {
			return err
		}
		if t.Exit && r.Offset() >= end {
			return nil
		}
	}
}

func newPrinter(stdout io.Writer, o *Options, topic string) *printer {
	p := &printer{w: bufio.NewWriterSize(stdout, 64<<10), options: o, topic: topic}
	p.format, _ = parseFormat(o.Format) // Check has parsed it
	return p
}
