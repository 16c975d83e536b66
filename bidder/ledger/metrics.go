package ledger

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/prometheus/client_golang/prometheus"
)

// instruments are the ledger's metrics.
type instruments struct {
	verdicts  [Unavailable + 1]prometheus.Counter
	notices   *prometheus.CounterVec
	uncovered prometheus.Counter
	charged   prometheus.Counter
	credited  prometheus.Counter
	overcap   prometheus.Counter
	overpaid  prometheus.Counter
	expired   prometheus.Counter
	rebuilds  prometheus.Counter
}

var verdictNames = [...]string{"refused", "reserved", "repeated", "no_budget", "no_daily", "capped", "unavailable"}

func (v Verdict) String() string { return verdictNames[v] }

func newInstruments(reg prometheus.Registerer, l *Ledger) *instruments {
	claims := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_bidder_ledger_claims_total",
		Help: "Bids that were to be reserved, by verdict: reserved; refused (a better bid of the place was reserved); repeated (it was reserved before); no_budget; no_daily; capped (by a cap, or by no user to count); unavailable (the ledger does not answer in time, or is being made again, or too many steps wait for Kafka)."}, []string{"verdict"})
	m := &instruments{
		notices: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_bidder_ledger_notices_total",
			Help: "Notices, by step and result: new; late (the reservation had ended); repeated (nothing changed); too_late (younger than the configuration allows no more: nothing changed); unavailable (the sender is to repeat it)."}, []string{"step", "result"}),
		uncovered: prometheus.NewCounter(prometheus.CounterOpts{Name: "clickloop_bidder_ledger_uncovered_money_total", Help: "Money of late bills for which no budget had room, in the account's currency: it is owed, and in no campaign's spend."}),
		charged:   prometheus.NewCounter(prometheus.CounterOpts{Name: "clickloop_bidder_ledger_charged_money_total", Help: "Money that notices of this process have added to the spend of campaigns, in the account's currency."}),
		credited:  prometheus.NewCounter(prometheus.CounterOpts{Name: "clickloop_bidder_ledger_credited_money_total", Help: "Money that later notices of a bid have taken back from the spend of campaigns, as when the first told no price, in the account's currency."}),
		overcap:   prometheus.NewCounter(prometheus.CounterOpts{Name: "clickloop_bidder_ledger_overcap_total", Help: "Late bills for which a cap had no room."}),
		overpaid:  prometheus.NewCounter(prometheus.CounterOpts{Name: "clickloop_bidder_ledger_overpaid_total", Help: "Bills that told more than the bid had reserved, which was charged."}),
		expired:   prometheus.NewCounter(prometheus.CounterOpts{Name: "clickloop_bidder_ledger_expired_total", Help: "Reservations that ended without a notice."}),
		rebuilds:  prometheus.NewCounter(prometheus.CounterOpts{Name: "clickloop_bidder_ledger_rebuilds_total", Help: "How often this process has made the ledger again from the topic."}),
	}
	for v := range m.verdicts {
		m.verdicts[v] = claims.WithLabelValues(Verdict(v).String())
	}
	if reg == nil {
		return m
	}
	reg.MustRegister(claims, m.notices, m.uncovered, m.charged, m.credited, m.overcap, m.overpaid, m.expired, m.rebuilds,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "clickloop_bidder_ledger_unlogged_money", Help: "Money reserved by bids of this process that are not on the topic yet, in the account's currency."}, func() float64 { return money(l.allowances.sum()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "clickloop_bidder_ledger_waiting_steps", Help: "Steps of this process that wait for Kafka."}, func() float64 { n, _ := l.batcher.Waiting(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "clickloop_bidder_ledger_ready", Help: "1 while bids can be reserved."}, func() float64 {
			if l.Ready(context.Background()) != nil {
				return 0
			}
			return 1
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "clickloop_bidder_ledger_reserved_money", Help: "Money that the campaigns in use have reserved or held back, in the account's currency, as this process knew it a second ago."}, func() float64 { return money(l.standings.reserved()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "clickloop_bidder_ledger_open_reservations", Help: "Reservations that have not ended, of all bidders, as this process knew them a second ago."}, func() float64 { return float64(l.open.Load()) }),
	)
	return m
}

// money is an amount as the metrics tell it: in the currency's own unit.
func money(m auction.Micros) float64 { return float64(m) / 1e6 }

// countNotice counts a notice by what became of it.
func (m *instruments) countNotice(n *Notice, r Result, err error) {
	result := "new"
	switch {
	case errors.Is(err, ErrTooLate):
		result = "too_late"
	case err != nil:
		result = "unavailable"
	case r.Repeated:
		result = "repeated"
	case r.Late:
		result = "late"
	}
	m.notices.WithLabelValues(n.Step, result).Inc()
	if err == nil && !r.Repeated {
		m.uncovered.Add(money(r.Uncovered))
		m.charged.Add(money(max(r.Charged, 0)))
		m.credited.Add(money(max(-r.Charged, 0)))
	}
}

// faults logs faults that are counted or repeated elsewhere, at most one in ten seconds.
type faults struct {
	mu   sync.Mutex
	last time.Time
}

func (l *Ledger) logFault(err error) {
	l.faults.mu.Lock()
	due := time.Since(l.faults.last) > 10*time.Second
	if due {
		l.faults.last = time.Now()
	}
	l.faults.mu.Unlock()
	if due {
		l.logger.Warn("the ledger meets a fault", "err", err)
	}
}
