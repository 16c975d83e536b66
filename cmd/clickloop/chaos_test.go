//go:build long

package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clickloop/clickloop/stream"
	"github.com/redis/go-redis/v9"
)

// chaosObjectives have windows short enough for clicks to come late, and for their revisions to be
// written before the test ends.
const chaosConfig = `objectives:
  - {name: click, trigger: impression, positive: click, window: 5s, revisions: true}
  - {name: conversion, trigger: prediction, positive: conversion, window: 8s, revisions: true}
feedback: {revise_within: 10s}
learner: {checkpoint_every: 2s}
features:
  profiles:
    - {name: user.clicks, entity: user, aggregate: count, event: click}
    - {name: user.impressions_1h, entity: user, aggregate: count, event: impression, window: 1h}
    - {name: user.spent, entity: user, aggregate: sum, event: conversion, value: value}
    - {name: user.click_recency, entity: user, aggregate: recency, event: click}
    - {name: user.last_ad, entity: user, aggregate: last, event: click, value: ad}
    - {name: ad.click_rate_1d, entity: ad, aggregate: ratio, event: click, over: impression, window: 1d, prior: 0.01, weight: 100}
`

const (
	chaosWithin = 10 * time.Second // revise_within above
	chaosLease  = 10 * time.Second // the default of watermark.lease
	chaosAhead  = 5 * time.Second  // the default of watermark.ahead
)

// chaos is seven stage processes on a real Kafka and Redis of their own, and what is done to them.
type chaos struct {
	t        *testing.T
	dir      string // of the services
	kafka    string
	redis    string
	prefix   string
	started  time.Time
	learners string // data folder of the learner

	mu        sync.Mutex
	processes []*stageProcess
	rng       *rand.Rand
}

// TestChaos sends traffic to seven stages while they, Kafka and Redis are killed, paused and
// emptied at random moments. At the end the topics must hold every acknowledged event and
// prediction, one example each with the label that the log gives, the profiles of an undisturbed
// fold, and weights that the examples reproduce. CLICKLOOP_CHAOS_TIME says for how long,
// CLICKLOOP_CHAOS_SEED which faults.
func TestChaos(t *testing.T) {
	length := 10 * time.Minute
	if d, err := time.ParseDuration(os.Getenv("CLICKLOOP_CHAOS_TIME")); err == nil {
		length = d
	}
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("CLICKLOOP_CHAOS_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("seed %d, %s of faults: again with CLICKLOOP_CHAOS_SEED=%d", seed, length, seed)
	c := startChaos(t, seed)
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	l := newLoad(c, seed)
	var disturbing sync.WaitGroup
	disturbing.Add(1)
	go func() {
		defer disturbing.Done()
		c.disturb(ctx)
	}()
	l.run(ctx)
	disturbing.Wait()
	l.finish()
	client, err := stream.Dial(stream.Config{Brokers: []string{c.kafka}, Prefix: c.prefix, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	checkChaos(t, c, l, client)
	if t.Failed() {
		for _, p := range c.processes {
			t.Logf("%s: %.6000s", p.name, p.stderr.String())
		}
	}
}

func startChaos(t *testing.T, seed uint64) *chaos {
	t.Helper()
	c := &chaos{t: t, dir: filepath.Join(t.TempDir(), "services"), prefix: "chaos.", rng: rand.New(rand.NewPCG(seed, 1)), started: time.Now()}
	out := c.services("start")
	t.Cleanup(func() { c.services("stop") })
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "KAFKA":
			c.kafka = value
		case "REDIS":
			c.redis = value
		}
	}
	config := filepath.Join(t.TempDir(), "clickloop.yaml")
	if err := os.WriteFile(config, []byte(chaosConfig), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ingest", "ingest", "scorer", "scorer", "feedback", "feedback", "learner"} {
		p := &stageProcess{name: name, address: freeAddress(t)}
		data := t.TempDir()
		p.args = []string{"--config", config, "--kafka", c.kafka, "--redis", c.redis, "--prefix", c.prefix, "--http", p.address, "--data", data}
		p.start(t)
		t.Cleanup(p.kill)
		if name == "learner" {
			c.learners = data
		}
		c.processes = append(c.processes, p)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, p := range c.processes {
		awaitAnswer(ctx, t, p.address)
	}
	return c
}

// services runs scripts/services.sh and returns what it prints.
func (c *chaos) services(command string, which ...string) string {
	cmd := exec.Command("../../scripts/services.sh", append([]string{command, c.dir}, which...)...)
	out, err := cmd.Output()
	if err != nil {
		c.t.Errorf("services.sh %s %v: %v", command, which, err)
	}
	return string(out)
}

func (c *chaos) addresses(stage string) (all []string) {
	for _, p := range c.processes {
		if p.name == stage {
			all = append(all, p.address)
		}
	}
	return all
}

// disturb makes one fault after another until ctx ends; each is over when it returns.
func (c *chaos) disturb(ctx context.Context) {
	stages := make([]sync.Mutex, len(c.processes))
	var pending sync.WaitGroup
	for ctx.Err() == nil {
		wait(ctx, c.span(time.Second, 5*time.Second))
		if ctx.Err() != nil {
			break
		}
		i := c.rng.IntN(len(c.processes))
		p := c.processes[i]
		lasts, kind := c.span(0, 2*time.Second), c.rng.IntN(12)
		switch {
		case kind < 4: // stages are disturbed side by side, each by one fault at a time
			if stages[i].TryLock() {
				c.note("SIGKILL %s for %s", p.name, lasts)
				c.beside(&pending, &stages[i], func() { p.kill(); wait(ctx, lasts); p.start(c.t) })
			}
		case kind < 8:
			if stages[i].TryLock() {
				lasts = c.span(100*time.Millisecond, 20*time.Second)
				c.note("SIGSTOP %s for %s", p.name, lasts)
				c.beside(&pending, &stages[i], func() { p.signal(syscall.SIGSTOP); wait(ctx, lasts); p.signal(syscall.SIGCONT) })
			}
		case kind == 8:
			which := []string{"kafka", "redis"}[c.rng.IntN(2)]
			c.note("kill %s for %s", which, lasts)
			c.services("kill", which)
			wait(ctx, lasts)
			c.services("restart", which)
		case kind == 9:
			which := []string{"kafka", "redis"}[c.rng.IntN(2)]
			lasts = c.span(100*time.Millisecond, 8*time.Second)
			c.note("pause %s for %s", which, lasts)
			c.services("pause", which)
			wait(ctx, lasts)
			c.services("resume", which)
		case kind == 10:
			c.note("FLUSHALL")
			c.flush()
		default:
			i = len(c.processes) - 1
			if stages[i].TryLock() {
				c.note("learner without its checkpoints for %s", lasts)
				c.beside(&pending, &stages[i], func() { c.forgetCheckpoints(ctx, c.processes[i], lasts) })
			}
		}
	}
	pending.Wait()
}

func (c *chaos) beside(pending *sync.WaitGroup, stage *sync.Mutex, fault func()) {
	pending.Add(1)
	go func() {
		defer pending.Done()
		defer stage.Unlock()
		fault()
	}()
}

// span is a random length of time.
func (c *chaos) span(from, to time.Duration) time.Duration {
	return from + time.Duration(c.rng.Int64N(int64(to-from)))
}

// wait passes time, or less when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (c *chaos) note(format string, args ...any) {
	c.t.Logf("%6.1f s: %s", time.Since(c.started).Seconds(), fmt.Sprintf(format, args...))
}

func (c *chaos) flush() {
	client := redis.NewClient(&redis.Options{Addr: c.redis})
	defer client.Close()
	if err := client.FlushAll(context.Background()).Err(); err != nil {
		c.note("FLUSHALL failed: %v", err)
	}
}

func (c *chaos) forgetCheckpoints(ctx context.Context, p *stageProcess, lasts time.Duration) {
	p.kill()
	if err := os.RemoveAll(filepath.Join(c.learners, "checkpoints")); err != nil {
		c.t.Error(err)
	}
	wait(ctx, lasts)
	p.start(c.t)
}

func (s *stageProcess) signal(sig os.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.cmd.Process.Signal(sig)
}
