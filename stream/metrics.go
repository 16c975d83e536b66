package stream

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/internal/instrument"
	"github.com/prometheus/client_golang/prometheus"
)

// Kinds of requests to Kafka, as the metrics name them.
const (
	requestProduce = "produce"
	requestFetch   = "fetch"
	requestCommit  = "commit"
	requestOther   = "other" // metadata, offsets, topics
)

// instruments are the metrics of a Client. They also collect how far its readers are behind.
type instruments struct {
	prefix            string
	failures          map[string]prometheus.Counter // by kind of request
	produced, commits prometheus.Observer
	read              *prometheus.CounterVec
	lag, late         *prometheus.Desc
	now               func() time.Time

	mu      sync.Mutex
	reading map[*progress]struct{}
}

func newInstruments(cfg *Config) *instruments {
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "clickloop_kafka_failures_total",
		Help: "Requests to Kafka that failed, by kind: produce, fetch, commit, other (metadata, offsets, topics). Each is repeated until its caller gives up.",
	}, []string{"request"})
	seconds := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "clickloop_kafka_request_seconds", Help: "Time of a request to Kafka, failed ones included, by kind: produce, commit. A fetch waits for records and is not measured.",
		Buckets: instrument.Latencies(1, 5),
	}, []string{"request"})
	partition := []string{"consumer", "topic", "partition"}
	m := &instruments{
		prefix: cfg.Prefix, failures: map[string]prometheus.Counter{}, produced: seconds.WithLabelValues(requestProduce), commits: seconds.WithLabelValues(requestCommit),
		read: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "clickloop_kafka_read_records_total", Help: "Records that a consumer has read, by consumer and topic.",
		}, []string{"consumer", "topic"}),
		lag: prometheus.NewDesc("clickloop_kafka_lag_records",
			"Records that a consumer has not read yet: from its offset to the end of the partition, as of its last fetch.", partition, nil),
		late: prometheus.NewDesc("clickloop_kafka_lag_seconds",
			"Age of the newest record that a consumer has read, while there are records behind it. For a consumer that has read all: 0, or the time since Kafka last said so, above two seconds.", partition, nil),
		now: time.Now, reading: map[*progress]struct{}{},
	}
	for _, kind := range []string{requestProduce, requestFetch, requestCommit, requestOther} {
		m.failures[kind] = failures.WithLabelValues(kind)
	}
	instrument.Register(cfg.Registerer, failures, seconds, m.read, m)
	return m
}

// failed counts a failed request. Without instruments it counts nothing.
func (m *instruments) failed(kind string) {
	if m != nil {
		m.failures[kind].Inc()
	}
}

// observe notes how long a request took.
func observe(in prometheus.Observer, began time.Time) { in.Observe(time.Since(began).Seconds()) }

// progress is how far a named consumer has read a partition. The Reader writes it, and a scrape
// reads it.
type progress struct {
	instruments     *instruments
	consumer, topic string
	partition       int
	read            prometheus.Counter

	offset, end atomic.Int64
	newest      atomic.Int64 // time of the newest record that was read, in nanoseconds; 0: none was
	fetched     atomic.Int64 // time of the last fetch that succeeded; 0: none has
}

// follow makes a Reader's progress part of the metrics, until leave.
func (m *instruments) follow(consumer, topic string, partition int, offset int64) *progress {
	p := &progress{instruments: m, consumer: consumer, topic: m.prefix + topic, partition: partition, read: m.read.WithLabelValues(consumer, m.prefix+topic)}
	p.offset.Store(offset)
	m.mu.Lock()
	m.reading[p] = struct{}{}
	m.mu.Unlock()
	return p
}

func (p *progress) leave() {
	if p == nil {
		return
	}
	p.instruments.mu.Lock()
	delete(p.instruments.reading, p)
	p.instruments.mu.Unlock()
}

// note takes what a fetch has brought.
func (p *progress) note(offset, end int64, records []Record) {
	if p == nil {
		return
	}
	p.offset.Store(offset)
	p.end.Store(end)
	if n := len(records); n > 0 {
		p.newest.Store(records[n-1].Time.UnixNano())
		p.read.Add(float64(n))
	}
	p.fetched.Store(p.instruments.now().UnixNano())
}

// fresh is how long ago a fetch may be that says that all was read: an idle one waits for maxWait.
const fresh = 2 * time.Second

// lag returns how far p is behind. ok is false before its first fetch.
func (p *progress) lag(now time.Time) (records int64, age time.Duration, ok bool) {
	fetched := p.fetched.Load()
	if fetched == 0 {
		return 0, 0, false
	}
	records = max(p.end.Load()-p.offset.Load(), 0)
	since := time.Duration(now.UnixNano() - fetched)
	if newest := p.newest.Load(); records > 0 && newest != 0 {
		return records, max(time.Duration(now.UnixNano()-newest), 0), true
	}
	if since < fresh {
		since = 0
	}
	return records, since, true
}

// Describe implements prometheus.Collector.
func (m *instruments) Describe(ch chan<- *prometheus.Desc) {
	ch <- m.lag
	ch <- m.late
}

// Collect implements prometheus.Collector. Where two readers of one consumer overlap, as while one
// takes the place of another, the one that is further behind is told: a series may come only once.
func (m *instruments) Collect(ch chan<- prometheus.Metric) {
	type place struct {
		consumer, topic string
		partition       int
	}
	type behind struct {
		records int64
		age     time.Duration
	}
	now, all := m.now(), map[place]behind{}
	m.mu.Lock()
	for p := range m.reading {
		if records, age, ok := p.lag(now); ok {
			at := place{p.consumer, p.topic, p.partition}
			all[at] = behind{max(records, all[at].records), max(age, all[at].age)}
		}
	}
	m.mu.Unlock()
	for at, b := range all {
		labels := []string{at.consumer, at.topic, strconv.Itoa(at.partition)}
		ch <- prometheus.MustNewConstMetric(m.lag, prometheus.GaugeValue, float64(b.records), labels...)
		ch <- prometheus.MustNewConstMetric(m.late, prometheus.GaugeValue, b.age.Seconds(), labels...)
	}
}
