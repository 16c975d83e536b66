package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/export"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

// exportedTopic is a topic with n predictions of some hours, at most a day. They are produced in an
// order that is not quite that of their times.
func exportedTopic(t *testing.T, n int) (flags []string) {
	t.Helper()
	brokers, prefix := backend.Kafka(t), backend.Prefix(t)
	client, err := stream.Dial(stream.Config{Brokers: brokers, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := client.EnsureTopics(t.Context(), stream.Topic{Name: event.TopicPredictions, Partitions: 4, Retention: 100 * 365 * 24 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 1))
	var records []stream.Record
	for i := range n {
		records = append(records, prediction(random, i, n))
		if len(records) == 5000 || i == n-1 {
			if err := client.Produce(t.Context(), event.TopicPredictions, records); err != nil {
				t.Fatal(err)
			}
			records = records[:0]
		}
	}
	return []string{"--kafka", strings.Join(brokers, ","), "--prefix", prefix}
}

// prediction is the i-th of n predictions, at least 2,000 an hour.
func prediction(random *rand.Rand, i, n int) stream.Record {
	span := min(24*time.Hour, time.Duration(n)*time.Hour/2000)
	at := time.UnixMilli(1_790_000_000_000).Add(time.Duration(float64(i)/float64(n)*float64(span)) + time.Duration(random.IntN(60))*time.Second)
	p := event.Prediction{ID: fmt.Sprintf("r%d.0", i), Request: fmt.Sprintf("r%d", i), Time: event.TimeOf(at), User: fmt.Sprintf("u%d", random.IntN(n)), Ad: fmt.Sprintf("a%d", random.IntN(500)),
		P:     []event.ObjectiveP{{Objective: "click", P: random.Float64()}, {Objective: "conversion", P: random.ExpFloat64() / 1e3}},
		Model: []event.ObjectiveVersion{{Objective: "click", Version: fmt.Sprintf("click@%d", i)}}, Propensity: 0.95, Policy: "epsilon:0.05", AgeMs: []event.Age{{Name: "user", Ms: random.Int64N(1000)}}}
	for f := range 20 {
		v := event.Value{Kind: event.Number, Num: random.NormFloat64()}
		if f%2 == 0 {
			v = event.Value{Kind: event.String, Str: fmt.Sprintf("v%d", random.IntN(1+f*f))}
		}
		p.Features = append(p.Features, event.Field{Name: fmt.Sprintf("f%d", f), Value: v})
	}
	return stream.Record{Partition: -1, Key: []byte(p.ID), Time: at.Add(time.Hour), Value: p.AppendJSON(nil), Headers: []stream.Header{{Key: event.HeaderSchema, Value: []byte(event.SchemaPrediction)}}}
}

// TestAnExportThatIsKilledHasEveryPredictionOnce kills a process three times and compares what the
// fourth completes with the topic. With CLICKLOOP_TEST_PYTHON, DuckDB, pandas and pyarrow compare.
func TestAnExportThatIsKilledHasEveryPredictionOnce(t *testing.T) {
	n := 6000
	if s := os.Getenv("CLICKLOOP_TEST_EXPORT"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	flags := exportedTopic(t, n)
	for _, format := range []string{"parquet", "csv"} {
		t.Run(format, func(t *testing.T) {
			dir := t.TempDir()
			batch := max(1<<20, n*1000/40) // some dozens of batches
			args := append([]string{"export", event.TopicPredictions, "--out", dir, "--format", format, "--batch", strconv.Itoa(batch), "--json"}, flags...)
			folder := filepath.Join(dir, event.TopicPredictions)
			for kill := range 3 {
				killWhen(t, program(t.Context(), args...), func() bool { return rowsDone(folder) >= int64(n*(kill+1)/5) })
			}
			var totals export.Totals
			last := program(t.Context(), args...)
			out, err := last.Output()
			if err == nil {
				err = json.Unmarshal(out, &totals)
			}
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if totals.AllRows != int64(n) || totals.Rows == 0 || totals.Rows == int64(n) || !totals.Complete {
				t.Errorf("totals %+v", totals)
			}
			used := last.ProcessState
			t.Logf("%d rows in %d files, %.1f MB; the last run wrote %d rows in %.1f s, and took %v of processors and %d MB", totals.AllRows, totals.AllFiles, float64(totals.AllBytes)/1e6,
				totals.Rows, totals.Seconds, used.UserTime()+used.SystemTime(), used.SysUsage().(*syscall.Rusage).Maxrss>>10)
			compareExport(t, folder, format, n, flags)
		})
	}
}

// rowsDone is how many rows the manifest of a folder tells of.
func rowsDone(folder string) int64 {
	var m struct{ Rows int64 }
	if b, err := os.ReadFile(filepath.Join(folder, "_export", "manifest.json")); err != nil || json.Unmarshal(b, &m) != nil {
		return 0
	}
	return m.Rows
}

// killWhen starts a process, and kills it some moments after a condition holds.
func killWhen(t *testing.T, cmd *exec.Cmd, holds func() bool) {
	t.Helper()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for look := time.NewTicker(time.Millisecond); !holds(); {
		select {
		case err := <-ended:
			t.Fatalf("the export ended before it was killed: %v: %s", err, errs.String())
		case <-look.C:
		}
	}
	time.Sleep(time.Duration(rand.IntN(10)) * time.Millisecond)
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("the export had ended before it was killed")
	}
}

// compareExport compares files with the topic, by the tools of scripts/python.sh where they are
// there.
func compareExport(t *testing.T, folder, format string, n int, flags []string) {
	t.Helper()
	python := os.Getenv("CLICKLOOP_TEST_PYTHON")
	if python == "" {
		t.Log("CLICKLOOP_TEST_PYTHON is not set: scripts/python.sh build prints its value, scripts/integration.sh sets it")
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	tail := program(ctx, append([]string{"tail", event.TopicPredictions, "-o", "beginning", "-e", "-J"}, flags...)...)
	check := exec.CommandContext(ctx, python, "../../scripts/export_check.py", folder, format)
	pipe, err := tail.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	check.Stdin, check.Stdout, check.Stderr = pipe, &out, &errs
	if err := tail.Start(); err != nil {
		t.Fatal(err)
	}
	err = check.Run()
	if tailErr := tail.Wait(); err != nil || tailErr != nil {
		t.Fatalf("%v, %v: %s", err, tailErr, errs.String())
	}
	t.Log(strings.TrimSpace(out.String()))
	var compared struct{ Records, Columns, DuckDB, Pandas int }
	if err := json.Unmarshal(out.Bytes(), &compared); err != nil || compared.Records != n || compared.DuckDB != n || compared.Pandas != n || compared.Columns < 30 {
		t.Errorf("%v: it compared %s", err, out.String())
	}
}
