package scorer

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/signing"
	"github.com/clickloop/clickloop/model"
)

// bidRequest is a request of n candidates with a context of ten fields.
func bidRequest(id string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"request":%q,"user":"u1","context":{"device":"mobile","os":"android","hour":14,"weekday":"tue","site":"news.example","position":2,"country":"DE","language":"de","price":1.25,"temperature":21.5},"candidates":[`, id)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"ad":"a%d","campaign":"c%d","context":{"size":"300x250"}}`, i, i%10)
	}
	b.WriteString("]}")
	return b.String()
}

// trained gives s weights of the default model that have learned n of its own requests.
func trained(t testing.TB, s *Scorer, n int) *source {
	t.Helper()
	src := newSource(t, 1, model.DefaultConfig())
	src.part = 900_000
	for i := range n {
		c := read(t, s, bidRequest("r", 1+i%50))
		q := &c.Requests[0]
		src.learnOf(s, q, len(q.Candidates)-1, float64(i%7/6))
	}
	for _, r := range src.message("snapshot") {
		if err := s.followers[0].accept(&r); err != nil {
			t.Fatal(err)
		}
	}
	return src
}

// learnOf learns the i-th candidate of q as it is scored without profiles.
func (s *source) learnOf(by *Scorer, q *Request, i int, y float64) {
	r := q.featureRequest(i)
	x := features.Encode(nil, by.profiles.set.Assemble(nil, &r, nil))
	if _, err := s.net.Learn(x, y, 1, s.scratch); err != nil {
		s.t.Fatal(err)
	}
}

func TestEncodingPredictingAndRankingCandidatesAllocateNothing(t *testing.T) {
	for _, policy := range []string{"greedy", "epsilon:0.5", "softmax:0.1", "thompson"} {
		rankWithoutAllocating(t, policy)
	}
}

func rankWithoutAllocating(t *testing.T, policy string) {
	s := newScorer(t, func(u *setup) { u.config.Policy = policy })
	trained(t, s, 200)
	c := read(t, s, bidRequest("r1", 20))
	s.score(t.Context(), c, false)
	s.hold(c, testNow)
	defer c.release()
	q := &c.Requests[0]
	n := testing.AllocsPerRun(100, func() {
		c.doubts.reset(len(q.picked))
		for i := range q.Answer.Ranked {
			scored := &q.Answer.Ranked[i]
			s.predict(c, q, scored.Index, scored, s.policy.uncertain)
		}
		rank(q.Answer.Ranked)
		s.choose(c, q, s.policy)
	})
	if n != 0 {
		t.Errorf("%s: 20 candidates make %v allocations, want none", policy, n)
	}
}

// BenchmarkScore is a call of /v1/score, from its body to its answer, with profiles in Redis and
// predictions acknowledged by Kafka.
func BenchmarkScore(b *testing.B) { benchmarkScore(b, nil) }

// BenchmarkScoreSigned is BenchmarkScore with a token for the chosen candidate.
func BenchmarkScoreSigned(b *testing.B) { benchmarkScore(b, ringOf(b)) }

func benchmarkScore(b *testing.B, keys *signing.Ring) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint("candidates=", n), func(b *testing.B) {
			prefix := backend.Prefix(b)
			client, err := features.DialRedis(features.RedisConfig{Address: backend.Redis(b), Username: backend.Administrator().Username, PasswordFile: backend.Administrator().PasswordFile, TLS: backend.TLS()}, features.Serving)
			if err != nil {
				b.Fatal(err)
			}
			defer client.Close()
			s := runScorer(b, backend.Kafka(b), prefix, func(u *setup) { u.store, u.keys = features.NewRedis(client, prefix, "profiles", time.Hour), keys })
			trained(b, s, 1000)
			mux := http.NewServeMux()
			s.Register(mux, mux)
			var took []time.Duration
			degraded := 0
			for i := 0; b.Loop(); i++ {
				body := bidRequest(fmt.Sprint("r", i), n)
				began := time.Now()
				w := httptest.NewRecorder()
				mux.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/score", strings.NewReader(body)))
				took = append(took, time.Since(began))
				if w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
				if strings.Contains(w.Body.String(), "degraded") {
					degraded++
				}
			}
			report(b, took)
			b.ReportMetric(float64(degraded)/float64(len(took)), "degraded/op")
		})
	}
}

// BenchmarkScoreAlone is what scoring costs without Redis and Kafka: parsing, features, network,
// prediction and answer.
func BenchmarkScoreAlone(b *testing.B) { benchmarkScoreAlone(b, nil) }

// BenchmarkScoreAloneSigned is BenchmarkScoreAlone with a token for the chosen candidate.
func BenchmarkScoreAloneSigned(b *testing.B) { benchmarkScoreAlone(b, ringOf(b)) }

func benchmarkScoreAlone(b *testing.B, keys *signing.Ring) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint("candidates=", n), func(b *testing.B) {
			s := newScorer(b, func(u *setup) { u.keys = keys })
			trained(b, s, 1000)
			body := []byte(bidRequest("r1", n))
			var took []time.Duration
			b.ReportAllocs()
			for b.Loop() {
				began := time.Now()
				x := s.exchanges.Get().(*exchange)
				x.parse(body, false, &s.cfg)
				x.call.begin(s.Engine)
				s.score(b.Context(), &x.call, false)
				x.call.settle()
				x.out = s.appendLine(x.out[:0], x, &x.lines[0])
				x.call.Reset()
				s.exchanges.Put(x)
				took = append(took, time.Since(began))
			}
			report(b, took)
		})
	}
}

func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	at := func(q float64) float64 { return float64(took[int(q*float64(len(took)-1))].Microseconds()) }
	b.ReportMetric(at(0.5), "p50-µs")
	b.ReportMetric(at(0.99), "p99-µs")
}
