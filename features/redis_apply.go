package features

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
)

//go:embed apply.lua
var applySource string

var applyScript = redis.NewScript(insertOps(applySource))

// Bounds of one call of the script. Redis serves nobody else while it runs; an embedded Redis pays
// for each call, not for each profile.
const (
	callProfiles = 100
	callArgs     = 4000
)

// Apply implements Store.
func (s *Redis) Apply(ctx context.Context, from int64, to Position, batch []Update) error {
	if err := checkBatch(from, to, batch); err != nil {
		return err
	}
	return s.apply(ctx, from, to, batch, true)
}

// apply folds a batch and then, if asked to, moves the position.
func (s *Redis) apply(ctx context.Context, from int64, to Position, batch []Update, moves bool) error {
	a := application{store: s, from: from, to: to, moves: moves}
	groups := groupByKey(batch)
	var calls []call
	for left := groups; len(left) > 0; {
		var c call
		c, left = a.newCall(left)
		calls = append(calls, c)
	}
	if a.tooWide {
		return s.applyHalves(ctx, from, to, batch, moves)
	}
	switch len(calls) {
	case 0:
		return a.finish(ctx, nil)
	case 1:
		a.move(&calls[0])
		partial, err := a.run(ctx, calls[0])
		if err != nil || len(partial) == 0 {
			return err
		}
		return a.finish(ctx, partial)
	}
	return a.runPipelined(ctx, calls, groups)
}

// applyHalves folds a batch as two. The Ops on one profile must not be spread over several calls of
// one batch: if the first call had left some of them to be sent again, the fence of the second
// would refuse them. Only the second half moves the position, because watermark and collectors are
// those of the whole batch; after a fault between the halves, the batch is folded again from its
// start.
func (s *Redis) applyHalves(ctx context.Context, from int64, to Position, batch []Update, moves bool) error {
	n := len(batch) / 2
	for n > 0 && batch[n-1].Offset == batch[n].Offset {
		n--
	}
	if n == 0 {
		if n = slices.IndexFunc(batch, func(u Update) bool { return u.Offset > batch[0].Offset }); n < 0 {
			return fmt.Errorf("cannot fold offset %d of partition %d: it has more than %d operations on one profile", batch[0].Offset, to.Partition, maxGroupOps)
		}
	}
	if err := s.apply(ctx, from, to, batch[:n], false); err != nil {
		return err
	}
	return s.apply(ctx, from, to, batch[n:], moves)
}

// application is one Apply under way.
type application struct {
	store   *Redis
	from    int64
	to      Position
	moves   bool // it moves the position at its end
	scratch []mergedOp
	tooWide bool // a profile has more Ops than one call can hold
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

// move makes a call move the position after it has folded everything.
func (a *application) move(c *call) {
	if a.moves {
		c.args[2], c.args[6] = decimal(a.to.Next), a.to.Collectors
	}
}

// newCall makes a call of as many groups as one may hold, at least one, and returns the others.
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

// runPipelined sends all calls in one round trip, then folds what they left over and moves the
// position. When Redis does not know the script, the groups are folded call by call instead, which
// sends the source: fences protect what the pipeline has already done.
func (a *application) runPipelined(ctx context.Context, calls []call, groups []group) error {
	pipe := a.store.client.Pipeline()
	replies := make([]*redis.Cmd, len(calls))
	for i, c := range calls {
		replies[i] = applyScript.EvalSha(ctx, pipe, c.keys, c.args...)
	}
	_, err := pipe.Exec(ctx)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		return a.finish(ctx, groups)
	}
	if err != nil && !redis.HasErrorPrefix(err, badKey) {
		return a.failed(err)
	}
	var partial []group
	for i, reply := range replies {
		more, err := calls[i].partial(reply)
		if err != nil {
			return a.failed(err)
		}
		partial = append(partial, more...)
	}
	return a.finish(ctx, partial)
}

// finish folds groups call by call and moves the position. Profiles may hold a part of a group,
// because another owner of the partition is at work; it ends nevertheless, since fences only rise.
func (a *application) finish(ctx context.Context, groups []group) error {
	for len(groups) > 0 {
		var c call
		c, groups = a.newCall(groups)
		partial, err := a.run(ctx, c)
		if err != nil {
			return err
		}
		groups = append(groups, partial...)
	}
	_, err := a.run(ctx, a.lastCall())
	return err
}

func (a *application) run(ctx context.Context, c call) ([]group, error) {
	partial, err := c.partial(applyScript.Run(ctx, a.store.client, c.keys, c.args...))
	if err != nil {
		return nil, a.failed(err)
	}
	return partial, nil
}

func (a *application) failed(err error) error {
	if err == ErrMoved {
		return err
	}
	return fmt.Errorf("cannot fold offsets %d to %d of partition %d into Redis: %w", a.from, a.to.Next, a.to.Partition, a.store.explain(err))
}

// partial reads the script's answer: the groups of which profiles held a part, without that part.
func (c *call) partial(reply *redis.Cmd) ([]group, error) {
	answer, err := reply.StringSlice()
	if err != nil {
		return nil, asKeyError(err, c.keys)
	}
	if len(answer) == 1 {
		return nil, ErrMoved
	}
	var partial []group
	for i := 0; i+1 < len(answer); i += 2 {
		k, err := strconv.Atoi(answer[i])
		fence, err2 := strconv.ParseInt(answer[i+1], 10, 64)
		if err != nil || err2 != nil || k < 1 || k > len(c.groups) {
			return nil, fmt.Errorf("the script answered %q, which is no profile and offset", answer)
		}
		if g := c.groups[k-1].after(fence); len(g.updates) > 0 {
			partial = append(partial, g)
		}
	}
	return partial, nil
}
