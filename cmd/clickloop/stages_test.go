package main

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/embedded"
	"github.com/clickloop/clickloop/stream"
)

// stageProcess is a stage as a process of its own that is killed and started again on the same
// address.
type stageProcess struct {
	name    string
	address string
	admin   string
	args    []string
	mu      sync.Mutex
	cmd     *exec.Cmd
	stderr  bytes.Buffer
}

func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := embedded.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

func (s *stageProcess) start(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cmd = program(context.Background(), append([]string{s.name}, s.args...)...)
	s.cmd.Stderr = &s.stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// kill ends the process by SIGKILL.
func (s *stageProcess) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// kills is how often each stage is killed: CLICKLOOP_TEST_KILLS, or 1.
func kills() int {
	n, err := strconv.Atoi(os.Getenv("CLICKLOOP_TEST_KILLS"))
	if err != nil {
		return 1
	}
	return n
}

// Four stages as processes; each is killed at random moments of a replay and started again. In the
// end there is one example for each prediction, and no label is false.
func TestStagesThatAreKilledLoseNothing(t *testing.T) {
	const rows = 6000
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	brokers, prefix := backend.Kafka(t), backend.Prefix(t)
	config := t.TempDir() + "/clickloop.yaml"
	text := "objectives:\n  - {name: conversion, trigger: prediction, positive: conversion, window: 30s}\nclock: recorded\n"
	if file := backend.ConfigFile(); file != "" {
		text += string(readFile(t, file))
	}
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	services := []string{"--config", config, "--kafka", strings.Join(brokers, ","), "--redis", backend.Redis(t), "--prefix", prefix}
	processes := map[string]*stageProcess{}
	for _, name := range run.Stages {
		p := &stageProcess{name: name, address: freeAddress(t), admin: freeAddress(t)}
		p.args = append([]string{"--http", p.address, "--admin", p.admin, "--data", t.TempDir()}, services...)
		p.start(t)
		processes[name] = p
		t.Cleanup(p.kill)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	awaitAnswer(ctx, t, processes["ingest"].address)
	awaitAnswer(ctx, t, processes["scorer"].address)
	played := make(chan error, 1)
	var out bytes.Buffer
	go func() {
		cmd := program(ctx, append([]string{"replay", bank, "--limit", strconv.Itoa(rows), "--speed", "600",
			"--collector", "http://" + processes["ingest"].address, "--collector-admin", "http://" + processes["ingest"].admin,
			"--scorer", "http://" + processes["scorer"].address, "--scorer-admin", "http://" + processes["scorer"].admin}, services...)...)
		cmd.Stdout, cmd.Stderr = &out, &out
		played <- cmd.Run()
	}()
	order := []string{}
	for range kills() {
		order = append(order, run.Stages...)
	}
	rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	for _, name := range order {
		select {
		case <-time.After(time.Duration(rng.Int64N(int64(12 * time.Second / time.Duration(len(order)))))):
			// random moments are what is tested
		case <-ctx.Done():
		}
		processes[name].kill()
		processes[name].start(t)
	}
	if err := <-played; err != nil {
		for _, p := range processes {
			t.Logf("%s: %.2000s", p.name, p.stderr.String())
		}
		t.Fatalf("seed %d: %v\n%s", seed, err, out.String())
	}
	checkReplayed(ctx, t, seed, rows, brokers, prefix)
}

func awaitAnswer(ctx context.Context, t *testing.T, address string) {
	t.Helper()
	for {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = conn.Close()
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s does not listen", address)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// checkReplayed counts on the topics.
func checkReplayed(ctx context.Context, t *testing.T, seed uint64, rows int64, brokers []string, prefix string) {
	t.Helper()
	rec, err := recording.Open(bank)
	if err != nil {
		t.Fatal(err)
	}
	positives := int64(0)
	for row, err := range rec.Rows() {
		if err != nil || row.N > rows {
			break
		}
		if row.Positive {
			positives++
		}
	}
	by, login := backend.Secured(brokers)
	client, err := stream.Dial(stream.Config{Brokers: brokers, Prefix: prefix, TLS: by, SASL: stream.SASL(login)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	s, err := run.Summarize(ctx, client, rec.Name(), rec.Objective())
	if err != nil {
		t.Fatal(err)
	}
	if s.Predictions != rows || s.Examples != rows || s.Positives != positives || s.Events != positives || s.DeadLetters != 0 {
		t.Errorf("seed %d: %d predictions, %d examples, %d positives, %d events, %d dead letters; want %d, %d, %d, %d, 0",
			seed, s.Predictions, s.Examples, s.Positives, s.Events, s.DeadLetters, rows, rows, positives, positives)
	}
}
