package ledger

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// pipeline sends the commands of many callers together: what came while the last ones were on their
// way goes out in one write, and is answered in one read. Nobody waits for others to come. It has
// few lanes, each with one write in flight.
type pipeline struct {
	client *redis.Client
	wait   time.Duration // for the answers of a write
	calls  chan *command
}

// command is one caller's.
type command struct {
	*redis.Cmd
	done chan struct{} // closed when it has its answer, or an error
}

const (
	lanes    = 2
	together = 64 // commands of one write
)

func newPipeline(client *redis.Client, wait time.Duration) *pipeline {
	return &pipeline{client: client, wait: wait, calls: make(chan *command)}
}

// do runs a command. When ctx ends first, nobody knows whether Redis has run it or will.
func (p *pipeline) do(ctx context.Context, args ...any) ([]string, error) {
	c := &command{redis.NewCmd(context.Background(), args...), make(chan struct{})}
	select {
	case p.calls <- c:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-c.done:
		return c.StringSlice()
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

// more adds the commands that wait already.
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

// send runs commands in their order. Each has its own answer or error.
func (p *pipeline) send(batch []*command) {
	ctx, cancel := context.WithTimeout(context.Background(), p.wait)
	defer cancel()
	if len(batch) == 1 {
		_ = p.client.Process(ctx, batch[0].Cmd) // the command has its error
	} else {
		pipe := p.client.Pipeline()
		for _, c := range batch {
			_ = pipe.Process(ctx, c.Cmd) // it is kept until Exec
		}
		_, _ = pipe.Exec(ctx) // each command has its error
	}
	for _, c := range batch {
		close(c.done)
	}
}
