package backend

import (
	"testing"

	"github.com/redis/go-redis/v9"
)

// RedisClient returns a client for commands of a test's own, such as those that damage a key. It
// closes with the test.
func RedisClient(t testing.TB) *redis.Client {
	t.Helper()
	o := &redis.Options{Addr: Redis(t), DisableIdentity: true}
	if by := TLS(); by.Enabled {
		var err error
		if o.TLSConfig, err = by.Config("127.0.0.1"); err != nil {
			t.Fatal(err)
		}
		o.Username, o.Password = Administrator().Username, password(Administrator())
	}
	client := redis.NewClient(o)
	t.Cleanup(func() { client.Close() })
	return client
}
