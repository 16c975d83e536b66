package features

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/clickloop/clickloop/event"
)

const refusalTime = event.Time(1.7e12)

// opsOfEachKind are operations of which each needs something else of the profile that seed makes: a
// series whose old tile falls out comes first, because deleting needs no memory.
var opsOfEachKind = map[string]Op{
	"old tile": {Kind: OpTile, Field: "s#5m", Tile: 200, Keep: 3, Add: 1},
	"new tile": {Kind: OpTile, Field: "u#5m", Tile: 7, Keep: 3, Add: 2},
	"add":      {Kind: OpAdd, Field: "n", Add: 3},
	"max":      {Kind: OpMax, Field: "m@", Time: refusalTime + 9},
	"last":     {Kind: OpLast, Field: "l=ad", Time: refusalTime + 9, Value: "snew"},
	"first":    {Kind: OpFirst, Field: "click", Time: refusalTime - 9, Value: "1.5"},
}

func seedOps() []Op {
	return []Op{
		{Kind: OpTile, Field: "s#5m", Tile: 100, Keep: 3, Add: 1}, {Kind: OpAdd, Field: "n", Add: 1}, {Kind: OpMax, Field: "m@", Time: refusalTime},
		{Kind: OpLast, Field: "l=ad", Time: refusalTime, Value: "sold"}, {Kind: OpFirst, Field: "click", Time: refusalTime, Value: "1"},
	}
}

// pairsOfOps are batches for one profile: each operation alone, and each behind each other one.
func pairsOfOps() map[string][]Op {
	pairs := map[string][]Op{}
	for a, first := range opsOfEachKind {
		pairs[a] = []Op{first}
		for b, second := range opsOfEachKind {
			if a != b {
				pairs[a+" then "+b] = []Op{first, second}
			}
		}
	}
	return pairs
}

// rawHash is a profile with the store's own fields.
func rawHash(t *testing.T, client *redis.Client, s *Redis, key string) map[string]string {
	t.Helper()
	fields, err := client.HGetAll(t.Context(), s.profileKey(key)).Result()
	if err != nil {
		t.Fatal(err)
	}
	return fields
}

// checkRefusal folds one batch while Redis refuses and once more when it does not: the first
// changes nothing at all, and after the second both profiles hold what an undisturbed fold gives
// them.
func checkRefusal(t *testing.T, client *redis.Client, prefix string, ops []Op, refuse, relent func()) {
	t.Helper()
	store := redisStore(client, prefix, time.Hour)
	keys := []string{"user:1", "user:2"}
	apply := func(s Store, from int64, ops []Op) error {
		var batch []Update
		for _, key := range keys {
			batch = append(batch, Update{Key: key, Offset: from, Ops: ops})
		}
		return s.Apply(t.Context(), from, Position{TopicID: "aaaa", Partition: 0, Next: from + 1, Received: event.Time(from + 1)}, batch)
	}
	calm := NewMemory()
	for _, s := range []Store{store, calm} {
		if err := apply(s, 0, seedOps()); err != nil {
			t.Fatal(err)
		}
	}
	before := rawHash(t, client, store, "user:2")
	refuse()
	err := apply(store, 1, ops)
	relent()
	if err == nil {
		t.Fatal("the batch is folded although Redis refuses writes")
	}
	if after := rawHash(t, client, store, "user:2"); !maps.Equal(before, after) {
		t.Fatalf("a refused batch has changed a profile:\n%v\n%v", before, after)
	}
	at, err := store.Position(t.Context(), "aaaa", 0)
	if err != nil || at.Next != 1 {
		t.Fatalf("after a refused batch the position is %d (%v), want 1", at.Next, err)
	}
	for _, s := range []Store{store, calm} {
		if err := apply(s, 1, ops); err != nil {
			t.Fatal(err)
		}
	}
	got, _ := store.Read(t.Context(), keys)
	want, _ := calm.Read(t.Context(), keys)
	sameProfiles(t, "profiles", got, want)
}

func TestAFullRedisFoldsAllOfABatchOrNothing(t *testing.T) {
	eachRefusal(t, "maxmemory", "1", "0")
}

func TestARedisWithoutItsReplicasFoldsAllOfABatchOrNothing(t *testing.T) {
	eachRefusal(t, "min-replicas-to-write", "1", "0")
}

// eachRefusal makes a real Redis refuse writes by a setting. The embedded one refuses for no such
// reason.
func eachRefusal(t *testing.T, setting, refusing, relenting string) {
	client := realRedis(t)
	set := func(value string) {
		if err := client.ConfigSet(t.Context(), setting, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for name, ops := range pairsOfOps() {
		t.Run(name, func(t *testing.T) {
			prefix := fmt.Sprintf("test-%d.", rand.Uint64())
			t.Cleanup(func() { deletePrefix(t, client, prefix) })
			checkRefusal(t, client, prefix, ops, func() { set(refusing) }, func() { set(relenting) })
		})
	}
}

// damage puts into the field that an operation needs what no operation writes.
var damage = map[string]struct{ field, value, says string }{
	"old tile": {"s#5m", "soon", "whole number"},
	"new tile": {"u#5m:7", "two", "whole number"},
	"add":      {"n", "1.5", "whole number"},
	"max":      {"m@", "noon", "whole number"},
	"last":     {"l=ad", "1700000000000", "a time and a value"},
	"first":    {"click", "noon 1", "a time and a value"},
	"fence":    {"^aaaa.0", "?", "whole number"},
}

func TestAFieldThatSomebodyElseChangedIsNamedAndNothingIsFolded(t *testing.T) {
	eachRedis(t, func(t *testing.T, client *redis.Client, prefix string) {
		n := 0
		for name, d := range damage {
			for before, op := range opsOfEachKind {
				if before == name {
					continue
				}
				n++
				store := redisStore(client, fmt.Sprintf("%s%d.", prefix, n), time.Hour)
				ops := []Op{op, opsOfEachKind[name], {Kind: OpAdd, Field: "behind", Add: 1}}
				if name == "fence" {
					ops = []Op{op}
				}
				checkDamage(t, client, store, before+" then "+name, d.field, d.value, d.says, ops)
			}
		}
	})
}

func checkDamage(t *testing.T, client *redis.Client, store *Redis, what, field, value, says string, ops []Op) {
	t.Helper()
	apply := func(from int64, ops []Op) error {
		return store.Apply(t.Context(), from, Position{TopicID: "aaaa", Partition: 0, Next: from + 1, Received: 1}, []Update{{Key: "user:1", Offset: from, Ops: ops}})
	}
	if err := apply(0, seedOps()); err != nil {
		t.Fatal(err)
	}
	key := store.profileKey("user:1")
	if err := client.HSet(t.Context(), key, field, value).Err(); err != nil {
		t.Fatal(err)
	}
	before := rawHash(t, client, store, "user:1")
	err := apply(1, ops)
	var bad *KeyError
	if !errors.As(err, &bad) || bad.Key != key || !strings.Contains(bad.Reason, says) || !strings.Contains(bad.Reason, field) {
		t.Fatalf("%s: the error is %v, want a KeyError of %s with field %s and %q", what, err, key, field, says)
	}
	after := rawHash(t, client, store, "user:1")
	// tiles that the batch forgets may be gone: it forgets them again
	for tile := 98; tile <= 100; tile++ {
		delete(before, fmt.Sprintf("s#5m:%d", tile))
		delete(after, fmt.Sprintf("s#5m:%d", tile))
	}
	for name, n := range after { // increments that were taken back may leave a zero
		if _, ok := before[name]; !ok && n == "0" {
			delete(after, name)
		}
	}
	if !maps.Equal(before, after) {
		t.Fatalf("%s: a refused batch has changed the profile:\n%v\n%v", what, before, after)
	}
}

func TestAKeyOfAnotherTypeIsNamed(t *testing.T) {
	eachRedis(t, func(t *testing.T, client *redis.Client, prefix string) {
		store := redisStore(client, prefix, time.Hour)
		batch := []Update{{Key: "user:1", Offset: 0, Ops: seedOps()}, {Key: "user:2", Offset: 0, Ops: seedOps()}}
		to := Position{TopicID: "aaaa", Partition: 0, Next: 1, Received: 1}
		wrong := store.profileKey("user:1")
		mustSet(t, client, wrong)
		err := store.Apply(t.Context(), 0, to, batch)
		checkNamed(t, err, wrong, "is a string, expected a hash")
		found, err := store.Read(t.Context(), []string{"user:1", "user:2", "user:3"})
		checkNamed(t, err, wrong, "is no hash")
		if p, ok := found["user:1"]; !ok || !p.unknown {
			t.Fatalf("of the profile that cannot be read, %v is known", found)
		}
		if _, ok := found["user:3"]; ok {
			t.Fatal("a profile that is not there is there")
		}
		if err := client.Del(t.Context(), wrong).Err(); err != nil {
			t.Fatal(err)
		}
		if err := store.Apply(t.Context(), 0, to, batch); err != nil {
			t.Fatal(err)
		}
		want := naive(&logOf{topicID: "aaaa", records: [][]Update{batch}})
		sameProfiles(t, "profiles", readKeys(t, store, "user:1", "user:2"), want)
	})
}

func TestAPositionOfAnotherTypeIsNamed(t *testing.T) {
	eachRedis(t, func(t *testing.T, client *redis.Client, prefix string) {
		store := redisStore(client, prefix, time.Hour)
		wrong := prefix + "profiles:position:aaaa"
		mustSet(t, client, wrong)
		_, err := store.Position(t.Context(), "aaaa", 0)
		checkNamed(t, err, wrong, "is no hash")
		_, err = store.Watermark(t.Context(), "aaaa", 2)
		checkNamed(t, err, wrong, "is no hash")
		for _, batch := range [][]Update{nil, {{Key: "user:1", Offset: 0, Ops: seedOps()}}} {
			checkNamed(t, store.Apply(t.Context(), 0, Position{TopicID: "aaaa", Partition: 0, Next: 1, Received: 1}, batch), wrong, "is a string")
		}
		if err := client.Del(t.Context(), wrong).Err(); err != nil {
			t.Fatal(err)
		}
		if err := client.HSet(t.Context(), wrong, "0", "x", "1.received", "y").Err(); err != nil {
			t.Fatal(err)
		}
		_, err = store.Position(t.Context(), "aaaa", 0)
		checkNamed(t, err, wrong, `"x" in field 0`)
		_, err = store.Watermark(t.Context(), "aaaa", 2)
		checkNamed(t, err, wrong, `"y" in field 1.received`)
	})
}

func mustSet(t *testing.T, client *redis.Client, key string) {
	t.Helper()
	if err := client.Set(t.Context(), key, "somebody else's", 0).Err(); err != nil {
		t.Fatal(err)
	}
}

func checkNamed(t *testing.T, err error, key, says string) {
	t.Helper()
	var bad *KeyError
	if !errors.As(err, &bad) || bad.Key != key || !strings.Contains(bad.Reason, says) || !strings.Contains(err.Error(), "profiles:position:*") {
		t.Fatalf("the error is %v, want one that names %s, says %q and how to mend it", err, key, says)
	}
}

func readKeys(t *testing.T, s Store, keys ...string) map[string]Profile {
	t.Helper()
	found, err := s.Read(t.Context(), keys)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// The profiles of a request that can be read are used, and of the one that cannot nothing is known.
func TestAnUnknownProfileIsMissingAndNotZero(t *testing.T) {
	s := mustCompile(t, Config{Profiles: []ProfileConfig{{Entity: "user", Aggregate: "count", Event: "click"}, {Entity: "ad", Aggregate: "count", Event: "click"}}})
	mini := miniredis.RunT(t)
	client := dial(t, RedisConfig{Address: mini.Addr()})
	store := redisStore(client, "t.", time.Hour)
	mustSet(t, client, store.profileKey("user:u1"))
	r := &Request{Time: refusalTime, User: "u1", Ad: "a1"}
	found, err := store.Read(t.Context(), s.Keys(nil, r))
	if err == nil {
		t.Fatal("a string is read as a profile")
	}
	f := s.Assemble(nil, r, found)
	if v, ok := f.Lookup("user.click_count"); !ok || v.Kind != event.Null {
		t.Fatalf("the unknown profile gives %v, want null", v)
	}
	if v, ok := f.Lookup("ad.click_count"); !ok || v.Kind != event.Number || v.Num != 0 {
		t.Fatalf("the other profile gives %v, want 0", v)
	}
}
