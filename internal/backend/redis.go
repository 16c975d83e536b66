package backend

import (
	"testing"

	"github.com/redis/go-redis/v9"
)

// RedisClient returns a client for commands of a test's own, such as those that damage a key. It
// closes with the test.
func RedisClient(t testing.TB) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: Redis(t), DisableIdentity: true})
	t.Cleanup(func() { client.Close() })
	return client
}
