// Package stream is the only importer of a Kafka client: topics, producers, groups and readers.
//
// Delivery is at least once, by design: a batch is repeated until it is acknowledged, because
// neither an error nor a timeout of Kafka means "not written". Every effect behind it is
// idempotent. kafka-go is used where its behaviour is known:
//
//   - Groups are joined through ConsumerGroup generations, never through a Reader: a Reader's late
//     commit can move another member's offset back, can block for ever beside Close, and knows no
//     assignment. Commits go out in the generation that fetched, with a bound in time.
//   - Partitions are read by fetches of our own, over franz-go's codec: kafka-go asks for committed
//     records and then delivers aborted ones and the markers of transactions too, and goes round
//     for ever on empty batches. No client-side queue survives a rebalance, and no start beyond or
//     below the log is silently moved.
//   - Writes go through Client.Produce, a slice a request, acks=all, Murmur2 as Java's clients: no
//     batching timer, no asynchronous queue without an end, no default of zero acknowledgements.
//     Metadata is kept for half a second, since a leader's move does not refresh it.
//   - Topics are made before they are used, and waited for; they are bounded by retention and never
//     compacted. Others may write transactions to them and add partitions: readers read committed,
//     and the number of partitions is believed for two seconds.
package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
)

// Config says how to reach Kafka.
type Config struct {
	Brokers    []string
	Prefix     string // before every topic and group name; "clickloop." by default
	ClientID   string // also the header "producer"
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil for none
	// after which a silent member of a group is taken for dead, ten heartbeats; 0: 10 s. Brokers
	// refuse less than 6 s, embedded ones 100 ms
	Session time.Duration
}

// Header is a record's header.
type Header struct {
	Key   string
	Value []byte
}

// Record is one message. Partition -1 asks Produce to choose by Murmur2 of Place or Key, as Java's
// clients do.
type Record struct {
	Partition int
	Offset    int64
	Key       []byte
	Place     []byte // what Produce chooses the partition by in place of Key; nil: Key
	Value     []byte
	Time      time.Time // moment of production; set by Produce when zero
	Headers   []Header
}

// Range is what a partition holds: offsets First <= o < End.
type Range struct{ First, End int64 }

const (
	// of one request; calls repeat requests until their context ends
	attemptTimeout = 5 * time.Second
	backoffMin     = 20 * time.Millisecond
	backoffMax     = 500 * time.Millisecond
	metadataTTL    = 500 * time.Millisecond
	dialTimeout    = 3 * time.Second
)

// Client is a connection to one Kafka cluster. It is safe for concurrent use.
type Client struct {
	cfg       Config
	kafka     *kafka.Client
	transport *kafka.Transport
	dialer    *kafka.Dialer
	logger    *slog.Logger

	held *held

	mu         sync.Mutex
	partitions map[string]*counted
	identities map[string]identity
	limits     map[string]sizeLimit
	ordered    map[string]bool // topics of which partition 0 alone is used
}

// Dial returns a Client; it does not wait for the cluster: every call retries until its context
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
	transport := &kafka.Transport{MetadataTTL: metadataTTL, ClientID: cfg.ClientID, DialTimeout: dialTimeout, IdleTimeout: time.Minute}
	return &Client{
		cfg:       cfg,
		kafka:     &kafka.Client{Addr: kafka.TCP(cfg.Brokers...), Transport: transport, Timeout: attemptTimeout},
		transport: transport,
		dialer:    &kafka.Dialer{ClientID: cfg.ClientID, Timeout: dialTimeout},
		logger:    cfg.Logger, held: newHeld(cfg.Registerer),
		partitions: map[string]*counted{}, identities: map[string]identity{}, limits: map[string]sizeLimit{}, ordered: map[string]bool{},
	}, nil
}

// Close closes idle connections.
func (c *Client) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// Prefix is what stands before every topic and group name.
func (c *Client) Prefix() string { return c.cfg.Prefix }

func (c *Client) name(topic string) string { return c.cfg.Prefix + topic }

// Ping returns nil when a broker answers.
func (c *Client) Ping(ctx context.Context) error {
	_, err := c.kafka.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return fmt.Errorf("no answer from Kafka at %v: %w", c.cfg.Brokers, err)
	}
	return nil
}

// Await returns nil as soon as a broker answers, or the last fault when ctx ends first.
func (c *Client) Await(ctx context.Context) error {
	var last error
	wait := backoffMin
	for {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		err := c.Ping(attempt)
		cancel()
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if !sleep(ctx, wait) {
			return last
		}
		wait = min(2*wait, backoffMax)
	}
}

// retry repeats fn, each time with a bound on it, until it succeeds, says that repeating is of no
// use, or ctx ends.
func (c *Client) retry(ctx context.Context, what string, fn func(ctx context.Context) error) error {
	wait, warned := backoffMin, time.Time{}
	for {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		err := fn(attempt)
		cancel()
		var final *finalError
		switch {
		case err == nil:
			return nil
		case errors.As(err, &final):
			return final.err
		case ctx.Err() != nil:
			return fmt.Errorf("cannot %s: %w (last: %v)", what, ctx.Err(), err)
		}
		if time.Since(warned) > 10*time.Second && wait > 4*backoffMin {
			c.logger.Warn("Kafka does not do what is asked, repeating", "what", what, "err", err)
			warned = time.Now()
		}
		if !sleep(ctx, wait) {
			return fmt.Errorf("cannot %s: %w (last: %v)", what, ctx.Err(), err)
		}
		wait = min(2*wait, backoffMax)
	}
}

// finalError ends a retry.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }

// sleep returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
