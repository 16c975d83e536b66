package sequential

import (
	"cmp"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/clickloop/clickloop/model"
)

// The stream of the tests with real networks: five categorical fields, whose values matter one by
// one and in pairs. Some 16% are positive, and the log loss of a good network is about 0.39.
// lastStrength makes a network that does not see the last field worse by 1% of log loss.
const lastStrength = 0.153

var cardinalities = []int{200, 1000, 30, 50, 10}

type stream struct {
	rng     *rand.Rand
	alone   [][]float64    // by field and value
	vectors [][][4]float64 // the same; pairs are their products
}

func newStream(seed uint64) *stream {
	s := &stream{rng: rand.New(rand.NewPCG(seed, 21))}
	truth := rand.New(rand.NewPCG(7, 7)) // the same for all seeds
	for f, n := range cardinalities {
		strength := 0.35
		if f == len(cardinalities)-1 {
			strength = lastStrength
		}
		alone, vectors := make([]float64, n), make([][4]float64, n)
		for v := range n {
			alone[v] = strength * truth.NormFloat64()
			for k := range 4 {
				vectors[v][k] = strength * truth.NormFloat64()
			}
		}
		s.alone, s.vectors = append(s.alone, alone), append(s.vectors, vectors)
	}
	return s
}

// next returns the next example's values and label.
func (s *stream) next(dst []int) (values []int, y float64) {
	logit := -2.2
	for f, n := range cardinalities {
		dst[f] = int(3*(math.Pow(1-s.rng.Float64(), -1/1.2)-1)) % n
		logit += s.alone[f][dst[f]]
		for g := range f {
			for k := range 4 {
				logit += s.vectors[f][dst[f]][k] * s.vectors[g][dst[g]][k]
			}
		}
	}
	if s.rng.Float64() < 1/(1+math.Exp(-logit)) {
		y = 1
	}
	return dst, y
}

// learner is a network that sees the first fields of the stream.
type learner struct {
	net     *model.Net
	scratch *model.Scratch
	fields  int
	input   []model.Feature
	loss    float64 // sum
}

func newLearner(t *testing.T, seed uint64, fields int) *learner {
	t.Helper()
	c := model.DefaultConfig()
	c.Network, c.TableBits, c.MaxFields, c.Seed = []string{"linear", "ffm"}, 12, 8, seed
	net, err := model.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return &learner{net: net, scratch: net.NewScratch(), fields: fields}
}

// learn returns the loss of an example before it learns it.
func (l *learner) learn(t *testing.T, values []int, y float64) float64 {
	l.input = l.input[:0]
	for f, v := range values[:l.fields] {
		l.input = append(l.input, model.Feature{Field: uint64(f + 1), Hash: model.TokenHash(strconv.Itoa(v)), Value: 1, Kind: model.Token})
	}
	p, err := l.net.Learn(l.input, y, 1, l.scratch)
	if err != nil {
		t.Fatal(err)
	}
	loss := -math.Log(1 - math.Abs(y-p))
	l.loss += loss
	return loss
}

// compare compares two learners over the blocks of a stream. It returns after how many examples the
// interval was as until wants it for the first time, 0 for never, and the mean difference.
func compare(t *testing.T, seed uint64, examples int, a, b *learner, until func(low, high, margin float64) bool) (found int, mean float64) {
	t.Helper()
	s := newStream(seed)
	var c Comparison
	block, values := Block{}, make([]int, len(cardinalities))
	for i := 1; i <= examples; i++ {
		x, y := s.next(values)
		block.Difference += b.learn(t, x, y) - a.learn(t, x, y)
		block.Positives += int64(y)
		if i%500 > 0 {
			continue
		}
		block.Examples, block.Weight = 500, 500
		c.Add(block)
		block = Block{}
		if low, high, ok := c.Interval(0.05); ok && found == 0 && until(low, high, LeastBetter*min(a.loss, b.loss)/float64(i)) {
			found = i
		}
	}
	return found, c.Mean()
}

// seedsOfStreams is how many seeds the tests without networks have.
func seedsOfStreams(t *testing.T) uint64 {
	t.Helper()
	return max(200, 4*seedsOfLearners(t))
}

// seedsOfLearners is how many seeds the tests with real networks have.
func seedsOfLearners(t *testing.T) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(cmp.Or(os.Getenv("CLICKLOOP_TEST_COMPARISONS"), "5"), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// watchedExamples is how long one watches them.
const watchedExamples = 50_000

func TestANetworkOfAnotherSeedIsNotPreferred(t *testing.T) {
	seeds, preferred := seedsOfLearners(t), 0
	for seed := range seeds {
		a, b := newLearner(t, 2*seed+1, 5), newLearner(t, 2*seed+2, 5)
		if at, mean := compare(t, seed, watchedExamples, a, b, func(low, high, margin float64) bool { return low > margin || high < -margin }); at > 0 {
			preferred++
			t.Logf("seed %d: preferred after %d examples, the difference is %.3f%% in the end", seed, at, 100*mean/(a.loss/watchedExamples))
		}
	}
	t.Logf("preferred in %d of %d seeds", preferred, seeds)
	if preferred > max(1, int(seeds)*5/100) {
		t.Errorf("a network of another seed was preferred in %d of %d seeds", preferred, seeds)
	}
}

// The worse network does not see the last field.
func TestANetworkThatIsBetterByAHundredthIsFound(t *testing.T) {
	seeds, found, sum := seedsOfLearners(t), 0, 0.
	for seed := range seeds {
		a, b := newLearner(t, 2*seed+1, 5), newLearner(t, 2*seed+2, 4)
		at, mean := compare(t, seed, watchedExamples, a, b, func(low, _, margin float64) bool { return low > margin })
		if at > 0 {
			found++
		}
		sum += mean / (a.loss / watchedExamples)
		t.Logf("seed %d: found after %d examples, the difference is %.3f%% in the end", seed, at, 100*mean/(a.loss/watchedExamples))
	}
	t.Logf("found in %d of %d seeds; the mean difference is %.3f%%", found, seeds, 100*sum/float64(seeds))
	if got := sum / float64(seeds); got < 0.008 || got > 0.012 {
		t.Errorf("the worse network is worse by %.3f%%: the test is of 1%%", 100*got)
	}
	if found < int(seeds)*90/100 {
		t.Errorf("the better network was found in %d of %d seeds", found, seeds)
	}
}
