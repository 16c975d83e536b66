package export

import (
	"encoding/csv"
	stdjson "encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
	"github.com/parquet-go/parquet-go"
)

// place is where a record stands.
type place struct{ partition, offset int64 }

// source is a topic with predictions.
type source struct {
	t      *testing.T
	client *stream.Client
	prefix string
	random *rand.Rand
	hours  int              // over which predictions are spread
	pad    int              // bytes that make each one larger
	made   map[place]string // ids of all records
	next   []int64
}

func newSource(t *testing.T, partitions int, seed uint64) *source {
	t.Helper()
	s := &source{t: t, prefix: backend.Prefix(t), random: rand.New(rand.NewPCG(seed, 2)), hours: 3, made: map[place]string{}, next: make([]int64, partitions)}
	s.dial()
	s.create()
	return s
}

// dial makes a client that has seen no topic yet.
func (s *source) dial() {
	s.t.Helper()
	client, err := stream.Dial(stream.Config{Brokers: backend.Kafka(s.t), Prefix: s.prefix})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = client.Close() })
	s.client = client
}

// addPartition lets later records go to one more partition.
func (s *source) addPartition() {
	s.t.Helper()
	s.next = append(s.next, 0)
	backend.AddPartitions(s.t, backend.Kafka(s.t)[0], s.prefix+event.TopicPredictions, len(s.next))
	s.dial()
	for seen := 0; seen < len(s.next); { // real brokers tell of it some moments later
		ranges, err := s.client.Offsets(s.t.Context(), event.TopicPredictions)
		if err != nil {
			s.t.Fatal(err)
		}
		seen = len(ranges)
	}
}

func (s *source) create() {
	s.t.Helper()
	if err := s.client.EnsureTopics(s.t.Context(), stream.Topic{Name: event.TopicPredictions, Partitions: len(s.next), Retention: 100 * 365 * 24 * time.Hour}); err != nil {
		s.t.Fatal(err)
	}
}

// start is the time of the first prediction.
var start = time.Date(2025, 11, 25, 9, 0, 0, 0, time.UTC)

// produce adds n predictions. They are produced a day after they were made.
func (s *source) produce(n int) {
	s.t.Helper()
	var records []stream.Record
	for range n {
		at := event.TimeOf(start.Add(time.Duration(s.random.Int64N(int64(s.hours) * int64(time.Hour)))))
		p := event.Prediction{ID: fmt.Sprintf("p%d", len(s.made)), Time: at, P: []event.ObjectiveP{{Objective: "click", P: s.random.Float64()}},
			Features: event.Fields{{Name: "n", Value: event.Value{Kind: event.Number, Num: float64(len(s.made))}}, {Name: "pad", Value: event.Value{Kind: event.String, Str: strings.Repeat("x", s.pad)}}}}
		partition := s.random.IntN(len(s.next))
		records = append(records, stream.Record{Partition: partition, Time: at.Std().Add(24 * time.Hour), Value: p.AppendJSON(nil)})
		s.made[place{int64(partition), s.next[partition]}] = p.ID
		s.next[partition]++
	}
	if err := s.client.Produce(s.t.Context(), event.TopicPredictions, records); err != nil {
		s.t.Fatal(err)
	}
}

func (s *source) config(dir string, f Format) Config {
	cfg := DefaultConfig()
	cfg.Topic, cfg.Prefix, cfg.Dir, cfg.Format, cfg.Batch = event.TopicPredictions, s.prefix, dir, f, minBatch
	cfg.Envelope = f == JSONL
	return cfg
}

// check requires that the files hold each of the records once, in the folders of their hours.
func (s *source) check(dir string, f Format, want map[place]string) {
	s.t.Helper()
	got := s.visible(dir, f)
	for at, id := range want {
		if got[at] != id {
			s.t.Fatalf("record %+v is %q, want %q (%d of %d are there)", at, got[at], id, len(got), len(want))
		}
	}
	if len(got) != len(want) {
		s.t.Fatalf("%d records are in files, want %d", len(got), len(want))
	}
}

// visible reads the files under names of data. Each is whole, and no record is there twice.
func (s *source) visible(dir string, f Format) map[place]string {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, event.TopicPredictions, "hour=*", "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	got := map[place]string{}
	for _, name := range files {
		if filepath.Ext(name) != "."+string(f) {
			s.t.Fatalf("%s is no file of data", name)
		}
		for _, r := range readFile(s.t, name) {
			at := place{r.partition, r.offset}
			if _, twice := got[at]; twice {
				s.t.Fatalf("record %+v is there twice, in %s", at, name)
			}
			if hour := "hour=" + r.time.Format("2006-01-02T15"); filepath.Base(filepath.Dir(name)) != hour {
				s.t.Fatalf("record %+v of %s is in %s", at, hour, name)
			}
			got[at] = r.id
		}
	}
	return got
}

// exported is a record as a file has it.
type exported struct {
	place
	id   string
	time time.Time
}

func readFile(t *testing.T, name string) []exported {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []exported
	switch filepath.Ext(name) {
	case ".parquet":
		list, err = readParquet(f)
	case ".csv":
		list, err = readCSV(f)
	default:
		list, err = readLines(f)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return list
}

func readParquet(f *os.File) ([]exported, error) {
	type columns struct {
		ID        *string    `parquet:"id"`
		Time      *time.Time `parquet:"time,timestamp(millisecond)"`
		Partition *int64     `parquet:"kafka_partition"`
		Offset    *int64     `parquet:"kafka_offset"`
	}
	r := parquet.NewGenericReader[columns](f)
	defer r.Close()
	rows := make([]columns, r.NumRows())
	if n, err := r.Read(rows); n != len(rows) {
		return nil, fmt.Errorf("%d of %d rows: %w", n, len(rows), err)
	}
	var list []exported
	for _, c := range rows {
		list = append(list, exported{place{*c.Partition, *c.Offset}, *c.ID, c.Time.UTC()})
	}
	return list, nil
}

func readCSV(f io.Reader) ([]exported, error) {
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	var list []exported
	for _, row := range rows[1:] {
		get := func(name string) string { return row[slices.Index(rows[0], name)] }
		e := exported{id: get("id")}
		_, err1 := fmt.Sscan(get("kafka_partition")+" "+get("kafka_offset"), &e.partition, &e.offset)
		at, err2 := time.Parse(time.RFC3339, get("time"))
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("%v, %v in %q", err1, err2, row)
		}
		e.time = at
		list = append(list, e)
	}
	return list, nil
}

func readLines(f io.Reader) ([]exported, error) {
	var list []exported
	for d := stdjson.NewDecoder(f); ; {
		var line struct {
			Partition, Offset int64
			Payload           string
		}
		if err := d.Decode(&line); err == io.EOF {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		var p event.Prediction
		if err := p.UnmarshalJSON([]byte(line.Payload)); err != nil {
			return nil, err
		}
		list = append(list, exported{place{line.Partition, line.Offset}, p.ID, p.Time.Std()})
	}
}
