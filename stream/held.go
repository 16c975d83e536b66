package stream

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// heldPatience is for how long an open transaction may hold readers back before it is told of.
var heldPatience = 10 * time.Second

// held knows which partitions have records that readers may not see, because a transaction before
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

// hold is one open transaction that readers have come to.
type hold struct {
	oldest int64 // offset of its first record
	since  time.Time
	told   time.Time
}

func newHeld(reg prometheus.Registerer) *held {
	h := &held{holds: map[partitionOf]*hold{}, records: prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "clickloop_stream_held_records", Help: "Records that readers may not see yet, because a transaction before them is open.",
	}, []string{"topic", "partition"})}
	if reg != nil {
		reg.MustRegister(h.records)
	}
	return h
}

// note takes what an answer told: a reader is at offset, may read up to stable, and the partition
// ends at end.
func (h *held) note(c *Client, topic string, partition int, offset, stable, end int64) {
	at := partitionOf{topic, partition}
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.holds[at]
	if stable >= end || offset < stable {
		if known != nil {
			delete(h.holds, at)
			h.records.WithLabelValues(c.name(topic), strconv.Itoa(partition)).Set(0)
			if !known.told.IsZero() {
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
	if now.Sub(known.since) >= heldPatience && now.Sub(known.told) > 3*heldPatience {
		known.told = now
		c.logger.Warn("an open transaction holds back all that was written behind it: its producer must commit or abort it (a broker aborts it after transaction.timeout.ms; kafka-transactions.sh finds and aborts one that hangs)",
			"topic", c.name(topic), "partition", partition, "offset", stable, "records", end-stable, "since", known.since.Format(time.RFC3339))
	}
}

// OpenTransaction is a transaction that holds readers back: the offset of its first record, and how
// many records stand from there on.
type OpenTransaction struct {
	Partition       int
	Oldest, Records int64
}

// OpenTransactions returns the partitions of topic whose end is not what readers may read up to,
// now and after wait: a transaction that is shorter than that is none that hangs.
func (c *Client) OpenTransactions(ctx context.Context, topic string, wait time.Duration) ([]OpenTransaction, error) {
	look := func() ([]OpenTransaction, error) {
		stable, err := c.offsets(ctx, topic, readCommitted)
		if err != nil {
			return nil, err
		}
		all, err := c.offsets(ctx, topic, readUncommitted)
		if err != nil {
			return nil, err
		}
		var open []OpenTransaction
		for p := range min(len(stable), len(all)) {
			if n := all[p].End - stable[p].End; n > 0 {
				open = append(open, OpenTransaction{p, stable[p].End, n})
			}
		}
		return open, nil
	}
	first, err := look()
	if err != nil || len(first) == 0 {
		return nil, err
	}
	if !sleep(ctx, wait) {
		return nil, ctx.Err()
	}
	second, err := look()
	if err != nil {
		return nil, err
	}
	var open []OpenTransaction
	for _, t := range second {
		for _, before := range first {
			if t.Partition == before.Partition && t.Oldest == before.Oldest {
				open = append(open, t)
			}
		}
	}
	return open, nil
}
