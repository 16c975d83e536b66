package notice

import (
	"log/slog"
	"sync"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	notices *prometheus.CounterVec
	prices  map[string]prometheus.Counter // by what became of them
}

// Results of notices beside the verdicts on their tokens.
const (
	taken       = "taken"
	late        = "late"        // taken after the reservation of its bid had ended
	repeated    = "repeated"    // it was taken before
	tested      = "test"        // of a test auction, which costs nothing
	robot       = "bot"         // an impression or a click of nobody
	unavailable = "unavailable" // Redis or Kafka did not answer: the sender is told to come again
	limited     = "limited"     // refused by the rate of its sender
	invalid     = "invalid"     // it makes no valid event
)

// newMetrics registers the metrics, unless reg is nil.
func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		notices: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "clickloop_bidder_notices_total",
			Help: "Notices of bids, by kind and result: taken; late (taken after the reservation of the bid had ended); repeated (was taken before); test (of a test auction, where no money is spent); bot (an impression or a click of a program, which counts for nothing); unavailable (Redis or Kafka was away, so the sender should repeat it); limited (too many of its sender); invalid; the others name what is wrong with the signed token: missing, malformed, unknown_key, mismatch (altered), kind (of another kind of notice), expired.",
		}, []string{"notice", "result"}),
		prices: map[string]prometheus.Counter{},
	}
	prices := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "clickloop_bidder_notice_prices_total",
		Help: "Prices of win, bill and loss notices that were taken, by result: told; the others are not told: empty, audit, macro (the exchange left it as it is), unread (such as an encrypted one), negative, absurd (above what was bid), currency (no rate of it is known), unasked (there is no parameter p).",
	}, []string{"result"})
	for _, result := range amountResults {
		m.prices[result] = prices.WithLabelValues(result)
	}
	if reg != nil {
		reg.MustRegister(m.notices, prices)
	}
	return m
}

func (m *metrics) count(k Kind, result string) { m.notices.WithLabelValues(k.String(), result).Inc() }

// quiet logs faults, one a minute, with the number of those that it kept to itself.
type quiet struct {
	logger *slog.Logger
	mu     sync.Mutex
	logged event.Time
	kept   int
}

func (q *quiet) warn(now event.Time, message string, k Kind, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.logged != 0 && now >= q.logged && now < q.logged.Add(time.Minute) {
		q.kept++
		return
	}
	q.logger.Warn(message, "notice", k.String(), "more", q.kept, "err", err)
	q.logged, q.kept = now, 0
}
