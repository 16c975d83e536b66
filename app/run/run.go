// Package run assembles stages in one process: all of them for `clickloop up`, one for a stage's
// own command. It also plays recordings into them.
//
// A Loop closes in the reverse order of its start: requests end first, then the stages, then the
// clients, and the embedded services last. At every moment, what is still running can write what it
// has accepted.
package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/embedded"
	"github.com/clickloop/clickloop/internal/signing"
	"github.com/clickloop/clickloop/internal/web"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"
)

// Options tell Start what to run.
type Options struct {
	Config   config.Config
	Stages   []string // names of the stages to run; nil for all
	Embedded bool     // run Kafka and Redis inside the process where the configuration has no address
	AnyPort  bool     // let embedded services listen on any free ports
	Logger   *slog.Logger
}

// Loop is a running process of stages.
type Loop struct {
	HTTP     string // host:port
	Kafka    []string
	Redis    string
	Client   *stream.Client
	Services *embedded.Services // nil when both services are elsewhere

	cfg         config.Config
	logger      *slog.Logger
	registry    *prometheus.Registry
	closers     []func() error // Close calls them in reverse order
	stages      []stage
	setRecorded []func(bool) // switch the stages between recorded and wall time
	capacity    *capacity
	keys        *signing.Ring // nil: nothing is signed

	cancel context.CancelFunc
	done   chan struct{} // closed when the Loop has ended
	err    error         // why it ended; read it after done is closed
}

// Start returns when the topics exist, the stages run, and the listener accepts. The caller closes
// the Loop.
func Start(ctx context.Context, o Options) (*Loop, error) {
	if o.Stages == nil {
		o.Stages = Stages
	}
	l := &Loop{cfg: o.Config, logger: o.Logger, done: make(chan struct{}), registry: prometheus.NewRegistry()}
	l.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := l.start(ctx, o); err != nil {
		return nil, errors.Join(err, l.closeAll())
	}
	return l, nil
}

// start listens before all else, so that a port in use costs no folder and no topic. Connections
// wait until the stages are built.
func (l *Loop) start(ctx context.Context, o Options) error {
	listener, err := net.Listen("tcp", o.Config.HTTP)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w (give another address with --http, or port 0 for any free one)", o.Config.HTTP, err)
	}
	l.closers = append(l.closers, func() error {
		if err := listener.Close(); !errors.Is(err, net.ErrClosed) { // the server closes it, too
			return err
		}
		return nil
	})
	l.HTTP = reachable(listener.Addr())
	if err := l.connect(o); err != nil {
		return err
	}
	var topics []stream.Topic
	for _, t := range event.Topics(o.Config.Objectives, o.Config.Kafka.Partitions) {
		topics = append(topics, stream.Topic(t))
	}
	if err := l.Client.EnsureTopics(ctx, topics...); err != nil {
		return err
	}
	if err := l.build(o.Stages); err != nil {
		return err
	}
	redis, err := l.dialRedis(features.Serving)
	if err != nil {
		return err
	}
	l.capacity = newCapacity(redis, l.logger, l.registry)
	ctx, l.cancel = context.WithCancel(ctx)
	go l.run(ctx, listener)
	return nil
}

// reachable returns an address by which a client reaches a listener.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// connect starts embedded services where the configuration has no address, and connects to Kafka.
func (l *Loop) connect(o Options) error {
	l.Kafka, l.Redis = o.Config.Kafka.Brokers, o.Config.Redis.Address
	if o.Embedded && (len(l.Kafka) == 0 || l.Redis == "") {
		port := 0
		if o.AnyPort {
			port = -1
		}
		s, err := embedded.Start(embedded.Config{
			Dir: o.Config.Data, KafkaPort: port, RedisPort: port, Logger: o.Logger, NoKafka: len(l.Kafka) > 0, NoRedis: l.Redis != "",
		})
		if err != nil {
			return err
		}
		l.Services = s
		l.closers = append(l.closers, s.Close)
		if len(l.Kafka) == 0 {
			l.Kafka = []string{s.Kafka}
		}
		if l.Redis == "" {
			l.Redis = s.Redis
		}
	}
	if l.Redis == "" {
		return errors.New("no Redis is given: set redis.address, --redis host:port or CLICKLOOP_REDIS")
	}
	kafka := o.Config.Kafka
	kafka.Brokers = l.Kafka
	var err error
	if l.Client, err = kafka.Dial("clickloop", o.Logger, l.registry); err != nil {
		return err
	}
	l.closers = append(l.closers, l.Client.Close)
	return nil
}

// dialRedis returns a client that closes with the Loop.
func (l *Loop) dialRedis(role features.Role) (*features.RedisClient, error) {
	cfg := l.cfg.Redis
	cfg.Address = l.Redis
	client, err := features.DialRedis(cfg, role)
	if err == nil {
		l.closers = append(l.closers, client.Close)
	}
	return client, err
}

// run serves HTTP and runs the stages until ctx ends or one of them fails. Stages outlive the
// server: they stop once the last request is answered.
func (l *Loop) run(ctx context.Context, listener net.Listener) {
	defer close(l.done)
	stages, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range l.stages {
		g.Go(func() error { return s.Run(stages) })
	}
	g.Go(func() error { return l.capacity.run(ctx) })
	if l.keys != nil {
		g.Go(func() error { return l.keys.Run(ctx) })
	}
	g.Go(func() error {
		defer stop()
		return web.Serve(ctx, listener, l.handler(), l.logger)
	})
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		l.err = err
	}
}

// Done is closed when the Loop has ended.
func (l *Loop) Done() <-chan struct{} { return l.done }

// Ready returns nil when every stage's dependencies answer.
func (l *Loop) Ready(ctx context.Context) error {
	for _, s := range l.stages {
		if err := s.Ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// AwaitReady polls Ready until all stages are ready, the Loop has ended, or ctx ends.
func (l *Loop) AwaitReady(ctx context.Context) error {
	for {
		err := l.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", err)
		case <-l.done:
			return fmt.Errorf("ended before it was ready: %w", errors.Join(l.err, err))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// SetRecorded switches ingest and scorer between recorded and wall time.
func (l *Loop) SetRecorded(recorded bool) {
	for _, set := range l.setRecorded {
		set(recorded)
	}
}

// Close stops the stages, then the clients and services that they use, and joins their errors.
func (l *Loop) Close() error {
	if l.cancel != nil {
		l.cancel()
		<-l.done
	}
	return errors.Join(l.err, l.closeAll())
}

// closeAll closes in the reverse order of opening, and goes on after an error.
func (l *Loop) closeAll() error {
	var err error
	for _, c := range slices.Backward(l.closers) {
		err = errors.Join(err, c())
	}
	l.closers = nil
	return err
}
