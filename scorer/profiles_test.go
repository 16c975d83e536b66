package scorer

import (
	"context"
	"strings"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
)

// One profile that cannot be read takes nothing from the others of a request, and is not taken for
// a user who never did anything.
func TestAProfileOfAWrongTypeIsLeftOutAlone(t *testing.T) {
	client, err := features.DialRedis(features.RedisConfig{Address: backend.Redis(t), Username: backend.Administrator().Username, PasswordFile: backend.Administrator().PasswordFile, TLS: backend.TLS()}, features.Writing)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	raw := backend.RedisClient(t)
	prefix := backend.Prefix(t)
	key := prefix + "profiles:{user:u1}"
	t.Cleanup(func() { raw.Del(context.Background(), key) })
	if err := raw.Set(t.Context(), key, "x", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s := newScorer(t, func(u *setup) { u.store = features.NewRedis(client, prefix, "profiles", 0) })
	c := read(t, s, `{"request":"r1","user":"u1","tmax_ms":9000,"candidates":[{"ad":"a1"}]}`)
	s.score(t.Context(), c, false)
	used := s.facts(c, &c.Requests[0], 0)
	if v, ok := used.Lookup("user.click_count_1h"); !ok || v.Kind != event.Null {
		t.Errorf("of the unknown user %v is used, want null", v)
	}
	if v, ok := used.Lookup("ad.click_count_1h"); !ok || v.Kind != event.Number || v.Num != 0 {
		t.Errorf("of the ad %v is used, want 0", v)
	}
	a := parseAnswer(t, post(s, `{"request":"r2","user":"u1","tmax_ms":9000,"candidates":[{"ad":"a1"}]}`, "").Body.Bytes())
	if !strings.Contains(strings.Join(a.Degraded, " "), "profiles") {
		t.Errorf("the answer is degraded for %v, want profiles", a.Degraded)
	}
}
