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
	k := s.takeWork()
	for i := range n {
		k.requests = k.requests[:0]
		s.parse(k, []byte(bidRequest("r", 1+i%50)), false)
		q := &k.requests[0]
		c := &q.candidates[len(q.candidates)-1]
		r := featureRequest(q, c)
		c.used = s.set.Assemble(c.used[:0], &r, k.profiles)
		k.encoded = features.Encode(k.encoded[:0], c.used)
		if _, err := src.net.Learn(k.encoded, float64(i%7/6), 1, src.scratch); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range src.message("snapshot") {
		if err := s.followers[0].record(&r); err != nil {
			t.Fatal(err)
		}
	}
	return src
}

func TestEncodingAndPredictingACandidateAllocateNothing(t *testing.T) {
	s := newScorer(t, nil)
	trained(t, s, 200)
	k := s.takeWork()
	s.parse(k, []byte(bidRequest("r1", 20)), false)
	s.hold(k, testNow)
	defer k.release()
	q := &k.requests[0]
	for i := range q.candidates {
		s.predict(k, q, &q.candidates[i])
	}
	n := testing.AllocsPerRun(100, func() {
		for i := range q.candidates {
			k.encoded = features.Encode(k.encoded[:0], q.candidates[i].used)
			q.candidates[i].p[0] = k.models[0].side.weights.Predict(k.encoded, k.models[0].scratch)
		}
	})
	if n != 0 {
		t.Errorf("20 candidates make %v allocations, want none", n)
	}
}

// BenchmarkScore is a call of /v1/score, from its body to its answer, with profiles in Redis and
// predictions acknowledged by Kafka.
func BenchmarkScore(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint("candidates=", n), func(b *testing.B) {
			prefix := backend.Prefix(b)
			client, err := features.DialRedis(features.RedisConfig{Address: backend.Redis(b)}, features.Serving)
			if err != nil {
				b.Fatal(err)
			}
			defer client.Close()
			s := runScorer(b, backend.Kafka(b), prefix, func(u *setup) { u.store = features.NewRedis(client, prefix, "profiles", time.Hour) })
			trained(b, s, 1000)
			mux := http.NewServeMux()
			s.Register(mux)
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
func BenchmarkScoreAlone(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint("candidates=", n), func(b *testing.B) {
			s := newScorer(b, nil)
			trained(b, s, 1000)
			body := []byte(bidRequest("r1", n))
			var took []time.Duration
			b.ReportAllocs()
			for b.Loop() {
				began := time.Now()
				k := s.takeWork()
				s.parse(k, body, false)
				s.score(b.Context(), k)
				s.render(k, predictionsAcknowledged, nil)
				k.out = appendAnswer(k.out, k, &k.requests[0])
				s.giveBack(k)
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
