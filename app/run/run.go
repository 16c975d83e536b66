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
	"slices"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/access"
	"github.com/clickloop/clickloop/internal/embedded"
	"github.com/clickloop/clickloop/internal/field"
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
	Spare    Spare    // ports that may be other ones than configured
	Version  string   // of the program, for the dashboard
	Logger   *slog.Logger
}

// Loop is a running process of stages.
type Loop struct {
	HTTP     string // host:port of the public port
	Admin    string // host:port of the admin port
	Kafka    []string
	Redis    string
	Client   *stream.Client
	Services *embedded.Services // nil when both services are elsewhere

	front

	cfg         config.Config
	logger      *slog.Logger
	registry    *prometheus.Registry
	closers     []func() error                // Close calls them in reverse order
	running     []func(context.Context) error // run beside the stages
	stages      []stage
	calls       []registrar  // answered beside the stages
	setRecorded []func(bool) // switch the stages between recorded and wall time
	stores      []store
	capacity    *capacity     // nil when no stage has a store
	keeper      *keeper       // nil without embedded services
	keys        *signing.Ring // nil: nothing is signed
	version     string

	cancel context.CancelFunc
	done   chan struct{} // closed when the Loop has ended
	err    error         // why it ended; read it after done is closed
}

// Start returns when the topics exist, the stages run, and the listener accepts. The caller closes
// the Loop.
func Start(ctx context.Context, o Options) (*Loop, error) {
	if o.Stages == nil {
		o.Stages = StagesOf(&o.Config)
	}
	l := &Loop{cfg: o.Config, logger: o.Logger, version: o.Version, done: make(chan struct{}), registry: prometheus.NewRegistry()}
	l.metrics, l.readiness.check = web.NewMetrics(l.registry), l.check
	l.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := l.start(ctx, o); err != nil {
		return nil, errors.Join(err, l.closeAll())
	}
	return l, nil
}

// start listens before all else, so that a port in use costs no folder and no topic. Connections
// wait until the stages are built.
func (l *Loop) start(ctx context.Context, o Options) error {
	var err error
	if l.gate, err = access.New(o.Config.Access, o.Config.Ingest.Rate, l.logger, l.registry); err != nil {
		return err
	}
	if l.certificates, err = readCertificates(o.Config, l.logger); err != nil {
		return err
	}
	ports, err := l.listen(o)
	if err != nil {
		return err
	}
	if err := l.checkExposure(o, ports); err != nil {
		return err
	}
	l.transport = l.certificates.newTransport()
	warnOfReaders(o.Config.Data, o.Logger)
	warnOfReaders(o.Config.Scorer.Spool, o.Logger)
	if err := l.connect(o); err != nil {
		return err
	}
	needs, topics := used(o.Stages, &o.Config)
	if err := l.Client.CheckAccess(ctx, needs...); err != nil {
		return err
	}
	if l.Services != nil && l.Services.Kafka != "" {
		boundTopics(topics)
	}
	if !slices.Equal(o.Stages, []string{Dashboard}) { // which shows that topics are missing
		if err := l.Client.EnsureTopics(ctx, topics...); err != nil {
			return err
		}
	}
	if err := l.build(o.Stages); err != nil {
		return err
	}
	if l.Services != nil {
		l.keeper = newKeeper(l, topics, o.Config.Clock == config.ClockRecorded)
	}
	l.names = o.Stages
	if err := l.diagnoseStores(ctx); err != nil {
		return err
	}
	ctx, l.cancel = context.WithCancel(ctx)
	go l.run(ctx, ports)
	return nil
}

// connect starts embedded services where the configuration has no address, and connects to Kafka.
func (l *Loop) connect(o Options) error {
	l.Kafka, l.Redis = o.Config.Kafka.Brokers, o.Config.Redis.String()
	if secured := o.Config.Kafka.Secured(); len(l.Kafka) == 0 && secured != "" {
		return field.Wrong(secured, "is given without kafka.brokers, want brokers: the embedded broker takes plain text from this machine only")
	}
	if o.Embedded && l.Redis == "" && o.Config.Redis.Password.Given() {
		return fmt.Errorf("%s is given, but Redis has no address and is the embedded one: set redis.address, --redis or CLICKLOOP_REDIS", features.RedisPassword)
	}
	if o.Embedded && (len(l.Kafka) == 0 || l.Redis == "") {
		port := 0
		if o.AnyPort {
			port = -1
		}
		s, err := embedded.Start(embedded.Config{
			Dir: o.Config.Data, KafkaPort: port, RedisPort: port, Logger: o.Logger, NoKafka: len(l.Kafka) > 0, NoRedis: l.Redis != "",
			Bounds: embeddedBounds(),
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
			l.cfg.Redis = features.RedisConfig{Address: s.Redis}
		}
	}
	if l.Redis == "" && slices.ContainsFunc(o.Stages, HasStore) {
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
	client, err := features.DialRedis(l.cfg.Redis, role)
	if err == nil {
		l.closers = append(l.closers, client.Close)
	}
	return client, err
}

// diagnoseFor bounds the questions to Redis before a process starts.
const diagnoseFor = 5 * time.Second

// diagnoseStores returns what only a person can mend, such as a wrong password or a right that is
// missing. A Redis that is away is waited for: stages repeat until it is back.
func (l *Loop) diagnoseStores(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, diagnoseFor)
	defer cancel()
	for _, s := range l.stores {
		err := s.client.Diagnose(ctx, s.rights)
		var fault *features.RedisFault
		if errors.As(err, &fault) && !fault.Passing() {
			return fmt.Errorf("cannot use Redis at %s: %w", l.Redis, fault)
		}
	}
	if len(l.stores) == 0 {
		return nil
	}
	var err error
	if l.redis, err = l.dialRedis(features.Serving); err == nil {
		l.capacity = newCapacity(l.redis, l.logger, l.registry)
	}
	return err
}

// run serves both ports and runs the stages until ctx ends or one of them fails. Stages outlive the
// servers: they stop once the last request is answered.
func (l *Loop) run(ctx context.Context, ports *ports) {
	defer close(l.done)
	stages, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range l.stages {
		g.Go(func() error { return s.Run(stages) })
	}
	if l.capacity != nil {
		g.Go(func() error { return l.capacity.run(ctx) })
	}
	g.Go(func() error { return l.certificates.run(ctx, l.logger) })
	g.Go(func() error { return l.gate.Run(ctx) })
	if l.keeper != nil {
		g.Go(func() error { return l.keeper.run(ctx) })
	}
	for _, fn := range l.running {
		g.Go(func() error { return fn(ctx) })
	}
	if l.keys != nil {
		g.Go(func() error { return l.keys.Run(ctx) })
	}
	g.Go(func() error {
		defer stop()
		return l.serve(ctx, ports)
	})
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		l.err = err
	}
}

// Done is closed when the Loop has ended.
func (l *Loop) Done() <-chan struct{} { return l.done }

// Ready returns nil when every stage's dependencies answer.
func (l *Loop) Ready(ctx context.Context) error {
	_, err := l.firstNotReady(ctx)
	return err
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
