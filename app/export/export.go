// Package export writes a topic into files for data tools: Parquet, CSV or JSON lines, in one
// folder an hour. It is for analysts, who ask DuckDB or pandas.
//
// Every record of the topic is in the files once, whatever kills the process, and however often the
// export goes on. A batch of records is written into temporary files, which are made durable; then
// the manifest is replaced, which is the commit: it moves the offsets and names the files; then the
// files get their names. A process that starts gives names to the files of the last commit, and
// deletes those that no commit names. So a file under a data name is whole, and no reader ever sees
// a record twice.
package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/stream"
)

// Format is the format of files, and the ending of their names.
type Format string

// Formats of files.
const (
	Parquet Format = "parquet"
	CSV     Format = "csv"
	JSONL   Format = "jsonl"
)

// By is the time of a record that decides its hour, and that From and To bound.
type By string

// Times of records.
const (
	// ByEvent is the time in the message (of an evaluation the start of its window), and that of
	// production where a message has none. A late record adds a file to an hour.
	ByEvent By = "event"
	// ByProduced is the record's own time. Hours follow one another, but for producers' clocks.
	ByProduced By = "produced"
)

// Config says what is exported.
type Config struct {
	Topic    string // without the prefix
	Prefix   string // of topics, as the client has it
	Dir      string // the export is in its subfolder with the topic's name
	Format   Format
	By       By
	Envelope bool // JSONL: topic, partition, offset, time, headers and key around each message
	// only records whose time is not before From, and before To; zero: no bound
	From, To time.Time
	Follow   bool          // go on at the end of the topic, until ctx ends
	Roll     time.Duration // with Follow: how long a record waits for its file at most
	// bytes of records that are read before they are written: it bounds memory and the size of
	// files. Each batch makes one file for each hour that it has records of
	Batch   int64
	Columns int // at most so many entries of maps get columns of their own
	Logger  *slog.Logger
	// OnProgress is called after each read, by one goroutine
	OnProgress func(Progress)
}

// DefaultConfig exports Parquet by the hours of events.
func DefaultConfig() Config {
	return Config{Format: Parquet, By: ByEvent, Roll: 5 * time.Minute, Batch: 128 << 20, Columns: 256}
}

// Bounds of settings.
const (
	minBatch   = 1 << 20
	maxBatch   = 16 << 30
	maxColumns = 2000
)

// Validate returns a *field.Error about the first setting that is wrong.
func (c *Config) Validate() error {
	switch {
	case c.Format != Parquet && c.Format != CSV && c.Format != JSONL:
		return field.Wrong("format", "is %q, want parquet, csv or jsonl", c.Format)
	case c.By != ByEvent && c.By != ByProduced:
		return field.Wrong("by", "is %q, want event or produced", c.By)
	case c.Envelope && c.Format != JSONL:
		return field.Wrong("envelope", "is for --format jsonl: %s has columns for offset, time, key and headers", c.Format)
	case c.Dir == "":
		return field.Wrong("out", "is empty, want a folder")
	case c.Follow && !c.To.IsZero():
		return field.Wrong("to", "ends an export that --follow lets go on: give one of them")
	case !c.To.IsZero() && !c.From.Before(c.To):
		return field.Wrong("to", "is %s, which is not after --from", shown(c.To))
	case c.Roll < time.Second || c.Roll > 24*time.Hour:
		return field.Wrong("roll", "is %v, want 1s to 24h", c.Roll)
	case c.Batch < minBatch || c.Batch > maxBatch:
		return field.Wrong("batch", "is %d bytes, want %d to %d", c.Batch, minBatch, maxBatch)
	case c.Columns < 0 || c.Columns > maxColumns:
		return field.Wrong("columns", "is %d, want 0 to %d", c.Columns, maxColumns)
	}
	return nil
}

// Progress is how far a run is.
type Progress struct {
	Read, Total int64 // offsets that are passed, and that are to be passed as of the start
	Rows        int64 // in files
}

// Totals are what a run did, and what the folder holds.
type Totals struct {
	Topic    string  `json:"topic"` // with the prefix
	Folder   string  `json:"folder"`
	Rows     int64   `json:"rows"`  // of this run
	Files    int64   `json:"files"` // likewise
	Bytes    int64   `json:"bytes"` // likewise, of the files
	AllRows  int64   `json:"all_rows"`
	AllFiles int64   `json:"all_files"`
	AllBytes int64   `json:"all_bytes"`
	Offsets  []int64 `json:"offsets"` // by partition: the next run begins there
	Skipped  int64   `json:"skipped"` // records of this run that are not within --from and --to
	Missing  int64   `json:"missing"` // offsets that retention had deleted before they were read
	Gaps     []Gap   `json:"gaps"`
	Columns  int     `json:"columns"` // of entries of maps
	// names of entries that have no column; they are in their maps
	WithoutColumn int     `json:"without_column"`
	Complete      bool    `json:"complete"` // it came to the end, as of its start
	Seconds       float64 `json:"seconds"`
	RowsPerSecond float64 `json:"rows_per_second"`
}

// exporter is one run. One goroutine owns its fields; readers send it what they fetch.
type exporter struct {
	cfg      Config
	client   *stream.Client
	layout   *layout
	columns  *columns
	disk     *disk
	manifest *manifest
	metadata int  // columns in the file of metadata; -1: not known
	gaps     bool // some were found in this run
	batch    batch
	offsets  []int64 // read up to, by partition
	totals   Totals
	passed   int64 // offsets
	total    int64 // offsets, as of the start
	locked   *os.File
	due      func(time.Duration) <-chan time.Time // time.After
}

// Run exports until the end of the topic as of now, or with Follow until ctx ends. What was read by
// then is in files. An error leaves the export such that another Run goes on.
func Run(ctx context.Context, client *stream.Client, cfg Config) (Totals, error) {
	return run(ctx, client, cfg, nil, time.After)
}

// run is Run with a step of the disk, and timers, for tests.
func run(ctx context.Context, client *stream.Client, cfg Config, step func(string) error, due func(time.Duration) <-chan time.Time) (Totals, error) {
	if err := cfg.Validate(); err != nil {
		return Totals{}, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	began := time.Now()
	e := &exporter{cfg: cfg, client: client, layout: layoutOf(cfg.Topic), disk: &disk{filepath.Join(cfg.Dir, cfg.Topic), step}, metadata: -1, due: due}
	ends, err := e.open(ctx)
	if err != nil {
		return Totals{}, err
	}
	defer e.close()
	err = e.read(ctx, ends)
	e.totals.Seconds = time.Since(began).Seconds()
	e.sum()
	return e.totals, err
}

// sum completes the totals.
func (e *exporter) sum() {
	m, t := e.manifest, &e.totals
	t.Topic, t.Folder, t.AllRows, t.AllFiles, t.AllBytes = m.Topic, e.disk.dir, m.Rows, m.Files, m.Bytes
	t.Offsets, t.Missing, t.Gaps, t.Columns, t.WithoutColumn = m.Offsets, m.Missing, m.Gaps, len(e.columns.list), len(e.columns.left)
	if t.Gaps == nil {
		t.Gaps = []Gap{}
	}
	if t.Seconds > 0 {
		t.RowsPerSecond = float64(t.Rows) / t.Seconds
	}
}

// flush commits what is read: it writes a file for each hour, the manifest, and the files' names.
func (e *exporter) flush() error {
	next := *e.manifest
	next.Offsets = append([]int64(nil), e.offsets...)
	next.Gaps = append([]Gap(nil), e.manifest.Gaps...)
	next.Pending = nil
	var bytes int64
	for _, hour := range e.batch.sorted() {
		name := e.name(hour)
		// the manifest still names the files of the batch before: another batch has other names
		temporary := fmt.Sprintf("%s/%08d-%s.tmp", tmpDir, next.Sequence+1, hour)
		n, err := e.writeFile(temporary, e.batch.hours[hour])
		if err != nil {
			_ = e.disk.sweep() // gives the space back; a run that begins does it again
			return err
		}
		next.Pending = append(next.Pending, pending{temporary, name})
		bytes += n
		delete(e.batch.hours, hour)
	}
	files := int64(len(next.Pending))
	next.Sequence++
	next.Rows, next.Files, next.Bytes = next.Rows+e.batch.rows, next.Files+files, next.Bytes+bytes
	next.Columns = e.columns.list
	if err := e.commit(&next); err != nil {
		return err
	}
	e.totals.Rows, e.totals.Files, e.totals.Bytes = e.totals.Rows+e.batch.rows, e.totals.Files+files, e.totals.Bytes+bytes
	e.batch = batch{}
	return nil
}

// commit makes next the manifest, and gives the files their names.
func (e *exporter) commit(next *manifest) error {
	if len(next.Pending) > 0 {
		if err := e.disk.syncFolder(tmpDir); err != nil {
			return err
		}
	}
	if err := e.disk.save(next); err != nil {
		return err
	}
	e.manifest = next
	if err := e.saveMetadata(); err != nil {
		return err
	}
	return e.disk.publish(next.Pending)
}

// saveMetadata writes the schema with all columns, which a single file need not have.
func (e *exporter) saveMetadata() error {
	if e.cfg.Format != Parquet || e.metadata == len(e.columns.list) {
		return nil
	}
	b, err := commonMetadata(e.columns.table())
	if err != nil {
		return err
	}
	e.metadata = len(e.columns.list)
	return e.disk.replace(commonName, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// writeFile writes the records of an hour.
func (e *exporter) writeFile(name string, records []stream.Record) (int64, error) {
	if e.cfg.Format == JSONL {
		return e.disk.writeFile(name, func(w io.Writer) error { return e.writeLines(records, w) })
	}
	e.discover(records)
	return e.disk.writeFile(name, func(w io.Writer) error { return e.writeTable(records, w) })
}

// errStopped is returned when ctx ends before the end of the topic.
var errStopped = errors.New("stopped before the end: run the command again, and it goes on")

// ended is what run returns once everything that was read is in files.
func (e *exporter) ended(ctx context.Context) error {
	if ctx.Err() != nil && !e.cfg.Follow && !e.totals.Complete {
		return errStopped
	}
	return nil
}

// smallFile is how many rows a file has that is worth opening.
const smallFile = 1000

// warn names entries that have no column, and files that are many and small.
func (e *exporter) warn() {
	if some, n := e.columns.examples(); n > 0 {
		e.cfg.Logger.Warn("some entries have no column of their own, and are in their maps only", "entries", n, "such_as", some, "columns", e.cfg.Columns)
	}
	if t := &e.totals; t.Files > 100 && t.Rows < smallFile*t.Files {
		e.cfg.Logger.Warn("the files are many and small, since records of many hours stand side by side on the topic: a larger --batch, or --by produced, makes fewer", "files", t.Files, "rows", t.Rows)
	}
}
