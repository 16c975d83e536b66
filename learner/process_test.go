package learner

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/weights"
	"github.com/clickloop/clickloop/stream"
)

// process runs a learner in a process of its own, which kills itself at its die-th operation on
// checkpoints (0: it does not). reaches waits until it has learned n examples, and is false when it
// ended before.
func (f *fixture) process(dir string, publish time.Duration, die int) (cmd *exec.Cmd, reaches func(n int64) bool) {
	f.t.Helper()
	cmd = exec.Command(os.Args[0], "-test.run=^TestKilledWithSignalNine", "-test.v")
	spec := strings.Join([]string{strings.Join(f.brokers, ","), f.prefix, dir, publish.String(), strconv.Itoa(die)}, "|")
	cmd.Env = append(os.Environ(), "CLICKLOOP_TEST_LEARNER="+spec)
	out, err := cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may be gone
	lines := bufio.NewScanner(out)
	return cmd, func(n int64) bool {
		for lines.Scan() { // it tells how far it is
			var at int64
			if _, err := fmt.Sscanf(lines.Text(), "at %d", &at); err == nil && at >= n {
				return true
			}
		}
		return false
	}
}

// victim runs a learner until it is killed.
func victim(t *testing.T, spec []string) {
	f := &fixture{t: t, brokers: strings.Split(spec[0], ","), prefix: spec[1]}
	publish, err := time.ParseDuration(spec[3])
	if err != nil {
		t.Fatal(err)
	}
	die, err := strconv.Atoi(spec[4])
	if err != nil {
		t.Fatal(err)
	}
	r := f.run(spec[2], func(c *Config, d *Deps) {
		c.CheckpointExamples, c.Publish = 50, publish
		d.disk = &deadlyDisk{die: die}
	})
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		if code, s := r.call(http.MethodGet, "/v1/learner?objective=click"); code == http.StatusOK {
			fmt.Printf("at %d\n", s.Examples)
		}
	}
}

// deadlyDisk is the system's disk, on which the process kills itself at an operation. One goroutine
// at a time writes checkpoints.
type deadlyDisk struct {
	osDisk
	die int
}

func (d *deadlyDisk) step() bool {
	d.die--
	return d.die == 0
}

func kill() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

func (d *deadlyDisk) Create(path string) (diskFile, error) {
	if d.step() {
		kill()
	}
	f, err := d.osDisk.Create(path)
	return &deadlyFile{f, d}, err
}

func (d *deadlyDisk) Rename(from, to string) error {
	if d.step() {
		kill()
	}
	return d.osDisk.Rename(from, to)
}

func (d *deadlyDisk) SyncDir(dir string) error {
	if d.step() {
		kill()
	}
	return d.osDisk.SyncDir(dir)
}

type deadlyFile struct {
	diskFile
	disk *deadlyDisk
}

func (f *deadlyFile) Write(b []byte) (int, error) {
	if f.disk.step() {
		_, _ = f.diskFile.Write(b[:rand.IntN(len(b)+1)])
		kill()
	}
	return f.diskFile.Write(b)
}

func (f *deadlyFile) Sync() error {
	if f.disk.step() {
		kill()
	}
	return f.diskFile.Sync()
}

// TestKilledWithSignalNineTheWeightsComeOutTheSame kills a learner's whole process at random
// moments while examples come, and at random steps of writing checkpoints.
func TestKilledWithSignalNineTheWeightsComeOutTheSame(t *testing.T) {
	if spec := os.Getenv("CLICKLOOP_TEST_LEARNER"); spec != "" {
		victim(t, strings.Split(spec, "|"))
		return
	}
	t.Parallel()
	// Each kill costs the time after which the group gives up a member.
	kills, step := 6, int64(300)
	if n, err := strconv.Atoi(os.Getenv("CLICKLOOP_TEST_KILLS")); err == nil {
		kills = n
	}
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	f := newFixture(t)
	dir := t.TempDir()
	n := int64(0)
	for i := range kills {
		die := 0
		if i%2 == 1 {
			die = 1 + rng.IntN(6) // a checkpoint takes six operations
		}
		cmd, reaches := f.process(dir, 0, die)
		f.produce(recordsOf(1, n, n+step))
		at := n + 1 + rng.Int64N(step-1)
		n += step
		if die == 0 {
			reaches(at)
			_ = cmd.Process.Kill() // what it comes to is seen below
		}
		for reaches(n + 1) { // never: it goes on to its end
		}
		_ = cmd.Wait() // it was killed
		if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGKILL {
			t.Errorf("process %d, to die at step %d, ended with %v", i, die, cmd.ProcessState)
		}
	}
	r := f.run(dir, nil)
	s := r.await(n)
	if s.Weights != straight(t, n) {
		t.Errorf("after %d kills the weights are %s, want %s", kills, s.Weights, straight(t, n))
	}
	r.stop()
	replica, epochs := follow(t, f.read(event.TopicModel("click")))
	if replica.Examples() != n || len(epochs) > kills+1 {
		t.Errorf("version %d, epochs %v after %d kills", replica.Examples(), epochs, kills)
	}
}

// stopped is how long the old one of two learners stands still: long enough for its group to give
// it up, in the integration run 30 s.
func stopped(t *testing.T) time.Duration {
	text := os.Getenv("CLICKLOOP_TEST_STOP")
	if text == "" {
		return 0 // until the other has taken over
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("CLICKLOOP_TEST_STOP: %v", err)
	}
	return d
}

// TestADeposedLearnersLateWordsChangeNothing stops a learner's process with something still to say,
// lets another take over, and continues the first.
func TestADeposedLearnersLateWordsChangeNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	first, reaches := f.process(t.TempDir(), 400*time.Millisecond, 0)
	f.produce(recordsOf(1, 0, 200))
	if !reaches(200) {
		t.Fatal("the first learner ended")
	}
	f.produce(recordsOf(1, 200, 260))
	if !reaches(260) { // and will publish in a moment
		t.Fatal("the first learner ended")
	}
	if err := first.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	since := time.Now()
	second := f.run(t.TempDir(), nil)
	f.produce(recordsOf(1, 260, 400))
	taken := second.await(400)
	if rest := stopped(t) - time.Since(since); rest > 0 {
		time.Sleep(rest) // what is tested is a process that slept so long
	}
	t.Logf("the first was stopped for %v", time.Since(since))
	if err := first.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	// The first says what it had to say, and is told by its group that it is deposed; then it asks
	// to join again.
	deadline := time.Now().Add(5 * time.Second)
	late := 0
	for late == 0 && time.Now().Before(deadline) {
		late = lateWords(t, f.read(event.TopicModel("click")))
		time.Sleep(20 * time.Millisecond)
	}
	t.Logf("%d records of the deposed learner stand behind those of its successor", late)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // it was killed
	f.produce(recordsOf(1, 400, 500))
	s := second.await(500)
	if s.Weights != straight(t, 500) || taken.Weights != straight(t, 400) {
		t.Errorf("weights %s after %s, want %s after %s", s.Weights, taken.Weights, straight(t, 500), straight(t, 400))
	}
	second.stop()
	if replica, _ := follow(t, f.read(event.TopicModel("click"))); replica.Examples() != 500 {
		t.Errorf("followed past the late words, the topic leads to version %d", replica.Examples())
	}
}

// lateWords counts records of a lower epoch than was seen before them.
func lateWords(t *testing.T, records []stream.Record) (n int) {
	t.Helper()
	highest := int64(0)
	for i := range records {
		h, err := weights.ParseHead(records[i].Headers)
		if err != nil {
			t.Fatal(err)
		}
		if h.Epoch < highest {
			n++
		}
		highest = max(highest, h.Epoch)
	}
	return n
}
