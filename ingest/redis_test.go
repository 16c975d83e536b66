package ingest

import (
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
)

// A key that another program has written stops the fold of its partition: the stage says so and
// names the key, and goes on once it is gone.
func TestAWrongKeyInRedisMakesTheStageUnreadyByName(t *testing.T) {
	redis, err := features.DialRedis(features.RedisConfig{Address: backend.Redis(t), Username: backend.Administrator().Username, PasswordFile: backend.Administrator().PasswordFile, TLS: backend.TLS()}, features.Writing)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { redis.Close() })
	raw := backend.RedisClient(t)
	client := dial(t, backend.Kafka(t))
	store := features.NewRedis(redis, client.Prefix(), "profiles", time.Hour)
	key := client.Prefix() + "profiles:{user:u1}"
	if err := raw.LPush(t.Context(), key, "x").Err(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { raw.Del(t.Context(), key) })
	i, server, _ := run(t, client, DefaultConfig(), store, true)
	at := recordedAt
	send(t, "POST", server.URL+"/v1/events?clock="+at.String(), nil, strings.NewReader(`{"id":"a","type":"click","user":"u1","time":"`+at.String()+`"}`))
	awaitReady(t, i, func(err error) bool { return err != nil && strings.Contains(err.Error(), key) })
	if err := raw.Del(t.Context(), key).Err(); err != nil {
		t.Fatal(err)
	}
	awaitReady(t, i, func(err error) bool { return err == nil })
	if n := clicks(t, i, store, "u1", at); n != 1 {
		t.Fatalf("%v clicks, want 1", n)
	}
}

func awaitReady(t *testing.T, i *Ingester, ok func(error) bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := i.Ready(t.Context())
		if ok(err) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s the stage says %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
