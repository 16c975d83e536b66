package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/export"
	"github.com/clickloop/clickloop/app/tail"
	"github.com/clickloop/clickloop/stream"
)

const exportExamples = `  clickloop export predictions --out data                 Parquet, in data/predictions/hour=2026-11-25T09/
  clickloop export events --out data --format csv
  clickloop export examples.click --out data --follow     goes on; Ctrl-C ends it
  clickloop export predictions --out week --from 2026-11-23T00:00:00Z --to 2026-11-30T00:00:00Z

The same command again goes on where the last one ended: each record of the topic is in the files once, whatever
killed the process. Hours are in UTC. docs/guide-export.md has the columns, and how DuckDB and pandas read them.
`

// exportCommand writes a topic into files.
func exportCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, asJSON := export.DefaultConfig(), false
	fs := newFlags("export", "export TOPIC --out DIR [flags]", exportExamples, stderr)
	common := config.CommonFlags(fs)
	exportFlags(fs, &o)
	fs.BoolVar(&asJSON, "json", false, "print the totals as one JSON object")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return misused(stderr, "export", "name one topic, such as predictions, events, examples.click or evaluations")
	}
	if err := o.Validate(); err != nil {
		return fmt.Errorf("--%w", err)
	}
	cfg, err := loadRunning(common, stderr)
	if err != nil {
		return err
	}
	o.Topic, o.Prefix = strings.TrimPrefix(rest[0], cfg.Kafka.Prefix), cfg.Kafka.Prefix
	o.Logger = newLogger(stderr, false)
	client, err := dialKafka(ctx, cfg.Kafka, "clickloop-export", o.Logger, stream.Need{Name: o.Topic, Operations: []string{stream.OpRead}})
	if err != nil {
		return err
	}
	defer client.Close()
	bar := &exportBar{w: stderr, inLine: isTerminal(stderr), began: time.Now()}
	o.OnProgress = bar.show
	totals, err := export.Run(ctx, client, o)
	bar.clear()
	if errors.Is(err, context.DeadlineExceeded) && totals.Topic == "" {
		return fmt.Errorf("%w%s", err, topicHint(&cfg, o.Topic))
	}
	if totals.Topic != "" {
		printTotals(&totals, asJSON, stdout)
	}
	return err
}

// exportFlags declares the flags of an export.
func exportFlags(fs *flag.FlagSet, o *export.Config) {
	fs.StringVar(&o.Dir, "out", "", "`folder` for the files; a topic has its own folder in it")
	fs.Func("format", "`format` of the files: parquet (default), csv or jsonl", func(s string) error { o.Format = export.Format(s); return nil })
	fs.Func("by", "`time` whose hours are the folders, and that --from and --to bound: event (default), of the message, or produced, of the record", func(s string) error { o.By = export.By(s); return nil })
	fs.Func("from", "leave out records before this `time`, RFC 3339 or milliseconds", moment(&o.From))
	fs.Func("to", "leave out records from this `time` on", moment(&o.To))
	fs.BoolVar(&o.Envelope, "envelope", false, "of jsonl: print topic, partition, offset, time, headers and key around each message, as tail -J does")
	fs.BoolVar(&o.Follow, "follow", false, "go on at the end of the topic, until Ctrl-C")
	fs.DurationVar(&o.Roll, "roll", o.Roll, "with --follow, how long a record waits for its file at most")
	fs.Func("batch", "`size` of messages that are read before their files are written, such as 64MB (128MiB by default): bounds memory and the size of files", func(s string) (err error) {
		o.Batch, err = parseSize(s)
		return err
	})
	fs.IntVar(&o.Columns, "columns", o.Columns, "at most so many features, and other entries of maps, get columns of their own")
}

func moment(to *time.Time) func(string) error {
	return func(s string) (err error) {
		*to, err = tail.ParseMoment(s)
		return err
	}
}

// parseSize reads a number of bytes, with a unit or without.
func parseSize(s string) (int64, error) {
	for _, u := range []struct {
		name string
		n    float64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"", 1}} {
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(n >= 0 && n*u.n < math.MaxInt64) {
			break
		}
		return int64(n * u.n), nil
	}
	return 0, fmt.Errorf("want a size such as 64MB or 1GiB")
}

// printTotals prints what an export did.
func printTotals(t *export.Totals, asJSON bool, w io.Writer) {
	if asJSON {
		_ = json.NewEncoder(w).Encode(t)
		return
	}
	fmt.Fprintf(w, "%s\n  rows     %d in %d files, %.1f MB, %.0f a second\n", t.Folder, t.Rows, t.Files, float64(t.Bytes)/1e6, t.RowsPerSecond)
	if t.AllRows != t.Rows {
		fmt.Fprintf(w, "  in all   %d in %d files, %.1f MB\n", t.AllRows, t.AllFiles, float64(t.AllBytes)/1e6)
	}
	if t.Skipped > 0 {
		fmt.Fprintf(w, "  left out %d that are not within --from and --to\n", t.Skipped)
	}
	if t.Missing > 0 {
		fmt.Fprintf(w, "  missing  %d offsets, which retention had deleted before they were read\n", t.Missing)
	}
}

// exportBar shows how far an export is: in place on a terminal, else by a line every five seconds.
type exportBar struct {
	w      io.Writer
	inLine bool
	began  time.Time
	last   time.Time
}

func (b *exportBar) show(p export.Progress) {
	interval := 5 * time.Second
	if b.inLine {
		interval = 200 * time.Millisecond
	}
	now := time.Now()
	if now.Sub(b.last) < interval || !b.inLine && b.last.IsZero() && now.Sub(b.began) < interval {
		return
	}
	b.last = now
	line := fmt.Sprintf("%s %d of %d offsets read, %d rows in files", bar(p.Read, p.Total), p.Read, p.Total, p.Rows)
	if perSecond := float64(p.Read) / now.Sub(b.began).Seconds(); perSecond > 0 {
		line += fmt.Sprintf(", %.0f/s", perSecond)
		if left := p.Total - p.Read; left > 0 {
			line += fmt.Sprintf(", %.0f s left", float64(left)/perSecond)
		}
	}
	if b.inLine {
		fmt.Fprintf(b.w, "\r\033[K%s", line)
		return
	}
	fmt.Fprintln(b.w, line)
}

func (b *exportBar) clear() {
	if b.inLine {
		fmt.Fprint(b.w, "\r\033[K")
	}
}
