package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// shop is a catalogue with users whose interest in items is known.
type shop struct {
	items    [][]Feature
	random   *rand.Rand
	quality  []float64
	category []int
}

var shopFields = []string{"ad", "campaign", "category", "brand", "price"}

func shopToken(field, text string) Feature {
	return Feature{Field: FieldHash(field), Hash: TokenHash(text), Value: 1}
}

func newShop(n int, seed uint64) *shop {
	s := &shop{random: rand.New(rand.NewPCG(seed, 7))}
	for i := range n {
		category := s.random.IntN(40)
		s.category = append(s.category, category)
		s.quality = append(s.quality, s.random.NormFloat64())
		s.items = append(s.items, []Feature{
			shopToken("ad", fmt.Sprint("a", i)), shopToken("campaign", fmt.Sprint("c", i%300)),
			shopToken("category", fmt.Sprint("k", category)), shopToken("brand", fmt.Sprint("b", category*5+s.random.IntN(8))),
			{Field: FieldHash("price"), Value: math.Round(math.Exp(s.random.NormFloat64())*1000) / 100, Kind: Number},
		})
	}
	return s
}

// context is a visitor: a user with tastes, a device, a country and an hour.
func (s *shop) context() (x []Feature, user int) {
	user = s.random.IntN(2000)
	return []Feature{
		shopToken("user", fmt.Sprint("u", user)), shopToken("device", fmt.Sprint("d", s.random.IntN(3))),
		shopToken("country", fmt.Sprint("l", user%12)), {Field: FieldHash("hour"), Value: float64(s.random.IntN(24)), Kind: Number},
		shopToken("segment", fmt.Sprint("s", user%40)),
	}, user
}

// label draws whether a visitor clicks on an item.
func (s *shop) label(user, item int) float64 {
	z := -2.5 + 0.7*s.quality[item]
	if d := (s.category[item] - user%40 + 40) % 40; d < 4 {
		z += 2
	}
	if (user/7+s.category[item])%5 == 0 {
		z += 0.8
	}
	price := s.items[item][4].Value
	z -= 0.1 * math.Abs(price-float64(user%10*4))
	if s.random.Float64() < 1/(1+math.Exp(-z)) {
		return 1
	}
	return 0
}

// train learns n impressions; popular items are shown most.
func (s *shop) train(t testing.TB, cfg Config, n int) *Net {
	net, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	scratch := net.NewScratch()
	for range n {
		x, user := s.context()
		item := int(float64(len(s.items)) * math.Pow(s.random.Float64(), 3))
		x = append(x, s.items[item]...)
		if y := s.label(user, item); cfg.Output == "softmax" {
			err = net.LearnClass(x, int(y), 1, scratch)
		} else {
			_, err = net.Learn(x, y, 1, scratch)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return net
}

// vectors are those of a shop's items.
type vectors struct {
	sp     *Space
	own    uint64
	items  []uint16
	values map[uint64][]uint16 // by field: a value's vector for each item
	tokens map[uint64]*Tokens  // by field: those of each item
}

func (s *shop) vectors(r *Replica) *vectors {
	var fields []uint64
	for _, f := range shopFields {
		fields = append(fields, FieldHash(f))
	}
	scratch := r.NewScratch()
	v := &vectors{sp: r.NewSpace(fields), own: fields[0], values: map[uint64][]uint16{}, tokens: map[uint64]*Tokens{}}
	v.items = make([]uint16, len(s.items)*v.sp.ItemWidth())
	for i, x := range s.items {
		r.ItemVector(v.items[i*v.sp.ItemWidth():][:v.sp.ItemWidth()], v.sp, x, v.own, scratch)
	}
	for j, f := range fields {
		v.tokens[f] = &Tokens{}
		for _, x := range s.items {
			r.AppendTokens(v.tokens[f], x[j:j+1], scratch)
		}
	}
	for j, f := range fields[1:] {
		v.values[f] = make([]uint16, len(s.items)*v.sp.Width)
		for i, x := range s.items {
			r.ValueVector(v.values[f][i*v.sp.Width:][:v.sp.Width], v.sp, x[j+1:j+2], scratch)
		}
	}
	return v
}

func (v *vectors) scores(r *Replica, q *Query, x []Feature, s *Scratch, out []float32) {
	r.Query(q, v.sp, x, v.own, s)
	q.Items(out, v.items)
	for f, t := range v.tokens {
		q.Pairs(out, f, t)
	}
	more := make([]float32, len(out))
	for f, rows := range v.values {
		if q.Values(more, f, rows) {
			for i := range out {
				out[i] += more[i]
			}
		}
	}
}

// Where a network is linear, field-aware, or has one layer of relu, scores differ from one another
// as logits do, but for the rounding of vectors to 16 bits.
func TestScoresOfPlainNetworksAreTheirLogits(t *testing.T) {
	f := func(change func(*Config), parts ...string) {
		t.Helper()
		cfg := DefaultConfig()
		cfg.Network = parts
		if change != nil {
			change(&cfg)
		}
		s := newShop(500, 1)
		r := replicaOf(t, s.train(t, cfg, 20_000))
		v, scratch := s.vectors(r), r.NewScratch()
		var q Query
		out := make([]float32, len(s.items))
		for range 3 {
			x, _ := s.context()
			v.scores(r, &q, x, scratch, out)
			for i := range s.items {
				r.Predict(append(x[:5:5], s.items[i]...), scratch)
				exact := logit(scratch.Raw())
				if got := logit(q.Probability(out[i])); math.Abs(got-exact) > 0.02 {
					t.Fatalf("%v: item %d has the logit %v, want %v", parts, i, got, exact)
				}
			}
		}
	}
	f(nil, "linear")
	f(func(c *Config) { c.Cross = [][]string{{"user", "category"}, {"brand", "device"}, {"brand", "price"}} }, "linear")
	f(func(c *Config) { c.Cross = [][]string{{"all"}} }, "linear")
	f(nil, "ffm")
	f(func(c *Config) { c.FFM.K = 3 }, "linear", "ffm")
	f(nil, "mlp")
	f(nil, "linear", "ffm", "mlp")
	f(func(c *Config) { c.Output, c.Classes = "softmax", 2 }, "linear", "mlp")
}

// The mixture's scores follow its logits closely: the slopes of the mixer hardly differ from item
// to item.
func TestScoresOfTheMixtureFollowItsLogits(t *testing.T) {
	s := newShop(2000, 1)
	r := replicaOf(t, s.train(t, DefaultConfig(), 40_000))
	v, scratch := s.vectors(r), r.NewScratch()
	var q Query
	out := make([]float32, len(s.items))
	x, _ := s.context()
	v.scores(r, &q, x, scratch, out)
	var sum, square, error2 float64
	for i := range s.items {
		r.Predict(append(x[:5:5], s.items[i]...), scratch)
		exact := logit(scratch.Raw())
		sum, square = sum+exact, square+exact*exact
		error2 += math.Pow(logit(q.Probability(out[i]))-exact, 2)
	}
	n := float64(len(s.items))
	if spread := square/n - sum/n*sum/n; error2/n > 0.05*spread {
		t.Errorf("scores miss logits by %v, whose variance is %v", error2/n, spread)
	}
}

// Fields that a network gets make its former spaces unfit.
func TestASpaceFitsItsNetworkAlone(t *testing.T) {
	s := newShop(100, 1)
	net := s.train(t, DefaultConfig(), 1000)
	r := replicaOf(t, net)
	sp := r.NewSpace([]uint64{FieldHash("ad")})
	if !r.Fits(sp) {
		t.Error("a space does not fit its network")
	}
	x, _ := s.context()
	for range 2 {
		if _, err := net.Learn(append(x, shopToken("new", "n")), 1, 1, net.NewScratch()); err != nil {
			t.Fatal(err)
		}
	}
	if replicaOf(t, net).Fits(sp) {
		t.Error("a space fits a network with another field")
	}
	if NewReplica().NewSpace(nil) != nil || NewReplica().Fits(sp) {
		t.Error("a replica without weights has a space")
	}
}
