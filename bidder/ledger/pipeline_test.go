package ledger

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// keys are all of Redis that is the ledger's, in a form that can be compared.
func (s *scripted) keys() map[string]string {
	s.t.Helper()
	all := map[string]string{}
	ctx, client := s.t.Context(), s.st.client
	names, err := client.Keys(ctx, s.cfg.Prefix+"*").Result()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range names {
		var value any
		switch kind := client.Type(ctx, name).Val(); kind {
		case "hash":
			value = client.HGetAll(ctx, name).Val()
		case "zset":
			value = client.ZRangeWithScores(ctx, name, 0, -1).Val()
		default:
			value = client.Get(ctx, name).Val()
		}
		all[strings.TrimPrefix(name, s.cfg.Prefix)] = fmt.Sprint(value)
	}
	return all
}

// reservations makes the values of random calls, some of which repeat bids of others.
func reservations(r *rand.Rand, s *scripted, n int) [][]any {
	calls := make([][]any, n)
	for i := range calls {
		claims := 1 + r.IntN(4)
		args := []any{fmt.Sprintf("call%d", i), int64(s.now.Add(time.Duration(r.IntN(100)) * time.Millisecond)), claims}
		for range claims {
			id := r.IntN(3)
			args = append(args, r.IntN(2), fmt.Sprintf("b%d", r.IntN(2*n)), fmt.Sprintf("c%d", id), 1+r.IntN(400), int64(s.now.Add(time.Minute)), s.day(), []int{0, 5000, 900}[id], []int{700, 0, 0}[id], "u1")
			if id == 1 {
				args = append(args, 1, 3, 60_000)
			} else {
				args = append(args, 0)
			}
		}
		calls[i] = args
	}
	return calls
}

// Reservations that go out as one call of the script get the answers, and leave the numbers, of
// calls one after another.
func TestJoinedReservationsAreThoseOfOneCallEach(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 5))
		one, joint := newScripted(t), newScripted(t)
		for range 5 {
			calls := reservations(r, one, 1+r.IntN(8))
			batch, replies := make([]*command, len(calls)), make([]reply, len(calls))
			for i, args := range calls {
				batch[i] = &command{script: joint.st.script(joint.sha, 1, 0, joint.now, opReserve), args: args, done: into(&replies[i])}
			}
			joint.st.pipeline.send(batch)
			for i, args := range calls {
				want := one.call(opReserve, args...)
				if got := replies[i].values; replies[i].err != nil || len(got) != 1+len(want) || !slices.Equal(got[1:], want) {
					t.Fatalf("seed %d, call %d: %q, %v; want ok and %q", seed, i, got, replies[i].err, want)
				}
			}
			got, want := joint.keys(), one.keys()
			for name, value := range want {
				if strings.HasSuffix(name, "sums") {
					continue // when a campaign was first seen: in one call that is the latest now
				}
				if got[name] != value {
					t.Fatalf("seed %d: %s is %s, want %s", seed, name, got[name], value)
				}
			}
			if len(got) != len(want) {
				t.Fatalf("seed %d: %d keys, want %d", seed, len(got), len(want))
			}
			one.now, joint.now = one.now.Add(30*time.Second), joint.now.Add(30*time.Second)
		}
	}
}

// into keeps the answer of a call.
func into(r *reply) func([]string, error) {
	return func(values []string, err error) { *r = reply{values, err} }
}

// commands are calls that wait, of an operation and an epoch each.
func commands(ops ...any) []*command {
	var batch []*command
	for i := 0; i < len(ops); i += 2 {
		c := &command{script: script{sha: fmt.Sprint(ops[i+1]), op: ops[i].(string), epoch: int64(ops[i+1].(int)), seen: int64(i)}}
		if c.op == opReserve {
			c.args = append([]any{"call", int64(0), 1}, make([]any, 10)...)
		}
		batch = append(batch, c)
	}
	return batch
}

func TestOnlyReservationsOfAnEpochAreJoined(t *testing.T) {
	calls := gather(commands(opReserve, 1, "notice", 1, opReserve, 1, opReserve, 2, "undo", 1, opReserve, 2))
	var got []string
	for _, j := range calls {
		got = append(got, fmt.Sprintf("%s@%d x%d seen %d", j.op, j.epoch, len(j.of), j.seen))
	}
	if want := []string{"reserve@1 x2 seen 4", "notice@1 x1 seen 2", "reserve@2 x2 seen 10", "undo@1 x1 seen 8"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	large := commands(opReserve, 1, opReserve, 1)
	large[1].args = append(large[1].args, make([]any, mostValues)...)
	if n := len(gather(large)); n != 2 {
		t.Errorf("%d calls of more values than one may have, want 2", n)
	}
}

func TestWhatIsWrongWithAJoinedCallIsToldToEach(t *testing.T) {
	f := func(answer []string, err error, want ...string) {
		t.Helper()
		batch := commands(opReserve, 1, opReserve, 1, opReserve, 1)
		replies := make([]reply, len(batch))
		for i, c := range batch {
			c.done = into(&replies[i])
		}
		gather(batch)[0].settle(answer, err)
		for i, r := range replies {
			if got := strings.Join(r.values, " "); got != want[i] || !errors.Is(r.err, err) {
				t.Errorf("%q, %v: call %d gets %q, %v; want %q", answer, err, i, got, r.err, want[i])
			}
		}
	}
	f([]string{"ok", "R", "1", "T", "", "R", "2"}, nil, "ok R 1", "ok T ", "ok R 2")
	f([]string{"lost"}, nil, "lost", "lost", "lost")
	f(nil, errLost, "", "", "")
	f([]string{"ok", "R", "1", "T"}, nil, "ok R 1", "ok T", "ok") // too short: each counts its own values
}

// A call whose caller has left before a lane took it is not sent, and no caller is left without an
// answer when the pipeline ends.
func TestCallsThatNobodyWaitsForAreNotSent(t *testing.T) {
	p := newPipeline(nil, time.Second)
	gone, leave := context.WithCancel(t.Context())
	leave()
	replies := make([]reply, 5)
	for i := range replies {
		c := &command{done: into(&replies[i]), ctx: t.Context(), until: time.Now().Add(time.Hour)}
		switch i {
		case 1:
			c.ctx = gone
		case 3:
			c.until = time.Now().Add(-time.Nanosecond)
		}
		p.add(c)
	}
	if n := len(p.take(nil)); n != 3 {
		t.Errorf("%d calls are taken, want 3", n)
	}
	for i, r := range replies {
		if late := i == 1 || i == 3; errors.Is(r.err, context.DeadlineExceeded) != late {
			t.Errorf("call %d gets %v", i, r.err)
		}
	}
	p.add(&command{done: into(&replies[0])})
	if err := p.run(gone); !errors.Is(err, context.Canceled) || !errors.Is(replies[0].err, context.Canceled) {
		t.Errorf("%v, and the call that waited gets %v", err, replies[0].err)
	}
	p.add(&command{done: into(&replies[2])})
	if !errors.Is(replies[2].err, context.Canceled) {
		t.Errorf("a call after the end gets %v", replies[2].err)
	}
}
