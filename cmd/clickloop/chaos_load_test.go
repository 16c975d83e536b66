//go:build long

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

const (
	chaosRate  = 40 // requests a second
	chaosUsers = 300
	chaosAds   = 30
)

// load plays websites and bidders: it asks for scores and sends what happened, and sends both again
// until they are acknowledged, now and then once more afterwards.
type load struct {
	c      *chaos
	client *http.Client
	rng    *rand.Rand // of run alone; each request has one of its own
	calls  sync.WaitGroup
	limit  chan struct{} // requests under way

	mu        sync.Mutex
	events    map[string]bool // ids that were acknowledged
	published map[string]bool // predictions that were answered as acknowledged
	answered  int
	conflicts []string
	gaveUp    int
}

func newLoad(c *chaos, seed uint64) *load {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second}
	return &load{
		c: c, client: &http.Client{Timeout: 3 * time.Second, Transport: transport}, rng: rand.New(rand.NewPCG(seed, 2)),
		limit: make(chan struct{}, 500), events: map[string]bool{}, published: map[string]bool{},
	}
}

// run begins requests at random moments until ctx ends.
func (l *load) run(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		wait(ctx, time.Duration(l.rng.ExpFloat64()*float64(time.Second)/chaosRate))
		seed := l.rng.Uint64()
		l.limit <- struct{}{}
		l.calls.Add(1)
		go func() {
			defer l.calls.Done()
			defer func() { <-l.limit }()
			l.visit(n, rand.New(rand.NewPCG(seed, 3)))
		}()
	}
}

// finish waits until all that was begun is acknowledged.
func (l *load) finish() {
	l.calls.Wait()
	l.client.CloseIdleConnections()
	l.c.note("%d requests answered, %d predictions published, %d events acknowledged, %d given up", l.answered, len(l.published), len(l.events), l.gaveUp)
}

// visit is one request and what follows it.
func (l *load) visit(n int, rng *rand.Rand) {
	user := fmt.Sprintf("u%d", rng.IntN(chaosUsers))
	candidates := make([]map[string]any, 3)
	first := rng.IntN(chaosAds)
	for i := range candidates {
		candidates[i] = map[string]any{"ad": fmt.Sprintf("a%d", (first+7*i)%chaosAds), "campaign": fmt.Sprintf("c%d", (first+7*i)%5)}
	}
	body, _ := json.Marshal(map[string]any{
		"request": fmt.Sprintf("r%d", n), "user": user, "log": "acknowledged", "context": map[string]any{"device": []string{"mobile", "desktop"}[rng.IntN(2)], "hour": rng.IntN(24)}, "candidates": candidates,
	})
	id, ad, campaign, ok := l.score(rng, body)
	if !ok {
		return
	}
	if rng.IntN(20) == 0 {
		l.score(rng, body)
	}
	at := time.Now()
	happens := func(share float64, kind string, within time.Duration, value float64) {
		if rng.Float64() >= share {
			return
		}
		after, rng := time.Duration(rng.Int64N(int64(within))), rand.New(rand.NewPCG(rng.Uint64(), 4))
		l.calls.Add(1)
		go func() {
			defer l.calls.Done()
			time.Sleep(time.Until(at.Add(after)))
			l.send(rng, fmt.Sprintf("%s-%s", id, kind), map[string]any{"type": kind, "user": user, "prediction": id, "ad": ad, "campaign": campaign, "value": value})
		}()
	}
	happens(0.9, "impression", 3*time.Second, 0)
	happens(0.3, "click", 9*time.Second, 0)
	happens(0.15, "conversion", 14*time.Second, float64(rng.IntN(100))/4)
}

// score asks until one of the scorers answers, and returns the chosen candidate.
func (l *load) score(rng *rand.Rand, body []byte) (id, ad, campaign string, ok bool) {
	var a struct {
		Predictions []struct {
			Prediction, Ad, Campaign string
			Chosen                   bool
		}
		Acknowledged bool
	}
	status, ok := l.call(rng, l.c.addresses("scorer"), "/v1/score", body, &a)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !ok {
		l.gaveUp++
		return "", "", "", false
	}
	if status == http.StatusConflict {
		l.conflicts = append(l.conflicts, string(body))
		return "", "", "", false
	}
	l.answered++
	for _, p := range a.Predictions {
		if p.Chosen {
			if a.Acknowledged {
				l.published[p.Prediction] = true
			}
			return p.Prediction, p.Ad, p.Campaign, true
		}
	}
	return "", "", "", false
}

// send sends one event until a collector acknowledges it.
func (l *load) send(rng *rand.Rand, id string, e map[string]any) {
	e["id"] = id
	body, _ := json.Marshal(e)
	for range 1 + rng.IntN(20)/19 {
		var a struct{ Results []struct{ Status string } }
		_, ok := l.call(rng, l.c.addresses("ingest"), "/v1/events", body, &a)
		l.mu.Lock()
		if !ok {
			l.gaveUp++
		} else if len(a.Results) == 1 && a.Results[0].Status != "rejected" {
			l.events[id] = true
		}
		l.mu.Unlock()
	}
}

// call posts body to one address after another until one answers 200 or 409.
func (l *load) call(rng *rand.Rand, addresses []string, path string, body []byte, into any) (status int, ok bool) {
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); {
		status, err := l.post("http://"+addresses[rng.IntN(len(addresses))]+path, body, into)
		if err == nil && (status == http.StatusOK || status == http.StatusConflict) {
			return status, true
		}
		time.Sleep(time.Duration(50+rng.IntN(400)) * time.Millisecond)
	}
	return 0, false
}

func (l *load) post(url string, body []byte, into any) (int, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp.StatusCode, err
	}
	return resp.StatusCode, json.Unmarshal(answer, into)
}
