package features

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/redis/go-redis/v9"
)

func TestRoundTripsToRedisAreMeasured(t *testing.T) {
	m := NewRedisMetrics(prometheus.NewRegistry())
	o := &redisObserver{seconds: m.seconds.WithLabelValues("scorer"), failures: m.failures.WithLabelValues("scorer")}
	f := func(err error, failures float64) {
		t.Helper()
		o.done(time.Now(), err)
		if n := testutil.ToFloat64(m.failures.WithLabelValues("scorer")); n != failures {
			t.Errorf("%v failures are counted after %v, want %v", n, err, failures)
		}
	}
	f(nil, 0)
	f(redis.Nil, 0)             // there is no such key
	f(context.Canceled, 0)      // the caller has ended
	f(&KeyError{Key: "k"}, 0)   // an answer about a key
	f(errors.New("refused"), 1) // no answer
	f(context.DeadlineExceeded, 2)
	var none *redisObserver
	none.done(time.Now(), errors.New("refused")) // a client that nobody observes
	if n := testutil.CollectAndCount(m.seconds); n != 1 {
		t.Errorf("%d series of durations, want 1", n)
	}
}

func TestKeysAreReadFromTheKeyspace(t *testing.T) {
	c, ok, err := parseCapacity("used_memory:10\r\nmaxmemory:0\r\nevicted_keys:0\r\n# Keyspace\r\ndb0:keys=12,expires=3,avg_ttl=0\r\ndb3:keys=5,expires=0\r\ndb_other:7\r\n")
	if err != nil || !ok || c.Keys != 17 {
		t.Errorf("%+v, %v, %v; want 17 keys", c, ok, err)
	}
}
