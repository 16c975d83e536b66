package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/fit"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/internal/backend"
)

// TestMain lets the test binary be the program, so that it can be killed.
func TestMain(m *testing.M) {
	if os.Getenv("CLICKLOOP_TEST_MAIN") == "1" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		os.Exit(execute(ctx, hideSecrets(os.Args)[1:], os.Stdout, os.Stderr))
	}
	backend.Main(m)
}

const (
	bank     = "../../examples/bank-marketing"
	profiles = bank + "/profiles.yaml"
)

// command is the program with arguments.
func program(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), "CLICKLOOP_TEST_MAIN=1")
	return cmd
}

// services are the flags for the backend under test: none for the embedded one, whose ports are
// free ones. Its configuration is that of files and of the backend together.
func services(t *testing.T, files ...string) []string {
	t.Helper()
	args := []string{"--http", "127.0.0.1:0"}
	if backend.Real() {
		args = append(args, "--kafka", strings.Join(backend.Kafka(t), ","), "--redis", backend.Redis(t), "--prefix", backend.Prefix(t))
	}
	if file := backend.ConfigFile(); file != "" {
		files = append(files, file)
	}
	switch len(files) {
	case 0:
	case 1:
		args = append(args, "--config", files[0])
	default:
		var all []byte
		for _, file := range files {
			all = append(append(all, readFile(t, file)...), '\n')
		}
		args = append(args, "--config", writeFile(t, t.TempDir(), "all.yaml", string(all)))
	}
	return args
}

// output runs the program to its end and decodes the JSON object that it prints.
func output(t *testing.T, v any, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := program(ctx, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("clickloop %s: %v\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	if err := json.Unmarshal(out, v); err != nil {
		t.Fatalf("clickloop %s printed %q: %v", strings.Join(args, " "), out, err)
	}
}

func TestLockstepThroughAllStagesIsOfflineFitBitForBit(t *testing.T) {
	f := func(rows int, recording string, configs ...string) {
		t.Helper()
		limit := fmt.Sprint(rows)
		var offline fit.Result
		args := []string{"fit", recording, "--json", "--limit", limit}
		for _, file := range configs {
			args = append(args, "--config", file)
		}
		output(t, &offline, args...)
		var live run.Summary
		output(t, &live, append([]string{"up", "--replay", recording, "--lockstep", "--exit", "--json", "--limit", limit}, services(t, configs...)...)...)
		if live.Weights != offline.Weights || live.Weights == "" {
			t.Errorf("%s: weights of the live loop %s, offline %s", recording, live.Weights, offline.Weights)
		}
		n := int64(rows)
		if live.Requests != n || live.Predictions != n || live.Examples != n || offline.Examples != n || live.DeadLetters != 0 {
			t.Errorf("%s: %d requests, %d predictions, %d examples, %d dead letters, offline %d examples; want %d of each, no dead letter",
				recording, live.Requests, live.Predictions, live.Examples, live.DeadLetters, offline.Examples, n)
		}
		if live.LogLoss == nil || offline.LogLoss == nil || math.Abs(*live.LogLoss-*offline.LogLoss) > 1e-9 {
			t.Errorf("%s: log loss %v, offline %v", recording, live.LogLoss, offline.LogLoss)
		}
	}
	f(1500, bank)
	f(1500, profiles, bank+"/profiles.clickloop.yaml")
	f(400, weighted(t))
	f(400, described(t))
	shown := placed(t)
	f(600, shown, filepath.Join(shown, "clickloop.yaml"))
}

// placed writes a recording of ads on positions, which the impressions bring, some of them after
// others and some not at all. Its configuration reads them.
func placed(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	var rows strings.Builder
	rows.WriteString("ad,user,position,slot,y\n")
	for i := range 600 {
		position := fmt.Sprint(1 + i*7%5)
		if i%11 == 0 {
			position = ""
		}
		fmt.Fprintf(&rows, "ad%d,u%d,%s,%s,%d\n", i%13, i%17, position, []string{"top", "side", "foot"}[i%3], i*i%7%2)
	}
	writeFile(t, dir, "rows.csv", rows.String())
	writeFile(t, dir, "recording.yaml", `{name: placed, files: [rows.csv], format: csv, label: "y", positive: "1", user: user, ad: "column:ad", shown: [position, slot],
  objective: {name: click, trigger: impression, window: 30s}, events: [{type: impression, when: always, delay: 2s}, {type: click, when: positive, delay: 5s}]}`)
	writeFile(t, dir, "clickloop.yaml", "features:\n  shown:\n    - {name: position, serve: 1}\n    - {name: place, from: properties.slot, serve: top}\n")
	return dir
}

// described writes a recording of which texts and dates have their words and calendar parts read
// beside them, in another encoding than UTF-8.
func described(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	var rows strings.Builder
	rows.WriteString("title,posted,zip,user,y\n")
	for i := range 400 {
		fmt.Fprintf(&rows, "Gr\xf6\xdfe %d w%d w%d,2026-01-%02d %02d:30:00,%05d,%04d,%d\n", i, i%7, i%11, 1+i%28, i%24, i%13, i%17, i*i%7%2)
	}
	writeFile(t, dir, "rows.csv", rows.String())
	writeFile(t, dir, "recording.yaml", `{name: described, files: [rows.csv], format: csv, encoding: windows-1252, label: "y", positive: "1", user: user,
  start: 2026-02-01T00:00:00Z, objective: {name: click, window: 30s}, events: [{type: click, when: positive, delay: 5s}]}`)
	return dir
}

// Without its words and calendar parts the same recording gives other weights.
func TestPartsOfColumnsAreLearnedFromARecording(t *testing.T) {
	dir := described(t)
	var with, without fit.Result
	output(t, &with, "fit", dir, "--json")
	text := string(readFile(t, filepath.Join(dir, "recording.yaml")))
	for _, column := range []string{"title", "posted"} {
		writeFile(t, dir, "recording.yaml", strings.Replace(text, "encoding:", "token: ["+column+"], encoding:", 1))
		output(t, &without, "fit", dir, "--json")
		if with.Examples != 400 || without.Examples != 400 || with.Weights == without.Weights {
			t.Errorf("%s: %d and %d examples, weights %s and %s", column, with.Examples, without.Examples, with.Weights, without.Weights)
		}
	}
	writeFile(t, dir, "recording.yaml", text)
	_, _, errs := said(t, "fit", dir)
	for _, want := range []string{`column "title": texts of several words`, `column "posted": dates like`, `column "zip": codes such as "00000"`} {
		if !strings.Contains(errs, want) {
			t.Errorf("told %s, want %s", errs, want)
		}
	}
}

// A configuration beside a recording keeps its networks and segments, and what contradicts the
// recording is told.
func TestAConfigurationBesideARecordingIsKept(t *testing.T) {
	dir := t.TempDir()
	side := writeFile(t, dir, "side.yaml", "objectives:\n  - {name: conversion, networks: [default, plain], serve: plain}\nnetworks:\n  plain: {network: [linear], table_bits: 12}\n")
	var offline fit.Result
	output(t, &offline, "fit", bank, "--json", "--limit", "300", "--config", side)
	var live run.Summary
	output(t, &live, append([]string{"up", "--replay", bank, "--lockstep", "--exit", "--json", "--limit", "300"}, services(t, side)...)...)
	if live.Weights != offline.Weights || live.Model != "conversion.plain@300" || offline.Model != live.Model {
		t.Errorf("model %s with weights %s, offline %s with %s", live.Model, live.Weights, offline.Model, offline.Weights)
	}
	late := writeFile(t, dir, "late.yaml", "model: {seed: 1}\nobjectives:\n  - {name: conversion, window: 30m}\n")
	other := writeFile(t, dir, "other.yaml", "objectives:\n  - {name: click, trigger: impression, positive: click, window: 30m}\n")
	for _, command := range [][]string{{"up", "--replay", bank, "--exit"}, {"replay", bank}, {"fit", bank}} {
		for config, want := range map[string]string{
			late: "late.yaml:3: objectives[0].window is 30m0s, and recording bank-marketing says 30s", other: "other.yaml:1: objectives has click, and recording bank-marketing is about conversion",
		} {
			status, _, errs := said(t, append(command, "--config", config)...)
			if status != 1 || !strings.Contains(errs, want) {
				t.Errorf("%v: status %d, %s, want %q", command, status, errs, want)
			}
		}
	}
}

// weighted writes a recording of VW text whose rows are of different importance.
func weighted(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	var rows strings.Builder
	for i := range 400 {
		weight := []string{"", " 1", " 0", " 0.1", " 2.5", " 1000"}[i%6]
		fmt.Fprintf(&rows, "%d%s 'row%d|device d%d |words w%d:0.5 w%d | x\n", i*i%7%2, weight, i, i%5, i%11, i%3)
	}
	writeFile(t, dir, "rows.vw", rows.String())
	writeFile(t, dir, "recording.yaml", "name: weighted\nfiles: [rows.vw]\nformat: vw\nobjective: {name: click, window: 30s}\nevents: [{type: click, when: positive, delay: 5s}]\n")
	return dir
}

// Importance counts: without it the weights would be others, and without it in the loop as well,
// the test of lockstep would say nothing.
func TestTheImportanceOfARecordingIsLearned(t *testing.T) {
	dir := weighted(t)
	var with, without fit.Result
	output(t, &with, "fit", dir, "--json")
	text := string(readFile(t, filepath.Join(dir, "rows.vw")))
	writeFile(t, dir, "rows.vw", regexp.MustCompile(`(?m)^([01]) [0-9.]+ `).ReplaceAllString(text, "$1 "))
	output(t, &without, "fit", dir, "--json")
	if with.Examples != 400 || without.Examples != 400 || with.Weights == without.Weights {
		t.Errorf("%d and %d examples, weights %s and %s", with.Examples, without.Examples, with.Weights, without.Weights)
	}
}

func TestAReplayThatIsKilledEndsWithTheWeightsOfOneThatIsNot(t *testing.T) {
	const rows = "1500"
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, extra := range [][]string{{bank}, {profiles, bank + "/profiles.clickloop.yaml"}} {
		args := []string{"up", "--lockstep", "--exit", "--json", "--limit", rows, "--replay", extra[0]}
		once := func() []string { return append(slices.Clone(args), services(t, extra[1:]...)...) }
		var want run.Summary
		output(t, &want, once()...)
		began := time.Now()
		output(t, &want, once()...)
		whole := time.Since(began)
		again := append(once(), "--data", t.TempDir())
		for range 4 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rng.Int64N(int64(whole))))
			cmd := program(ctx, again...) // killed by SIGKILL when ctx ends
			_ = cmd.Run()
			cancel()
		}
		var got run.Summary
		output(t, &got, again...)
		if got.Weights != want.Weights || got.Examples != want.Examples || got.Positives != want.Positives || got.Predictions != want.Predictions || got.Events != want.Events {
			t.Errorf("%s, seed %d: killed four times %+v, not killed %+v", extra[0], seed, got, want)
		}
		if got.LogLoss == nil || math.Abs(*got.LogLoss-*want.LogLoss) > 1e-9 {
			t.Errorf("%s, seed %d: log loss %v, not killed %v", extra[0], seed, got.LogLoss, want.LogLoss)
		}
	}
}

// A learner that lost its checkpoints begins anew while the scorer serves what it published before:
// the summary waits for it.
func TestASummaryIsOfALearnerThatHasLearnedAll(t *testing.T) {
	dir := t.TempDir()
	// to learn again takes longer than to ask
	data, slow := filepath.Join(dir, "data"), filepath.Join(dir, "slow.yaml")
	if err := os.WriteFile(slow, []byte("model:\n  network: [mlp]\n  mlp:\n    layers: [{units: 1024, activation: relu}, {units: 512, activation: relu}]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"up", "--data", data, "--exit", "--json", "--limit", "600", "--replay", bank}, services(t, slow)...)
	var want, got run.Summary
	output(t, &want, args...)
	if err := os.RemoveAll(filepath.Join(data, "checkpoints")); err != nil {
		t.Fatal(err)
	}
	output(t, &got, args...)
	if got.Weights != want.Weights || got.Model != want.Model || got.Model != "conversion@600" {
		t.Errorf("checkpoints lost: %s %s, before %s %s", got.Model, got.Weights, want.Model, want.Weights)
	}
}

func TestWrongUsageIsExplained(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	f := func(status int, wants []string, args ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if got := execute(t.Context(), args, &out, &errs); got != status {
			t.Errorf("%v: status %d, want %d (%s)", args, got, status, errs.String())
		}
		for _, want := range wants {
			if text := out.String() + errs.String(); !strings.Contains(text, want) {
				t.Errorf("%v printed %q, want %q in it", args, text, want)
			}
		}
	}
	f(2, []string{"usage: clickloop COMMAND"})
	f(0, []string{"usage: clickloop COMMAND"}, "help")
	f(0, []string{"clickloop "}, "version")
	f(2, []string{`no command "dance"`, "usage"}, "dance")
	f(0, []string{"examples:", "-lockstep"}, "up", "--help")
	f(2, []string{"-no-such"}, "up", "--no-such")
	f(2, []string{"name a recording or files"}, "fit")
	f(1, []string{"cannot read examples", "nothing.csv"}, "fit", filepath.Join(dir, "nothing.csv"), "--label", "y")
	f(1, []string{"recording.yaml"}, "up", "--replay", dir)
	unknown := write("unknown.yaml", "kafka:\n  brokers: []\nredsi:\n  address: x\n")
	f(1, []string{"unknown.yaml:3:1", "redsi"}, "up", "--config", unknown)
	window := write("window.yaml", "objectives:\n  - name: click\n    trigger: impression\n    positive: click\n    window: 0s\n")
	f(1, []string{"window.yaml:5", "objectives[0].window", "0s", "want"}, "up", "--config", window)
	scorer := write("scorer.yaml", "http: 127.0.0.1:0\nscorer:\n  epsilon: 2\n")
	f(1, []string{"scorer.yaml:3", "scorer.epsilon", "2", "0 to 1"}, "up", "--config", scorer)
	f(2, []string{"window.yaml is given already", "one"}, "up", "--config", window, "--config", scorer)
	csv := write("a.csv", "a,y\n1,yes\n2,no\n")
	f(1, []string{"--label", "a, y"}, "fit", csv)
	f(1, []string{"a.csv:2", `no column "z"`}, "fit", csv, "--label", "z")
	f(0, []string{`"examples":2`, `"positives":1`}, "fit", csv, "--label", "y", "--json")
}
