package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/retry"
	"github.com/clickloop/clickloop/internal/strictjson"
	"github.com/clickloop/clickloop/stream"
	"golang.org/x/sync/errgroup"
)

// fetched is what a reader sends: records of a partition, and the offset behind them.
type fetched struct {
	partition int
	records   []stream.Record
	next      int64
	gap       *Gap
}

// openTime bounds the questions at the start.
const openTime = 10 * time.Second

// open locks the folder and finds where to go on. It returns the partitions' ends.
func (e *exporter) open(ctx context.Context) ([]int64, error) {
	bounded, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	ranges, err := e.client.Offsets(bounded, e.cfg.Topic)
	if err != nil {
		return nil, fmt.Errorf("cannot read topic %s: %w", e.cfg.Topic, err)
	}
	want := &manifest{Version: manifestVersion, Topic: e.cfg.Prefix + e.cfg.Topic, Format: e.cfg.Format, By: e.cfg.By, Envelope: e.cfg.Envelope, From: e.cfg.From, To: e.cfg.To}
	if want.Cluster, want.TopicID, err = e.client.Identity(bounded, e.cfg.Topic); err != nil {
		return nil, fmt.Errorf("cannot tell which topic %s is: %w", e.cfg.Topic, err)
	}
	if err := os.MkdirAll(e.disk.path(stateDir), 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the folder: %w", err)
	}
	if e.locked, err = e.disk.lock(lockName); err != nil {
		return nil, err
	}
	if err := e.start(want, ranges); err != nil {
		return nil, errors.Join(err, e.close())
	}
	ends := make([]int64, len(ranges))
	for p, r := range ranges {
		ends[p] = r.End
		e.total += max(r.End-e.offsets[p], 0)
	}
	return ends, nil
}

func (e *exporter) close() error { return e.locked.Close() }

// start takes the manifest up.
func (e *exporter) start(want *manifest, ranges []stream.Range) (err error) {
	if e.manifest, err = e.disk.open(want); err != nil {
		return err
	}
	e.columns = newColumns(e.layout, e.cfg.Columns, e.manifest.Columns)
	if e.manifest.Sequence > 0 {
		if err := e.saveMetadata(); err != nil { // a kill may have come before it
			return err
		}
	}
	if n := len(ranges); n < len(e.manifest.Offsets) {
		return fmt.Errorf("%s had %d partitions and has %d: use another folder", want.Topic, len(e.manifest.Offsets), n)
	}
	e.offsets = make([]int64, len(ranges))
	copy(e.offsets, e.manifest.Offsets)
	for p, r := range ranges {
		if e.offsets[p] > r.End {
			return fmt.Errorf("%s partition %d ends at offset %d, and the export has it up to %d: the brokers lost records, so use another folder", want.Topic, p, r.End, e.offsets[p])
		}
		if e.offsets[p] < r.First {
			e.gap(Gap{p, e.offsets[p], r.First})
			e.offsets[p] = r.First
		}
	}
	return nil
}

// gap notes records that are gone.
func (e *exporter) gap(g Gap) {
	e.manifest.addGap(g)
	e.gaps = true
	e.cfg.Logger.Warn("retention had deleted records before they were exported", "topic", e.manifest.Topic, "partition", g.Partition, "from", g.From, "to", g.To-1)
}

// read exports what the partitions hold. Each is read by a goroutine of its own, which waits while
// a batch is written: at most one fetch of each is in memory beside the batch.
func (e *exporter) read(ctx context.Context, ends []int64) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	g, reading := errgroup.WithContext(reading)
	out := make(chan fetched)
	for p := range ends {
		from := e.offsets[p]
		g.Go(func() error { return e.partition(reading, p, from, ends[p], len(ends), out) })
	}
	if e.cfg.Follow {
		g.Go(func() error { return e.watchPartitions(reading, g, len(ends), out) })
	}
	var failed error
	go func() { // ends before read: it closes out
		failed = g.Wait()
		close(out)
	}()
	err := e.collect(ctx, out, ends)
	stop()
	for range out { // until the readers have ended
	}
	return errors.Join(failed, err)
}

// collect gathers what the readers send into batches, and writes them. What was read before ctx
// ended, or a reader failed, is in files when it returns.
func (e *exporter) collect(ctx context.Context, out <-chan fetched, ends []int64) error {
	var roll <-chan time.Time
	dirty := e.manifest.Sequence == 0 || e.gaps
	flush := func() error {
		roll, dirty = nil, false
		return e.flush()
	}
	for open := true; open; {
		full := false
		select {
		case f, ok := <-out:
			if open = ok; !ok {
				break
			}
			if dirty = true; e.cfg.Follow && roll == nil {
				roll = e.due(e.cfg.Roll)
			}
			e.take(&f)
		case <-roll:
			full = true
		case <-ctx.Done():
			open = false
		}
		if full || e.batch.bytes >= e.cfg.Batch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	e.totals.Complete = true
	for p, end := range ends {
		e.totals.Complete = e.totals.Complete && e.offsets[p] >= end
	}
	if dirty {
		if err := flush(); err != nil {
			return err
		}
	}
	e.warn()
	return e.ended(ctx)
}

// take adds what a reader sent to the batch.
func (e *exporter) take(f *fetched) {
	if f.gap != nil {
		e.gap(*f.gap)
	}
	for f.partition >= len(e.offsets) {
		e.offsets = append(e.offsets, 0)
	}
	e.passed += f.next - e.offsets[f.partition]
	e.offsets[f.partition] = f.next
	for i := range f.records {
		r := &f.records[i]
		at := e.timeOf(r)
		if at.Before(e.cfg.From) || !e.cfg.To.IsZero() && !at.Before(e.cfg.To) {
			e.totals.Skipped++
			continue
		}
		e.batch.add(at.UTC().Format("2006-01-02T15"), *r)
	}
	if e.cfg.OnProgress != nil {
		e.cfg.OnProgress(Progress{Read: e.passed, Total: e.total, Rows: e.totals.Rows})
	}
}

// timeOf is the time that decides the hour of a record.
func (e *exporter) timeOf(r *stream.Record) time.Time {
	if e.cfg.By == ByEvent && e.layout.at != "" {
		if t, ok := timeIn(r.Value, e.layout.at); ok {
			return t.Std()
		}
	}
	return r.Time
}

// timeIn reads a member of a message up to which it need not be read further.
func timeIn(value []byte, name string) (event.Time, bool) {
	var r strictjson.Reader
	r.Reset(unsafe.String(unsafe.SliceData(value), len(value)), limits)
	if r.Kind() != strictjson.KindObject {
		return 0, false
	}
	for r.Object(); r.Key(); {
		if r.Name() != name {
			r.Raw()
			continue
		}
		if r.Kind() != strictjson.KindString {
			return 0, false
		}
		t, err := event.ParseTime(r.Text())
		return t, err == nil && r.Err() == nil
	}
	return 0, false
}

// partition sends the records of a partition: up to end, or with Follow for ever.
func (e *exporter) partition(ctx context.Context, p int, from, end int64, partitions int, out chan<- fetched) error {
	if !e.cfg.Follow && from >= end {
		return nil
	}
	fetch := min(max(e.cfg.Batch/int64(4*partitions), minFetch), maxFetch)
	r := e.client.NewReader(e.cfg.Topic, p, from).Hold(e.manifest.TopicID).Fetch(int(fetch))
	defer r.Close()
	for e.cfg.Follow || r.Offset() < end {
		f, err := e.next(ctx, r, p)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("cannot go on with partition %d: %w", p, err)
		}
		if !e.cfg.Follow {
			f.cut(end)
		}
		select {
		case out <- f:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// Bytes of a fetch.
const (
	minFetch = 64 << 10
	maxFetch = 2 << 20
)

// next fetches once. The records are a copy of the reader's.
func (e *exporter) next(ctx context.Context, r *stream.Reader, p int) (fetched, error) {
	before := r.Offset()
	records, err := r.Next(ctx)
	f := fetched{partition: p, next: r.Offset()}
	var trimmed *stream.TrimmedError
	switch {
	case errors.As(err, &trimmed):
		f.gap = &Gap{p, trimmed.Wanted, trimmed.First}
		return f, nil
	case err != nil:
		return f, err
	}
	f.records = append(f.records, records...)
	if before == 0 && (len(records) == 0 || records[0].Offset > 0) {
		ranges, err := e.client.Offsets(ctx, e.cfg.Topic) // at offset 0 a reader passes over what is gone
		if err != nil {
			return f, err
		}
		if first := min(ranges[p].First, f.next); first > 0 {
			f.gap = &Gap{p, 0, first}
		}
	}
	return f, nil
}

// cut leaves out what is at end and behind it.
func (f *fetched) cut(end int64) {
	n := len(f.records)
	for n > 0 && f.records[n-1].Offset >= end {
		n--
	}
	if f.records = f.records[:n]; f.gap == nil {
		f.next = min(f.next, end)
	}
}

// watchPartitions reads partitions that are added.
func (e *exporter) watchPartitions(ctx context.Context, g *errgroup.Group, known int, out chan<- fetched) error {
	for retry.Sleep(ctx, partitionsEvery) {
		n, err := e.client.Partitions(ctx, e.cfg.Topic)
		if err != nil {
			continue // it is asked again; readers tell of brokers that are away
		}
		for ; known < n; known++ {
			p := known
			g.Go(func() error { return e.partition(ctx, p, 0, 0, n, out) })
		}
	}
	return nil
}

// partitionsEvery is how often an export that follows looks for partitions that are added.
const partitionsEvery = 2 * time.Second
