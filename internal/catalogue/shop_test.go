package catalogue

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

const testNow = event.Time(1764061200000)

func str(s string) event.Value  { return event.Value{Kind: event.String, Str: s} }
func num(f float64) event.Value { return event.Value{Kind: event.Number, Num: f} }
func facts(f ...any) event.Fields { // name, value, ...
	var all event.Fields
	for i := 0; i < len(f); i += 2 {
		v := event.Value{}
		switch x := f[i+1].(type) {
		case string:
			v = str(x)
		case float64:
			v = num(x)
		case int:
			v = num(float64(x))
		}
		all = append(all, event.Field{Name: f[i].(string), Value: v})
	}
	return all
}

// shop is a simulated catalogue and its visitors: clicks depend on what a user likes.
type shop struct {
	items    []event.Item
	quality  []float64
	category []int
	random   *rand.Rand
	set      *features.Set
	replica  *model.Replica
}

func newShop(t testing.TB, items int, cfg features.Config) *shop {
	set, err := features.Compile(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{random: rand.New(rand.NewPCG(1, 7)), set: set}
	for i := range items {
		category := s.random.IntN(40)
		price := math.Round(math.Exp(s.random.NormFloat64())*1000) / 100
		s.category, s.quality = append(s.category, category), append(s.quality, s.random.NormFloat64())
		s.items = append(s.items, event.Item{ID: fmt.Sprint("a", i), Campaign: fmt.Sprint("c", i%300), Value: 1,
			Fields: facts("category", fmt.Sprint("k", category), "brand", fmt.Sprint("b", category*5+s.random.IntN(8)), "price", price)})
	}
	return s
}

// visitor is a context, and the number of its user.
func (s *shop) visitor() (features.Request, int) {
	user := s.random.IntN(2000)
	return features.Request{Time: testNow, User: fmt.Sprint("u", user), Context: facts("user", fmt.Sprint("u", user), "device", fmt.Sprint("d", s.random.IntN(3)),
		"country", fmt.Sprint("l", user%12), "hour", s.random.IntN(24), "segment", fmt.Sprint("s", user%40))}, user
}

func (s *shop) label(user, item int) float64 {
	z := -2.5 + 0.7*s.quality[item]
	if d := (s.category[item] - user%40 + 40) % 40; d < 4 {
		z += 2
	}
	if (user/7+s.category[item])%5 == 0 {
		z += 0.8
	}
	z -= 0.1 * math.Abs(s.items[item].Fields[2].Value.Num-float64(user%10*4))
	if s.random.Float64() < 1/(1+math.Exp(-z)) {
		return 1
	}
	return 0
}

// encode is the features of an item for a visitor.
func (s *shop) encode(dst []model.Feature, r features.Request, i *event.Item) []model.Feature {
	r.Ad, r.Campaign, r.Candidate = i.ID, i.Campaign, i.Fields
	return features.Encode(dst, s.set.Assemble(nil, &r, map[string]features.Profile{}))
}

// learn trains a network on n impressions; the first items are shown most.
func (s *shop) learn(t testing.TB, cfg model.Config, n int) {
	net, err := model.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	scratch := net.NewScratch()
	var x []model.Feature
	for range n {
		r, user := s.visitor()
		item := int(float64(len(s.items)) * math.Pow(s.random.Float64(), 3))
		x = s.encode(x[:0], r, &s.items[item])
		if _, err := net.Learn(x, s.label(user, item), 1, scratch); err != nil {
			t.Fatal(err)
		}
	}
	s.replica = model.NewReplica()
	if err := s.replica.Apply(net.AppendSnapshot(nil)); err != nil {
		t.Fatal(err)
	}
}

// open fills a catalogue with the shop's items, and makes their vectors.
func (s *shop) open(t testing.TB) (*Catalogue, *Vectors) {
	c := New("items", Config{MaxItems: 1 << 20, MaxBytes: 1 << 30})
	for i := range s.items {
		if err := c.put(&s.items[i]); err != nil {
			t.Fatal(err)
		}
	}
	c.publish()
	x := s.vectors(c)
	for x.step(t.Context()) == stepChanged {
	}
	return c, x
}

func (s *shop) vectors(c *Catalogue) *Vectors {
	return NewVectors(c, Source{Set: s.set, Store: features.NewMemory(), Now: func() event.Time { return testNow },
		Weights: func(use func(*model.Replica)) bool {
			if s.replica == nil {
				return false
			}
			use(s.replica)
			return true
		}})
}

// context encodes what does not depend on the item.
func (s *shop) context(r features.Request) []model.Feature {
	return features.Encode(nil, s.set.Assemble(nil, &r, map[string]features.Profile{}))
}

// exact are the k items of a set that the network itself scores best, times their values.
func (s *shop) exact(v *View, set Set, k int, r features.Request, scratch *model.Scratch) []Slot {
	var all []scored
	for at := range Slot(v.slots) {
		if set.Has(at) {
			item := v.Item(at)
			all = append(all, scored{float32(s.replica.Predict(s.encode(nil, r, &item), scratch) * item.Value), at})
		}
	}
	slices.SortFunc(all, func(a, b scored) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	var best []Slot
	for _, a := range all[:min(k, len(all))] {
		best = append(best, a.slot)
	}
	return best
}

// recall is the share of the k best items that are among the m that are found, over some visitors.
func (s *shop) recall(t testing.TB, c *Catalogue, x *Vectors, filter string, visitors, k, m int) (recall float64, passed int) {
	var search Search
	var set Set
	found, wanted, scratch := 0, 0, s.replica.NewScratch()
	for range visitors {
		r, _ := s.visitor()
		v := c.View()
		set = v.All(set)
		if filter != "" {
			if _, err := c.Match(set, v, filter, r.Context); err != nil {
				t.Fatal(err)
			}
		}
		passed += set.Len()
		got := x.Best(nil, v, set, m, s.replica, s.context(r), &search)
		for _, slot := range s.exact(v, set, k, r, scratch) {
			wanted++
			if slices.Contains(got, slot) {
				found++
			}
		}
	}
	return float64(found) / float64(max(wanted, 1)), passed / visitors
}
