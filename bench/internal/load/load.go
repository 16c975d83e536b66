// Package load sends requests over HTTP in an open loop: when they are due, whether or not earlier
// ones were answered. An answer that comes late because its connection was still busy counts from
// when its request was due.
package load

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Load is what is sent.
type Load struct {
	URL         string        // to which requests are posted, as JSON
	Rate        int           // requests a second; 0: a closed loop, the next behind each answer
	Connections int           // kept alive, each with one request at a time
	Length      time.Duration // how long
	First       int           // number of the first request

	// Body appends the body of the n-th request. Each connection calls it, with randomness of its
	// own that depends on First and the connection alone.
	Body func(dst []byte, n int, rng *rand.Rand) []byte

	// Answered is told each answer. Connections call it at the same time.
	Answered func(Answer)

	// Leave has a connection end where an answer asks for that (Connection: close), as it does
	// before a server ends. Otherwise the connection is made again.
	Leave bool
}

// Answer is what became of a request.
type Answer struct {
	Due    time.Time // when it was to be sent, or was, where a timer was late
	Took   time.Duration
	Late   time.Duration // of the timer; 0 where the connection was busy until then
	Status string        // such as 200 OK, or Failed
	Err    error         // why it failed
	Body   []byte        // until Answered returns
}

// The status of a good answer, and of a request without one.
const (
	OK     = "200 OK"
	Failed = "failed"
)

// Requests is how many an open loop sends.
func (l *Load) Requests() int { return int(l.Length.Seconds() * float64(l.Rate)) }

// Run sends the requests, and returns when all are answered, or soon after ctx has ended.
func (l *Load) Run(ctx context.Context) {
	start := time.Now().Add(100 * time.Millisecond)
	var all sync.WaitGroup
	for c := range l.Connections {
		all.Go(func() { l.connection(ctx, c, start) })
	}
	all.Wait()
}

// connection sends every Connections-th request.
func (l *Load) connection(ctx context.Context, c int, start time.Time) {
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxConnsPerHost: 1, DisableCompression: true}}
	defer client.CloseIdleConnections()
	rng := rand.New(rand.NewPCG(uint64(l.First), uint64(c)))
	var body []byte
	var answer bytes.Buffer
	for i := c; ctx.Err() == nil; i += l.Connections {
		due := time.Now()
		if l.Rate > 0 {
			due = start.Add(time.Duration(i) * time.Second / time.Duration(l.Rate))
		}
		if due.Sub(start) >= l.Length {
			return
		}
		var a Answer
		body = l.Body(body[:0], l.First+i, rng)
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
			a.Late = time.Since(due) // which is not the server's fault
			due = due.Add(a.Late)
		}
		a.Due = due
		left := false
		a.Status, left, a.Err = ask(client, l.URL, body, &answer)
		a.Took, a.Body = time.Since(due), answer.Bytes()
		l.Answered(a)
		if left && l.Leave {
			return
		}
	}
}

// ask sends a request. It returns the status of its answer and whether that asks the client to
// leave, or what went wrong.
func ask(client *http.Client, url string, body []byte, answer *bytes.Buffer) (status string, leave bool, err error) {
	answer.Reset()
	resp, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err == nil {
		_, err = io.Copy(answer, resp.Body)
		err = errors.Join(err, resp.Body.Close())
	}
	if err != nil {
		return Failed, false, err
	}
	return resp.Status, resp.Close, nil
}
