// Command dashboard measures what watching costs the loop: it plays a recording through
// `clickloop up` as fast as it goes, in pairs of runs with and without clients on the dashboard's
// stream, and prints the medians of the ratios of their throughput and of the processor time of the
// loop's process. The clients run beside the loop and take their share of the same processors.
//
// Where other work slows the runs, both are disturbed: the throughput by chance, and the processor
// time because a longer run has more states. So it prints, too, how much more processor time a
// watched second takes.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// options are the flags.
type options struct {
	binary, recording string
	pairs, clients    int
	limit             int
	args              []string // further ones of `clickloop up`
}

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/clickloop", "the program")
	flag.StringVar(&o.recording, "recording", "examples/bank-marketing", "what is played")
	flag.IntVar(&o.pairs, "pairs", 9, "pairs of runs")
	flag.IntVar(&o.clients, "clients", 20, "clients that watch")
	flag.IntVar(&o.limit, "limit", 0, "requests of a run; 0 for all")
	flag.Parse()
	o.args = flag.Args()
	if err := measure(&o); err != nil {
		log.Fatal(err)
	}
}

// result is one run.
type result struct {
	perSecond float64
	seconds   float64
	cpu       time.Duration // of the process
	states    int64         // that all clients got
	bytes     int64
}

// measure runs the pairs. The order within a pair alternates, so that what changes with time
// favours neither.
func measure(o *options) error {
	var ratios, cpu, more []float64
	for n := range o.pairs {
		var with, without result
		for _, watched := range []bool{n%2 == 0, n%2 == 1} {
			r, err := run(o, watched)
			if err != nil {
				return err
			}
			if watched {
				with = r
			} else {
				without = r
			}
		}
		ratios = append(ratios, with.perSecond/without.perSecond)
		cpu = append(cpu, with.cpu.Seconds()/without.cpu.Seconds())
		more = append(more, 1000*(with.cpu-without.cpu).Seconds()/with.seconds)
		fmt.Printf("pair %d: %.0f requests/s watched by %d, %.0f unwatched: %.3f; processor time %.2f and %.2f s: %.3f (%d states, %.1f MB)\n",
			n+1, with.perSecond, o.clients, without.perSecond, ratios[n], with.cpu.Seconds(), without.cpu.Seconds(), cpu[n], with.states, float64(with.bytes)/1e6)
	}
	tell("ratio of throughput", ratios)
	tell("ratio of processor time", cpu)
	tell("processor time that watching adds, in milliseconds a second", more)
	return nil
}

func tell(what string, values []float64) {
	slices.Sort(values)
	fmt.Printf("%s: median %.3f (from %.3f to %.3f)\n", what, values[len(values)/2], values[0], values[len(values)-1])
}

// run plays the recording once.
func run(o *options, watched bool) (result, error) {
	dir, err := os.MkdirTemp("", "dashboard")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)
	addresses := filepath.Join(dir, "addresses")
	args := []string{"up", "--replay", o.recording, "--exit", "--json", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--addresses", addresses}
	if o.limit > 0 {
		args = append(args, "--limit", fmt.Sprint(o.limit))
	}
	cmd := exec.Command(o.binary, append(args, o.args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var r result
	var clients sync.WaitGroup
	if watched {
		clients.Go(func() { watch(ctx, addresses, o.clients, &r) })
	}
	err = cmd.Wait()
	cancel()
	clients.Wait()
	if err != nil {
		return result{}, fmt.Errorf("clickloop up: %w: %s", err, stderr.Bytes())
	}
	var summary struct {
		RequestsPerSecond float64 `json:"requests_per_second"`
		Seconds           float64 `json:"seconds"`
	}
	if err := json.Unmarshal(stdout.Bytes(), &summary); err != nil {
		return result{}, fmt.Errorf("its summary: %w", err)
	}
	r.perSecond, r.seconds = summary.RequestsPerSecond, summary.Seconds
	r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if watched && r.states == 0 {
		return result{}, errors.New("no client got a state")
	}
	return r, nil
}

// watch opens the streams once the process has written its addresses, and reads them to their end.
func watch(ctx context.Context, addresses string, clients int, r *result) {
	admin := ""
	for admin == "" && ctx.Err() == nil {
		b, _ := os.ReadFile(addresses) // not there yet
		for line := range strings.Lines(string(b)) {
			if at, ok := strings.CutPrefix(line, "ADMIN="); ok {
				admin = strings.TrimSpace(at)
			}
		}
		time.Sleep(time.Millisecond)
	}
	var states, read atomic.Int64
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/v1/dashboard/stream", nil)
			if err != nil {
				log.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return // the run has ended
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				b, _ := io.ReadAll(resp.Body)
				log.Fatalf("a stream is refused: %s %s", resp.Status, b)
			}
			for lines := bufio.NewReaderSize(resp.Body, 1<<16); ; {
				line, err := lines.ReadSlice('\n')
				read.Add(int64(len(line)))
				if bytes.HasPrefix(line, []byte("event: state")) {
					states.Add(1)
				}
				if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
					return
				}
			}
		})
	}
	all.Wait()
	r.states, r.bytes = states.Load(), read.Load()
}
