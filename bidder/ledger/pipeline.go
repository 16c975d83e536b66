package ledger

import (
	"context"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// pipeline sends the calls of many callers together: what came while the last ones were on their
// way goes out in one write, and is answered in one read. Reservations among them go out as one
// call of the script, which reads and writes each campaign once for all of them. Nobody waits for
// others to come. It has few lanes, each with one write in flight.
type pipeline struct {
	client *redis.Client
	wait   time.Duration // for the answers of a write

	mu    sync.Mutex
	queue []*command    // the oldest first
	ended bool          // run has ended
	ready chan struct{} // commands wait, and a lane may
}

// command is one caller's call of a script.
type command struct {
	script
	args []any
	// the caller leaves it when ctx ends, or at a time; zero: never
	ctx   context.Context
	until time.Time
	// done is called once, by a lane, which it must not hold up
	done func(answer []string, err error)
}

// reply is what Redis has answered.
type reply struct {
	values []string
	err    error
}

// script is what a call of the script begins with.
type script struct {
	sha, state  string // its name, and its key
	op          string
	epoch, seen int64 // seen: the highest seq that the caller knows of
	now         event.Time
	oldest      string // first day to keep
}

const (
	lanes      = 2
	together   = 64    // calls of one write
	mostValues = 8_000 // of reservations in one call, of which each has some 12 a claim
)

func newPipeline(client *redis.Client, wait time.Duration) *pipeline {
	return &pipeline{client: client, wait: wait, ready: make(chan struct{}, 1)}
}

// do runs a call. When ctx ends first, nobody knows whether Redis has run it or will.
func (p *pipeline) do(ctx context.Context, s script, args []any) ([]string, error) {
	done := make(chan reply, 1)
	p.add(&command{script: s, args: args, ctx: ctx, done: func(values []string, err error) { done <- reply{values, err} }})
	select {
	case r := <-done:
		return r.values, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// add has a lane run a call. Its caller bounds how many wait.
func (p *pipeline) add(c *command) {
	p.mu.Lock()
	ended := p.ended
	if !ended {
		p.queue = append(p.queue, c)
	}
	p.mu.Unlock()
	if ended {
		c.done(nil, context.Canceled)
		return
	}
	p.wake()
}

func (p *pipeline) wake() {
	select {
	case p.ready <- struct{}{}:
	default: // a signal waits there already
	}
}

// run serves until ctx ends. No caller is left without an answer.
func (p *pipeline) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for range lanes {
		g.Go(func() error {
			var batch []*command
			for ctx.Err() == nil {
				if batch = p.take(batch[:0]); len(batch) > 0 {
					p.send(batch)
					clear(batch)
					continue
				}
				select {
				case <-p.ready:
				case <-ctx.Done():
				}
			}
			return ctx.Err()
		})
	}
	err := g.Wait()
	p.mu.Lock()
	left := p.queue
	p.queue, p.ended = nil, true
	p.mu.Unlock()
	for _, c := range left {
		c.done(nil, err)
	}
	return err
}

// take adds the oldest calls that wait. Those whose callers have left are not sent.
func (p *pipeline) take(batch []*command) []*command {
	var late []*command
	now := time.Now()
	p.mu.Lock()
	n := 0
	for ; n < len(p.queue) && len(batch) < together; n++ {
		if c := p.queue[n]; c.left(now) {
			late = append(late, c)
		} else {
			batch = append(batch, c)
		}
	}
	rest := copy(p.queue, p.queue[n:])
	clear(p.queue[rest:])
	p.queue = p.queue[:rest]
	p.mu.Unlock()
	if rest > 0 {
		p.wake() // another lane
	}
	for _, c := range late {
		c.done(nil, context.DeadlineExceeded)
	}
	return batch
}

func (c *command) left(now time.Time) bool {
	return c.ctx != nil && c.ctx.Err() != nil || !c.until.IsZero() && now.After(c.until)
}

// send runs calls. Each has its own answer or error.
func (p *pipeline) send(batch []*command) {
	ctx, cancel := context.WithTimeout(context.Background(), p.wait)
	defer cancel()
	calls := gather(batch)
	sent := make([]*redis.Cmd, len(calls))
	for i, c := range calls {
		sent[i] = c.command()
	}
	if len(sent) == 1 {
		_ = p.client.Process(ctx, sent[0]) // the command has its error
	} else {
		pipe := p.client.Pipeline()
		for _, cmd := range sent {
			_ = pipe.Process(ctx, cmd) // it is kept until Exec
		}
		_, _ = pipe.Exec(ctx) // each command has its error
	}
	for i, c := range calls {
		c.settle(sent[i].StringSlice())
	}
}

// joined is one call of the script: that of one caller, or the reservations of several.
type joined struct {
	script
	of     []*command
	values int
}

// gather joins the reservations of an epoch. All others stay as they are.
func gather(batch []*command) []*joined {
	calls := make([]*joined, 0, len(batch))
	var last *joined // that takes reservations
	for _, c := range batch {
		if c.op == opReserve && last != nil && last.sha == c.sha && last.epoch == c.epoch && last.values+len(c.args) <= mostValues {
			last.of, last.values = append(last.of, c), last.values+len(c.args)
			last.seen, last.now, last.oldest = max(last.seen, c.seen), max(last.now, c.now), min(last.oldest, c.oldest)
			continue
		}
		j := &joined{script: c.script, of: []*command{c}, values: len(c.args)}
		if calls = append(calls, j); c.op == opReserve {
			last = j
		}
	}
	return calls
}

func (j *joined) command() *redis.Cmd {
	args := append(make([]any, 0, 9+j.values), "evalsha", j.sha, 1, j.state, j.op, j.epoch, j.seen, int64(j.now), j.oldest)
	for _, c := range j.of {
		args = append(args, c.args...)
	}
	return redis.NewCmd(context.Background(), args...)
}

// settle gives each caller its part of the answer. One that is not ok is that of all of them.
func (j *joined) settle(answer []string, err error) {
	whole := err == nil && len(j.of) > 1 && len(answer) > 0 && answer[0] == "ok"
	rest := answer
	for _, c := range j.of {
		part := answer
		if whole {
			// a short answer is found out by its caller, who knows how many values it must have
			n := min(1+2*claimsOf(c.args), len(rest))
			part = append([]string{"ok"}, rest[1:n]...)
			rest = rest[n-1:]
		}
		c.done(part, err)
	}
}
