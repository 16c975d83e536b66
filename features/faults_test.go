package features

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// eachRedis runs a test on the embedded Redis and on a real one.
func eachRedis(t *testing.T, test func(t *testing.T, client *redis.Client, prefix string)) {
	t.Run("miniredis", func(t *testing.T) { test(t, dial(t, RedisConfig{Address: miniredis.RunT(t).Addr()}), "t.") })
	t.Run("redis", func(t *testing.T) {
		client := realRedis(t)
		prefix := fmt.Sprintf("test-%d.", rand.Uint64())
		t.Cleanup(func() { deletePrefix(t, client, prefix) })
		test(t, client, prefix)
	})
}

// consume folds a log as a consumer does: from the store's position, in batches of random size,
// again after errors, until the end.
func consume(t *testing.T, s Store, l *logOf, r *rand.Rand) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		p, err := s.Position(t.Context(), l.topicID, l.partition)
		if err != nil {
			continue
		}
		for err == nil {
			next := int(p.Next)
			if next == len(l.records) {
				return
			}
			err = l.fold(t, s, next, min(next+1+r.IntN(100), len(l.records)))
			if err == nil {
				p, err = s.Position(t.Context(), l.topicID, l.partition)
			}
		}
	}
	t.Fatal("the log is not folded within 30 s")
}

// wideLog has more profiles in a batch than one call of the script holds.
func wideLog(r *rand.Rand, n int) *logOf {
	l := randomLog(r, "aaaa", 0, n)
	for offset := range l.records {
		for i := range 4 {
			key := fmt.Sprintf("ad:%d", (offset*4+i)%300)
			l.records[offset] = append(l.records[offset], Update{Key: key, Offset: int64(offset), Ops: []Op{{Kind: OpAdd, Field: "n", Add: 1}}})
		}
	}
	return l
}

func checkFold(t *testing.T, s Store, l *logOf) {
	t.Helper()
	want := naive(l)
	keys := make([]string, 0, len(want))
	for key := range want {
		keys = append(keys, key)
	}
	got, err := s.Read(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	sameProfiles(t, "profiles", got, want)
}

// hook runs do, with a number that rises from 1, before each call of the script and each pipeline.
type hook struct {
	calls *atomic.Int64
	do    func(n int64) error
}

func newHook(do func(n int64) error) hook { return hook{new(atomic.Int64), do} }

func (h hook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h hook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if name := cmd.Name(); name == "evalsha" || name == "eval" {
			if err := h.do(h.calls.Add(1)); err != nil {
				cmd.SetErr(err)
				return err
			}
		}
		return next(ctx, cmd)
	}
}

func (h hook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := h.do(h.calls.Add(1)); err != nil {
			return err
		}
		return next(ctx, cmds)
	}
}

func TestRedisEmptiedInTheMiddleOfABatchIsNoticed(t *testing.T) {
	eachRedis(t, func(t *testing.T, client *redis.Client, prefix string) {
		r := rand.New(rand.NewPCG(1, 9))
		l := wideLog(r, 1000)
		other := dialAgain(t, client, "")
		emptied := 0
		client.AddHook(newHook(func(n int64) error { // before the call that would move the position
			if n%7 == 0 && emptied < 4 {
				emptied++
				deletePrefix(t, other, prefix)
			}
			return nil
		}))
		s := redisStore(client, prefix, 0)
		consume(t, s, l, r)
		if emptied != 4 {
			t.Fatalf("emptied %d times", emptied)
		}
		checkFold(t, redisStore(other, prefix, 0), l)
	})
}

func TestAScriptThatRedisForgetsIsLoadedAgain(t *testing.T) {
	eachRedis(t, func(t *testing.T, client *redis.Client, prefix string) {
		r := rand.New(rand.NewPCG(1, 10))
		l := wideLog(r, 400)
		s := redisStore(client, prefix, 0)
		for at := 0; at < 400; at += 100 {
			if err := client.ScriptFlush(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			if err := l.fold(t, s, at, at+100); err != nil {
				t.Fatal(err)
			}
		}
		checkFold(t, s, l)
	})
}

func TestACrashBeforeThePositionIsWrittenIsMended(t *testing.T) {
	eachRedis(t, func(t *testing.T, client *redis.Client, prefix string) {
		r := rand.New(rand.NewPCG(1, 11))
		l := wideLog(r, 1000)
		client.AddHook(newHook(func(n int64) error {
			if n%3 == 1 {
				return errors.New("the process dies here")
			}
			return nil
		}))
		s := redisStore(client, prefix, 0)
		consume(t, s, l, r)
		checkFold(t, redisStore(dialAgain(t, client, ""), prefix, 0), l)
	})
}

func TestRedisThatGoesBackInTimeIsFoldedAgain(t *testing.T) {
	eachRedis(t, func(t *testing.T, client *redis.Client, prefix string) {
		r := rand.New(rand.NewPCG(1, 12))
		l := wideLog(r, 1000)
		other := dialAgain(t, client, "")
		saved := saveHashes(t, other, prefix)
		client.AddHook(newHook(func(n int64) error {
			switch r.IntN(6) {
			case 0:
				saved = saveHashes(t, other, prefix)
			case 1:
				restoreHashes(t, other, prefix, saved)
			}
			return nil
		}))
		s := redisStore(client, prefix, 0)
		consume(t, s, l, r)
		checkFold(t, redisStore(other, prefix, 0), l)
	})
}

func saveHashes(t *testing.T, client *redis.Client, prefix string) map[string]map[string]string {
	t.Helper()
	saved := map[string]map[string]string{}
	keys, err := client.Keys(t.Context(), prefix+"*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if saved[key], err = client.HGetAll(t.Context(), key).Result(); err != nil {
			t.Fatal(err)
		}
	}
	return saved
}

func restoreHashes(t *testing.T, client *redis.Client, prefix string, saved map[string]map[string]string) {
	t.Helper()
	deletePrefix(t, client, prefix)
	for key, fields := range saved {
		if err := client.HSet(t.Context(), key, fields).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTwoOwnersAtOnceCountOnce(t *testing.T) {
	eachRedis(t, func(t *testing.T, client *redis.Client, prefix string) {
		l := wideLog(rand.New(rand.NewPCG(1, 13)), 1000)
		s := redisStore(client, prefix, 0)
		var owners sync.WaitGroup
		for i := range uint64(3) {
			owners.Go(func() { consume(t, s, l, rand.New(rand.NewPCG(i, 14))) })
		}
		owners.Wait()
		checkFold(t, s, l)
	})
}

func TestLostRepliesChangeNothing(t *testing.T) {
	eachRedis(t, func(t *testing.T, client *redis.Client, prefix string) {
		r := rand.New(rand.NewPCG(1, 15))
		l := wideLog(r, 1000)
		var replies, lost atomic.Int64
		address := proxy(t, client.Options().Addr, func() bool {
			if replies.Add(1)%9 != 0 {
				return false
			}
			lost.Add(1)
			return true
		})
		s := redisStore(dialAgain(t, client, address), prefix, 0)
		consume(t, s, l, r)
		if lost.Load() < 3 {
			t.Fatalf("%d replies lost", lost.Load())
		}
		checkFold(t, redisStore(client, prefix, 0), l)
	})
}

// proxy stands before a server; when lose says so it cuts a connection instead of handing a reply
// over.
func proxy(t *testing.T, to string, lose func() bool) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var connections sync.WaitGroup
	t.Cleanup(connections.Wait)
	t.Cleanup(func() { l.Close() })
	connections.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				client.Close()
				continue
			}
			connections.Go(func() {
				defer server.Close()
				io.Copy(server, client)
			})
			connections.Go(func() {
				defer client.Close()
				buf := make([]byte, 1<<20)
				for {
					n, err := server.Read(buf)
					if err != nil || lose() {
						return
					}
					if _, err := client.Write(buf[:n]); err != nil {
						return
					}
				}
			})
		}
	})
	return l.Addr().String()
}

func TestProfilesAreForgottenAfterTheirTime(t *testing.T) {
	server := miniredis.RunT(t)
	s := redisStore(dial(t, RedisConfig{Address: server.Addr()}), "t.", time.Hour)
	l := wideLog(rand.New(rand.NewPCG(1, 16)), 50)
	if err := l.fold(t, s, 0, 50); err != nil {
		t.Fatal(err)
	}
	server.FastForward(time.Hour - time.Second)
	checkFold(t, s, l)
	server.FastForward(2 * time.Second)
	if got := readAll(t, s); len(got) != 0 {
		t.Fatal(got)
	}
	if p, err := s.Position(t.Context(), "aaaa", 0); err != nil || p.Next != 50 {
		t.Fatalf("the position is forgotten too: %+v, %v", p, err)
	}
}

func TestUnreachableRedisIsAnErrorThatNamesTheBatch(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	s := redisStore(dial(t, RedisConfig{Address: address}), "t.", 0)
	err = s.Apply(t.Context(), 5, Position{"aaaa", 2, 9, 1, ""}, nil)
	if err == nil || errors.Is(err, ErrMoved) || err.Error()[:54] != "cannot fold offsets 5 to 9 of partition 2 into Redis: " {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context(), []string{"user:1"}); err == nil {
		t.Fatal("no error")
	}
}

func TestAnAddressThatIsNoneIsRefused(t *testing.T) {
	if _, err := DialRedis(RedisConfig{Address: "redis://host:port:more"}, Serving); err == nil {
		t.Fatal("no error")
	}
	client, err := DialRedis(RedisConfig{Address: "redis://localhost:7000/3"}, Serving)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if o := client.client.Options(); o.Addr != "localhost:7000" || o.DB != 3 || !o.ContextTimeoutEnabled {
		t.Fatalf("%+v", o)
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and answers nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for _, role := range []Role{Serving, Writing} {
		client, err := DialRedis(RedisConfig{Address: l.Addr().String()}, role)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		start := time.Now()
		if _, err := NewRedis(client, "t.", "profiles", 0).Read(ctx, []string{"user:1"}); err == nil {
			t.Fatal("no error")
		}
		if took := time.Since(start); took > time.Second {
			t.Fatalf("role %d gave up after %s", role, took)
		}
	}
}

// A batch that must be folded in halves moves the position, and what the watermark is made of,
// behind both at once: after a fault between them it is done again from its beginning, since nobody
// knows what the collectors were in its middle.
func TestABatchInHalvesMovesThePositionOnce(t *testing.T) {
	eachRedis(t, func(t *testing.T, client *redis.Client, prefix string) {
		l := &logOf{topicID: "aaaa"}
		for offset := range int64(10) { // more operations on one profile than a call may hold
			u := Update{Key: "user:1", Offset: offset}
			for i := range 300 {
				u.Ops = append(u.Ops, Op{Kind: OpAdd, Field: fmt.Sprint("n", offset, ".", i), Add: 1})
			}
			l.records = append(l.records, []Update{u})
		}
		s := redisStore(client, prefix, time.Hour)
		fault := errors.New("a fault between the halves")
		calls, failing := int64(0), true
		client.AddHook(newHook(func(n int64) error {
			if calls = n; failing && n == 3 {
				failing = false
				return fault
			}
			return nil
		}))
		if err := l.fold(t, s, 0, 10); !errors.Is(err, fault) {
			t.Fatalf("%v, want the fault", err)
		}
		if p, err := s.Position(t.Context(), "aaaa", 0); err != nil || p.Next != 0 || p.Received != 0 || p.Collectors != "" {
			t.Errorf("after the first half: %+v, %v; want nothing", p, err)
		}
		if err := l.fold(t, s, 0, 10); err != nil || calls < 6 {
			t.Fatalf("%v after %d calls", err, calls)
		}
		if p, err := s.Position(t.Context(), "aaaa", 0); err != nil || p != (Position{"aaaa", 0, 10, 1e12 + 10, "at 10"}) {
			t.Errorf("%+v, %v", p, err)
		}
		checkFold(t, s, l)
	})
}
