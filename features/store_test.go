package features

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/clickloop/clickloop/event"
	services "github.com/clickloop/clickloop/internal/backend"
)

// backend is one implementation of Store under test.
type backend struct {
	Store
	reset func() // forgets everything
}

// eachBackend runs a test on Memory, on the embedded Redis and, when CLICKLOOP_TEST_REDIS names
// one, on a real one.
func eachBackend(t *testing.T, test func(t *testing.T, b backend)) {
	t.Run("memory", func(t *testing.T) {
		m := NewMemory()
		test(t, backend{Store: m, reset: m.Reset})
	})
	t.Run("miniredis", func(t *testing.T) {
		s := miniredis.RunT(t)
		client := dial(t, RedisConfig{Address: s.Addr()})
		test(t, backend{Store: redisStore(client, "t.", time.Hour), reset: s.FlushAll})
	})
	t.Run("redis", func(t *testing.T) {
		client := realRedis(t)
		prefix := fmt.Sprintf("test-%d.", rand.Uint64())
		clean := func() { deletePrefix(t, client, prefix) }
		t.Cleanup(clean)
		test(t, backend{Store: redisStore(client, prefix, time.Hour), reset: clean})
	})
}

func dial(t testing.TB, cfg RedisConfig) *redis.Client {
	t.Helper()
	client, err := DialRedis(cfg, Writing)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client.client
}

func redisStore(client *redis.Client, prefix string, ttl time.Duration) *Redis {
	return NewRedis(&RedisClient{client: client, door: &redisDoor{}, role: Writing}, prefix, "profiles", ttl)
}

func realRedis(t testing.TB) *redis.Client {
	t.Helper()
	address := os.Getenv("CLICKLOOP_TEST_REDIS")
	if address == "" {
		t.Skip("CLICKLOOP_TEST_REDIS names no Redis")
	}
	by := services.Administrator()
	return dial(t, RedisConfig{Address: address, Username: by.Username, PasswordFile: by.PasswordFile, TLS: services.TLS()})
}

// dialAgain returns another client of the same Redis, through a proxy unless address is empty.
func dialAgain(t testing.TB, client *redis.Client, address string) *redis.Client {
	t.Helper()
	cfg := RedisConfig{Address: client.Options().Addr}
	if by := services.Administrator(); cfg.Address == os.Getenv("CLICKLOOP_TEST_REDIS") {
		cfg.Username, cfg.PasswordFile, cfg.TLS = by.Username, by.PasswordFile, services.TLS()
	}
	if address != "" {
		cfg.Address = address
	}
	return dial(t, cfg)
}

func deletePrefix(t testing.TB, client *redis.Client, prefix string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	keys, err := client.Keys(ctx, prefix+"*").Result()
	if err == nil && len(keys) > 0 {
		err = client.Del(ctx, keys...).Err()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// logOf is one partition of a topic: updates by offset.
type logOf struct {
	topicID   string
	partition int
	records   [][]Update // by offset
}

func (l *logOf) batch(from, to int) []Update {
	return slices.Concat(l.records[from:to]...)
}

// fold applies offsets from..to as one batch.
func (l *logOf) fold(t *testing.T, s Store, from, to int) error {
	t.Helper()
	return s.Apply(t.Context(), int64(from), Position{l.topicID, l.partition, int64(to), event.Time(1e12 + to), fmt.Sprint("at ", to)}, l.batch(from, to))
}

var opFields = []string{"a", "b", "c"}

// randomLog makes updates of every kind for few keys, so that they meet.
func randomLog(r *rand.Rand, topicID string, partition, n int) *logOf {
	l := &logOf{topicID: topicID, partition: partition}
	for offset := range n {
		var record []Update
		for range r.IntN(3) {
			u := Update{Key: fmt.Sprintf("user:%d", r.IntN(5)), Offset: int64(offset)}
			if slices.ContainsFunc(record, func(o Update) bool { return o.Key == u.Key }) {
				continue
			}
			for range 1 + r.IntN(4) {
				field := opFields[r.IntN(len(opFields))]
				at := event.Time(1.7e12) + event.Time(r.IntN(1000))
				value := []string{"", "x", "xy", "Z", "ä ö"}[r.IntN(5)]
				switch r.IntN(5) {
				case 0:
					u.Ops = append(u.Ops, Op{Kind: OpAdd, Field: "n" + field, Add: r.Int64N(2000) - 1000})
				case 1:
					u.Ops = append(u.Ops, Op{Kind: OpMax, Field: "m" + field, Time: at})
				case 2:
					u.Ops = append(u.Ops, Op{Kind: OpLast, Field: "l" + field, Time: at, Value: value})
				case 3:
					u.Ops = append(u.Ops, Op{Kind: OpFirst, Field: "f" + field, Time: at, Value: value})
				case 4:
					u.Ops = append(u.Ops, Op{Kind: OpTile, Field: "t" + field, Tile: r.Int64N(40), Keep: 8, Add: 1 + r.Int64N(math.MaxInt32)})
				}
			}
			record = append(record, u)
		}
		l.records = append(l.records, record)
	}
	return l
}

// naive folds the logs by the definitions, over all updates at once.
func naive(logs ...*logOf) map[string]Profile {
	all := map[string]Profile{}
	newest := map[string]int64{}
	each := func(do func(p map[string]string, u Update, op Op)) {
		for _, l := range logs {
			for _, u := range l.batch(0, len(l.records)) {
				if all[u.Key].Fields == nil {
					all[u.Key] = Profile{Fields: map[string]string{}}
				}
				for _, op := range u.Ops {
					do(all[u.Key].Fields, u, op)
				}
			}
		}
	}
	each(func(_ map[string]string, u Update, op Op) {
		if op.Kind == OpTile {
			newest[u.Key+op.Field] = max(newest[u.Key+op.Field], op.Tile)
		}
	})
	integer := func(s string) (n int64) { fmt.Sscan(s, &n); return n }
	each(func(f map[string]string, u Update, op Op) {
		switch op.Kind {
		case OpAdd:
			f[op.Field] = fmt.Sprint(integer(f[op.Field]) + op.Add)
		case OpMax:
			f[op.Field] = fmt.Sprint(max(integer(f[op.Field]), int64(op.Time)))
		case OpTile:
			top := newest[u.Key+op.Field]
			f[op.Field] = fmt.Sprint(top)
			if op.Tile > top-op.Keep {
				name := fmt.Sprintf("%s:%d", op.Field, op.Tile)
				f[name] = fmt.Sprint(integer(f[name]) + op.Add)
			}
		default:
			now := fmt.Sprintf("%d %s", op.Time, op.Value)
			before, ok := f[op.Field]
			if sign := strings.Compare(now, before); !ok || op.Kind == OpLast && sign > 0 || op.Kind == OpFirst && sign < 0 {
				// times have as many digits, so that texts compare as (time, value)
				f[op.Field] = now
			}
		}
	})
	return all
}

func readAll(t *testing.T, s Store) map[string]Profile {
	t.Helper()
	got, err := s.Read(t.Context(), []string{"user:0", "user:1", "user:2", "user:3", "user:4", "user:never"})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func sameProfiles(t *testing.T, what string, got, want map[string]Profile) {
	t.Helper()
	for key := range want {
		if !maps.Equal(got[key].Fields, want[key].Fields) {
			t.Fatalf("%s: %s holds\n%v, want\n%v", what, key, got[key].Fields, want[key].Fields)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d profiles, want %d", what, len(got), len(want))
	}
}

func TestStoresFoldAsTheDefinitionSays(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		for seed := range uint64(15) {
			b.reset()
			r := rand.New(rand.NewPCG(seed, 2))
			logs := []*logOf{randomLog(r, "aaaa", 0, 120), randomLog(r, "aaaa", 1, 120)}
			next := []int{0, 0}
			for next[0] < 120 || next[1] < 120 { // partitions interleave at random
				i := r.IntN(2)
				to := min(next[i]+r.IntN(40), 120)
				if err := logs[i].fold(t, b, next[i], to); err != nil {
					t.Fatal(err)
				}
				next[i] = to
			}
			sameProfiles(t, fmt.Sprintf("seed %d", seed), readAll(t, b), naive(logs...))
		}
	})
}

func TestABatchOfManyProfilesIsFoldedWhole(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		l := &logOf{topicID: "aaaa"}
		keys := make([]string, 450)
		for i := range keys {
			keys[i] = fmt.Sprintf("ad:%d", i)
			l.records = append(l.records, []Update{{Key: keys[i], Offset: int64(i), Ops: []Op{{Kind: OpAdd, Field: "n", Add: int64(i)}}}})
		}
		if err := l.fold(t, b, 0, len(keys)); err != nil {
			t.Fatal(err)
		}
		got, err := b.Read(t.Context(), keys)
		if err != nil || len(got) != len(keys) {
			t.Fatal(len(got), err)
		}
		for i, key := range keys {
			if n := got[key].Fields["n"]; n != fmt.Sprint(i) {
				t.Fatalf("%s holds %s, want %d", key, n, i)
			}
		}
		p, err := b.Position(t.Context(), "aaaa", 0)
		if want := (Position{"aaaa", 0, 450, 1e12 + 450, "at 450"}); err != nil || p != want {
			t.Fatalf("%+v, %v; want %+v", p, err, want)
		}
	})
}

// forgetPosition makes the store believe that a partition is folded up to next only, as after a
// crash before the position was written.
func (b backend) forgetPosition(t *testing.T, topicID string, partition int, next int64) {
	t.Helper()
	switch s := b.Store.(type) {
	case *Memory:
		s.positions[partitionKey{topicID, partition}] = Position{topicID, partition, next, 0, ""}
	case *Redis:
		if err := s.client.HSet(t.Context(), s.positions+topicID, fmt.Sprint(partition), next).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFoldingAgainFromAnEarlierOffsetChangesNothing(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		for seed := range uint64(15) {
			b.reset()
			r := rand.New(rand.NewPCG(seed, 3))
			l := randomLog(r, "aaaa", 0, 200)
			for at := 0; at < 200; { // batches end anywhere, then are taken back anywhere
				to := min(at+1+r.IntN(60), 200)
				if err := l.fold(t, b, at, to); err != nil {
					t.Fatal(err)
				}
				at = to
				if back := r.IntN(at + 1); r.IntN(2) == 0 && at < 200 {
					b.forgetPosition(t, "aaaa", 0, int64(back))
					at = back
				}
			}
			sameProfiles(t, fmt.Sprintf("seed %d", seed), readAll(t, b), naive(l))
		}
	})
}

func TestAStoreThatIsNotWhereTheBatchBeginsRefusesIt(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		l := randomLog(rand.New(rand.NewPCG(1, 4)), "aaaa", 0, 60)
		if err := l.fold(t, b, 0, 20); err != nil {
			t.Fatal(err)
		}
		before := readAll(t, b)
		for _, from := range []int{0, 10, 30} {
			if err := l.fold(t, b, from, 40); !errors.Is(err, ErrMoved) {
				t.Fatalf("from %d: %v", from, err)
			}
		}
		sameProfiles(t, "after refusals", readAll(t, b), before)
		if err := l.fold(t, b, 20, 40); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAnEmptiedStoreIsNoticedAndRebuilt(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		l := randomLog(rand.New(rand.NewPCG(1, 5)), "aaaa", 0, 100)
		if err := l.fold(t, b, 0, 50); err != nil {
			t.Fatal(err)
		}
		b.reset()
		if err := l.fold(t, b, 50, 100); !errors.Is(err, ErrMoved) {
			t.Fatal(err)
		}
		p, err := b.Position(t.Context(), "aaaa", 0)
		if err != nil || p.Next != 0 || p.Received != 0 {
			t.Fatalf("%+v, %v", p, err)
		}
		if len(readAll(t, b)) != 0 {
			t.Fatal("the refused batch left something behind")
		}
		if err := l.fold(t, b, 0, 100); err != nil {
			t.Fatal(err)
		}
		sameProfiles(t, "rebuilt", readAll(t, b), naive(l))
	})
}

func TestATopicCreatedAgainIsFoldedFromItsStart(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		r := rand.New(rand.NewPCG(1, 6))
		old, fresh := randomLog(r, "aaaa", 0, 80), randomLog(r, "bbbb", 0, 40)
		for _, l := range []*logOf{old, fresh} {
			p, err := b.Position(t.Context(), l.topicID, 0)
			if err != nil || p.Next != 0 {
				t.Fatalf("%+v, %v", p, err)
			}
			if err := l.fold(t, b, 0, len(l.records)); err != nil {
				t.Fatal(err)
			}
		}
		sameProfiles(t, "both", readAll(t, b), naive(old, fresh))
	})
}

func TestTheWatermarkIsTheSlowestPartitions(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := func(want event.Time) {
			t.Helper()
			if got, err := b.Watermark(t.Context(), "aaaa", 3); err != nil || got != want {
				t.Fatalf("%d, %v; want %d", got, err, want)
			}
		}
		beat := func(partition int, from int64, received event.Time) {
			t.Helper()
			if err := b.Apply(t.Context(), from, Position{"aaaa", partition, from + 1, received, ""}, nil); err != nil {
				t.Fatal(err)
			}
		}
		f(0)
		beat(0, 0, 500)
		beat(2, 0, 400)
		f(0)
		beat(1, 0, 300)
		f(300)
		beat(1, 1, 600)
		f(400)
		beat(2, 1, 100) // a clock that goes back does not take the watermark with it
		f(400)
	})
}

// What a watermark is made of moves with the position, and not apart from it.
func TestCollectorsAreKeptBesideThePosition(t *testing.T) {
	eachBackend(t, func(t *testing.T, b backend) {
		f := func(from, next int64, received event.Time, collectors string, want Position) {
			t.Helper()
			if err := b.Apply(t.Context(), from, Position{"aaaa", 3, next, received, collectors}, nil); err != nil {
				t.Fatal(err)
			}
			if p, err := b.Position(t.Context(), "aaaa", 3); err != nil || p != want {
				t.Errorf("%+v, %v; want %+v", p, err, want)
			}
		}
		f(0, 10, 100, "1\n100 host-1\n", Position{"aaaa", 3, 10, 100, "1\n100 host-1\n"})
		f(10, 20, 90, "", Position{"aaaa", 3, 20, 100, "1\n100 host-1\n"})
		f(20, 30, 110, "1\n", Position{"aaaa", 3, 30, 110, "1\n"})
		long := strings.Repeat("1764000000000 a host with \"signs\" and ü\n", 64)
		f(30, 31, 110, long, Position{"aaaa", 3, 31, 110, long})
		if err := b.Apply(t.Context(), 7, Position{"aaaa", 3, 8, 1, "other"}, nil); !errors.Is(err, ErrMoved) {
			t.Fatal(err)
		}
		if p, err := b.Position(t.Context(), "aaaa", 3); err != nil || p.Collectors != long {
			t.Errorf("a batch that was refused leaves %+v, %v", p, err)
		}
		if p, err := b.Position(t.Context(), "aaaa", 4); err != nil || p != (Position{TopicID: "aaaa", Partition: 4}) {
			t.Errorf("another partition has %+v, %v", p, err)
		}
	})
}
