package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/clickloop/clickloop/internal/retry"
	"github.com/segmentio/kafka-go"
)

const (
	attemptTimeout = 5 * time.Second // of one request; calls repeat requests until their context ends
	metadataTTL    = 500 * time.Millisecond
	dialTimeout    = 3 * time.Second
)

// cluster holds the connections to the brokers. Every one of them is opened by cfg.dial: those of
// kafka-go's requests, those of its groups, and those of wire.
type cluster struct {
	cfg       Config
	door      *door
	transport *kafka.Transport
	kafka     *kafka.Client // over transport
	logger    *slog.Logger
	metrics   *instruments
	pace      atomic.Int64 // nanoseconds: see Client.Pace
}

func newCluster(cfg Config, entrance *door) *cluster {
	transport := &kafka.Transport{Dial: cfg.dial, MetadataTTL: metadataTTL, ClientID: cfg.ClientID, DialTimeout: attemptTimeout, IdleTimeout: time.Minute}
	return &cluster{
		cfg:       cfg,
		door:      entrance,
		transport: transport,
		kafka:     &kafka.Client{Addr: kafka.TCP(cfg.Brokers...), Transport: transport, Timeout: attemptTimeout},
		logger:    cfg.Logger,
		metrics:   newInstruments(&cfg),
	}
}

// Close closes idle connections.
func (c *cluster) Close() error {
	c.transport.CloseIdleConnections()
	return nil
}

// Pace sets how long a Reader that is Paced leaves between the last records that it brought and the
// next fetch, once it has read all; 0, as at first: no time. It may be called at any time.
func (c *cluster) Pace(d time.Duration) { c.pace.Store(int64(d)) }

// Prefix returns what stands before every topic and group name.
func (c *cluster) Prefix() string { return c.cfg.Prefix }

func (c *cluster) name(topic string) string { return c.cfg.Prefix + topic }

// Ping returns nil when a broker answers. kafka-go answers for metadata what it remembers, so Ping
// asks for something else. It asks twice: the first connection may be one that broke long ago.
func (c *cluster) Ping(ctx context.Context) error {
	_, err := c.kafka.ApiVersions(ctx, &kafka.ApiVersionsRequest{})
	if err != nil {
		_, err = c.kafka.ApiVersions(ctx, &kafka.ApiVersionsRequest{})
	}
	if fault := c.door.closed.Load(); err != nil && fault != nil {
		return fault
	}
	if err != nil {
		return fmt.Errorf("no answer from Kafka at %v: %w", c.cfg.Brokers, err)
	}
	return nil
}

// newBackoff paces requests: a fault is logged once it has lasted for some attempts.
func newBackoff() retry.Backoff {
	return retry.Backoff{Min: 20 * time.Millisecond, Max: 500 * time.Millisecond, LogFrom: 100 * time.Millisecond}
}

// Await returns nil as soon as a broker answers, or the last fault when ctx ends first.
func (c *cluster) Await(ctx context.Context) error {
	var last error
	backoff := newBackoff()
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
		if !backoff.Pause(ctx) {
			return last
		}
	}
}

// retry repeats fn, with a timeout for each attempt, until it succeeds, returns a *finalError, or
// ctx ends.
func (c *cluster) retry(ctx context.Context, what string, fn func(ctx context.Context) error) error {
	return c.retryKind(ctx, requestOther, what, fn)
}

// retryKind is retry for a kind of request, under which failures are counted.
func (c *cluster) retryKind(ctx context.Context, kind, what string, fn func(ctx context.Context) error) error {
	backoff := newBackoff()
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
		}
		if !errors.Is(err, context.Canceled) {
			c.metrics.failed(kind)
		}
		switch {
		case c.door.fault() != nil:
			return c.door.fault()
		case ctx.Err() == nil && backoff.ShouldLog():
			c.logger.Warn("Kafka does not do what is asked, repeating", "what", what, "err", err)
		}
		if ctx.Err() != nil || !backoff.Pause(ctx) {
			return fmt.Errorf("cannot %s: %w (last: %v)", what, ctx.Err(), err)
		}
	}
}

// finalError ends a retry: another attempt would fail alike.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }

// settings returns some of a topic's settings by name.
func (c *cluster) settings(ctx context.Context, topic string, names ...string) (map[string]string, error) {
	resp, err := c.kafka.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: c.name(topic), ConfigNames: names,
	}}})
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, r := range resp.Resources {
		if r.Error != nil {
			return nil, c.denied(r.Error, Need{Name: topic, Operations: []string{OpDescribeConfigs}})
		}
		for _, e := range r.ConfigEntries {
			found[e.ConfigName] = e.ConfigValue
		}
	}
	return found, nil
}

// alterCommand returns a command by which an operator changes a topic's setting.
func (c *cluster) alterCommand(topic, setting string, value any) string {
	return fmt.Sprintf("kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s --add-config %s=%v", c.cfg.Brokers[0], c.name(topic), setting, value)
}
