package scorer

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/prometheus/client_golang/prometheus"
)

// limping is a store whose reads take until a test lets them go, but for those of some keys: what
// has come when the caller gives up is returned.
type limping struct {
	features.Store
	mu    sync.Mutex
	hold  chan struct{} // nil: it answers at once
	quick func(key string) bool
	reads atomic.Int64
	last  time.Duration // that the last caller would wait
	keys  []string      // of the last call
}

func (l *limping) set(hold chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hold = hold
}

func (l *limping) Read(ctx context.Context, keys []string) (map[string]features.Profile, error) {
	end, _ := ctx.Deadline()
	l.mu.Lock()
	hold := l.hold
	l.last, l.keys = time.Until(end), append([]string(nil), keys...)
	l.mu.Unlock()
	if keys[0] != probeKey {
		l.reads.Add(1)
	}
	found, err := l.Store.Read(ctx, keys)
	if hold == nil {
		return found, err
	}
	select {
	case <-hold:
		return found, err
	case <-ctx.Done():
		for _, key := range keys {
			if l.quick == nil || !l.quick(key) {
				found[key] = features.UnknownProfile()
			}
		}
		return found, ctx.Err()
	}
}

func (l *limping) asked() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.keys
}

// partialAnswer is what an answer says of profiles.
type partialAnswer struct {
	Features string
	Missing  []string
	Degraded []string
	AgeMs    map[string]int64 `json:"age_ms"`
	Error    struct{ Message, Field string }
}

func TestProfilesThatHaveNotComeByTMaxAreNamed(t *testing.T) {
	store := &limping{Store: features.NewMemory(), hold: make(chan struct{})}
	s := newScorer(t, func(u *setup) { u.store, u.config.TMax = store, 2*time.Second })
	f := func(tmax, features, missing, degraded string) {
		t.Helper()
		w := post(s, `{"request":"`+fmt.Sprint(tmax, missing)+`","tmax_ms":`+tmax+`,"user":"u1","candidates":[{"ad":"a1"}]}`, "")
		var a partialAnswer
		unmarshal(t, w.Body.Bytes(), &a)
		if w.Code != 200 || a.Features != features || strings.Join(a.Missing, ",") != missing || strings.Join(a.Degraded, ",") != degraded {
			t.Errorf("tmax_ms %s: %d %s", tmax, w.Code, w.Body)
		}
		again := post(s, `{"request":"`+fmt.Sprint(tmax, missing)+`","user":"u1","candidates":[{"ad":"a1"}]}`, "")
		var b partialAnswer
		unmarshal(t, again.Body.Bytes(), &b)
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Errorf("the answer is %+v, and when it is asked for again %+v", a, b)
		}
	}
	store.quick = func(key string) bool { return strings.HasPrefix(key, "ad:") }
	f("1.5", "partial", "user", "profiles,model")
	store.quick = nil
	f("0.5", "missing", "user,ad", "profiles,model")
	store.set(nil)
	f("2000", "full", "", "model")
	if store.last > 2*time.Second || store.last < time.Second {
		t.Errorf("a read waits for %v, want what is left of 2 s", store.last)
	}
}

func TestTMaxIsRefusedBeyondItsBounds(t *testing.T) {
	s := newScorer(t, nil)
	f := func(text string, status int) {
		t.Helper()
		w := post(s, `{"tmax_ms":`+text+`,"candidates":[{"ad":"a1"}]}`, "")
		var a partialAnswer
		unmarshal(t, w.Body.Bytes(), &a)
		if w.Code != status || status == 400 && a.Error.Field != "tmax_ms" {
			t.Errorf("%s: %d %s", text, w.Code, w.Body)
		}
	}
	for _, text := range []string{"0", "-1", "60000.1", "1e300", `"5"`, "true", "[1]"} {
		f(text, 400)
	}
	for _, text := range []string{"0.001", "1e-300", "5", "5.25", "60000"} {
		f(text, 200)
	}
}

// The most hurried line of a body decides for all, since they are answered together.
func TestTheMostHurriedLineCounts(t *testing.T) {
	c := Call{Began: at(0)}
	c.Add().TMax = 50 * time.Millisecond
	c.Add()
	c.Add().TMax = 30 * time.Millisecond
	if got := c.deadline(40 * time.Millisecond); !got.Equal(at(30)) {
		t.Error(got)
	}
	if got := c.deadline(20 * time.Millisecond); !got.Equal(at(20)) {
		t.Error(got)
	}
}

// While Redis hangs, calls soon stop to ask it at all; once it answers again, profiles are used
// again. Nothing but probes finds that out.
func TestAnOpenBreakerCostsCallsNothing(t *testing.T) {
	hold, reg := make(chan struct{}), prometheus.NewRegistry()
	store := &limping{Store: features.NewMemory(), hold: hold}
	s := newScorer(t, func(u *setup) { u.store, u.registry, u.config.TMax = store, reg, 6*time.Millisecond })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	probing := make(chan error)
	go func() { probing <- s.profiles.probe(ctx) }()
	n := 0
	ask := func() partialAnswer {
		n++
		var a partialAnswer
		unmarshal(t, post(s, fmt.Sprintf(`{"request":"r%d","user":"u1","candidates":[{"ad":"a1"}]}`, n), "").Body.Bytes(), &a)
		return a
	}
	for !s.profiles.breaker.open() {
		if ask().Features != "missing" || n > 1000 {
			t.Fatalf("after %d calls", n)
		}
	}
	if metric(t, reg, "clickloop_scorer_breaker_open") != 1 {
		t.Error("the metric does not say so")
	}
	if w := s.Warnings(); len(w) != 1 {
		t.Errorf("warnings %q", w)
	}
	before := store.reads.Load()
	for range 50 {
		if a := ask(); a.Features != "missing" || strings.Join(a.Missing, ",") != "user,ad" {
			t.Fatal(a)
		}
	}
	if asked := store.reads.Load() - before; asked != 0 {
		t.Errorf("50 calls asked the store %d times", asked)
	}
	close(hold)
	store.set(nil)
	for end := time.Now().Add(10 * time.Second); ask().Features != "full"; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("profiles are not used again")
		}
	}
	if metric(t, reg, "clickloop_scorer_breaker_open") != 0 {
		t.Error("the metric does not say so")
	}
	if w := s.Warnings(); len(w) != 0 {
		t.Errorf("warnings %q", w)
	}
	cancel()
	<-probing
}

// Callers with less patience than says anything about the store do not take profiles from others.
func TestHurriedCallersDoNotOpenTheBreaker(t *testing.T) {
	store := &limping{Store: features.NewMemory(), hold: make(chan struct{})}
	s := newScorer(t, func(u *setup) { u.store = store })
	for i := range 100 {
		post(s, fmt.Sprintf(`{"request":"r%d","tmax_ms":1,"user":"u1","candidates":[{"ad":"a1"}]}`, i), "")
	}
	if s.profiles.breaker.open() {
		t.Error("it is open")
	}
}

func TestACachedProfileIsUsedUpToItsAge(t *testing.T) {
	memory := features.NewMemory()
	store := &limping{Store: memory}
	s := newScorer(t, func(u *setup) {
		u.store, u.config.ProfileCache = store, CacheConfig{Bytes: 1 << 20, MaxAge: time.Hour}
	})
	fold := func(offset int64) {
		t.Helper()
		e := event.Event{ID: fmt.Sprint(offset), Type: "click", Time: testNow, User: "u1"}
		if err := memory.Apply(t.Context(), offset, features.Position{TopicID: "t", Next: offset + 1}, s.profiles.set.Updates(nil, &e, offset)); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	clicks := func(of string) float64 {
		t.Helper()
		n++
		c := read(t, s, fmt.Sprintf(`{"request":"r%d","user":%q,"candidates":[{"ad":"a1"}]}`, n, of))
		s.score(t.Context(), c, s.recorded.Load())
		v, _ := s.facts(c, &c.Requests[0], 0).Lookup("user.click_count_1h")
		var ages []string
		for _, a := range c.ages {
			ages = append(ages, fmt.Sprint(a.Name, a.Ms))
		}
		t.Log(of, v, ages)
		return v.Num
	}
	s.profiles.watermark.Store(int64(testNow - 500))
	fold(0)
	if got := clicks("u1"); got != 1 {
		t.Fatal(got)
	}
	fold(1)
	s.profiles.watermark.Store(int64(testNow - 100))
	if got := clicks("u1"); got != 1 {
		t.Errorf("%v clicks, want the 1 in the cache", got)
	}
	c := read(t, s, `{"request":"ages","user":"u1","candidates":[{"ad":"a2"}]}`)
	s.score(t.Context(), c, false)
	if got := strings.Join(store.asked(), ","); got != "ad:a2" {
		t.Errorf("%s is asked for, want ad:a2 alone", got)
	}
	ages := map[string]int64{}
	for _, a := range c.ages {
		ages[a.Name] = a.Ms
	}
	if ages["user"] != 500 || ages["ad"] != 100 {
		t.Errorf("ages %v, want that of the user when it was read, 500, and of the ad 100", ages)
	}
	s.SetRecorded(true) // a replay uses what the store has
	if got := clicks("u1"); got != 2 {
		t.Errorf("%v clicks in a replay, want 2", got)
	}
	s.SetRecorded(false)
	old, _ := s.profiles.cache.get("user:u1", time.Now())
	if _, ok := s.profiles.cache.get("user:u1", old.read.Add(time.Hour+1)); ok {
		t.Error("it is used beyond its age")
	}
	if _, ok := s.profiles.cache.get("user:u1", old.read.Add(time.Hour)); !ok {
		t.Error("it is not used up to its age")
	}
}

// A cache holds no more than its bytes, never what could not be read, and serves while Redis hangs.
func TestACacheIsBoundedAndHoldsNothingUnknown(t *testing.T) {
	store := &limping{Store: features.NewMemory()}
	s := newScorer(t, func(u *setup) {
		u.store, u.config.ProfileCache = store, CacheConfig{Bytes: 1 << 20, MaxAge: time.Hour}
	})
	for i := range 20_000 {
		c := read(t, s, fmt.Sprintf(`{"user":"u%d","candidates":[{"ad":"a1"}]}`, i))
		s.score(t.Context(), c, false)
	}
	s.profiles.cache.known.CleanUp()
	if n := s.profiles.cache.known.WeightedSize(); n > 1<<20 || n < 1<<19 {
		t.Errorf("%d bytes, want about 1 MiB", n)
	}
	store.set(make(chan struct{}))
	var a partialAnswer
	unmarshal(t, post(s, `{"request":"x","tmax_ms":1,"user":"new","candidates":[{"ad":"a1"}]}`, "").Body.Bytes(), &a)
	if a.Features != "partial" || strings.Join(a.Missing, ",") != "user" {
		t.Errorf("%+v", a)
	}
	if _, ok := s.profiles.cache.get("user:new", time.Now()); ok {
		t.Error("a profile that was not read is in the cache")
	}
}
