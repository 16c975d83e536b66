package run

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/clickloop/clickloop/internal/web"
)

const (
	readyWait = 2 * time.Second // for a check
	readyFor  = time.Second     // how long its result is good
	causeWait = 500 * time.Millisecond
)

// readiness shares the checks of a process: one at a time, and a result is good for readyFor. So
// clients that ask again and again ask Kafka and Redis no more often.
type readiness struct {
	check func(context.Context) result

	mu   sync.Mutex
	last *attempt // nil before the first check
}

// result is what a check has found.
type result struct {
	err   error  // nil: ready
	cause string // of err, without names and addresses
}

// attempt is a check that is under way or has ended.
type attempt struct {
	result
	done chan struct{} // closed when it has ended
	at   time.Time     // when it ended
}

// ask returns the result of the last check, or of a new one. Who begins a check ends it, even when
// its client is gone: others wait for it.
func (r *readiness) ask(ctx context.Context) result {
	r.mu.Lock()
	a := r.last
	fresh := a == nil
	if !fresh {
		select {
		case <-a.done:
			fresh = time.Since(a.at) >= readyFor
		default:
		}
	}
	if !fresh {
		r.mu.Unlock()
		select {
		case <-a.done:
			return a.result
		case <-ctx.Done():
			return result{ctx.Err(), "the check"}
		}
	}
	a = &attempt{done: make(chan struct{})}
	r.last = a
	r.mu.Unlock()
	defer close(a.done)
	a.result = r.check(context.WithoutCancel(ctx))
	a.at = time.Now()
	return a.result
}

// check asks all stages, and on a failure finds out whether Kafka or Redis is its cause.
func (l *Loop) check(ctx context.Context) result {
	bounded, cancel := context.WithTimeout(ctx, readyWait)
	defer cancel()
	stage, err := l.firstNotReady(bounded)
	if err == nil {
		return result{}
	}
	type dependency struct {
		name string
		ping func(context.Context) error
	}
	dependencies := []dependency{{"Kafka", l.Client.Ping}}
	if l.redis != nil {
		dependencies = append(dependencies, dependency{"Redis", l.redis.Ping})
	}
	for _, d := range dependencies {
		short, cancel := context.WithTimeout(ctx, causeWait)
		unreachable := d.ping(short)
		cancel()
		if unreachable != nil {
			return result{err, d.name}
		}
	}
	return result{err, stage}
}

// firstNotReady returns the name and the error of a stage whose dependencies do not answer, and a
// nil error when there is none.
func (l *Loop) firstNotReady(ctx context.Context) (stage string, err error) {
	for i, s := range l.stages {
		if err := s.Ready(ctx); err != nil {
			return l.names[i], err
		}
	}
	return "", nil
}

// handleReady answers 503 with the reason while a dependency does not answer, else 200 with a line
// for each fault that does not stop the stages. It is for administrators.
func (l *Loop) handleReady(w http.ResponseWriter, r *http.Request) {
	if is := l.readiness.ask(r.Context()); is.err != nil {
		notReady(w, is.err)
		return
	}
	fmt.Fprintln(w, "ready")
	if l.capacity != nil {
		for _, warning := range l.capacity.warnings() {
			fmt.Fprintln(w, "warning: Redis: "+warning)
		}
	}
	for i, s := range l.stages {
		if warned, ok := s.(interface{ Warnings() []string }); ok {
			for _, warning := range warned.Warnings() {
				fmt.Fprintln(w, "warning: "+l.names[i]+": "+warning)
			}
		}
	}
	for _, warning := range append(l.keeper.warnings(), l.certificates.warnings(time.Now())...) {
		fmt.Fprintln(w, "warning: "+warning)
	}
}

// handlePublicReady answers the same without the reason, which may name addresses.
func (l *Loop) handlePublicReady(w http.ResponseWriter, r *http.Request) {
	if is := l.readiness.ask(r.Context()); is.err != nil {
		notReady(w, errors.New("not ready: "+is.cause))
		return
	}
	fmt.Fprintln(w, "ready")
}

// notReady answers 503 in plain text, for the eyes of whoever reads a health check.
func notReady(w http.ResponseWriter, err error) {
	w.Header().Set("Retry-After", "1")
	web.Write(w, http.StatusServiceUnavailable, "text/plain; charset=utf-8", []byte(err.Error()+"\n"))
}
