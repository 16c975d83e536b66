package run

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/embedded"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// What embedded services keep. A topic of several partitions divides its bytes among them. Topics
// of weights have bounds of their own, which learners need.
const (
	keptEvents      = 24 << 20
	keptPredictions = 48 << 20
	keptBids        = 64 << 20 // from which budgets are made again
	keptOthers      = 16 << 20
	keptExamples    = 64 << 20 // of an objective
	leastKept       = 1 << 20  // of a partition
	segmentBytes    = 1 << 20
	keptKeys        = 50_000 // profiles in Redis, and as many outcomes
)

// embeddedBounds are what the services are started with.
func embeddedBounds() embedded.Bounds {
	return embedded.Bounds{PartitionBytes: keptExamples, SegmentBytes: segmentBytes, Keys: keptKeys, KindOf: features.KindOfKey}
}

// boundTopics gives the topics that an embedded broker creates their bytes. A compacted topic has
// none: what it keeps are the items of a catalogue, which the scorer bounds.
func boundTopics(topics []stream.Topic) {
	for i := range topics {
		t := &topics[i]
		if t.RetentionBytes > 0 || t.Compacted {
			continue
		}
		t.RetentionBytes, t.SegmentBytes = max(keptBytes(t.Name)/int64(t.Partitions), leastKept), segmentBytes
	}
}

func keptBytes(topic string) int64 {
	switch {
	case topic == event.TopicEvents:
		return keptEvents
	case topic == event.TopicPredictions:
		return keptPredictions
	case topic == event.TopicBids:
		return keptBids
	case strings.HasPrefix(topic, event.TopicExamples("")):
		return keptExamples
	}
	return keptOthers
}

// Bounds says what the embedded services keep; empty when there are none.
func (l *Loop) Bounds() string {
	if l.Services == nil {
		return ""
	}
	var parts []string
	if l.Services.Kafka != "" {
		parts = append(parts, fmt.Sprintf("Kafka keeps the last %d MB of events, %d MB of predictions, %d MB of an objective's examples and %d MB of a network's weights",
			keptEvents>>20, keptPredictions>>20, keptExamples>>20, event.ModelRetentionBytes>>20))
	}
	if l.Services.Redis != "" {
		parts = append(parts, fmt.Sprintf("Redis keeps the %d profiles and the %d outcomes that were written last", keptKeys, keptKeys))
	}
	return "bounds: " + strings.Join(parts, "; ") + " (nothing leaves during a replay)"
}

const (
	// trimEvery is how often the services are trimmed. They exceed their bounds by what comes
	// meanwhile.
	trimEvery = 2 * time.Second
	// compactEvery is how often compacted topics are compacted, which reads them whole
	compactEvery = 10 * time.Minute
	// logEvery is the least time between two lines of the log about what has left.
	logEvery = 10 * time.Minute
)

// keeper trims the embedded services in wall time, and says what has left them. In recorded time
// everything stays, so that a recording of any size is judged from all its records.
type keeper struct {
	services *embedded.Services
	name     func(topic string) string // in Kafka
	logger   *slog.Logger
	recorded atomic.Bool
	limits   memoryLimit

	compacted time.Time // run's

	records *prometheus.CounterVec
	keys    prometheus.Counter

	mu     sync.Mutex
	topics []string
	before map[string]int64 // first offsets by topic, as counted
	left   map[string]int64 // records by topic, and keys under ""
	logged time.Time
}

func newKeeper(l *Loop, topics []stream.Topic, recorded bool) *keeper {
	k := &keeper{
		services: l.Services, logger: l.logger, before: map[string]int64{}, left: map[string]int64{},
		records: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "clickloop_embedded_trimmed_records_total", Help: "Records that have left the embedded Kafka since this process started, because their topic was full or they were too old."}, []string{"topic"}),
		keys:    prometheus.NewCounter(prometheus.CounterOpts{Name: "clickloop_embedded_evicted_keys_total", Help: "Profiles and outcomes that have left the embedded Redis since this process started, because it was full."}),
		name:    func(topic string) string { return l.cfg.Kafka.Prefix + topic },
	}
	for _, t := range topics {
		k.topics = append(k.topics, t.Name)
		k.before[t.Name] = k.services.FirstOffsets(k.name(t.Name))
		k.records.WithLabelValues(t.Name)
	}
	k.recorded.Store(recorded)
	l.registry.MustRegister(k.records, k.keys)
	l.setRecorded = append(l.setRecorded, k.recorded.Store)
	return k
}

// run trims until ctx ends.
func (k *keeper) run(ctx context.Context) error {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	defer k.limits.lift()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if k.recorded.Load() {
				k.limits.lift()
				continue
			}
			k.limits.set()
			k.trim(now)
			if now.Sub(k.compacted) >= compactEvery {
				k.compacted = now
				k.services.Compact()
			}
		}
	}
}

func (k *keeper) trim(now time.Time) {
	keys := k.services.Trim()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys.Add(float64(keys))
	k.left[""] += int64(keys)
	some := keys > 0
	for _, topic := range k.topics {
		first := k.services.FirstOffsets(k.name(topic))
		if n := first - k.before[topic]; n > 0 { // less when the broker is stopped
			k.records.WithLabelValues(topic).Add(float64(n))
			k.left[topic] += n
			k.before[topic] = first
			some = true
		}
	}
	if some && now.Sub(k.logged) >= logEvery {
		k.logged = now
		for _, w := range k.warningsLocked() {
			k.logger.Warn(w)
		}
	}
}

// warnings says what has left.
func (k *keeper) warnings() []string {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.warningsLocked()
}

func (k *keeper) warningsLocked() []string {
	var warnings []string
	if n := k.left[""]; n > 0 {
		warnings = append(warnings, fmt.Sprintf("embedded Redis: %d profiles and outcomes have left, those written longest ago: "+
			"it keeps %d of each; a profile that left begins anew, and an event that left counts as not happened (a Redis of your own has no such bound)", n, keptKeys))
	}
	var topics []string
	for _, topic := range k.topics {
		if n := k.left[topic]; n > 0 {
			topics = append(topics, fmt.Sprintf("%d of %s", n, topic))
		}
	}
	if topics != nil {
		warnings = append(warnings, "embedded Kafka: the oldest records have left: "+strings.Join(topics, ", ")+
			"; a prediction that leaves before its window ends gets no label (a Kafka of your own has no such bound)")
	}
	return slices.Clip(warnings)
}

// memoryLimit keeps garbage small beside what is in use. Where many processes share a machine the
// collector lags, and GOGC alone lets memory grow far beyond twice of what is in use. It does
// nothing when GOGC or GOMEMLIMIT is set.
type memoryLimit struct{ given bool }

// smallMemory is how much the process may take before the collector works harder.
const smallMemory = 384 << 20

// set lets garbage be a quarter of what is in use at most, above smallMemory.
func (m *memoryLimit) set() {
	if os.Getenv("GOMEMLIMIT") != "" || os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	debug.SetMemoryLimit(max(smallMemory, int64(live[0].Value.Uint64())*5/4))
	m.given = true
}

// lift ends the limit.
func (m *memoryLimit) lift() {
	if m.given {
		debug.SetMemoryLimit(math.MaxInt64)
		m.given = false
	}
}
