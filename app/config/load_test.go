package config

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestDurationsOfTheConfigurationTakeDaysAndWeeks(t *testing.T) {
	c, err := Parse("f.yaml", []byte("objectives:\n  - {name: buy, trigger: impression, positive: conversion, window: 7d}\nfeedback: {outcome_ttl: 1w, revise_within: 1d12h}\n"+
		"learner: {publish: 0, snapshot_every: 1h30m}\nfeatures: {profiles: [{entity: user, aggregate: count, event: click, window: 1h30m}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Objectives[0].Window != 7*24*time.Hour || c.Feedback.OutcomeTTL != 7*24*time.Hour || c.Feedback.ReviseWithin != 36*time.Hour || c.Learner.Publish != 0 || c.Learner.SnapshotEvery != 90*time.Minute {
		t.Errorf("%+v", c)
	}
}

func TestYAMLIsReadAsItIsWritten(t *testing.T) {
	c, err := Parse("f.yaml", []byte(`
# anchors, merged sections, numbers in every form, texts that look like numbers
kafka: {prefix: 7., partitions: 0x10}
redis:
http: ":0"
model: &small {table_bits: 12, seed: 18446744073709551615, mlp: {layers: [{units: 4, activation: relu}]}}
networks:
  a: {<<: *small, seed: 3}
  b: *small
  c: {<<: [*small, {table_bits: 9, max_fields: 7}]}
objectives: [{name: "1", trigger: prediction, positive: click, window: 30s, networks: [a, b]}]
learner: {checkpoint_examples: 1e6}
scorer: {epsilon: 1}
features: {drop: [17, yes, 1.50]}
ingest: {cors_origins: []}
`))
	if err != nil {
		t.Fatal(err)
	}
	a, b := c.Networks["a"], c.Networks["b"]
	if c.Kafka.Prefix != "7." || c.Kafka.Partitions != 16 || c.HTTP != ":0" || c.Redis.Address != "" || c.Model.Seed != 1<<64-1 || a.Seed != 3 || a.TableBits != 12 || b.Seed != 1<<64-1 ||
		len(a.MLP.Layers) != 1 || a.MaxFields != 64 || c.Objectives[0].Name != "1" || c.Learner.CheckpointExamples != 1e6 || c.Scorer.Epsilon != 1 ||
		strings.Join(c.Features.Drop, " ") != "17 yes 1.50" || len(c.Ingest.CORSOrigins) != 0 {
		t.Errorf("%+v", c)
	}
	if m := c.Networks["c"]; m.TableBits != 12 || m.MaxFields != 7 {
		t.Errorf("of sections that are merged, the first does not win: %+v", m)
	}
	for _, empty := range []string{"", " \n", "# nothing\n", "---\n", "kafka:\nredis:\n  address:\n", "{}"} {
		if c, err := Parse("f.yaml", []byte(empty)); err != nil || c.HTTP != Default().HTTP || c.Kafka.Partitions != 4 {
			t.Errorf("%q: %v", empty, err)
		}
	}
}

func TestWrongFilesAreToldWithTheirPlace(t *testing.T) {
	f := func(text string, wants ...string) {
		t.Helper()
		_, err := Parse("f.yaml", []byte(text))
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s\ngave %v\nwant %q", text, err, want)
			}
		}
	}
	f("redis: localhost\n", "f.yaml:1:8: redis is \"localhost\", want a section with address")
	f("kafka: localhost:9092\n", "f.yaml:1:8: kafka is \"localhost:9092\", want a section with brokers, prefix, partitions")
	f("kafka: {brokers: localhost:9092}\n", "f.yaml:1:18: kafka.brokers is \"localhost:9092\", want a list, such as [localhost:9092]")
	f("objectives: click\n", "objectives is \"click\", want a list")
	f("networks: [a]\n", "networks is a list, want a section of names")
	f("- a\n", "f.yaml:1:1: the file is a list, want a section with kafka, redis")
	f("scorer: {epsilon: lots}\n", `f.yaml:1:19: scorer.epsilon is "lots", want a number; allowed: 0 to 1`)
	f("objectives:\n- name: click\n  trigger: impression\n  positive: click\n  window: 30\n", `f.yaml:5:11: objectives[0].window is "30", which has no unit: write 30s`, "allowed: 1ms to 2160h")
	f("http: ':1'\nscorer:\n  epsilon: 1\n  epsilon: 0\n", "f.yaml:4:", "epsilon", "3:3")
	f("http: ':1'\nhttp: ':2'\n", "f.yaml:2:1", "http", "1:1")
	f("scorer: {epsilon: lots, max_body: x}\nlerner: {}\nfeatures: 5\n", "f.yaml:1:19: scorer.epsilon", "f.yaml:1:35: scorer.max_body", `f.yaml:2:1: unknown field "lerner", did you mean learner?`, "f.yaml:3:11: features is 5")
	f("zebra: 1\n", `unknown field "zebra", want one of kafka, redis`)
	f("scorer: {MaxBody: 2000}\n", `unknown field "MaxBody" in scorer, did you mean max_body?`)
	f("epsilon: 1\n", `f.yaml:1:1: unknown field "epsilon"`)
	f("a: [\n", "f.yaml:1:")
	f("\tkafka: {}\n", "f.yaml:1:")
	f("kafka: {}\n---\nkafka: {}\n", "f.yaml:3: a second document")
	f("networks: {a: *b}\n", "networks.a is *b, but no anchor &b stands before it")
	f("features: {drop: [a, ]}\nmodel: {network: [~]}\n", "model.network[0] has no value")
	f("model: {<<: 5}\n", "model.<< is 5, want a section")
	f("features:\n  profiles:\n    - {entity: user, aggregate: count, event: click}\n    - entity: user\n      aggregate: count\n", "f.yaml:4: features.profiles[1].event is missing")
	f("networks:\n  a: {seed: 1}\n  b:\n    prior: 2\n", "f.yaml:4: networks.b.prior is 2, want a rate above 0 and below 1")
	var many strings.Builder
	for range 15 {
		many.WriteString("? x\n")
	}
	f("learner: {a1: 1, a2: 1, a3: 1, a4: 1, a5: 1, a6: 1, a7: 1, a8: 1, a9: 1, b1: 1, b2: 1, b3: 1}\n", "and 2 more")
}

// A password stands in the file, on the wrong line or beside it, in an address or what was meant as
// one.
func TestNoErrorTellsAPassword(t *testing.T) {
	for _, text := range []string{
		"redis: {address: 'redis://u:hunter2@h:1/none'}\n", "redis: {address: 'redis://:hunter2@h:x'}\n", "redis: redis://u:hunter2@h:1\n", "redis: {address: 'u:hunter2@h'}\n",
		"redis:\n  address: redis://u:hunter2@h:1\nscorer: {epsilon: lots}\n", "redis: {address: 'redis://u:hunter2@h:1', port: 5}\n", "redis: {address: ['redis://u:hunter2@h:1']}\n",
		"redis: {address: 'redis://u:hun/ter2@h:1'}\n", "redis: {address: 'redis://u:hun@ter2@h:x'}\n", "redis: {address: 'u:hun@ter2@h'}\n", "redis: {address: 'redis://u:hun%zzter2@h:1'}\n", "kafka: {brokers: ['u:hunter2@h:9092']}\n", "kafka: {brokers: 'u:hunter2@h:9092'}\n",
		"kafka: {brokers: ['kafka://u:hunter2@h:9092']}\n", "http: http://u:hunter2@h:1\n", "redis: {address: 'http://u:hunter2@h:1'}\n", "redis: {address: 'redis://u:hunter2@h:1'\n", "redis: {adress: 'redis://u:hunter2@h:1'}\n",
	} {
		_, err := Parse("f.yaml", []byte(text))
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "ter2") {
			t.Errorf("%s gave %v", text, err)
		}
	}
}

// loaded is what flags give with the environment and the file as they are.
func loaded(t *testing.T, args ...string) (Config, *Common, error) {
	t.Helper()
	fs := flag.NewFlagSet("test", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	c := CommonFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	cfg, err := c.Load()
	return cfg, c, err
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The default gives way to the file, the file to the variable, and that to the flag.
func TestFlagsWinOverVariablesOverTheFileOverDefaults(t *testing.T) {
	dir := t.TempDir()
	f := func(name, line string, of func(*Config) string, values ...string) {
		t.Helper()
		flagName, variable := "--"+name, "CLICKLOOP_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		file := write(t, strings.ReplaceAll(line, "VALUE", values[1])+"\n")
		check := func(want string, args ...string) {
			t.Helper()
			if got, _, err := loaded(t, args...); err != nil || of(&got) != want {
				t.Errorf("%s, %v: %q, want %q (%v)", name, args, of(&got), want, err)
			}
		}
		check(values[0])
		check(values[1], "--config", file)
		check(values[3], "--config", file, flagName+"="+values[3])
		t.Setenv(variable, values[2])
		check(values[2])
		check(values[2], "--config", file)
		check(values[3], "--config", file, flagName+"="+values[3])
		check(values[3], flagName+"="+values[3])
		check(values[2], flagName+"=") // nothing is given
		t.Setenv(variable, "")
		check(values[0])
		check(values[1], "--config", file)
	}
	f("kafka", "kafka: {brokers: ['VALUE']}", func(c *Config) string { return strings.Join(c.Kafka.Brokers, ",") }, "", "f:1", "v:1", "g:1")
	f("redis", "redis: {address: 'VALUE'}", func(c *Config) string { return c.Redis.Address }, "", "f:1", "v:1", "g:1")
	f("prefix", "kafka: {prefix: VALUE}", func(c *Config) string { return c.Kafka.Prefix }, "clickloop.", "f.", "v.", "g.")
	f("http", "http: 'VALUE'", func(c *Config) string { return c.HTTP }, "127.0.0.1:8080", "f:1", "v:1", "g:1")
	f("admin", "admin: 'VALUE'", func(c *Config) string { return c.Admin }, "127.0.0.1:8081", "f:1", "v:1", "g:1")
	f("insecure-public", "insecure_public: VALUE", func(c *Config) string { return strconv.FormatBool(c.InsecurePublic) }, "false", "true", "false", "true")
	f("data", "data: VALUE", func(c *Config) string { return c.Data }, "", dir+"/f", dir+"/v", dir+"/g")
	f("serve-bits", "learner: {serve_bits: VALUE}", func(c *Config) string { return map[int]string{16: "16", 32: "32"}[c.Learner.ServeBits] }, "32", "16", "32", "16")
	f("serve-bits", "learner: {serve_bits: VALUE}", func(c *Config) string { return map[int]string{16: "16", 32: "32"}[c.Learner.ServeBits] }, "32", "32", "16", "32")
	one, two := write(t, "kafka: {prefix: one.}\n"), write(t, "kafka: {prefix: two.}\n")
	t.Setenv("CLICKLOOP_CONFIG", one)
	if c, _, err := loaded(t); err != nil || c.Kafka.Prefix != "one." {
		t.Errorf("CLICKLOOP_CONFIG: %v, prefix %s", err, c.Kafka.Prefix)
	}
	if c, _, err := loaded(t, "--config", two); err != nil || c.Kafka.Prefix != "two." {
		t.Errorf("--config beside CLICKLOOP_CONFIG: %v, prefix %s", err, c.Kafka.Prefix)
	}
}

func TestARecordingsFileGivesWayToTheOneThatIsNamed(t *testing.T) {
	own, named := write(t, "kafka: {prefix: own.}\n"), write(t, "kafka: {prefix: named.}\n")
	f := func(want string, args ...string) {
		t.Helper()
		fs := flag.NewFlagSet("test", flag.ContinueOnError)
		c := CommonFlags(fs)
		if err := fs.Parse(args); err != nil {
			t.Fatal(err)
		}
		if cfg, err := c.loadOver(own, nil); err != nil || cfg.Kafka.Prefix != want {
			t.Errorf("%v: prefix %s, want %s (%v)", args, cfg.Kafka.Prefix, want, err)
		}
	}
	f("own.")
	f("named.", "--config", named)
	f("given.", "--config", named, "--prefix", "given.")
	f("given.", "--prefix", "given.")
}

func TestWrongFlagsAndVariablesAreNamed(t *testing.T) {
	f := func(variable, value string, args []string, wants ...string) {
		t.Helper()
		if variable != "" {
			t.Setenv(variable, value)
			defer os.Unsetenv(variable)
		}
		_, _, err := loaded(t, args...)
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s=%s %v gave %v, want %s", variable, value, args, err, want)
			}
		}
	}
	f("CLICKLOOP_KAFKA", "localhost", nil, `CLICKLOOP_KAFKA: kafka.brokers[0] is "localhost", which has no port`)
	f("CLICKLOOP_KAFKA", "a:1,b", nil, "CLICKLOOP_KAFKA: kafka.brokers[1]")
	f("CLICKLOOP_KAFKA", "a:1,", nil, `CLICKLOOP_KAFKA: kafka.brokers[1] is ""`)
	f("CLICKLOOP_REDIS", "redis://u:hunter2@h:x", nil, "CLICKLOOP_REDIS: redis.address is")
	f("CLICKLOOP_REDIS", "http://h:1", nil, "CLICKLOOP_REDIS: redis.address", "want redis://")
	f("CLICKLOOP_HTTP", "8080", nil, "CLICKLOOP_HTTP: http is")
	f("CLICKLOOP_ADMIN", "8081", nil, "CLICKLOOP_ADMIN: admin is", "127.0.0.1:8081")
	f("CLICKLOOP_INSECURE_PUBLIC", "yes", nil, `CLICKLOOP_INSECURE_PUBLIC is "yes", want true or false`)
	f("", "", []string{"--insecure-public=no"}, `--insecure-public is "no", want true or false`)
	f("CLICKLOOP_PREFIX", "a b", nil, "CLICKLOOP_PREFIX: kafka.prefix is")
	f("CLICKLOOP_DATA", "load.go", nil, "CLICKLOOP_DATA: data is \"load.go\", which is a file")
	f("CLICKLOOP_SERVE_BITS", "many", nil, `CLICKLOOP_SERVE_BITS is "many", want 32 or 16`)
	f("CLICKLOOP_SERVE_BITS", "8", nil, `CLICKLOOP_SERVE_BITS: learner.serve_bits is 8, want 32 or 16`)
	f("CLICKLOOP_CONFIG", "/nowhere/f.yaml", nil, "CLICKLOOP_CONFIG: cannot read the configuration", "/nowhere/f.yaml")
	f("", "", []string{"--config", "/nowhere/f.yaml"}, "--config: cannot read the configuration")
	f("", "", []string{"--kafka", "localhost"}, "--kafka: kafka.brokers[0]")
	f("", "", []string{"--redis", "h"}, "--redis: redis.address is \"h\", which has no port, want host:port, such as h:6379")
	f("", "", []string{"--http", "x"}, "--http: http")
	f("", "", []string{"--serve-bits", "x"}, `--serve-bits is "x", want 32 or 16`)
	f("CLICKLOOP_KAFKA", "wrong", []string{"--kafka", "also:wrong"}, "--kafka: kafka.brokers[0] is \"also:wrong\", whose port is \"wrong\"")
	f("CLICKLOOP_REDSI", "h:1", nil, "the variable CLICKLOOP_REDSI means nothing, did you mean CLICKLOOP_REDIS?")
	f("CLICKLOOP_SERVEBITS", "16", nil, "did you mean CLICKLOOP_SERVE_BITS?")
	// what Kubernetes sets for a service of that name
	t.Setenv("CLICKLOOP_PORT", "tcp://10.0.0.1:80")
	t.Setenv("CLICKLOOP_SERVICE_HOST", "10.0.0.1")
	t.Setenv("CLICKLOOP_REDIS_PORT", "tcp://10.0.0.1:80")
	t.Setenv("CLICKLOOP_TEST_REDIS", "h:1") // another program's
	if _, _, err := loaded(t); err != nil {
		t.Error(err)
	}
}

func TestWhatWasGivenIsKnown(t *testing.T) {
	file := write(t, "kafka: {prefix: clickloop.}\n")
	t.Setenv("CLICKLOOP_REDIS", "h:1")
	_, c, err := loaded(t, "--config", file, "--http", ":0")
	if err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string]bool{"kafka.prefix": true, "redis.address": true, "http": true, "config": true, "kafka.brokers": false, "data": false} {
		if c.Given(setting) != want {
			t.Errorf("%s is given: %v", setting, c.Given(setting))
		}
	}
}
