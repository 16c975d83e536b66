package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// load is an open loop of bid requests. No two of them are the same.
type load struct {
	url    string
	rate   int
	first  int // number of the first request
	won    float64
	beside *beside
	conns  int

	mu   sync.Mutex
	took map[string][]time.Duration // by what the answer was
}

func newLoad(o options, b *beside, first int) *load {
	return &load{url: o.url + "/openrtb2/bid", rate: o.rate, first: first, won: o.won, beside: b, conns: o.connections, took: map[string][]time.Duration{}}
}

// requests is how many are sent in a time.
func (l *load) requests(length time.Duration) int { return int(length.Seconds() * float64(l.rate)) }

func (l *load) run(ctx context.Context, length time.Duration) {
	start := time.Now().Add(100 * time.Millisecond)
	var all sync.WaitGroup
	for c := range l.conns {
		all.Go(func() { l.connection(ctx, c, l.requests(length), start) })
	}
	all.Wait()
}

// connection sends every conns-th request. A time that has passed while its connection was busy is
// part of what the answer took; a timer that is late is not the server's fault.
func (l *load) connection(ctx context.Context, c, total int, start time.Time) {
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxConnsPerHost: 1, DisableCompression: true}}
	defer client.CloseIdleConnections()
	rng := rand.New(rand.NewPCG(uint64(l.first), uint64(c)))
	own := map[string][]time.Duration{}
	var body []byte
	var answer bytes.Buffer
	for i := c; i < total && ctx.Err() == nil; i += l.conns {
		body = appendRequest(body[:0], l.first+i, rng)
		from := start.Add(time.Duration(i) * time.Second / time.Duration(l.rate))
		if wait := time.Until(from); wait > 0 {
			time.Sleep(wait)
			from = time.Now()
		}
		kind := l.ask(client, body, &answer)
		own[kind] = append(own[kind], time.Since(from))
		if kind == bidKind && rng.Float64() < l.won {
			l.beside.notify(answer.Bytes())
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for kind, took := range own {
		l.took[kind] = append(l.took[kind], took...)
	}
}

// bidKind is the kind of an answer with bids.
const bidKind = "200 OK"

// ask sends a request and returns the status of its answer, or what went wrong.
func (l *load) ask(client *http.Client, body []byte, answer *bytes.Buffer) string {
	resp, err := client.Post(l.url, "application/json", bytes.NewReader(body))
	if err == nil {
		answer.Reset()
		_, err = io.Copy(answer, resp.Body)
		err = errors.Join(err, resp.Body.Close())
	}
	if err != nil {
		return "failed"
	}
	return resp.Status
}

// users is how many there are.
const users = 20_000

// appendRequest appends a request as an exchange sends it, for one place of 300x250 on one of 200
// sites.
func appendRequest(dst []byte, n int, rng *rand.Rand) []byte {
	dst = fmt.Appendf(dst, `{"id":"bench-%d","imp":[{"id":"1","banner":{"format":[{"w":300,"h":250},{"w":320,"h":50}],"pos":%d,"battr":[1,3]},"tagid":"slot-%d","bidfloor":0.1,"secure":1}],`, n, rng.IntN(4), rng.IntN(10))
	site := rng.IntN(200)
	dst = fmt.Appendf(dst, `"site":{"id":"s%d","domain":"site%d.example","page":"https://site%d.example/%d","cat":["IAB%d"],"publisher":{"id":"p%d"}},`, site, site, site, rng.IntN(1000), 1+site%20, site%50)
	dst = append(dst, `"device":{"ua":"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/130.0 Mobile Safari/537.36","ip":"203.0.113.7","devicetype":4,"os":"Android","language":"en",`...)
	dst = fmt.Appendf(dst, `"geo":{"country":"USA","region":"R%d","utcoffset":%d}},"user":{"id":"`, rng.IntN(50), -60*(4+rng.IntN(5)))
	dst = strconv.AppendInt(append(dst, 'u'), int64(rng.IntN(users)), 10)
	return append(dst, `","data":[{"id":"dmp","segment":[{"id":"s1"},{"id":"s2"}]}]},"at":1,"tmax":120,"cur":["USD"],"bcat":["IAB25","IAB26"],"badv":["competitor.example"]}`...)
}

// judge prints what was measured, and returns an error where it took too long.
func (l *load) judge(o options) error {
	var all []time.Duration
	for _, kind := range slices.Sorted(maps.Keys(l.took)) {
		took := l.took[kind]
		all = append(all, took...)
		slices.Sort(took)
		fmt.Printf("%s: %d, p50 %.2f ms, p99 %.2f, most %.2f\n", kind, len(took), ms(quantile(took, .5)), ms(quantile(took, .99)), ms(took[len(took)-1]))
	}
	if len(all) == 0 {
		return errors.New("nothing was answered")
	}
	slices.Sort(all)
	late, _ := slices.BinarySearch(all, o.within+1)
	share := float64(late) / float64(len(all))
	fmt.Printf("all: %d (%.0f/s), p50 %.2f ms, p90 %.2f, p99 %.2f, p99.9 %.2f, most %.2f; %.3f%% within %v\n", len(all), float64(len(all))/o.length.Seconds(),
		ms(quantile(all, .5)), ms(quantile(all, .9)), ms(quantile(all, .99)), ms(quantile(all, .999)), ms(all[len(all)-1]), 100*share, o.within)
	switch {
	case len(l.took[bidKind]) < len(all)/2:
		return fmt.Errorf("only %d of %d requests got a bid", len(l.took[bidKind]), len(all))
	case quantile(all, .99) > o.p99:
		return fmt.Errorf("99%% of the answers took up to %v, want %v", quantile(all, .99), o.p99)
	case share < 0.999:
		return fmt.Errorf("%.3f%% of the answers came within %v, want 99.9%%", 100*share, o.within)
	}
	return nil
}

func quantile(sorted []time.Duration, share float64) time.Duration {
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }
