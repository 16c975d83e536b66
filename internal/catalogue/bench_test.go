package catalogue

import (
	"testing"

	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

// BenchmarkBest finds 200 of 100,000 items, for one visitor after another.
func BenchmarkBest(b *testing.B) {
	s := newShop(b, 100_000, features.Config{})
	s.learn(b, model.DefaultConfig(), 200_000)
	c, x := s.open(b)
	f := func(name, filter string) {
		b.Run(name, func(b *testing.B) {
			recall, passed := s.recall(b, c, x, filter, 5, 20, 200)
			var search Search
			var set Set
			var slots []Slot
			r, _ := s.visitor()
			context := s.context(r)
			b.ReportAllocs()
			for b.Loop() {
				v := c.View()
				set = v.All(set)
				if filter != "" {
					_, _ = c.Match(set, v, filter, r.Context)
				}
				slots = x.Best(slots[:0], v, set, 200, s.replica, context, &search)
			}
			b.ReportMetric(recall, "recall@20")
			b.ReportMetric(float64(passed), "passed")
		})
	}
	f("all", "")
	f("category", `item.category == "k7"`)
	f("price", `item.price < 3 and item.brand in ["b35", "b36", "b37"]`)
	f("context", `item.price < context.hour + 1`)
}

// BenchmarkFilter evaluates filters of which no results are kept, over 100,000 items.
func BenchmarkFilter(b *testing.B) {
	s := newShop(b, 100_000, features.Config{})
	c := New("items", Config{MaxItems: 1 << 20, MaxBytes: 1 << 30})
	for i := range s.items {
		_ = c.put(&s.items[i])
	}
	c.publish()
	v := c.View()
	for _, filter := range []string{`item.category == "k7"`, `item.price < 3 and item.brand in ["b35", "b36", "b37"]`, `item.price < 3 or item.id == "a7"`} {
		b.Run(filter, func(b *testing.B) {
			var set Set
			for b.Loop() {
				c.filters = filters{}
				set = v.All(set)
				_, _ = c.Match(set, v, filter, nil)
			}
		})
	}
}

// BenchmarkVectors makes the vectors of 100,000 items.
func BenchmarkVectors(b *testing.B) {
	s := newShop(b, 100_000, features.Config{})
	s.learn(b, model.DefaultConfig(), 50_000)
	c, _ := s.open(b)
	for b.Loop() {
		x := s.vectors(c)
		x.step(b.Context())
	}
}
