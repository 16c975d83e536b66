package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

// TestAclGivesEachStageWhatItNeeds is of the command's text; TestStagesRunWithTheirOwnRightsOnly is
// of the brokers.
func TestAclGivesEachStageWhatItNeeds(t *testing.T) {
	f := func(args string, want ...string) {
		t.Helper()
		var out, errs bytes.Buffer
		if status := execute(t.Context(), append([]string{"acl"}, strings.Fields(args)...), &out, &errs); status != 0 {
			t.Errorf("acl %s: status %d: %s", args, status, &errs)
		}
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("acl %s prints no %q:\n%s", args, w, &out)
			}
		}
	}
	f("ingest --prefix p.", "'User:ingest' --operation Read --operation Write --operation DescribeConfigs --topic p.events\n", "--operation Read --group p.profiles\n")
	f("scorer --user CN=scorer", "'User:CN=scorer' --operation Describe --operation DescribeConfigs --topic clickloop.events\n", "--topic clickloop.model.click --topic clickloop.model.conversion\n")
	f("learner", "--operation AlterConfigs", "--group clickloop.learner.click")
	f("feedback", "--group clickloop.labels.conversion")
	f("analyst --kafka h:1", "--bootstrap-server h:1 ", "--topic clickloop.predictions")
	for _, wrong := range []string{"acl", "acl nobody", "acl ingest scorer", "acl ingest --user it's"} {
		var errs bytes.Buffer
		if status := execute(t.Context(), strings.Fields(wrong), &errs, &errs); status != 2 {
			t.Errorf("%s: status %d: %s", wrong, status, &errs)
		}
	}
}

func TestUpRefusesAccessToBrokersThatNobodyGives(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte("kafka: {tls: {enabled: true}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	if status := execute(t.Context(), []string{"up", "--config", path, "--http", "127.0.0.1:0"}, &errs, &errs); status != 1 || !strings.Contains(errs.String(), "kafka.tls.enabled is given without kafka.brokers") {
		t.Errorf("status %d: %s", status, &errs)
	}
}

// rights is a deployment on brokers with users: each stage is its own.
type rights struct {
	*testing.T
	dir, prefix, redis string
}

// needServices skips a test that needs brokers with users.
func needServices(t *testing.T) rights {
	t.Helper()
	if backend.ConfigFile() == "" {
		t.Skip("CLICKLOOP_TEST_CONFIG names no services with users")
	}
	return rights{t, t.TempDir(), backend.Prefix(t), backend.Embedded(t).Redis}
}

// config writes the configuration of a user and returns its path.
func (r rights) config(user string) string {
	r.Helper()
	login, tls := backend.User(user), backend.TLS()
	text := fmt.Sprintf(`kafka:
  brokers: [%q]
  prefix: %s
  tls: {enabled: true, ca_file: %q}
  sasl: {mechanism: %s, username: %s, password_file: %q}
redis: {address: %q}
objectives:
  - {name: conversion, trigger: prediction, positive: conversion, window: 30s}
clock: recorded
`, backend.Kafka(r)[0], r.prefix, tls.CAFile, login.Mechanism, login.Username, login.PasswordFile, r.redis)
	path := filepath.Join(r.dir, user+".yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.Fatal(err)
	}
	return path
}

// clickloop runs a command to its end and returns what it prints.
func (r rights) clickloop(args ...string) (out string, err error) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Minute)
	defer cancel()
	b, err := program(ctx, args...).CombinedOutput()
	return string(b), err
}

// grant runs the commands that acl prints for a stage.
func (r rights) grant(stage string) {
	r.Helper()
	commands, err := r.clickloop("acl", stage, "--config", r.config(stage))
	if err != nil {
		r.Fatalf("acl %s: %v\n%s", stage, err, commands)
	}
	for line := range strings.Lines(commands) {
		if !strings.HasPrefix(line, "kafka-acls.sh ") {
			continue
		}
		cmd := exec.CommandContext(r.Context(), "sh", "-c", line)
		cmd.Env = append(os.Environ(), "PATH="+filepath.Join(backend.ServicesDir(), "bin")+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			r.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
}

func TestStagesRunWithTheirOwnRightsOnly(t *testing.T) {
	r := needServices(t)
	users := append(slices.Clone(run.Stages), run.Analyst, run.Dashboard)
	// Without rights a stage ends at once, and says which command gives them.
	began := time.Now()
	out, err := r.clickloop("scorer", "--config", r.config("scorer"), "--http", "127.0.0.1:0")
	if err == nil || time.Since(began) > 20*time.Second || !strings.Contains(out, "Kafka denies Read, Write, DescribeConfigs to User:scorer on topic "+r.prefix+"predictions; mend it: kafka-acls.sh") {
		t.Errorf("after %v: %v\n%s", time.Since(began), err, out)
	}
	out, err = r.clickloop("doctor", "--config", r.config("scorer"))
	if err == nil || !strings.Contains(out, "Kafka denies") || !strings.Contains(out, "kafka-acls.sh") {
		t.Errorf("doctor does not name the rights that are missing:\n%s", out)
	}
	if out, err := r.clickloop("topics", "--config", r.config("admin")); err != nil || !strings.Contains(out, "made    "+r.prefix+"events (partitions: 4)") {
		t.Fatalf("topics: %v\n%s", err, out)
	}
	for _, user := range users {
		r.grant(user)
	}
	processes := map[string]*stageProcess{}
	for _, name := range append(slices.Clone(run.Stages), run.Dashboard) {
		p := &stageProcess{name: name, address: freeAddress(t), admin: freeAddress(t)}
		p.args = []string{"--config", r.config(name), "--http", p.address, "--admin", p.admin, "--data", t.TempDir()}
		p.start(t)
		t.Cleanup(func() {
			p.kill()
			if log := p.stderr.String(); strings.Contains(log, "denies") {
				t.Errorf("%s: %s", name, log)
			}
		})
		processes[name] = p
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, p := range processes {
		awaitAnswer(ctx, t, p.address)
	}
	const rows = "300"
	if out, err := r.clickloop("replay", bank, "--config", r.config("analyst"), "--limit", rows,
		"--collector", "http://"+processes["ingest"].address, "--collector-admin", "http://"+processes["ingest"].admin,
		"--scorer", "http://"+processes["scorer"].address, "--scorer-admin", "http://"+processes["scorer"].admin); err != nil {
		t.Errorf("replay: %v\n%s", err, out)
	}
	if out, err := r.clickloop("tail", "examples.conversion", "--config", r.config("analyst"), "-o", "beginning", "-c", rows); err != nil || strings.Count(out, "\n") < 300 {
		t.Errorf("tail: %v\n%.2000s", err, out)
	}
	r.watches(processes[run.Dashboard].admin)
	r.refused(users)
}

// watches asks the dashboard, which may describe the groups and read all topics, until it knows how
// far every group is: stages commit once a second.
func (r rights) watches(admin string) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	for {
		state := r.dashboard(ctx, admin)
		if len(state.Predictions) != 50 || len(state.Problems) != 0 {
			r.Errorf("the dashboard has %d predictions, problems %q", len(state.Predictions), state.Problems)
			return
		}
		unknown := slices.IndexFunc(state.Consumers, func(c consumer) bool { return c.Behind == nil })
		if unknown < 0 {
			return
		}
		select {
		case <-ctx.Done():
			r.Errorf("the dashboard does not know how far %s is", state.Consumers[unknown].Group)
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// consumer and dashboardState are what the test reads of the dashboard's state.
type consumer struct {
	Group  string
	Behind *int64
}

type dashboardState struct {
	Predictions []json.RawMessage
	Consumers   []consumer
	Problems    []string
}

func (r rights) dashboard(ctx context.Context, admin string) (s dashboardState) {
	r.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/v1/dashboard", nil)
	if err != nil {
		r.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		r.Fatal(err)
	}
	return s
}

// refused asks for all that a user has no right to.
func (r rights) refused(users []string) {
	cfg, err := config.Load(r.config("admin"))
	if err != nil {
		r.Fatal(err)
	}
	var groups []string
	for _, stage := range run.Stages {
		for _, n := range run.Needs(stage, &cfg) {
			if n.Group {
				groups = append(groups, n.Name)
			}
		}
	}
	for _, user := range users {
		client, err := stream.Dial(stream.Config{Brokers: cfg.Kafka.Brokers, Prefix: r.prefix, TLS: backend.TLS(), SASL: stream.SASL(backend.User(user))})
		if err != nil {
			r.Fatal(err)
		}
		has := func(group bool, name, operation string) bool {
			return slices.ContainsFunc(run.Needs(user, &cfg), func(n stream.Need) bool {
				return n.Group == group && n.Name == name && slices.Contains(n.Operations, operation)
			})
		}
		ask := func(n stream.Need) {
			r.Helper()
			ctx, cancel := context.WithTimeout(r.Context(), 10*time.Second)
			defer cancel()
			err := client.CheckAccess(ctx, n)
			var denied *stream.AccessError
			if has(n.Group, n.Name, n.Operations[0]) != (err == nil) || err != nil && !errors.As(err, &denied) {
				r.Errorf("%s, %+v: %v", user, n, err)
			}
		}
		for _, t := range event.Topics(cfg.Objectives, cfg.Kafka.Partitions, cfg.Scorer.Items.Catalogues...) {
			for _, operation := range []string{stream.OpRead, stream.OpWrite, stream.OpAlterConfigs} {
				ask(stream.Need{Name: t.Name, Operations: []string{operation}})
			}
			if has(false, t.Name, stream.OpWrite) {
				continue
			}
			ctx, cancel := context.WithTimeout(r.Context(), 500*time.Millisecond)
			if err := client.Produce(ctx, t.Name, []stream.Record{{Value: []byte("forged")}}); err == nil {
				r.Errorf("%s writes to %s", user, t.Name)
			}
			cancel()
		}
		for _, g := range groups {
			ask(stream.Need{Group: true, Name: g, Operations: []string{stream.OpRead}})
		}
		if err := client.Close(); err != nil {
			r.Error(err)
		}
	}
}
