package stream

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// heldPatience is how long an open transaction may hold readers back before it is logged.
var heldPatience = 10 * time.Second

// held knows the partitions whose last records readers may not see, because a transaction before
// them is open.
type held struct {
	records *prometheus.GaugeVec

	mu    sync.Mutex
	holds map[partitionOf]*hold
}

type partitionOf struct {
	topic     string
	partition int
}

// hold is one open transaction that a reader has come to.
type hold struct {
	oldest int64 // offset of its first record
	since  time.Time
	logged time.Time
}

func newHeld(reg prometheus.Registerer) *held {
	h := &held{holds: map[partitionOf]*hold{}, records: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "clickloop_kafka_held_records", Help: "Records that readers cannot read yet because a transaction before them is open.",
	}, []string{"topic", "partition"})}
	if reg != nil {
		reg.MustRegister(h.records)
	}
	return h
}

// note takes a fetch's answer: a reader is at offset, may read up to stable, and the partition ends
// at end.
func (h *held) note(c *cluster, topic string, partition int, offset, stable, end int64) {
	at := partitionOf{topic, partition}
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.holds[at]
	if stable >= end || offset < stable {
		if known != nil {
			delete(h.holds, at)
			h.records.WithLabelValues(c.name(topic), strconv.Itoa(partition)).Set(0)
			if !known.logged.IsZero() {
				c.logger.Warn("the open transaction has ended: reading on", "topic", c.name(topic), "partition", partition, "offset", known.oldest, "after", time.Since(known.since).Round(time.Millisecond))
			}
		}
		return
	}
	now := time.Now()
	if known == nil || known.oldest != stable {
		known = &hold{oldest: stable, since: now}
		h.holds[at] = known
	}
	h.records.WithLabelValues(c.name(topic), strconv.Itoa(partition)).Set(float64(end - stable))
	if now.Sub(known.since) >= heldPatience && now.Sub(known.logged) > 3*heldPatience {
		known.logged = now
		c.logger.Warn("an open transaction holds back all that was written behind it: its producer must commit or abort it (a broker aborts it after transaction.timeout.ms; kafka-transactions.sh finds and aborts one that hangs)",
			"topic", c.name(topic), "partition", partition, "offset", stable, "records", end-stable, "since", known.since.Format(time.RFC3339))
	}
}
