package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/clickloop/clickloop/app/running"
)

// process is a `clickloop` that runs beside the test.
type process struct {
	cmd  *exec.Cmd
	mu   sync.Mutex
	text bytes.Buffer
	came chan struct{} // has an element when text has grown
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.came <- struct{}{}:
	default:
	}
	return p.text.Write(b)
}

func (p *process) printed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// begin starts the program and returns when it has printed what is awaited, within a minute and a
// half.
func begin(t *testing.T, awaited string, args ...string) *process {
	t.Helper()
	return beginWithin(t, 90*time.Second, awaited, args...)
}

func beginWithin(t *testing.T, patience time.Duration, awaited string, args ...string) *process {
	t.Helper()
	p := &process{cmd: program(context.WithoutCancel(t.Context()), args...), came: make(chan struct{}, 1)}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	deadline := time.After(patience)
	for !strings.Contains(p.printed(), awaited) {
		select {
		case <-p.came:
		case <-deadline:
			t.Fatalf("%v did not print %q but\n%s", args, awaited, p.printed())
		}
	}
	return p
}

// end asks it to stop and returns when it has.
func (p *process) end(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait()
}

// alone lets no other `clickloop up` of this user be found.
func alone(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("CLICKLOOP_TEST_MAIN", "1") // for commands that are run by a shell
}

// answer runs a command in this process.
func answer(t *testing.T, want int, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var out bytes.Buffer
	if got := execute(ctx, args, &out, &out); got != want {
		t.Errorf("%v: status %d, want %d\n%s", args, got, want, out.String())
	}
	return out.String()
}

func TestCommandsFindTheUpThatRuns(t *testing.T) {
	alone(t)
	has := func(text string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
	}
	has(answer(t, 1, "tail", "predictions"), "no `clickloop up` is running here")
	has(answer(t, 1, "scorer"), "no `clickloop up` is running here")
	has(answer(t, 1, "doctor"), "no brokers are given")
	data := filepath.Join(t.TempDir(), "my data")
	one := begin(t, "It goes on serving", "up", "--replay", bank, "--limit", "300", "--lockstep", "--http", "127.0.0.1:0", "--data", data, "--prefix", "mine.")
	up := running.In(data)
	if up == nil || up.PID != one.cmd.Process.Pid || up.Prefix != "mine." || !up.EmbeddedKafka || up.Objectives[0].Name != "conversion" {
		t.Fatalf("the data folder tells %+v", up)
	}
	for _, args := range [][]string{nil, {"--data", data}, {"--kafka", up.Kafka[0], "--prefix", "mine."}} {
		if out := answer(t, 0, append([]string{"tail", "predictions", "-o", "-1", "-e"}, args...)...); strings.Count(out, `"id":"bank-marketing-`) == 0 {
			t.Errorf("tail %v printed %s", args, out)
		}
	}
	has(answer(t, 0, "doctor"), "ok     running `clickloop up", "ok     topic mine.examples.conversion", "ok     Redis at "+up.Redis)
	has(answer(t, 0, "model", "show", "conversion"), "conversion@300")
	has(answer(t, 1, "learner"), "another learner beside it: clickloop learner --kafka "+up.Kafka[0]+" --redis "+up.Redis+" --prefix mine.")
	has(answer(t, 1, "tail", "predictions", "--data", t.TempDir()), "no `clickloop up` runs with the data folder", "--kafka "+up.Kafka[0])
	two := begin(t, "ready in", "up", "--http", "127.0.0.1:0")
	for len(running.All()) < 2 {
		<-time.After(10 * time.Millisecond)
	}
	has(answer(t, 1, "tail", "predictions", "-e"), "2 `clickloop up` are running", "my data", up.Kafka[0])
	has(answer(t, 1, "doctor"), "2 `clickloop up` are running")
	answer(t, 0, "tail", "predictions", "-e", "--data", data)
	two.end(t, syscall.SIGKILL) // what it has left is stale
	answer(t, 0, "tail", "predictions", "-e")
	try(t, one.printed())
	one.end(t, syscall.SIGTERM)
	if _, err := os.Stat(filepath.Join(data, running.File)); !os.IsNotExist(err) {
		t.Errorf("the file stays: %v", err)
	}
	has(answer(t, 1, "tail", "predictions", "--data", data), "no `clickloop up` is running here", "my data has none")
}

// try runs each command that up prints, as it stands, in the folder that it was printed in.
func try(t *testing.T, printed string) {
	t.Helper()
	_, after, _ := strings.Cut(printed, "Try, from another terminal:")
	commands := regexp.MustCompile(`(?m)^  ([^# ].*)$`).FindAllStringSubmatch(after, -1)
	if len(commands) != 7 {
		t.Fatalf("%d commands are in\n%s", len(commands), after)
	}
	for _, c := range commands {
		name, _, _ := strings.Cut(c[1], " ")
		if _, err := exec.LookPath(strings.Trim(name, "'")); err != nil {
			t.Logf("not tried: %v", err)
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		out, err := exec.CommandContext(ctx, "bash", "-c", "set -o pipefail; "+c[1]).Output()
		cancel()
		if err != nil || !regexp.MustCompile(`conversion|^ok `).Match(out) || bytes.Contains(out, []byte(`"error"`)) {
			t.Errorf("%s: %v, %s", c[1], err, out)
		}
	}
}

// A Redis with a password: it works, and nothing tells the password.
func TestNothingTellsAPassword(t *testing.T) {
	alone(t)
	m := miniredis.RunT(t)
	m.RequireUserAuth("ann", "hunter2")
	address := m.Addr()
	url := "redis://ann:hunter2@" + address
	data, addresses := t.TempDir(), filepath.Join(t.TempDir(), "addresses")
	p := begin(t, "Redis is the one at", "up", "--redis", url, "--http", "127.0.0.1:0", "--data", data, "--addresses", addresses, "--verbose")
	for running.In(data) == nil {
		<-time.After(10 * time.Millisecond)
	}
	up := running.In(data)
	if !up.EmbeddedKafka || up.EmbeddedRedis {
		t.Errorf("%+v", up)
	}
	texts := map[string]string{}
	texts["tail"] = answer(t, 0, "tail", "events", "-e")
	texts["doctor"] = answer(t, 1, "doctor")
	texts["doctor with the password"] = answer(t, 0, "doctor", "--redis", url)
	texts["doctor with a wrong one"] = answer(t, 1, "doctor", "--redis", "redis://ann:hunter22@"+address)
	texts["a wrong address"] = answer(t, 1, "up", "--redis", "redis://ann:hunter2@h:x")
	texts["a scorer"] = answer(t, 1, "scorer")
	for _, path := range []string{"/readyz", "/healthz", "/metrics", "/v1/clock", "/v1/learner?objective=click", "/"} {
		resp, err := http.Get("http://" + up.Admin + path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		texts[path] = string(b)
	}
	m.Close() // what stages say of a Redis that is away
	if resp, err := http.Get("http://" + up.Admin + "/readyz"); err == nil {
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		texts["/readyz without Redis"] = string(b)
	}
	texts["addresses"], texts["state"] = string(readFile(t, addresses)), string(readFile(t, filepath.Join(data, running.File)))
	p.end(t, syscall.SIGTERM)
	texts["up"] = p.printed()
	for what, text := range texts {
		if strings.Contains(text, "hunter2") || text == "" {
			t.Errorf("%s: %s", what, text)
		}
	}
	if !strings.Contains(texts["doctor"], "its password is kept nowhere") || !strings.Contains(texts["up"], "Kafka is embedded: for trying out, tests and demos, not for production; Redis is the one at redis://***@"+address) {
		t.Errorf("doctor: %s\nup: %s", texts["doctor"], texts["up"])
	}
}

func TestFlagsThatContradictAreRefused(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		if out := answer(t, 2, args...); !strings.Contains(out, want) {
			t.Errorf("%v: %s, want %s", args, out, want)
		}
	}
	f("--lockstep is for a recording", "up", "--lockstep")
	f("--exit is for a recording", "up", "--exit")
	f("--json is for a recording", "up", "--json")
	f("--limit is for a recording", "up", "--limit", "5")
	f("--speed is for a recording", "up", "--speed", "5")
	f("--lockstep and --speed contradict", "up", "--replay", bank, "--lockstep", "--speed", "5")
	f("--speed is -1", "up", "--replay", bank, "--speed", "-1")
	f("--speed is NaN", "up", "--replay", bank, "--speed", "nan")
	f("--limit is -1", "up", "--replay", bank, "--limit", "-1")
	f("--lockstep and --speed contradict", "replay", bank, "--lockstep", "--speed", "5")
	f("--limit is -1", "replay", bank, "--limit", "-1")
	f("--ready asks one stage", "doctor", "--ready", "http://h:1", "--kafka", "h:1")
	f(`"now" is no flag`, "doctor", "now")
	if out := answer(t, 1, "scorer", "--clock", "walls"); !strings.Contains(out, `--clock: clock is "walls", want wall or recorded`) {
		t.Error(out)
	}
}
