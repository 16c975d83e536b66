package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/clickloop/clickloop/internal/config"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

const tailExamples = `  clickloop tail predictions                       what is scored from now on
  clickloop tail examples.click -o -100 -e         the last 100, then stop
  clickloop tail events -o @2026-11-25T09:00:00Z   from a moment of production
  clickloop tail predictions --where user=u1 --where p.click>0.1
  clickloop tail deadletter -o beginning -J | jq -c '.payload|fromjson'
`

// tailOptions are the flags of tail; their names are kcat's where kcat has the like.
type tailOptions struct {
	topic     string
	offset    string
	partition int
	count     int64
	exit      bool
	envelope  bool
	where     []condition
}

func tailCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o tailOptions
	fs := newFlags("tail", "tail TOPIC [flags]", tailExamples, stderr)
	common := config.CommonFlags(fs)
	fs.StringVar(&o.offset, "o", "end", "where to begin: beginning, end, -N (the last N of each partition), N (an offset), or @TIME (RFC 3339 or milliseconds)")
	fs.IntVar(&o.partition, "p", -1, "read one `partition` only")
	fs.Int64Var(&o.count, "c", 0, "stop after `N` messages; 0 for no end")
	fs.BoolVar(&o.exit, "e", false, "stop at the end of the topic")
	fs.BoolVar(&o.envelope, "J", false, "print topic, partition, offset, time, headers and key around each message, as kcat -J does")
	fs.Func("where", "print only messages that hold, such as `user=u1`, p.click>0.1, type!=heartbeat; may repeat", func(s string) error {
		c, err := parseCondition(s)
		o.where = append(o.where, c)
		return err
	})
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		fmt.Fprintln(stderr, "clickloop tail: name one topic, such as predictions, events, examples.click, evaluations or deadletter")
		return errUsage
	}
	o.topic = rest[0]
	cfg, err := common.Load()
	if err != nil {
		return err
	}
	o.topic = strings.TrimPrefix(o.topic, cfg.Kafka.Prefix)
	client, err := stream.Dial(stream.Config{Brokers: cfg.Kafka.Brokers, Prefix: cfg.Kafka.Prefix, ClientID: "clickloop-tail"})
	if err != nil {
		return err
	}
	defer client.Close()
	fmt.Fprintf(stderr, "the same with kcat: kcat -C -b %s -t %s%s -o %s%s -J | jq -c '.payload|fromjson'\n",
		strings.Join(cfg.Kafka.Brokers, ","), cfg.Kafka.Prefix, o.topic, kcatOffset(o.offset), map[bool]string{true: " -e"}[o.exit])
	return tail(ctx, client, cfg.Kafka.Prefix, o, stdout)
}

func kcatOffset(o string) string {
	if t, ok := strings.CutPrefix(o, "@"); ok {
		return "s@" + t
	}
	return o
}

// tail prints until o says to stop or ctx ends. Partitions are read at once; a partition's messages keep their order.
func tail(ctx context.Context, client *stream.Client, prefix string, o tailOptions, stdout io.Writer) error {
	ping, cancelPing := context.WithTimeout(ctx, 5*time.Second)
	defer cancelPing()
	ranges, err := client.Offsets(ping, o.topic)
	if err != nil {
		return fmt.Errorf("cannot read topic %s%s: %w (is the address right? `clickloop doctor` checks it)", prefix, o.topic, err)
	}
	out := &printer{w: bufio.NewWriter(stdout), options: o, prefix: prefix}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	for p, r := range ranges {
		if o.partition >= 0 && p != o.partition {
			continue
		}
		from, since, err := startOffset(o.offset, r)
		if err != nil {
			return err
		}
		g.Go(func() error { return tailPartition(ctx, client, o, p, from, since, r.End, out) })
	}
	if err := g.Wait(); err != nil && !errors.Is(err, errDone) && !errors.Is(err, context.Canceled) {
		return err
	}
	return out.w.Flush()
}

var errDone = errors.New("done")

func tailPartition(ctx context.Context, client *stream.Client, o tailOptions, p int, from int64, since time.Time, end int64, out *printer) error {
	if o.exit && from >= end {
		return nil
	}
	r := client.NewReader(o.topic, p, from)
	defer r.Close()
	for {
		records, err := r.Next(ctx)
		if errors.Is(err, stream.ErrTrimmed) {
			continue
		}
		if err != nil {
			return err
		}
		for i := range records {
			if records[i].Time.Before(since) {
				continue
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

// startOffset reads -o for a partition that holds r.
func startOffset(o string, r stream.Range) (int64, time.Time, error) {
	switch o {
	case "beginning":
		return r.First, time.Time{}, nil
	case "end":
		return r.End, time.Time{}, nil
	}
	if at, ok := strings.CutPrefix(o, "@"); ok {
		if ms, err := strconv.ParseInt(at, 10, 64); err == nil {
			return r.First, time.UnixMilli(ms), nil
		}
		t, err := time.Parse(time.RFC3339, at)
		if err != nil {
			return 0, t, fmt.Errorf("-o %s: want RFC 3339 or milliseconds behind @", o)
		}
		return r.First, t, nil
	}
	n, err := strconv.ParseInt(o, 10, 64)
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("-o %s: want beginning, end, -N, N or @TIME", o)
	}
	if n < 0 {
		n += r.End
	}
	return min(max(n, r.First), r.End), time.Time{}, nil
}

// printer writes messages of all partitions, one at a time.
type printer struct {
	mu      sync.Mutex
	w       *bufio.Writer
	options tailOptions
	prefix  string
	n       int64
}

type envelope struct {
	Topic     string   `json:"topic"`
	Partition int      `json:"partition"`
	Offset    int64    `json:"offset"`
	TsType    string   `json:"tstype"`
	Ts        int64    `json:"ts"`
	Headers   []string `json:"headers,omitempty"`
	Key       string   `json:"key"`
	Payload   string   `json:"payload"`
}

func (p *printer) print(r *stream.Record) error {
	if len(p.options.where) > 0 && !holds(p.options.where, r.Value) {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.options.count > 0 && p.n >= p.options.count {
		return errDone
	}
	p.n++
	if !p.options.envelope {
		p.w.Write(r.Value)
		return p.w.WriteByte('\n')
	}
	e := envelope{p.prefix + p.options.topic, r.Partition, r.Offset, "create", r.Time.UnixMilli(), nil, string(r.Key), string(r.Value)}
	for _, h := range r.Headers {
		e.Headers = append(e.Headers, h.Key, string(h.Value))
	}
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	p.w.Write(b)
	return p.w.WriteByte('\n')
}

func (p *printer) flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.w.Flush(); err != nil {
		return err
	}
	if p.options.count > 0 && p.n >= p.options.count {
		return errDone
	}
	return nil
}
