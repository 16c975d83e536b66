package ledger

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/internal/tlsfiles"
)

// BenchmarkReserve asks a real Redis at 2,000 requests a second, each with one imp: how long a bid
// waits (p50, p99), and how long Redis is busy with it.
func BenchmarkReserve(b *testing.B) {
	for _, alternatives := range []int{1, 5} {
		b.Run(fmt.Sprintf("alternatives=%d", alternatives), func(b *testing.B) { benchReserve(b, alternatives) })
	}
}

func benchReserve(b *testing.B, alternatives int) {
	s := backend.NewServer(b, nil, tlsfiles.Server{})
	var plans []*campaign.Campaign
	for i := range 10 { // of five alternatives, four have no room
		total := 1 << 40
		if i < alternatives-1 {
			total = 1
		}
		plans = append(plans, plan(fmt.Sprintf("c%d", i), 0, 0))
		plans[i].Budget.Total = 1 << 40
		if total == 1 {
			plans[i].Budget.Total = 1
		}
	}
	w := serverWorld(b, sharedKafka(b), s, plans...)
	w.cfg.UnloggedLeast = 1 << 30
	l := w.start().ready()
	for i, c := range plans {
		l.try(w.claim(c.ID, fmt.Sprintf("warm%d", i), 2, ""))
	}
	s.Do(b, "CONFIG", "RESETSTAT")
	took := make([]time.Duration, b.N)
	unavailable := 0
	var mu sync.Mutex
	var g sync.WaitGroup
	b.ResetTimer()
	for began, i := time.Now(), 0; i < b.N; i++ {
		time.Sleep(time.Until(began.Add(time.Duration(i) * 500 * time.Microsecond)))
		g.Go(func() {
			claims := make([]Claim, alternatives)
			for j := range claims {
				id := fmt.Sprintf("c%d", j)
				if j == alternatives-1 {
					id = fmt.Sprintf("c%d", alternatives-1+i%(10-alternatives+1))
				}
				claims[j] = w.claim(id, fmt.Sprintf("0f3c9a2be1d84c55-r%d/%d", i, j), 2, "user-"+strconv.Itoa(i))
			}
			verdicts := [][]Verdict{make([]Verdict, alternatives)}
			at := time.Now()
			if err := l.Reserve(b.Context(), [][]Claim{claims}, verdicts); err != nil {
				b.Error(err)
			}
			took[i] = time.Since(at)
			if verdicts[0][alternatives-1] != Reserved {
				mu.Lock()
				unavailable++
				mu.Unlock()
			}
		})
	}
	g.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
	b.ReportMetric(float64(unavailable), "not-reserved")
	stats := s.Admin.Info(b.Context(), "commandstats").Val()
	if m := regexp.MustCompile(`cmdstat_evalsha:calls=(\d+),usec=(\d+)`).FindStringSubmatch(stats); m != nil {
		calls, _ := strconv.ParseFloat(m[1], 64)
		usec, _ := strconv.ParseFloat(m[2], 64)
		b.ReportMetric(usec*1000/calls, "redis-ns/call")
	}
	b.ReportMetric(float64(memory(b, s)), "redis-bytes/bid")
}

// memory is what Redis holds for each bid.
func memory(b *testing.B, s *backend.Server) int64 {
	used, _ := strconv.ParseInt(regexp.MustCompile(`used_memory_dataset:(\d+)`).FindStringSubmatch(s.Admin.Info(b.Context(), "memory").Val())[1], 10, 64)
	return used / max(1, s.Admin.DBSize(b.Context()).Val())
}

// BenchmarkFold reads and adds up steps, as a ledger that is made again does.
func BenchmarkFold(b *testing.B) {
	steps := randomTopic(rand.New(rand.NewPCG(1, 7)), 1)
	var lines [][]byte
	for i := range steps {
		steps[i].Request, steps[i].Imp, steps[i].Ad, steps[i].User = "0f3c9a2be1d84c55", "1", "creative-17", "user-123456"
		lines = append(lines, steps[i].AppendJSON(nil))
	}
	f := newFold(true)
	var step event.BidStep
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if n++; n%len(lines) == 0 {
			f = newFold(true)
		}
		if err := step.UnmarshalJSON(lines[n%len(lines)]); err != nil {
			b.Fatal(err)
		}
		one := step
		f.add(&one)
	}
}
