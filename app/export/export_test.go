package export

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

func (s *source) run(cfg Config) Totals {
	s.t.Helper()
	totals, err := Run(s.t.Context(), s.client, cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	return totals
}

func TestAnExportGoesOnWhereItEnded(t *testing.T) {
	s, dir := newSource(t, 3, 1), t.TempDir()
	if totals := s.run(s.config(dir, Parquet)); totals.AllRows != 0 || !totals.Complete {
		t.Errorf("of an empty topic: %+v", totals)
	}
	for _, n := range []int{100, 1, 0, 50} {
		s.produce(n)
		totals := s.run(s.config(dir, Parquet))
		if totals.Rows != int64(n) || totals.AllRows != int64(len(s.made)) || !totals.Complete {
			t.Errorf("after %d more: %+v", n, totals)
		}
		s.check(dir, Parquet, s.made)
	}
	s.addPartition()
	s.produce(100)
	s.run(s.config(dir, Parquet))
	s.check(dir, Parquet, s.made)
}

func TestAnExportThatFollowsClosesFilesAndSeesNewPartitions(t *testing.T) {
	s, dir := newSource(t, 1, 1), t.TempDir()
	s.produce(10)
	cfg := s.config(dir, JSONL)
	cfg.Follow, cfg.Roll = true, time.Hour
	rolls, read := make(chan chan time.Time), make(chan int64, 1000)
	due := func(time.Duration) <-chan time.Time {
		c := make(chan time.Time)
		rolls <- c
		return c
	}
	cfg.OnProgress = func(p Progress) { read <- p.Read }
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	client := s.client
	go func() {
		_, err := run(ctx, client, cfg, nil, due)
		ended <- err
	}()
	until := func(n int) {
		for int(<-read) < n {
		}
	}
	roll := <-rolls
	until(10)
	if len(s.visible(dir, JSONL)) != 0 {
		t.Error("there are files before it was time")
	}
	roll <- time.Now()
	s.addPartition()
	before := maps.Clone(s.made)
	s.produce(20)
	roll = <-rolls // the first batch is in files once records of the next are read
	s.check(dir, JSONL, before)
	until(30)
	roll <- time.Now()
	s.produce(5)
	<-rolls
	until(35)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	s.check(dir, JSONL, s.made) // what was read when it was told to stop is in files, too
}

func TestAFolderOfAnotherExportIsRefused(t *testing.T) {
	s, dir := newSource(t, 1, 1), t.TempDir()
	s.produce(10)
	s.run(s.config(dir, CSV))
	f := func(wrong string, change func(*Config)) {
		t.Helper()
		cfg := s.config(dir, CSV)
		change(&cfg)
		if _, err := Run(t.Context(), s.client, cfg); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("the error is %v, want %q", err, wrong)
		}
	}
	f("--format csv, not parquet", func(c *Config) { c.Format = Parquet })
	f("--by event, not produced", func(c *Config) { c.By = ByProduced })
	f("--from none, not 2025-11-25T09:00:00Z", func(c *Config) { c.From = start })
	f("--to none, not 2025-11-25T09:00:00Z", func(c *Config) { c.To = start })
	f("topic "+s.prefix+"predictions, not x.predictions", func(c *Config) { c.Prefix = "x." })
	f("partition", func(c *Config) {
		d := disk{dir: filepath.Join(dir, "predictions")}
		m := *s.manifest(dir)
		m.Offsets = []int64{11}
		if err := d.save(&m); err != nil {
			t.Fatal(err)
		}
	})
	f("Kafka cluster", func(c *Config) {
		d := disk{dir: filepath.Join(dir, "predictions")}
		m := *s.manifest(dir)
		m.Offsets, m.Cluster = []int64{10}, "another"
		if err := d.save(&m); err != nil {
			t.Fatal(err)
		}
	})
	name := filepath.Join(dir, "predictions", manifestName)
	if err := os.WriteFile(name, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	f("cannot read "+name, func(*Config) {})
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	f("and no manifest", func(*Config) {})
}

func (s *source) manifest(dir string) *manifest {
	s.t.Helper()
	d := disk{dir: filepath.Join(dir, "predictions")}
	_, id, err := s.client.Identity(s.t.Context(), "predictions")
	if err != nil {
		s.t.Fatal(err)
	}
	cluster, _, _ := s.client.Identity(s.t.Context(), "predictions")
	m, err := d.open(&manifest{Topic: s.prefix + "predictions", Cluster: cluster, TopicID: id, Format: CSV, By: ByEvent})
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

func TestATopicThatIsMadeAgainIsRefusedByItsIds(t *testing.T) {
	s, dir := newSource(t, 1, 1), t.TempDir()
	s.produce(10)
	s.run(s.config(dir, CSV))
	before := s.manifest(dir).TopicID
	backend.DeleteTopic(t, backend.Kafka(t)[0], s.prefix+event.TopicPredictions)
	s.create()
	s.next[0], s.made = 0, map[place]string{}
	s.produce(20)
	_, id, err := s.client.Identity(t.Context(), event.TopicPredictions)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Run(t.Context(), s.client, s.config(dir, CSV))
	if err == nil || !strings.Contains(err.Error(), before) || !strings.Contains(err.Error(), id) || before == id {
		t.Errorf("the ids are %s and %s, the error is %v", before, id, err)
	}
	s.run(s.config(t.TempDir(), CSV))
}

func TestTwoExportsIntoOneFolderAreRefused(t *testing.T) {
	s, dir := newSource(t, 1, 1), t.TempDir()
	s.produce(10)
	cfg := s.config(dir, CSV)
	cfg.OnProgress = func(Progress) {
		if _, err := Run(t.Context(), s.client, s.config(dir, CSV)); err == nil || !strings.Contains(err.Error(), "another export writes into") {
			t.Errorf("the error is %v", err)
		}
	}
	s.run(cfg)
	s.run(s.config(dir, CSV))
	s.check(dir, CSV, s.made)
}

func TestWhatRetentionTookIsNamed(t *testing.T) {
	s, dir := newSource(t, 1, 1), t.TempDir()
	s.produce(10)
	take := func(before int64) {
		backend.DeleteRecords(t, backend.Kafka(t)[0], s.prefix+event.TopicPredictions, 0, before)
		for at := range s.made {
			if at.offset < before {
				delete(s.made, at)
			}
		}
	}
	take(3)
	totals := s.run(s.config(dir, CSV))
	s.check(dir, CSV, s.made)
	if totals.Missing != 3 || totals.Gaps[0] != (Gap{0, 0, 3}) {
		t.Errorf("totals %+v", totals)
	}
	kept := maps.Clone(s.made)
	s.produce(20)
	take(25)
	maps.Copy(s.made, kept)
	var log strings.Builder
	cfg := s.config(dir, CSV)
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	totals = s.run(cfg)
	s.check(dir, CSV, s.made)
	if totals.Missing != 18 || len(totals.Gaps) != 2 || totals.Gaps[1] != (Gap{0, 10, 25}) || !strings.Contains(log.String(), "from=10 to=24") {
		t.Errorf("totals %+v, log %s", totals, log.String())
	}
	if totals = s.run(s.config(dir, CSV)); totals.Missing != 18 || totals.Rows != 0 {
		t.Errorf("a run without news: %+v", totals)
	}
}

func TestFromAndToBoundTheTimeOfBy(t *testing.T) {
	s := newSource(t, 2, 5)
	s.produce(200)
	all, within := t.TempDir(), map[place]string{}
	s.run(s.config(all, JSONL))
	from, to := start.Add(20*time.Minute), start.Add(100*time.Minute)
	files, _ := filepath.Glob(filepath.Join(all, "predictions", "hour=*", "*"))
	for _, name := range files {
		for _, r := range readFile(t, name) {
			if !r.time.Before(from) && r.time.Before(to) {
				within[r.place] = r.id
			}
		}
	}
	if len(files) < 3 || len(within) < 20 || len(within) > 180 {
		t.Fatalf("%d files, %d records within", len(files), len(within))
	}
	dir := t.TempDir()
	cfg := s.config(dir, JSONL)
	cfg.From, cfg.To = from, to
	totals := s.run(cfg)
	s.check(dir, JSONL, within)
	if totals.Skipped != int64(200-len(within)) {
		t.Errorf("totals %+v", totals)
	}
	cfg = s.config(t.TempDir(), JSONL)
	cfg.By, cfg.From, cfg.To = ByProduced, from.Add(24*time.Hour), to.Add(24*time.Hour)
	if totals := s.run(cfg); totals.Rows != int64(len(within)) {
		t.Errorf("by production: %+v", totals)
	}
	if names, _ := filepath.Glob(filepath.Join(cfg.Dir, "predictions", "hour=2025-11-26T*")); len(names) == 0 {
		t.Error("no folder is of an hour of production")
	}
}

// A replay of old data has records of many hours side by side: one file is open at a time.
func TestManyHoursNeedNoMoreFilesOpen(t *testing.T) {
	s, dir := newSource(t, 2, 6), t.TempDir()
	s.hours = 300
	s.produce(1000)
	most := 0
	count := func(step string) error {
		if open, err := os.ReadDir("/proc/self/fd"); err == nil && step == "sync" {
			most = max(most, len(open))
		}
		return nil
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	totals, err := run(t.Context(), s.client, s.config(dir, CSV), count, time.After)
	if err != nil {
		t.Fatal(err)
	}
	s.check(dir, CSV, s.made)
	if most > len(open)+20 || totals.Files < 200 {
		t.Errorf("%d files are open, %d before; %d were written", most, len(open), totals.Files)
	}
}

func TestAnExportThatIsStoppedKeepsWhatItReadAndSaysSo(t *testing.T) {
	s, dir := newSource(t, 1, 7), t.TempDir()
	s.pad = 20_000
	s.produce(500)
	ctx, stop := context.WithCancel(t.Context())
	cfg := s.config(dir, CSV)
	cfg.OnProgress = func(Progress) { stop() }
	totals, err := Run(ctx, s.client, cfg)
	if !errors.Is(err, errStopped) || totals.Complete || totals.Rows == 0 || totals.Rows == 500 {
		t.Errorf("%v, totals %+v", err, totals)
	}
	if got := s.visible(dir, CSV); len(got) != int(totals.Rows) {
		t.Errorf("%d rows are in files, %d are told of", len(got), totals.Rows)
	}
	s.run(s.config(dir, CSV))
	s.check(dir, CSV, s.made)
}

// A record without a time in its message has the hour of its production.
func TestRecordsWithoutATimeOfTheirOwn(t *testing.T) {
	s, dir := newSource(t, 1, 8), t.TempDir()
	var records []stream.Record
	for _, value := range []string{"no JSON", `{"time":7}`, `{"time":"never"}`, `{"id":"a"}`, ``} {
		records = append(records, stream.Record{Time: start, Value: []byte(value)})
	}
	records[4].Value = nil
	if err := s.client.Produce(t.Context(), event.TopicPredictions, records); err != nil {
		t.Fatal(err)
	}
	if totals := s.run(s.config(dir, Parquet)); totals.Rows != 5 || totals.Files != 1 {
		t.Errorf("totals %+v", totals)
	}
	if _, err := os.Stat(filepath.Join(dir, "predictions", "hour=2025-11-25T09", "part-00000001.parquet")); err != nil {
		t.Error(err)
	}
}

func TestSettingsThatAreWrongAreNamed(t *testing.T) {
	f := func(wrong string, change func(*Config)) {
		t.Helper()
		cfg := DefaultConfig()
		cfg.Dir = "x"
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.HasPrefix(err.Error(), wrong) {
			t.Errorf("the error is %v, want %q", err, wrong)
		}
	}
	f("format is", func(c *Config) { c.Format = "orc" })
	f("by is", func(c *Config) { c.By = "day" })
	f("out is empty", func(c *Config) { c.Dir = "" })
	f("envelope is for", func(c *Config) { c.Envelope = true })
	f("to ends", func(c *Config) { c.Follow, c.To = true, start })
	f("to is", func(c *Config) { c.From, c.To = start, start })
	f("roll is", func(c *Config) { c.Roll = 0 })
	f("batch is", func(c *Config) { c.Batch = 1 })
	f("columns is", func(c *Config) { c.Columns = 3000 })
}
