package bidder

import (
	"github.com/clickloop/clickloop/bidder/ledger"
	"github.com/clickloop/clickloop/internal/instrument"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// instruments are the metrics of the stage.
type instruments struct {
	requests *prometheus.CounterVec
	verdicts [ledger.Unavailable + 1]prometheus.Counter
	latency  prometheus.Histogram
	prices   prometheus.Histogram
	unread   *prometheus.CounterVec
	records  *prometheus.CounterVec
}

func newInstruments(reg prometheus.Registerer) *instruments {
	f := promauto.With(reg)
	verdicts := f.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_bidder_reservations_total", Help: "Bids that asked the ledger for money, by its verdict."}, []string{"verdict"})
	m := &instruments{
		requests: f.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_bidder_requests_total", Help: "Bid requests by result: bid, no_bid with its reason, repeated, malformed, refused; unfit counts bids that were left out of an answer because they do not fit its place."}, []string{"result", "reason"}),
		latency: f.NewHistogram(prometheus.HistogramOpts{Name: "clickloop_bidder_request_seconds", Help: "Time from a bid request to its answer.",
			Buckets: instrument.Latencies()}),
		prices: f.NewHistogram(prometheus.HistogramOpts{Name: "clickloop_bidder_price_cpm", Help: "Prices of bids, for a thousand impressions in the account's currency.",
			Buckets: prometheus.ExponentialBuckets(.01, 2, 14)}),
		records: f.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_bidder_campaign_records_total", Help: "Records of the topic campaigns by what became of them: put, deleted, malformed, full."}, []string{"result"}),
		unread:  f.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_bidder_unread_records_total", Help: "Records of a topic that are no messages, and were passed over."}, []string{"topic"}),
	}
	for _, result := range []string{"bid", "repeated", "malformed", "refused", "unfit"} {
		m.requests.WithLabelValues(result, "")
	}
	for _, why := range noBids {
		m.requests.WithLabelValues("no_bid", why.reason)
	}
	for v := range m.verdicts {
		m.verdicts[v] = verdicts.WithLabelValues(verdictName(ledger.Verdict(v)))
	}
	instrument.Begin(m.records, []string{"put", "deleted", "malformed", "full"})
	return m
}

func (m *instruments) count(result, reason string) { m.requests.WithLabelValues(result, reason).Inc() }

func verdictName(v ledger.Verdict) string {
	switch v {
	case ledger.Reserved:
		return "reserved"
	case ledger.Repeated:
		return "repeated"
	case ledger.NoBudget:
		return "no_budget"
	case ledger.NoDaily:
		return "no_daily_budget"
	case ledger.Capped:
		return "capped"
	case ledger.Unavailable:
		return "unavailable"
	}
	return "refused"
}
