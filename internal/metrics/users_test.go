package metrics

import (
	"math"
	"math/rand/v2"
	"testing"
)

type ofOne struct {
	p, y, w float64
	user    uint64
}

// plainGAUC takes all pairs of each user's examples.
func plainGAUC(all []ofOne) (mean float64, users int) {
	byUser := map[uint64][]ofOne{}
	for _, x := range all {
		byUser[x.user] = append(byUser[x.user], x)
	}
	delete(byUser, 0)
	var sum, weight float64
	for _, list := range byUser {
		var pairs, won, w float64
		for _, x := range list {
			w += x.w
			for _, o := range list {
				if x.y == 1 && o.y == 0 {
					pairs += x.w * o.w
					won += x.w * o.w * above(x.p, o.p)
				}
			}
		}
		if pairs > 0 {
			sum += w * won / pairs
			weight += w
			users++
		}
	}
	return sum / weight, users
}

func TestGAUCIsThatOfAllPairsWithinUsers(t *testing.T) {
	f := func(examples, users int) {
		t.Helper()
		rng := rand.New(rand.NewPCG(uint64(examples), uint64(users)))
		a := NewSized(Size{Scores: 16, Bins: 16, Groups: 1, Users: 1 << 16})
		var all []ofOne
		for i := range examples {
			x := ofOne{math.Floor(20*rng.Float64()) / 20, float64(rng.IntN(3) / 2), 1 + float64(rng.IntN(3)), uint64(rng.IntN(users))}
			all = append(all, x)
			point := NewPoint(x.p, x.y, x.w, uint64(i), x.user)
			a.AddPoint(&point)
		}
		want, n := plainGAUC(all)
		r := a.Result()
		near(t, "GAUC", r.GAUC, want, 1e-12)
		if r.Users != n {
			t.Errorf("%d users, want %d", r.Users, n)
		}
	}
	f(1, 1) // of no user
	f(2, 2)
	f(20_000, 2000)
	f(30_000, 25_000) // most of one class
}

// With too many examples half of the users are left out, whole: those who stay are measured as
// before.
func TestUsersAreASampleWhenThereAreTooMany(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	u := newUsers(5000)
	byUser := map[uint64][]ofOne{}
	for range 60_000 {
		x := ofOne{rng.Float64(), float64(rng.IntN(2)), 1, 1 + uint64(rng.IntN(4000))}
		byUser[x.user] = append(byUser[x.user], x)
		u.add(x.user, x.p, x.y, 1-x.y)
	}
	var kept []ofOne
	for user, list := range byUser {
		if u.sampled(user) {
			kept = append(kept, list...)
		}
	}
	want, n := plainGAUC(kept)
	got, users := u.gauc()
	near(t, "GAUC", got, want, 1e-12)
	if len(u.examples) > 5000 || users != n || n < 60 || n > 400 {
		t.Errorf("%d examples of %d users are kept, want those of %d", len(u.examples), users, n)
	}
}

// Of a user the first examples count.
func TestAUserHasABoundedNumberOfExamples(t *testing.T) {
	u := newUsers(1 << 12)
	for i := range maxOfUser {
		u.add(1, float64(i), float64(i%2), float64(1-i%2))
	}
	before, _ := u.gauc()
	for range 100 {
		u.add(1, 0, 1, 0)
	}
	u.add(2, 0.5, 1, 0) // of one class
	if after, users := u.gauc(); after != before || users != 1 || len(u.examples) != maxOfUser+1 {
		t.Errorf("GAUC was %v and is %v, of %d users with %d examples", before, after, users, len(u.examples))
	}
}
