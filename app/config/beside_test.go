package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
)

var recorded = Recorded{"shop", event.Objective{Name: "click", Trigger: "impression", Positive: "click", Window: time.Minute, Segments: []string{"ad"}}, nil}

func beside(t *testing.T, text string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return LoadBeside(path, recorded)
}

func TestARecordingGivesWhatAConfigurationLeavesOut(t *testing.T) {
	f := func(text string, want event.Objective, others int) {
		t.Helper()
		c, err := beside(t, text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := c.Objective("click"); got.Name != want.Name || got.Trigger != want.Trigger || got.Positive != want.Positive || got.Window != want.Window || got.Revisions != want.Revisions ||
			strings.Join(got.Segments, ",") != strings.Join(want.Segments, ",") || got.Served() != want.Served() || len(c.Objectives) != 1+others {
			t.Errorf("%s: %+v, want %+v", text, c.Objectives, want)
		}
	}
	whole := recorded.Objective
	f("", whole, 0)
	f("model: {seed: 3}", whole, 0)
	f("objectives: [{name: click}]", whole, 0)
	f("objectives: [{name: click, trigger: impression, positive: click, window: 1m}]", whole, 0)
	more := whole
	more.Revisions, more.Networks, more.Serve = true, []string{"default", "plain"}, "plain"
	f("networks: {plain: {network: [linear]}}\nobjectives:\n  - {name: conversion, trigger: click, positive: conversion, window: 1h}\n  - {name: click, revisions: true, networks: [default, plain], serve: plain}\n", more, 1)
	if c, err := LoadBeside("", recorded); err != nil || len(c.Objectives) != 1 || c.Objectives[0].Window != time.Minute {
		t.Errorf("without a file: %+v, %v", c.Objectives, err)
	}
}

func TestWhatContradictsARecordingIsToldWithItsPlace(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := beside(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	f("objectives:\n  - {name: click, window: 2m}", "c.yaml:2: objectives[0].window is 2m0s, and recording shop says 1m0s")
	f("objectives:\n  - {name: click, trigger: prediction}", "objectives[0].trigger is prediction, and recording shop says impression")
	f("objectives:\n  - {name: click, positive: conversion}", "objectives[0].positive is conversion, and recording shop says click")
	f("objectives:\n  - {name: click, segments: [site]}", "objectives[0].segments is [site], and recording shop says [ad]")
	f("objectives:\n  - {name: buy, trigger: impression, positive: buy, window: 1m}", "c.yaml:1: objectives has buy, and recording shop is about click")
	f("objectives:\n  - {name: click}\n  - {name: buy}", "objectives[1].trigger is empty")
	f("model: {network: [linear], output: identity, loss: mse}", "c.yaml:1: model.output is \"identity\", and numbers as targets are not supported")
	f("networks:\n  plain: {network: [linear], output: identity, loss: mse}", "networks.plain.output is \"identity\"")
}

// Flags win over variables, variables over the file, and the file over the defaults.
func TestFlagsWinOverVariablesAndThoseOverTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte("kafka: {prefix: file., brokers: [\"file:1\"]}\nredis: {address: \"file:2\"}\nhttp: 127.0.0.1:3\ndata: file\nlearner: {serve_bits: 32}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := func(args ...string) string {
		t.Helper()
		fs := flag.NewFlagSet("test", flag.ContinueOnError)
		c := CommonFlags(fs)
		if err := fs.Parse(append(args, "--config", path)); err != nil {
			t.Fatal(err)
		}
		cfg, err := c.Load()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join([]string{cfg.Kafka.Brokers[0], cfg.Redis.Address, cfg.Kafka.Prefix, cfg.HTTP, cfg.Data, map[int]string{16: "16", 32: "32"}[cfg.Learner.ServeBits]}, " ")
	}
	if s := got(); s != "file:1 file:2 file. 127.0.0.1:3 file 32" {
		t.Errorf("of the file: %s", s)
	}
	for name, value := range map[string]string{"KAFKA": "env:1", "REDIS": "env:2", "PREFIX": "env.", "HTTP": "127.0.0.1:4", "DATA": "env", "SERVE_BITS": "16"} {
		t.Setenv("CLICKLOOP_"+name, value)
	}
	if s := got(); s != "env:1 env:2 env. 127.0.0.1:4 env 16" {
		t.Errorf("with variables: %s", s)
	}
	if s := got("--kafka", "flag:1", "--redis", "flag:2", "--prefix", "flag.", "--http", "127.0.0.1:5", "--data", "flag", "--serve-bits", "32"); s != "flag:1 flag:2 flag. 127.0.0.1:5 flag 32" {
		t.Errorf("with flags: %s", s)
	}
}
