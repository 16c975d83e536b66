// Command latency measures how long a running scorer takes to answer, in an open loop: requests are
// sent when they are due, whether or not earlier ones were answered, and an answer that comes late
// because its connection was still busy counts from when it was due.
//
// It prints one line for each status: how many answers, and percentiles of their latency. With
// -plain it measures a server in its own process that only decodes the body, to compare with.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

func main() {
	url := flag.String("url", "http://127.0.0.1:8080", "the scorer's public port")
	rate := flag.Int("rate", 1000, "requests a second")
	candidates := flag.Int("candidates", 1, "of a request")
	connections := flag.Int("connections", 16, "kept alive")
	length := flag.Duration("for", 10*time.Second, "how long")
	plain := flag.Bool("plain", false, "measure a server that only decodes JSON")
	flag.Parse()
	if *rate < 1 || *candidates < 1 || *connections < 1 {
		log.Fatal("-rate, -candidates and -connections want at least 1")
	}
	if *plain {
		address, err := servePlain()
		if err != nil {
			log.Fatal(err)
		}
		*url = address
	}
	l := load{url: *url + "/v1/score", rate: *rate, total: int(length.Seconds() * float64(*rate)), bodies: bodies(4000, *candidates)}
	l.run(*connections)
	l.print(*length)
}

// bodies makes requests of 20,000 users, 2,000 ads of 100 campaigns, and a context of ten fields.
func bodies(n, candidates int) (all [][]byte) {
	rng := rand.New(rand.NewPCG(5, 1))
	for range n {
		context := map[string]any{"hour": rng.IntN(24)}
		for f := range 9 {
			context[fmt.Sprint("field", f)] = fmt.Sprint("v", rng.IntN(1<<(f+2)))
		}
		ads := make([]map[string]string, candidates)
		for i := range ads {
			ads[i] = map[string]string{"ad": fmt.Sprint("a", rng.IntN(2000)), "campaign": fmt.Sprint("c", rng.IntN(100))}
		}
		b, err := json.Marshal(map[string]any{"user": fmt.Sprint("u", rng.IntN(20_000)), "context": context, "candidates": ads})
		if err != nil {
			panic("BUG: " + err.Error())
		}
		all = append(all, b)
	}
	return all
}

// servePlain starts the server to compare with, and returns its address.
func servePlain() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	answer := bytes.Repeat([]byte("x"), 200) // about what a scored candidate takes
	go func() {
		log.Fatal(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var body map[string]any
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			_, _ = w.Write(answer)
		})))
	}()
	return "http://" + l.Addr().String(), nil
}

// load is an open loop of requests.
type load struct {
	url         string
	rate, total int
	bodies      [][]byte

	mu   sync.Mutex
	took map[string][]time.Duration // by status
}

func (l *load) run(connections int) {
	l.took = map[string][]time.Duration{}
	start := time.Now().Add(100 * time.Millisecond)
	var all sync.WaitGroup
	for c := range connections {
		all.Go(func() {
			client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxConnsPerHost: 1, DisableCompression: true}}
			own := map[string][]time.Duration{}
			for i := c; i < l.total; i += connections {
				from := start.Add(time.Duration(i) * time.Second / time.Duration(l.rate))
				if wait := time.Until(from); wait > 0 {
					time.Sleep(wait)
					from = time.Now() // a timer that is late is not the server's fault
				}
				status := l.ask(client, i)
				own[status] = append(own[status], time.Since(from))
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			for status, took := range own {
				l.took[status] = append(l.took[status], took...)
			}
		})
	}
	all.Wait()
}

// ask sends a request and returns the status of its answer, or what went wrong.
func (l *load) ask(client *http.Client, i int) string {
	resp, err := client.Post(l.url, "application/json", bytes.NewReader(l.bodies[i%len(l.bodies)]))
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		err = errors.Join(err, resp.Body.Close())
	}
	if err != nil {
		return "failed"
	}
	return resp.Status
}

func (l *load) print(length time.Duration) {
	for _, status := range slices.Sorted(maps.Keys(l.took)) {
		took := l.took[status]
		slices.Sort(took)
		at := func(share float64) float64 {
			return took[min(int(share*float64(len(took))), len(took)-1)].Seconds() * 1000
		}
		fmt.Printf("%s: %d (%.0f/s), p50 %.2f ms, p90 %.2f, p99 %.2f, p99.9 %.2f, most %.2f\n",
			status, len(took), float64(len(took))/length.Seconds(), at(.5), at(.9), at(.99), at(.999), at(1))
	}
}
