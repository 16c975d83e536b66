// Package run puts the stages together in one process: all of them for `clickloop up`, one of them
// for the commands of a stage.
package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/feedback"
	"github.com/clickloop/clickloop/ingest"
	"github.com/clickloop/clickloop/internal/embedded"
	"github.com/clickloop/clickloop/internal/web"
	"github.com/clickloop/clickloop/learner"
	"github.com/clickloop/clickloop/scorer"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"
)

// Stages are the names of all stages.
var Stages = []string{"ingest", "scorer", "feedback", "learner"}

// Options say what runs.
type Options struct {
	Config   config.Config
	Stages   []string // names of those that run here; nil for all
	Embedded bool     // run Kafka and Redis inside the process where no address is given
	AnyPort  bool     // embedded services on any free ports
	Logger   *slog.Logger
}

// Loop is a running process of stages.
type Loop struct {
	HTTP   string // host:port
	Kafka  []string
	Redis  string
	Client *stream.Client

	cfg      config.Config
	logger   *slog.Logger
	services *embedded.Services
	closers  []func() error
	clock    *ingest.Clock
	scorer   *scorer.Scorer
	stages   []stage
	registry *prometheus.Registry
	listener net.Listener
	cancel   context.CancelFunc
	capacity *capacity
	done     chan struct{}
	err      error
}

// stage is what every stage offers.
type stage interface {
	Register(*http.ServeMux)
	Run(context.Context) error
	Ready(context.Context) error
}

// Start brings up what o says and returns when topics are there, stages run and the listener
// accepts. The caller closes the Loop.
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

func (l *Loop) start(ctx context.Context, o Options) error {
	var err error
	if l.listener, err = net.Listen("tcp", o.Config.HTTP); err != nil {
		return fmt.Errorf("cannot listen on %s: %w (give another address with --http, or port 0 for any free one)", o.Config.HTTP, err)
	}
	l.HTTP = reachable(l.listener.Addr())
	if err := l.connect(o); err != nil {
		return err
	}
	topics := make([]stream.Topic, 0, 8)
	for _, t := range event.Topics(o.Config.Objectives, o.Config.Kafka.Partitions) {
		topics = append(topics, stream.Topic{Name: t.Name, Partitions: t.Partitions, Retention: t.Retention, RetentionBytes: t.RetentionBytes, SegmentBytes: t.SegmentBytes,
			AppendTime: t.AppendTime, NeedMessage: t.NeedMessage, Busy: t.Busy, Ordered: t.Ordered})
	}
	if err := l.Client.EnsureTopics(ctx, topics...); err != nil {
		return err
	}
	if err := l.build(o); err != nil {
		return err
	}
	if err := l.watchRedis(); err != nil {
		return err
	}
	runCtx, cancel := context.WithCancel(ctx)
	l.cancel = cancel
	go l.run(runCtx)
	return nil
}

// reachable turns a listener's address into one that a client can use.
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

// connect starts the embedded services that are wanted, and connects to Kafka.
func (l *Loop) connect(o Options) error {
	l.Kafka, l.Redis = o.Config.Kafka.Brokers, o.Config.Redis.Address
	if o.Embedded && (len(l.Kafka) == 0 || l.Redis == "") {
		port := map[bool]int{true: -1, false: 0}[o.AnyPort]
		s, err := embedded.Start(embedded.Config{
			Dir: o.Config.Data, KafkaPort: port, RedisPort: port, Logger: o.Logger, NoKafka: len(l.Kafka) > 0, NoRedis: l.Redis != "",
		})
		if err != nil {
			return err
		}
		l.services = s
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
	client, err := stream.Dial(stream.Config{Brokers: l.Kafka, Prefix: o.Config.Kafka.Prefix, ClientID: "clickloop", Logger: o.Logger, Registerer: l.registry})
	if err != nil {
		return err
	}
	l.Client = client
	l.closers = append(l.closers, client.Close)
	return nil
}

// watchRedis makes what looks after the memory of Redis.
func (l *Loop) watchRedis() error {
	client, err := features.DialRedis(features.RedisConfig{Address: l.Redis}, features.Serving)
	if err != nil {
		return err
	}
	l.closers = append(l.closers, client.Close)
	l.capacity = newCapacity(client, l.logger, l.registry)
	return nil
}

// outcomeTTL is how long outcomes are kept: until the longest window has certainly been labelled.
func outcomeTTL(c *config.Config) time.Duration {
	return event.LongestWindow(c.Objectives) + c.Feedback.OutcomeTTL
}

// build makes the stages.
func (l *Loop) build(o Options) error {
	cfg := &o.Config
	set, err := features.Compile(cfg.Features)
	if err != nil {
		return err
	}
	now := func() event.Time { return event.TimeOf(time.Now()) }
	recorded := cfg.Clock == config.ClockRecorded
	l.clock = ingest.NewClock(now, recorded)
	prefix := cfg.Kafka.Prefix
	store := func(role features.Role, namespace string, ttl time.Duration) (features.Store, error) {
		c, err := features.DialRedis(features.RedisConfig{Address: l.Redis}, role)
		if err != nil {
			return nil, err
		}
		l.closers = append(l.closers, c.Close)
		return features.NewRedis(c, prefix, namespace, ttl), nil
	}
	profileTTL := set.Retention() + 24*time.Hour
	for _, name := range o.Stages {
		var s stage
		var err error
		switch name {
		case "ingest":
			var profiles features.Store
			if profiles, err = store(features.Writing, "profiles", profileTTL); err == nil {
				s, err = ingest.New(cfg.Ingest, ingest.Deps{Client: l.Client, Set: set, Store: profiles, Clock: l.clock, Watermark: cfg.Watermark, Logger: l.logger, Registerer: l.registry})
			}
		case "scorer":
			var profiles features.Store
			if profiles, err = store(features.Serving, "profiles", profileTTL); err == nil {
				l.scorer, err = scorer.New(cfg.Scorer, scorer.Deps{
					Client: l.Client, Objectives: cfg.Objectives, Priors: cfg.Priors(), Set: set, Store: profiles, Now: now, Recorded: recorded, Logger: l.logger, Registerer: l.registry,
				})
				s = l.scorer
			}
		case "feedback":
			var outcomes features.Store
			if outcomes, err = store(features.Writing, "outcomes", outcomeTTL(cfg)); err == nil {
				s, err = feedback.New(cfg.Feedback, feedback.Deps{Client: l.Client, Objectives: cfg.Objectives, OneOrder: recorded && len(o.Stages) == len(Stages), Outcomes: outcomes, Now: now, Recorded: l.clock.Recorded, Watermark: cfg.Watermark, Logger: l.logger, Registerer: l.registry})
			}
		case "learner":
			dir := ""
			if cfg.Data != "" {
				dir = filepath.Join(cfg.Data, "checkpoints")
			}
			s, err = learner.New(cfg.Learner, learner.Deps{
				Client: l.Client, Objectives: cfg.Objectives, Model: cfg.Model, Networks: cfg.Networks, Dir: dir, Now: now, Logger: l.logger, Registerer: l.registry,
			})
		default:
			err = fmt.Errorf("there is no stage %q, only %s", name, strings.Join(Stages, ", "))
		}
		if err != nil {
			return fmt.Errorf("cannot build %s: %w", name, err)
		}
		l.stages = append(l.stages, s)
	}
	return nil
}

// run serves and runs the stages until ctx ends or one of them cannot go on. Calls end first, and
// then the stages: what a call has given to a stage is written before that ends.
func (l *Loop) run(ctx context.Context) {
	defer close(l.done)
	stages, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range l.stages {
		g.Go(func() error { return s.Run(stages) })
	}
	g.Go(func() error { return l.capacity.run(ctx) })
	g.Go(func() error {
		defer stop()
		return web.Serve(ctx, l.listener, l.handler(), l.logger)
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

// AwaitReady polls Ready until it returns nil, the Loop ends or ctx does.
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

// SetRecorded turns the clock of ingest and scorer.
func (l *Loop) SetRecorded(recorded bool) {
	l.clock.SetRecorded(recorded)
	if l.scorer != nil {
		l.scorer.SetRecorded(recorded)
	}
}

// Services are the embedded ones, nil when there are none.
func (l *Loop) Services() *embedded.Services { return l.services }

// Close stops the stages, then what they stand on, and returns the first fault.
func (l *Loop) Close() error {
	if l.cancel != nil {
		l.cancel()
		<-l.done
	}
	return errors.Join(l.err, l.closeAll())
}

func (l *Loop) closeAll() error {
	var err error
	for _, c := range slices.Backward(l.closers) {
		err = errors.Join(err, c())
	}
	l.closers = nil
	if l.listener != nil {
		if e := l.listener.Close(); e != nil && !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	return err
}
