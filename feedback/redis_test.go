package feedback

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
)

// The same on Redis, which is emptied at one stroke again and again.
func TestTheJoinHoldsOnARedisThatIsEmptied(t *testing.T) {
	r := newRig(t)
	client, err := features.DialRedis(features.RedisConfig{Address: backend.Redis(t), Username: backend.Administrator().Username, PasswordFile: backend.Administrator().PasswordFile, TLS: backend.TLS()}, features.Writing)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	raw := backend.RedisClient(t)
	r.outcomes = features.NewRedis(client, r.client.Prefix(), "outcomes", time.Hour)
	empty := func() {
		t.Helper()
		keys, err := raw.Keys(t.Context(), r.client.Prefix()+"*").Result()
		if err == nil && len(keys) > 0 {
			err = raw.Del(t.Context(), keys...).Err()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if keys, err := raw.Keys(t.Context(), r.client.Prefix()+"*").Result(); err == nil && len(keys) > 0 {
			raw.Del(t.Context(), keys...)
		}
	})
	rng := rand.New(rand.NewPCG(1, 9))
	const n = 600
	predictions, clicks := rows(rng, n)
	r.produce(event.TopicPredictions, predictions...)
	r.produce(event.TopicEvents, clicks...)
	_, stop := r.join()
	emptied := 0
	for upTo := int64(0); upTo < n; {
		upTo = min(n, upTo+1+rng.Int64N(40))
		r.beat(t0.Add(span) + event.Time(upTo))
		switch rng.IntN(4) {
		case 0:
			empty()
			emptied++
		case 1:
			// an emptied store is noticed at the next record
			r.beat(t0.Add(span) + event.Time(upTo))
			r.awaitExamples(int(upTo))
		}
		if upTo > n/2 && stop != nil {
			stop()
			stop = nil
			r.join()
		}
	}
	r.beat(t0.Add(span) + n + 1)
	check(t, r.awaitExamples(n), n)
	if emptied < 3 {
		t.Errorf("Redis was emptied %d times only", emptied)
	}
}
