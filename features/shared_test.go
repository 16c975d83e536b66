package features

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/model"
)

var sharedConfigs = []Config{
	{},
	benchConfig,
	{Context: []string{"a", "c", "geo.*", "e"}, Drop: []string{"ad", "geo.city"}, Cross: [][]string{{"a", "c"}, {"a", "campaign"}}},
	{
		Profiles: []ProfileConfig{
			{Entity: "context.a", Aggregate: "count", Event: "click", Window: "1h"},
			{Entity: "context.b", Aggregate: "count", Event: "click", HalfLife: "1h"},
			{Entity: "user", Aggregate: "last", Event: "click", Value: "ad", Name: "last_ad"},
			{Entity: "ad", Aggregate: "count", Event: "click"},
		},
		Cross: [][]string{{"a", "b"}, {"c", "d", "e"}, {"last_ad", "c"}, {"last_ad", "ad"}, {"a*b", "c"}, {"ad.click_count", "f"}, {"last_ad*c", "d"}, {"none", "a"}},
		Drop:  []string{"h"},
	},
}

// randomContext is some of a few fields in any order.
func randomContext(r *rand.Rand, most int) (f event.Fields) {
	names := []string{"a", "b", "c", "d", "e", "f", "geo.city", "geo.country", "h", "ad", "campaign", "last_ad", "user.click_count_1h"}
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names[:r.IntN(most+1)] {
		v := event.Value{Kind: event.ValueKind(r.IntN(4))}
		switch v.Kind {
		case event.String:
			v.Str = []string{"x", "y*%", "user-7"}[r.IntN(3)]
		case event.Number:
			v.Num = float64(r.IntN(3)) / 2
		case event.List:
			for range r.IntN(3) {
				v.List = append(v.List, event.WeightedToken{Token: fmt.Sprint("t", r.IntN(5)), Weight: 0.5})
			}
		}
		f = append(f, event.Field{Name: name, Value: v})
	}
	return f
}

func joinShared(shared, own []model.Feature, after []int32) (x []model.Feature) {
	from := int32(0)
	for i := range own {
		x = append(append(x, shared[from:after[i]]...), own[i])
		from = after[i]
	}
	return append(x, shared[from:]...)
}

// What is shared and what is a candidate's own are together what the candidate has when it is
// assembled by itself: whatever the candidates override, and whichever profiles could be read.
func TestSharedAndOwnFactsAreThoseOfTheCandidate(t *testing.T) {
	rnd := rand.New(rand.NewPCG(4, 4))
	var shared Shared // of one request after another
	events := benchEvents(3000)
	own, all := 0, 0
	for _, cfg := range sharedConfigs {
		s, m := mustCompile(t, cfg), NewMemory()
		for i := range events {
			events[i].Context = randomContext(rnd, 3)
		}
		foldAll(t, s, m, events)
		for range 600 {
			r := Request{Time: testNow, Context: randomContext(rnd, 9)}
			if rnd.IntN(8) > 0 {
				r.User = fmt.Sprintf("user-%d", rnd.IntN(20))
			}
			candidates := make([]Request, 1+rnd.IntN(5))
			var keys []string
			for i := range candidates {
				c := &candidates[i]
				*c = r
				c.Ad, c.Candidate = fmt.Sprintf("ad-%d", rnd.IntN(9)), randomContext(rnd, rnd.IntN(4))
				if rnd.IntN(4) > 0 {
					c.Campaign = fmt.Sprintf("campaign-%d", rnd.IntN(5))
				}
				keys = s.Keys(keys, c)
			}
			slices.Sort(keys)
			profiles, err := m.Read(t.Context(), slices.Compact(keys))
			if err != nil {
				t.Fatal(err)
			}
			switch rnd.IntN(6) {
			case 0:
				profiles = nil
			case 1:
				for _, key := range keys[:min(1, len(keys))] {
					profiles[key] = Profile{unknown: true}
				}
			}
			s.Share(&shared, &r, profiles, len(candidates), func(i int) event.Fields { return candidates[i].Candidate })
			for i := range candidates {
				c := &candidates[i]
				x, after := shared.Own(c)
				want := Encode(nil, s.Assemble(nil, c, profiles))
				if got := joinShared(shared.Encoded, x, after); !slices.Equal(got, want) {
					t.Fatalf("%+v\n%+v\ngot  %v\nwant %v", cfg, c, got, want)
				}
				own, all = own+len(x), all+len(want)
			}
		}
	}
	if own*4 > all*3 {
		t.Errorf("%d of %d inputs are candidates' own: too few are shared", own, all)
	}
}

// benchCandidates are candidates of one request, with the profiles of all.
func benchCandidates(b testing.TB, s *Set, n int) ([]Request, map[string]Profile) {
	m := NewMemory()
	foldAll(b, s, m, benchEvents(20000))
	var keys []string
	all := make([]Request, n)
	for i := range all {
		all[i] = Request{Time: testNow, User: "user-7", Ad: fmt.Sprint("ad-", i), Campaign: fmt.Sprint("campaign-", i%20), Context: fieldsOf(b,
			`{"device":"mobile","os":"ios","hour":14,"site":"news.example","page":"sports","lang":"de","geo":{"country":"DE","city":"Ulm"},"width":390,"height":844,"age":41}`),
			Candidate: fieldsOf(b, `{"size":"300x250","margin":0.2}`)}
		keys = s.Keys(keys, &all[i])
	}
	slices.Sort(keys)
	profiles, err := m.Read(b.Context(), slices.Compact(keys))
	if err != nil {
		b.Fatal(err)
	}
	return all, profiles
}

func TestACandidatesOwnFactsAllocateNothing(t *testing.T) {
	s := mustCompile(t, benchConfig)
	all, profiles := benchCandidates(t, s, 10)
	var shared Shared
	s.Share(&shared, &all[0], profiles, len(all), func(i int) event.Fields { return all[i].Candidate })
	one := func() {
		for i := range all {
			shared.Own(&all[i])
		}
	}
	one()
	if n := testing.AllocsPerRun(100, one); n != 0 {
		t.Errorf("ten candidates make %v allocations", n)
	}
}

// BenchmarkShared compares the facts of a hundred candidates, assembled and encoded one by one, and
// split in what they share and their own.
func BenchmarkShared(b *testing.B) {
	s := mustCompile(b, benchConfig)
	all, profiles := benchCandidates(b, s, 100)
	b.Run("apart", func(b *testing.B) {
		var fields event.Fields
		var x []model.Feature
		for b.Loop() {
			for i := range all {
				fields = s.Assemble(fields[:0], &all[i], profiles)
				x = Encode(x[:0], fields)
			}
		}
	})
	b.Run("shared", func(b *testing.B) {
		var shared Shared
		for b.Loop() {
			s.Share(&shared, &all[0], profiles, len(all), func(i int) event.Fields { return all[i].Candidate })
			for i := range all {
				shared.Own(&all[i])
			}
		}
	})
}
