// Package stream reads and writes Kafka: topics, producers, consumer groups and readers. No other
// package imports a Kafka client.
//
// Delivery is at least once. A batch is repeated until Kafka acknowledges it, because neither an
// error nor a timeout says "not written"; callers make every effect idempotent. kafka-go is used
// where its behavior is known:
//
//   - Groups are joined through ConsumerGroup generations, never through a Reader. A Reader's late
//     commit can move another member's offset back, a Reader can block forever beside Close, and it
//     does not show its assignment. Commits go out in the generation that fetched, within a
//     timeout.
//   - Partitions are read by fetches of this package, over franz-go's codec. kafka-go asks for
//     committed records, but delivers aborted ones and transaction markers too, and it loops
//     forever on empty batches. No client-side queue survives a rebalance, and no start offset
//     outside the log is moved silently.
//   - Produce writes one slice a request with acks=all, and chooses partitions by murmur2 as Java's
//     clients do. There is no batching timer, no unbounded queue, and no default of zero
//     acknowledgements. Metadata expires after half a second, since kafka-go does not refresh it
//     when a leader moves.
//   - Topics are created and awaited before use. Retention bounds them, but for compacted ones, of
//     which a Reader sees the last record of each key at least. Others may write transactions to
//     them and add partitions: readers read committed records only, and a number of partitions is
//     trusted for two seconds.
//
// A Client consists of parts that share one cluster: partitions (how many, and their offsets),
// identities (topic ids), topics (creating and checking), producer and groups. Each remembers what
// it has learned from the brokers behind a lock of its own.
package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/tlsfiles"
	"github.com/prometheus/client_golang/prometheus"
)

// Config says how to reach Kafka.
type Config struct {
	Brokers    []string
	Prefix     string // before every topic and group name; "clickloop." by default
	ClientID   string // also the header "producer"
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil for none
	// the group takes a silent member for dead after this time, ten heartbeats; 0: 10 s. Brokers
	// refuse less than 6 s, embedded ones less than 100 ms
	Session time.Duration

	TLS      tlsfiles.Client
	SASL     SASL
	Password string // of SASL, where it has no PasswordFile

	dial func(ctx context.Context, network, address string) (net.Conn, error) // nil but in tests: through a door
}

// Header is a record's header.
type Header struct {
	Key   string
	Value []byte
}

// Record is one message. For Partition -1, Produce chooses a partition by the murmur2 hash of Place
// or Key, as Java's clients do.
type Record struct {
	Partition int
	Offset    int64
	Key       []byte
	Place     []byte // what Produce chooses the partition by instead of Key; nil: Key
	Value     []byte
	Time      time.Time // of production; Produce sets it when it is zero
	Appended  bool      // Time is the broker's, of appending; for reading
	Headers   []Header
}

// Range holds the offsets of a partition: First <= offset < End.
type Range struct{ First, End int64 }

// Client is a connection to one Kafka cluster. It is safe for concurrent use.
type Client struct {
	*cluster
	*partitions
	*identities
	*topics
	*producer
	*groups
	held *held
}

// checkAccess refuses settings that contradict each other, and files that are missing or wrong.
func (cfg *Config) checkAccess() error {
	err := field.Within("tls", cfg.TLS.Validate())
	if err == nil {
		err = field.Within("sasl", cfg.SASL.Validate(cfg.Password != ""))
	}
	if err == nil {
		err = cfg.CheckClear()
	}
	if err == nil {
		_, err = cfg.TLS.Config("")
		err = field.Within("tls", err)
	}
	if err == nil && cfg.SASL.Mechanism != "" {
		_, err = cfg.mechanism()
	}
	return field.Within("kafka", err)
}

// Dial returns a Client. It does not wait for the cluster: every call retries until its context
// ends.
func Dial(cfg Config) (*Client, error) {
	if len(cfg.Brokers) == 0 {
		return nil, errors.New("no Kafka brokers are given: set kafka.brokers, --kafka host:port or CLICKLOOP_KAFKA")
	}
	for _, b := range cfg.Brokers {
		if _, _, err := net.SplitHostPort(b); err != nil {
			return nil, fmt.Errorf("broker %q is not host:port", b)
		}
	}
	if cfg.ClientID == "" {
		cfg.ClientID = "clickloop"
	}
	if cfg.Session <= 0 {
		cfg.Session = 10 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if err := cfg.checkAccess(); err != nil {
		return nil, err
	}
	entrance := &door{cfg: cfg, open: (&net.Dialer{Timeout: dialTimeout}).DialContext}
	if cfg.dial == nil {
		cfg.dial = entrance.dial
	}
	c := newCluster(cfg, entrance)
	p := &partitions{cluster: c, known: map[string]*partitionCount{}, ordered: map[string]bool{}}
	limits := &sizeLimits{cluster: c, known: map[string]sizeLimit{}}
	return &Client{
		cluster:    c,
		partitions: p,
		identities: &identities{cluster: c, known: map[string]identity{}},
		topics:     &topics{cluster: c, partitions: p, limits: limits},
		producer:   &producer{cluster: c, partitions: p, limits: limits},
		groups:     &groups{cluster: c, partitions: p},
		held:       newHeld(cfg.Registerer),
	}, nil
}
