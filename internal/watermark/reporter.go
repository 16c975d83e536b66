package watermark

import (
	"log/slog"
	"slices"
	"sync"

	"github.com/clickloop/clickloop/event"
	"github.com/prometheus/client_golang/prometheus"
)

// period is how often a fault of one collector is logged, in milliseconds.
const period = event.Time(60_000)

// maxNamed is how many faults are remembered. With more, new ones are counted and not logged.
const maxNamed = 256

// Reporter counts heartbeats by what became of them, and logs which collectors' heartbeats do not
// count. Several goroutines may use it.
type Reporter struct {
	now        func() event.Time
	logger     *slog.Logger
	heartbeats *prometheus.CounterVec

	mu    sync.Mutex
	named map[fault]event.Time // when a fault was last logged
}

type fault struct{ collector, what string }

// NewReporter returns a Reporter whose metric is clickloop_STAGE_heartbeats_total. reg may be nil.
func NewReporter(stage string, now func() event.Time, logger *slog.Logger, reg prometheus.Registerer) *Reporter {
	r := &Reporter{now: now, logger: logger, named: map[fault]event.Time{}, heartbeats: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "clickloop_" + stage + "_heartbeats_total",
		Help: "Heartbeats of collectors, by result: taken; ahead (later than the clock of Kafka or of this process, and ignored); slow (further behind the newest heartbeat than the lease: the watermark does not wait for this collector).",
	}, []string{"result"})}
	for _, result := range []Result{Taken, Ahead, Slow} {
		r.heartbeats.WithLabelValues(result.String())
	}
	if reg != nil {
		reg.MustRegister(r.heartbeats)
	}
	return r
}

// Report counts and logs the heartbeat at an offset of a partition of events.
func (r *Reporter) Report(e *event.Event, o Outcome, partition int, offset int64) {
	r.heartbeats.WithLabelValues(o.Result.String()).Inc()
	at := func(collector string, more ...any) []any {
		return append([]any{"collector", collector, "topic", event.TopicEvents, "partition", partition, "offset", offset}, more...)
	}
	switch o.Result {
	case Ahead:
		if r.due(fault{e.Collector, "ahead"}) {
			r.logger.Error("a heartbeat lies in the future and is not believed: set the clock of its collector", at(e.Collector, "heartbeat", e.Received.String(), "ahead", o.By.Duration())...)
		}
	case Slow:
		if r.due(fault{e.Collector, "slow"}) {
			r.logger.Warn("a heartbeat lies behind the others and its collector is not waited for: it was held up for longer than the lease, or its clock is slow", at(e.Collector, "heartbeat", e.Received.String(), "behind", o.By.Duration())...)
		}
	}
	for _, collector := range o.Left {
		// a replay's driver has no name, and says no farewell
		if collector != "" && r.due(fault{collector, "left"}) {
			r.logger.Warn("a collector is silent and is not waited for any more: what it writes later counts as received then", at(collector)...)
		}
	}
}

// due says whether a fault is to be logged: it was not for a period.
func (r *Reporter) due(f fault) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if t, ok := r.named[f]; ok && now-t < period {
		return false
	}
	if len(r.named) >= maxNamed {
		for old, t := range r.named {
			if now-t >= period {
				delete(r.named, old)
			}
		}
		if len(r.named) >= maxNamed {
			return false
		}
	}
	r.named[f] = now
	return true
}

// Faulty returns the collectors that were logged lately because their clocks are wrong.
func (r *Reporter) Faulty() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for f, t := range r.named {
		if f.what != "left" && r.now()-t < period+period/4 && !slices.Contains(names, f.collector) {
			names = append(names, f.collector)
		}
	}
	slices.Sort(names)
	return names
}
