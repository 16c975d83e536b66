package catalogue

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

// networks are the mixture, and plain networks of each part.
func networks() map[string]model.Config {
	plain := func(change func(*model.Config), parts ...string) model.Config {
		c := model.DefaultConfig()
		c.Network = parts
		if change != nil {
			change(&c)
		}
		return c
	}
	return map[string]model.Config{
		"mixture":  model.DefaultConfig(),
		"linear":   plain(nil, "linear"),
		"crosses":  plain(func(c *model.Config) { c.Cross = [][]string{{"user", "category"}, {"price", "segment"}} }, "linear"),
		"ffm":      plain(nil, "linear", "ffm"),
		"ffm of 8": plain(func(c *model.Config) { c.FFM.K = 8 }, "ffm"),
		"mlp":      plain(nil, "mlp"),
		"two tanhs": plain(func(c *model.Config) {
			c.MLP.Layers = []model.Layer{{Units: 16, Activation: "tanh"}, {Units: 8, Activation: "tanh"}}
		}, "linear", "mlp"),
		"all": plain(nil, "linear", "ffm", "mlp"),
	}
}

// The items that a network scores best are among those that retrieval finds, for every network.
func TestRetrievalFindsWhatTheNetworkScoresBest(t *testing.T) {
	for name, cfg := range networks() {
		s := newShop(t, 3000, features.Config{})
		s.learn(t, cfg, 30_000)
		c, x := s.open(t)
		for _, filter := range []string{"", `item.category in ["k3", "k9", "k20"]`, `item.price < 4 and item.brand != "b7"`} {
			recall, passed := s.recall(t, c, x, filter, 6, 20, 100)
			if recall < 0.95 {
				t.Errorf("%s, %q (%d items): recall %.3f", name, filter, passed, recall)
			}
		}
	}
}

// Few items are scored all: nothing is lost.
func TestASmallSetIsFoundWhole(t *testing.T) {
	s := newShop(t, 3000, features.Config{})
	s.learn(t, model.DefaultConfig(), 5000)
	c, x := s.open(t)
	if recall, passed := s.recall(t, c, x, `item.brand == "b7"`, 3, 20, 100); recall != 1 || passed > 100 {
		t.Errorf("recall %.3f of %d items", recall, passed)
	}
}

// Items are ranked by probability times value.
func TestValuesCount(t *testing.T) {
	s := newShop(t, 3000, features.Config{})
	for i := range s.items {
		s.items[i].Value = float64(1 + i%17)
	}
	s.learn(t, model.DefaultConfig(), 30_000)
	c, x := s.open(t)
	if recall, _ := s.recall(t, c, x, "", 6, 20, 100); recall < 0.95 {
		t.Errorf("recall %.3f", recall)
	}
}

// Before the first weights, and for weights of another shape than those of the vectors, items are
// taken from all over the set.
func TestWithoutVectorsItemsAreTakenEvenly(t *testing.T) {
	s := newShop(t, 3000, features.Config{})
	c, x := s.open(t)
	v := c.View()
	f := func(r *model.Replica) {
		t.Helper()
		got := x.Best(nil, v, v.All(nil), 10, r, nil, new(Search))
		if len(got) != 10 || got[1]-got[0] != 300 || slices.Contains(got[1:], got[0]) {
			t.Errorf("%v", got)
		}
	}
	f(nil)
	s.learn(t, model.DefaultConfig(), 100)
	f(s.replica)
}

// New weights are in all vectors after some steps, one chunk each, and vectors then find what the
// new network scores best. A changed item is first.
func TestVectorsFollowTheWeights(t *testing.T) {
	s := newShop(t, 3000, features.Config{})
	s.learn(t, model.DefaultConfig(), 2000)
	c, x := s.open(t)
	s.learn(t, model.DefaultConfig(), 30_000)
	steps := 0
	for x.step(t.Context()) != stepNone {
		steps++
	}
	g := x.current.Load()
	for i, items := range g.items {
		if items.weights != s.replica.Examples() {
			t.Errorf("chunk %d has vectors of %d examples", i, items.weights)
		}
	}
	if recall, _ := s.recall(t, c, x, "", 6, 20, 100); recall < 0.95 || steps > 20 {
		t.Errorf("recall %.3f after %d steps", recall, steps)
	}
	r, _ := s.visitor()
	v := c.View()
	best := v.Item(s.exact(v, v.All(nil), 1, r, s.replica.NewScratch())[0])
	best.ID = "new"
	if err := c.put(&best); err != nil {
		t.Fatal(err)
	}
	c.publish()
	if x.step(t.Context()) != stepChanged {
		t.Error("a new item is not made at once")
	}
	v = c.View()
	got := x.Best(nil, v, v.All(nil), 20, s.replica, s.context(r), new(Search))
	if !slices.ContainsFunc(got, func(at Slot) bool { return v.ID(at) == "new" }) {
		t.Error("an item like the best one is not found")
	}
	c.delete("new")
	c.publish()
	v = c.View()
	got = x.Best(nil, v, v.All(nil), 3000, s.replica, s.context(r), new(Search))
	if len(got) != 3000 || slices.ContainsFunc(got, func(at Slot) bool { return v.ID(at) == "new" }) {
		t.Error("a deleted item is found")
	}
}

// Profiles of items are part of their vectors.
func TestProfilesOfItemsCount(t *testing.T) {
	cfg := features.Config{Profiles: []features.ProfileConfig{{Name: "rate", Entity: "ad", Aggregate: "count", Event: "click", Window: "1d"}}}
	s := newShop(t, 1500, cfg)
	net, _ := model.New(model.DefaultConfig())
	scratch := net.NewScratch()
	store := features.NewMemory()
	var updates []features.Update
	for i := range s.items {
		for range i % 11 {
			e := event.Event{Type: "click", ID: fmt.Sprint(i), Time: testNow, Ad: s.items[i].ID}
			updates = s.set.Updates(updates, &e, int64(len(updates)+1))
		}
	}
	if err := store.Apply(t.Context(), 0, features.Position{TopicID: "t", Next: int64(len(updates) + 1)}, updates); err != nil {
		t.Fatal(err)
	}
	profile := func(r features.Request, i *event.Item) []model.Feature {
		r.Ad, r.Campaign, r.Candidate = i.ID, i.Campaign, i.Fields
		profiles, err := store.Read(t.Context(), s.set.Keys(nil, &r))
		if err != nil {
			t.Fatal(err)
		}
		return features.Encode(nil, s.set.Assemble(nil, &r, profiles))
	}
	for range 20_000 {
		r, _ := s.visitor()
		i := s.random.IntN(len(s.items))
		y := 0.0
		if s.random.IntN(12) < i%11 {
			y = 1
		}
		if _, err := net.Learn(profile(r, &s.items[i]), y, 1, scratch); err != nil {
			t.Fatal(err)
		}
	}
	s.replica = model.NewReplica()
	if err := s.replica.Apply(net.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
	c := New("items", Config{MaxItems: 1 << 20, MaxBytes: 1 << 30})
	for i := range s.items {
		_ = c.put(&s.items[i])
	}
	c.publish()
	x := s.vectors(c)
	x.Store = store
	for x.step(t.Context()) == stepChanged {
	}
	v := c.View()
	r, _ := s.visitor()
	got := x.Best(nil, v, v.All(nil), 60, s.replica, s.context(r), new(Search))
	found := 0
	var best []scored
	for at := range Slot(v.slots) {
		item := v.Item(at)
		best = append(best, scored{float32(s.replica.Predict(profile(r, &item), scratch)), at})
	}
	slices.SortFunc(best, func(a, b scored) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	for _, b := range best[:20] {
		if slices.Contains(got, b.slot) {
			found++
		}
	}
	if found < 19 {
		t.Errorf("%d of the best 20 items are found", found)
	}
}

// Readers search while items and weights change. The race detector looks on.
func TestReadersSearchWhileAllChanges(t *testing.T) {
	s := newShop(t, 2500, features.Config{})
	s.learn(t, model.DefaultConfig(), 3000)
	c, x := s.open(t)
	r, _ := s.visitor()
	encoded := s.context(r)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = x.Run(ctx) // ends with ctx
	}()
	searched := make(chan struct{})
	for range 2 {
		go func() {
			defer func() { searched <- struct{}{} }()
			var search Search
			var set Set
			for i := range 60 {
				v := c.View()
				set = v.All(set)
				if _, err := c.Match(set, v, fmt.Sprintf("item.price < %d", 5+i%3), nil); err != nil {
					t.Error(err)
				}
				for _, at := range x.Best(nil, v, set, 30, s.replica, encoded, &search) {
					if p := v.field(at, v.column("price")); v.ID(at) == "" || p.Num >= float64(5+i%3) {
						t.Errorf("slot %d: %s of price %v", at, v.ID(at), p.Num)
					}
				}
			}
		}()
	}
	for i, ended := 0, 0; ended < 2; i++ {
		item := s.items[i%len(s.items)]
		item.Fields = facts("category", fmt.Sprint("k", i%50), "price", i%9, "brand", fmt.Sprint("n", i))
		if i%3 == 0 {
			c.delete(item.ID)
		} else if err := c.put(&item); err != nil {
			t.Fatal(err)
		}
		c.publish()
		select {
		case <-searched:
			ended++
		default:
		}
	}
	cancel()
	<-done
}

// Finding allocates nothing once it has grown.
func TestFindingAllocatesNothing(t *testing.T) {
	s := newShop(t, 2500, features.Config{})
	s.learn(t, model.DefaultConfig(), 6000)
	c, x := s.open(t)
	r, _ := s.visitor()
	encoded := s.context(r)
	var search Search
	var set Set
	var slots []Slot
	find := func() {
		v := c.View()
		set = v.All(set)
		slots = x.Best(slots[:0], v, set, 100, s.replica, encoded, &search)
	}
	find()
	if n := testing.AllocsPerRun(20, find); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
