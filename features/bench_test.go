package features

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

// benchConfig is the features of a usual ad system.
var benchConfig = Config{Profiles: []ProfileConfig{
	{Entity: "user", Aggregate: "count", Event: "click", Window: "1h"},
	{Entity: "user", Aggregate: "count", Event: "impression", Window: "1h"},
	{Entity: "user", Aggregate: "count", Event: "click", Window: "7d"},
	{Entity: "user", Aggregate: "recency", Event: "click"},
	{Entity: "user", Aggregate: "last", Event: "click", Value: "ad"},
	{Entity: "ad", Aggregate: "ratio", Event: "click", Over: "impression", Window: "1d", Prior: 0.01, Weight: 100},
	{Entity: "campaign", Aggregate: "ratio", Event: "click", Over: "impression", HalfLife: "1d", Prior: 0.01, Weight: 100},
	{Entity: "user*campaign", Aggregate: "count", Event: "impression", Window: "1d"},
}, Cross: [][]string{{"device", "campaign"}}}

func benchEvents(n int) []event.Event {
	r := rand.New(rand.NewPCG(1, 20))
	events := make([]event.Event, n)
	for i := range events {
		events[i] = event.Event{
			Type: []string{"impression", "impression", "impression", "click"}[r.IntN(4)], Time: testNow - event.Time((n-i)*50),
			User: fmt.Sprintf("user-%d", r.IntN(20000)), Ad: fmt.Sprintf("ad-%d", r.IntN(200)), Campaign: fmt.Sprintf("campaign-%d", r.IntN(20)),
		}
	}
	return events
}

func benchRequest(b *testing.B) *Request {
	return &Request{Time: testNow, User: "user-7", Ad: "ad-7", Campaign: "campaign-7", Context: fieldsOf(b,
		`{"device":"mobile","os":"ios","hour":14,"site":"news.example","page":"sports","lang":"de","geo":{"country":"DE","city":"Ulm"},"width":390,"height":844,"age":41}`)}
}

func BenchmarkUpdates(b *testing.B) {
	s := mustCompile(b, benchConfig)
	events := benchEvents(1000)
	var batch []Update
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		batch = s.Updates(batch[:0], &events[i%len(events)], 1)
		i++
	}
}

func BenchmarkAssemble(b *testing.B) {
	s := mustCompile(b, benchConfig)
	m := NewMemory()
	events := benchEvents(100000)
	for hour := range 160 { // a user of long standing
		events = append(events, event.Event{Type: "click", User: "user-8", Time: testNow - event.Time(hour)*3600000})
	}
	foldAll(b, s, m, events)
	for _, user := range []string{"user-7", "user-8"} {
		b.Run(user, func(b *testing.B) {
			r := benchRequest(b)
			r.User = user
			profiles, err := m.Read(b.Context(), s.Keys(nil, r))
			if err != nil {
				b.Fatal(err)
			}
			var dst event.Fields
			b.ReportAllocs()
			for b.Loop() {
				dst = s.Assemble(dst[:0], r, profiles)
			}
			b.ReportMetric(float64(len(dst)), "features")
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	s := mustCompile(b, benchConfig)
	fields := s.Assemble(nil, benchRequest(b), nil)
	var dst []model.Feature
	b.ReportAllocs()
	for b.Loop() {
		dst = Encode(dst[:0], fields)
	}
	b.ReportMetric(float64(len(dst)), "features")
}

// eachServer runs a benchmark on the embedded Redis and on a real one.
func eachServer(b *testing.B, bench func(b *testing.B, client *redis.Client)) {
	b.Run("miniredis", func(b *testing.B) { bench(b, dial(b, RedisConfig{Address: miniredis.RunT(b).Addr()})) })
	b.Run("redis", func(b *testing.B) {
		client := realRedis(b)
		bench(b, client)
		deletePrefix(b, client, "bench.")
	})
}

const benchBatch = 1000

// BenchmarkApply folds events in batches of 1,000; one operation is one event.
func BenchmarkApply(b *testing.B) {
	s := mustCompile(b, benchConfig)
	events := benchEvents(20000)
	eachServer(b, func(b *testing.B, client *redis.Client) {
		deletePrefix(b, client, "bench.")
		store := redisStore(client, "bench.", 0)
		var batch []Update
		next := int64(0)
		for n := 0; n < b.N; n += benchBatch {
			batch = batch[:0]
			from := next
			for range benchBatch {
				batch = s.Updates(batch, &events[next%int64(len(events))], next)
				next++
			}
			if err := store.Apply(b.Context(), from, Position{"aaaa", 0, next, testNow, ""}, batch); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkPlainPipeline does the same increments without fences, positions and forgetting: one
// HINCRBY or HSET an operation, in pipelines of the same events.
func BenchmarkPlainPipeline(b *testing.B) {
	s := mustCompile(b, benchConfig)
	events := benchEvents(20000)
	eachServer(b, func(b *testing.B, client *redis.Client) {
		deletePrefix(b, client, "bench.")
		var batch []Update
		next := 0
		for n := 0; n < b.N; n += benchBatch {
			pipe := client.Pipeline()
			for range benchBatch {
				batch = s.Updates(batch[:0], &events[next%len(events)], 1)
				next++
				for i := range batch {
					plainUpdate(b.Context(), pipe, &batch[i])
				}
			}
			if _, err := pipe.Exec(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func plainUpdate(ctx context.Context, pipe redis.Pipeliner, u *Update) {
	key := "bench.plain:{" + u.Key + "}"
	for i := range u.Ops {
		switch op := &u.Ops[i]; op.Kind {
		case OpAdd:
			pipe.HIncrBy(ctx, key, op.Field, op.Add)
		case OpTile:
			pipe.HIncrBy(ctx, key, tileField(op.Field, op.Tile), op.Add)
		default:
			pipe.HSet(ctx, key, op.Field, stamped(op.Time, op.Value))
		}
	}
}

// BenchmarkRead reads the profiles of one request; one operation is one request.
func BenchmarkRead(b *testing.B) {
	s := mustCompile(b, benchConfig)
	events := benchEvents(20000)
	eachServer(b, func(b *testing.B, client *redis.Client) {
		deletePrefix(b, client, "bench.")
		store := redisStore(client, "bench.", 0)
		foldAll(b, s, store, events)
		r := benchRequest(b)
		keys := s.Keys(nil, r)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := store.Read(b.Context(), keys); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkHeartbeat moves a position with an empty batch.
func BenchmarkHeartbeat(b *testing.B) {
	eachServer(b, func(b *testing.B, client *redis.Client) {
		deletePrefix(b, client, "bench.")
		store := redisStore(client, "bench.", 0)
		next := int64(0)
		for b.Loop() {
			if err := store.Apply(b.Context(), next, Position{"aaaa", 0, next + 1, testNow, ""}, nil); err != nil {
				b.Fatal(err)
			}
			next++
		}
	})
}
