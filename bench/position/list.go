package main

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// places is how many ads a page shows.
const places = 10

// policy is how the ads of a page are placed: by what is believed of them, with noise.
type policy struct {
	name   string
	agrees float64 // how far the belief follows the logarithm of the quality
	wrong  float64 // standard deviation of what it is wrong by, an ad
	noise  float64 // standard deviation of what is added, a page
	random float64 // share of pages in random order
}

// list makes pages of ads whose qualities are known. A user looks at a position with a probability
// that decays with it, and clicks on an ad that she looks at with a probability that is its quality
// (the examination hypothesis: Craswell et al., WSDM 2008).
type list struct {
	*rand.Rand
	policy
	quality []float64 // by ad
	belief  []float64 // by ad
	order   []placedAd
}

type placedAd struct {
	ad    int
	score float64
}

func newList(seed uint64, ads int, p policy) *list {
	l := &list{Rand: rand.New(rand.NewPCG(seed, 1)), policy: p}
	for range ads {
		q := 0.02 * math.Pow(20, l.Float64())
		l.quality = append(l.quality, q)
		l.belief = append(l.belief, p.agrees*math.Log(q)+p.wrong*l.NormFloat64())
	}
	return l
}

// seen is the probability that a user looks at a position.
func seen(position int) float64 { return 1 / float64(position) }

// page places some of the ads, and reports each with its click.
func (l *list) page(show func(ad, position int, clicked bool)) {
	l.order = l.order[:0]
	for _, ad := range l.Perm(len(l.quality))[:places] {
		l.order = append(l.order, placedAd{ad, l.belief[ad] + l.noise*l.NormFloat64()})
	}
	if l.Float64() >= l.random {
		slices.SortFunc(l.order, func(a, b placedAd) int { return cmp.Compare(b.score, a.score) })
	}
	for i, p := range l.order {
		show(p.ad, i+1, l.Float64() < l.quality[p.ad]*seen(i+1))
	}
}

// spearman is the rank correlation of two lists without ties.
func spearman(a, b []float64) float64 {
	ra, rb := ranks(a), ranks(b)
	n, sum := float64(len(a)), 0.0
	for i := range ra {
		sum += (ra[i] - rb[i]) * (ra[i] - rb[i])
	}
	return 1 - 6*sum/(n*(n*n-1))
}

func ranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(values[i], values[j]) })
	r := make([]float64, len(values))
	for rank, i := range order {
		r[i] = float64(rank)
	}
	return r
}
