package features

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Bounds of one call of the script: Redis serves nobody else while it runs, and an embedded one
// pays for each call, not for each profile.
const (
	callProfiles = 100
	callArgs     = 4000
)

// Apply implements Store.
func (s *Redis) Apply(ctx context.Context, from int64, to Position, batch []Update) error {
	if err := checkBatch(from, to, batch); err != nil {
		return err
	}
	return s.apply(ctx, from, to, batch, false)
}

// apply folds a batch and then, unless it shall stay, moves the position.
func (s *Redis) apply(ctx context.Context, from int64, to Position, batch []Update, stay bool) error {
	a := application{store: s, from: from, to: to, stay: stay}
	groups := groupByKey(batch)
	var calls []call
	for len(groups) > 0 {
		var c call
		c, groups = a.newCall(groups)
		calls = append(calls, c)
	}
	if a.tooWide {
		return s.applyHalves(ctx, from, to, batch, stay)
	}
	if len(calls) > 1 {
		return a.runMany(ctx, calls)
	}
	last := a.lastCall()
	if len(calls) == 1 { // the one part moves the position too
		a.move(&calls[0])
		last = calls[0]
	}
	rest, err := a.run(ctx, last)
	if err != nil || len(rest) == 0 {
		return err
	}
	return a.finish(ctx, rest)
}

// applyHalves folds a batch as two. A profile's operations must not go on in another call of the
// same batch: if the first call left some of them to be sent again, the fence of the second would
// refuse them. The position moves behind both: watermark and collectors are those of the whole
// batch, so one that is cut off in between is done again from its beginning.
func (s *Redis) applyHalves(ctx context.Context, from int64, to Position, batch []Update, stay bool) error {
	n := len(batch) / 2
	for n > 0 && batch[n-1].Offset == batch[n].Offset {
		n--
	}
	if n == 0 {
		if n = slices.IndexFunc(batch, func(u Update) bool { return u.Offset > batch[0].Offset }); n < 0 {
			return fmt.Errorf("cannot fold offset %d of partition %d: it has more than %d operations on one profile", batch[0].Offset, to.Partition, maxGroupOps)
		}
	}
	if err := s.apply(ctx, from, to, batch[:n], true); err != nil {
		return err
	}
	return s.apply(ctx, from, to, batch[n:], stay)
}

// application is one Apply under way.
type application struct {
	store   *Redis
	from    int64
	to      Position
	stay    bool // the position is moved by another
	scratch []merged
	tooWide bool // a profile has more operations than one call can hold
}

// call is one call of the script.
type call struct {
	groups []group
	keys   []string
	args   []any
}

// lastCall folds nothing and moves the position, if this application moves it.
func (a *application) lastCall() call {
	c, _ := a.newCall(nil)
	a.move(&c)
	return c
}

// move makes a call move the position when it has folded all.
func (a *application) move(c *call) {
	if !a.stay {
		c.args[2], c.args[6] = decimal(a.to.Next), a.to.Collectors
	}
}

// newCall takes as many of groups as one call may hold, at least one, and returns what is left of
// them.
func (a *application) newCall(groups []group) (call, []group) {
	s := a.store
	c := call{keys: []string{s.positions + a.to.TopicID}}
	c.args = append(make([]any, 0, 512), strconv.Itoa(a.to.Partition), decimal(a.from), "", decimal(int64(a.to.Received)),
		fenceField(a.to.TopicID, a.to.Partition), decimal(s.ttlMs), "")
	n := 0
	for n < len(groups) && n < callProfiles && len(c.args) < callArgs {
		g := groups[n]
		a.scratch = g.merge(a.scratch[:0])
		a.tooWide = a.tooWide || len(a.scratch) > maxGroupOps && len(g.updates) > 1
		c.keys = append(c.keys, s.profileKey(g.key))
		c.args = g.appendArgs(c.args, a.scratch)
		n++
	}
	c.groups = groups[:n]
	return c, groups[n:]
}

// runMany sends all calls in one round trip, then what profiles held in part, then the position.
func (a *application) runMany(ctx context.Context, calls []call) error {
	pipe := a.store.client.Pipeline()
	replies := make([]*redis.Cmd, len(calls))
	for i, c := range calls {
		replies[i] = applyScript.EvalSha(ctx, pipe, c.keys, c.args...)
	}
	_, err := pipe.Exec(ctx)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		return a.runApart(ctx, calls)
	}
	if err != nil && !redis.HasErrorPrefix(err, badKey) {
		return a.failed(err)
	}
	var rest []group
	for i, reply := range replies {
		more, err := calls[i].outcome(reply)
		if err != nil {
			return a.failed(err)
		}
		rest = append(rest, more...)
	}
	return a.finish(ctx, rest)
}

// runApart sends the calls one by one, each with the script's source if Redis does not know it: a
// pipeline cannot. What a part of the pipeline has done is behind fences.
func (a *application) runApart(ctx context.Context, calls []call) error {
	var rest []group
	for _, c := range calls {
		more, err := a.run(ctx, c)
		if err != nil {
			return err
		}
		rest = append(rest, more...)
	}
	return a.finish(ctx, rest)
}

// finish folds the rest of the profiles that held a part, and moves the position.
func (a *application) finish(ctx context.Context, rest []group) error {
	for len(rest) > 0 {
		var c call
		c, rest = a.newCall(rest)
		more, err := a.run(ctx, c)
		if err != nil {
			return err
		}
		rest = append(rest, more...) // another owner is at work: its fences rise, so this ends
	}
	_, err := a.run(ctx, a.lastCall())
	return err
}

func (a *application) run(ctx context.Context, c call) ([]group, error) {
	rest, err := c.outcome(applyScript.Run(ctx, a.store.client, c.keys, c.args...))
	if err != nil {
		return nil, a.failed(err)
	}
	return rest, nil
}

func (a *application) failed(err error) error {
	if err == ErrMoved {
		return err
	}
	return fmt.Errorf("cannot fold offsets %d to %d of partition %d into Redis: %w", a.from, a.to.Next, a.to.Partition, err)
}

// outcome reads the script's answer: the groups of which profiles held a part, without that part.
func (c *call) outcome(reply *redis.Cmd) ([]group, error) {
	answer, err := reply.StringSlice()
	if err != nil {
		return nil, asKeyError(err, c.keys)
	}
	if len(answer) == 1 {
		return nil, ErrMoved
	}
	var rest []group
	for i := 0; i+1 < len(answer); i += 2 {
		k, err := strconv.Atoi(answer[i])
		fence, err2 := strconv.ParseInt(answer[i+1], 10, 64)
		if err != nil || err2 != nil || k < 1 || k > len(c.groups) {
			return nil, fmt.Errorf("the script answered %q, which is no profile and offset", answer)
		}
		if g := c.groups[k-1].after(fence); len(g.updates) > 0 {
			rest = append(rest, g)
		}
	}
	return rest, nil
}
