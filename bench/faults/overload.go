package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/clickloop/clickloop/bench/internal/load"
)

// capacity is what the program can do of large requests, and how long they take below it.
type capacity struct {
	perSecond float64
	normal    load.Sorted
	rate      int // of the normal requests, a second
}

// What an overload takes and allows.
const (
	largeCandidates = 100
	manyConnections = 200
	askedTimes      = 3                    // of the capacity
	normalShare     = 0.3                  // of the capacity
	slowerTimes     = 3                    // that accepted requests may take, of normal ones
	refusedWithin   = 5 * time.Millisecond // at p99
	growsMost       = 1.1                  // of the resident memory, from the middle to the end
)

var large = sync.OnceValue(func() load.Bodies { return load.Scores(1000, largeCandidates, users, tmaxMs) })

// largeScores are requests with many candidates. A rate of 0 is a closed loop.
func (b *bench) largeScores(rate, connections int, length time.Duration) (l *load.Load, times *load.Times, timers *lateness) {
	times, timers = &load.Times{}, &lateness{}
	l = &load.Load{URL: b.system.URL + "/v1/score", Rate: rate, Connections: connections, Length: length, Body: large().Body}
	l.Answered = func(a load.Answer) {
		status := a.Status
		if errors.Is(a.Err, syscall.ECONNREFUSED) {
			status = "not reached"
		}
		times.Add(status, a.Took)
		timers.add(a)
	}
	return l, times, timers
}

// measureCapacity is done once: as many requests as are answered one after another over a few
// connections, so few that none is refused, and then some of them.
func (b *bench) measureCapacity(ctx context.Context) error {
	if b.capacity.perSecond > 0 {
		return nil
	}
	const few = 4
	for _, length := range []time.Duration{2 * time.Second, b.length} { // the first warms up
		closed, times, _ := b.largeScores(0, few, length)
		began := time.Now()
		closed.Run(ctx)
		b.capacity.perSecond = float64(len(times.Of(load.OK))) / time.Since(began).Seconds()
	}
	b.capacity.rate = max(1, int(normalShare*b.capacity.perSecond))
	normal, times, _ := b.largeScores(b.capacity.rate, connections, b.length)
	normal.Run(ctx)
	b.capacity.normal = times.Of(load.OK)
	if len(b.capacity.normal) == 0 {
		return errors.New("no request below the capacity is answered")
	}
	return ctx.Err()
}

// asked is the rate of an overload.
func (c capacity) asked() int { return int(askedTimes * c.perSecond) }

// overload is a case: three times the capacity is asked for.
func (b *bench) overload(ctx context.Context) (string, error) {
	if err := b.measureCapacity(ctx); err != nil {
		return "", err
	}
	c := b.capacity
	over, times, timers := b.largeScores(c.asked(), manyConnections, b.overloadFor)
	var memory []int64 // at the begin, in the middle, at the end
	sampled := make(chan error, 1)
	go func() {
		for n := range 3 {
			if n > 0 {
				if err := pause(ctx, over.Length/2); err != nil {
					sampled <- err
					return
				}
			}
			memory = append(memory, b.system.Resident())
		}
		sampled <- nil
	}()
	over.Run(ctx)
	ended := time.Now()
	if err := <-sampled; err != nil {
		return "", err
	}
	probe := &load.Load{URL: over.URL, Rate: max(c.rate, 50), Connections: connections, Length: after, Body: large().Body}
	behind, err := collect(ctx, probe, func() error { return nil })
	if err != nil {
		return "", err
	}
	most := slowerTimes * c.normal.Quantile(.99)
	normal, never := again(behind.all, answer.at, ended, func(a answer) bool { return a.status == load.OK && a.took <= most })
	accepted, refused := times.Of(load.OK), times.Of(busy)
	text := fmt.Sprintf("capacity %.0f/s, normal p99 %.2f ms; at %d/s over %d connections for %v %s; accepted p99 %.2f ms, refused p99 %.2f, timers of the generator %.2f late at p99; resident %s MB; normal again after %v",
		c.perSecond, load.Ms(c.normal.Quantile(.99)), c.asked(), manyConnections, over.Length, counts(times),
		load.Ms(accepted.Quantile(.99)), load.Ms(refused.Quantile(.99)), load.Ms(timers.p99()), megabytes(memory), normal.Round(time.Millisecond))
	return text, errors.Join(never, within("answers are normal again", normal, soon), only(times, load.OK, busy),
		atMost("accepted p99", accepted.Quantile(.99), timers.allow(most)), atMost("refused p99", refused.Quantile(.99), timers.allow(refusedWithin)), flat(memory))
}

// busy is the status of a request that is refused.
const busy = "503 Service Unavailable"

// term is a case: the program is told to end while three times its capacity is asked for. Clients
// leave when an answer asks them to, as the end of a process does, and no request that has reached
// it lacks an answer.
func (b *bench) term(ctx context.Context) (string, error) {
	if err := b.measureCapacity(ctx); err != nil {
		return "", err
	}
	over, times, _ := b.largeScores(b.capacity.asked(), manyConnections, 30*time.Second)
	over.Leave = true
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var sending sync.WaitGroup
	sending.Go(func() { over.Run(ctx) })
	waited := pause(ctx, 3*time.Second)
	b.up = false
	began := time.Now()
	ended := b.system.End()
	took := time.Since(began)
	cancel()
	sending.Wait()
	text := fmt.Sprintf("at %d/s over %d connections %s; ended after %v", b.capacity.asked(), manyConnections, counts(times), took.Round(10*time.Millisecond))
	return text, errors.Join(waited, ended, only(times, load.OK, busy, "not reached"))
}

// counts tells how many answers came by status.
func counts(t *load.Times) string {
	var all []string
	for _, kind := range t.Kinds() {
		all = append(all, fmt.Sprintf("%s %d", kind, len(t.Of(kind))))
	}
	return strings.Join(all, ", ")
}

// only returns an error where answers are of other kinds.
func only(t *load.Times, kinds ...string) error {
	known := 0
	for _, kind := range kinds {
		known += len(t.Of(kind))
	}
	if other := len(t.All()) - known; other > 0 {
		return fmt.Errorf("%d requests got something else: %s", other, counts(t))
	}
	return nil
}

func atMost(what string, took, most time.Duration) error {
	if took > most {
		return fmt.Errorf("%s is %.2f ms, want %.2f", what, load.Ms(took), load.Ms(most))
	}
	return nil
}

// flat returns an error where memory has grown in the second half.
func flat(memory []int64) error {
	if middle, end := memory[1], memory[2]; float64(end) > growsMost*float64(middle) {
		return fmt.Errorf("resident memory grows: %s MB", megabytes(memory))
	}
	return nil
}

func megabytes(all []int64) string {
	var texts []string
	for _, n := range all {
		texts = append(texts, fmt.Sprint(n>>20))
	}
	return strings.Join(texts, ", ")
}
