// Command latency measures how long a running scorer takes to answer, in an open loop: requests are
// sent when they are due, whether or not earlier ones were answered, and an answer that comes late
// because its connection was still busy counts from when it was due.
//
// It prints one line for each status: how many answers, and percentiles of their latency. With
// -plain it measures a server in its own process that only decodes the body, to compare with.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/clickloop/clickloop/bench/internal/load"
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
	requests, took := load.Scores(4000, *candidates, 20_000, 0), load.Times{}
	l := load.Load{URL: *url + "/v1/score", Rate: *rate, Connections: *connections, Length: *length, Body: requests.Body}
	l.Answered = func(a load.Answer) { took.Add(a.Status, a.Took) }
	l.Run(context.Background())
	for _, status := range took.Kinds() {
		t := took.Of(status)
		fmt.Printf("%s: %d (%.0f/s), p50 %.2f ms, p90 %.2f, p99 %.2f, p99.9 %.2f, most %.2f\n", status, len(t), float64(len(t))/length.Seconds(),
			load.Ms(t.Quantile(.5)), load.Ms(t.Quantile(.9)), load.Ms(t.Quantile(.99)), load.Ms(t.Quantile(.999)), load.Ms(t.Most()))
	}
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
