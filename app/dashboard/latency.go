package dashboard

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

const (
	latencyTurns = 10 // states over which latencies are told
	mostLatency  = 40 // histograms
)

// latencies reads the histograms of durations in this process's registry.
type latencies struct {
	from   prometheus.Gatherer
	before map[string][]counts // by name, the oldest first
}

// counts is a histogram at a moment: how many were at most each edge.
type counts struct {
	at         time.Time
	total      uint64
	edges      []float64 // seconds
	cumulative []uint64
}

func newLatencies(from prometheus.Gatherer) *latencies {
	return &latencies{from: from, before: map[string][]counts{}}
}

// update sets the state's latencies.
func (l *latencies) update(now time.Time, s *State) error {
	if l.from == nil {
		return nil
	}
	families, err := l.from.Gather()
	if families == nil {
		return err
	}
	s.Latency = s.Latency[:0]
	for _, f := range families {
		rest, ours := strings.CutPrefix(f.GetName(), "clickloop_")
		rest, seconds := strings.CutSuffix(rest, "_seconds")
		if !ours || !seconds || f.GetType() != dto.MetricType_HISTOGRAM {
			continue
		}
		stage, name, _ := strings.Cut(rest, "_")
		for _, m := range f.GetMetric() {
			name := name
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			if len(s.Latency) < mostLatency {
				s.Latency = append(s.Latency, l.tell(stage, name, now, m.GetHistogram()))
			}
		}
	}
	slices.SortFunc(s.Latency, func(a, b LatencyInfo) int { return cmp.Or(cmp.Compare(a.Stage, b.Stage), cmp.Compare(a.Name, b.Name)) })
	return nil // what could be gathered counts
}

// tell compares a histogram with what it was some states ago.
func (l *latencies) tell(stage, name string, now time.Time, h *dto.Histogram) LatencyInfo {
	c := counts{at: now, total: h.GetSampleCount()}
	for _, b := range h.GetBucket() {
		if !math.IsInf(b.GetUpperBound(), 1) {
			c.edges, c.cumulative = append(c.edges, b.GetUpperBound()), append(c.cumulative, b.GetCumulativeCount())
		}
	}
	key := stage + " " + name
	past := append(l.before[key], c)
	if len(past) > latencyTurns+1 {
		past = past[1:]
	}
	l.before[key] = past
	first := past[0]
	info := LatencyInfo{Stage: stage, Name: name}
	seconds := c.at.Sub(first.at).Seconds()
	if seconds <= 0 || len(first.edges) != len(c.edges) || c.total <= first.total {
		return info
	}
	info.PerSecond = float64(c.total-first.total) / seconds
	info.P50, info.P99 = quantile(first, c, 0.5), quantile(first, c, 0.99)
	return info
}

// quantile is the q-quantile in milliseconds of what came between two moments, on a line within its
// bucket, as Prometheus has it. Beyond the last edge it is that edge.
func quantile(first, last counts, q float64) *float64 {
	n := float64(last.total - first.total)
	below, from := 0.0, 0.0
	for i, edge := range last.edges {
		to := float64(last.cumulative[i] - first.cumulative[i])
		if to >= q*n && to > from {
			ms := 1000 * (below + (edge-below)*(q*n-from)/(to-from))
			return &ms
		}
		below, from = edge, to
	}
	if below == 0 {
		return nil
	}
	ms := 1000 * below
	return &ms
}
