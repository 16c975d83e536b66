package ledger

import (
	"context"
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
	calls  chan *command
}

// command is one caller's call of a script.
type command struct {
	script
	args   []any
	answer []string
	err    error
	done   chan struct{} // closed when it has its answer, or an error
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
	return &pipeline{client: client, wait: wait, calls: make(chan *command)}
}

// do runs a call. When ctx ends first, nobody knows whether Redis has run it or will.
func (p *pipeline) do(ctx context.Context, s script, args []any) ([]string, error) {
	c := &command{script: s, args: args, done: make(chan struct{})}
	select {
	case p.calls <- c:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-c.done:
		return c.answer, c.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// run serves until ctx ends. No caller is left without an answer that is taken by then.
func (p *pipeline) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for range lanes {
		g.Go(func() error {
			var batch []*command
			for {
				select {
				case c := <-p.calls:
					batch = append(batch[:0], c)
				case <-ctx.Done():
					return ctx.Err()
				}
				p.send(p.more(batch))
			}
		})
	}
	return g.Wait()
}

// more adds the calls that wait already.
func (p *pipeline) more(batch []*command) []*command {
	for len(batch) < together {
		select {
		case c := <-p.calls:
			batch = append(batch, c)
		default:
			return batch
		}
	}
	return batch
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
		c.answer, c.err = answer, err
		if whole {
			// a short answer is found out by its caller, who knows how many values it must have
			n := min(1+2*claimsOf(c.args), len(rest))
			c.answer = append([]string{"ok"}, rest[1:n]...)
			rest = rest[n-1:]
		}
		close(c.done)
	}
}
