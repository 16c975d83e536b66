package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/config"
	"github.com/clickloop/clickloop/internal/settings"
	"github.com/clickloop/clickloop/stream"
)

const doctorExamples = `  clickloop doctor                                          beside a running ` + "`clickloop up`" + `, whose addresses it finds
  clickloop doctor --config clickloop.yaml --kafka localhost:9092 --redis localhost:6379
  clickloop doctor --ready http://localhost:8080            is that stage ready? (for health checks)
`

func doctorCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := newFlags("doctor", "doctor [flags]", doctorExamples, stderr)
	common := config.CommonFlags(fs)
	ready := fs.String("ready", "", "ask this stage's `URL` for /readyz only")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		fmt.Fprintf(stderr, "clickloop doctor: %q is no flag\n", rest[0])
		return errUsage
	}
	if *ready != "" && fs.NFlag() > 1 {
		fmt.Fprintln(stderr, "clickloop doctor: --ready asks one stage and nothing else: leave the other flags out")
		return errUsage
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if *ready != "" {
		return askReady(ctx, *ready)
	}
	d := doctor{w: stdout}
	cfg, err := common.Load()
	d.report("configuration", err, "correct the line that is named; the reference is in README.md")
	if err == nil {
		d.find(&cfg, common)
		d.kafka(ctx, &cfg)
		d.redis(ctx, &cfg)
	}
	if d.faults > 0 {
		return fmt.Errorf("%d of %d checks failed", d.faults, d.checks)
	}
	return nil
}

func askReady(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(url, "/")+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("not ready: %s", strings.TrimSpace(string(b)))
	}
	return nil
}

// doctor prints a line a check.
type doctor struct {
	w              io.Writer
	checks, faults int
}

func (d *doctor) report(what string, err error, mend string) {
	d.checks++
	if err == nil {
		fmt.Fprintf(d.w, "ok     %s\n", what)
		return
	}
	d.faults++
	fmt.Fprintf(d.w, "WRONG  %s: %v\n       mend it: %s\n", what, err, mend)
}

// find takes the addresses of the `clickloop up` that runs here, if there is one.
func (d *doctor) find(cfg *config.Config, common *config.Common) {
	up, err := findUp(cfg.Data)
	if len(cfg.Kafka.Brokers) > 0 {
		if up = upAt(cfg.Kafka.Brokers); up == nil {
			return
		}
		err = nil
	}
	switch {
	case err == nil:
		useUp(cfg, common, up)
		d.report("running "+describeUp(up), nil, "")
	case !errors.Is(err, errNoBrokers):
		d.report("running `clickloop up`", err, "say which")
	}
}

// kafka checks that brokers answer, that topics are as they should be, and that weights are on them.
func (d *doctor) kafka(ctx context.Context, cfg *config.Config) {
	if len(cfg.Kafka.Brokers) == 0 {
		d.report("Kafka", errors.New("no brokers are given"), "set kafka.brokers, --kafka host:port or CLICKLOOP_KAFKA; `clickloop up` runs an embedded one")
		return
	}
	client, err := stream.Dial(stream.Config{Brokers: cfg.Kafka.Brokers, Prefix: cfg.Kafka.Prefix, ClientID: "clickloop-doctor"})
	if err == nil {
		defer client.Close()
		bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
		err = client.Ping(bounded)
		cancel()
	}
	d.report("Kafka at "+strings.Join(cfg.Kafka.Brokers, ","), err, "start Kafka there, or give the right address; from inside a container it is not localhost")
	if err != nil {
		return
	}
	for _, t := range event.Topics(cfg.Objectives, cfg.Kafka.Partitions) {
		bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := client.CheckTopic(bounded, stream.Topic{Name: t.Name, Partitions: t.Partitions, Retention: t.Retention})
		cancel()
		mend := "start the stages, or `clickloop up`: they make topics that are missing"
		var wrong *stream.TopicError
		if errors.As(err, &wrong) {
			err, mend = fmt.Errorf("%s is %s, want %s", wrong.Setting, wrong.Found, wrong.Wanted), wrong.Mend
		}
		d.report("topic "+cfg.Kafka.Prefix+t.Name, err, mend)
	}
	for _, o := range cfg.Objectives {
		bounded, cancel := context.WithTimeout(ctx, 5*time.Second)
		ranges, err := client.Offsets(bounded, event.TopicModel(o.Served()))
		cancel()
		if err == nil && ranges[0].First >= ranges[0].End {
			err = errors.New("its topic holds none")
		}
		d.report("weights of "+o.Served(), err, "start `clickloop learner`: it publishes a snapshot as it starts")
	}
}

func (d *doctor) redis(ctx context.Context, cfg *config.Config) {
	if cfg.Redis.Address == "" {
		d.report("Redis", errors.New("no address is given"), "set redis.address, --redis host:port or CLICKLOOP_REDIS; `clickloop up` runs an embedded one")
		return
	}
	address := settings.Redact(cfg.Redis.Address)
	if strings.Contains(cfg.Redis.Address, "***@") {
		d.report("Redis at "+address, errors.New("its password is kept nowhere"), "give the whole address by --redis or CLICKLOOP_REDIS")
		return
	}
	client, err := features.DialRedis(cfg.Redis.Address, features.Serving)
	if err == nil {
		defer client.Close()
		bounded, cancel := context.WithTimeout(ctx, 3*time.Second)
		err = client.Ping(bounded).Err()
		cancel()
	}
	d.report("Redis at "+address, err, "start Redis 7.0 or newer there, or give the right address, with its user and password if it has them")
	if err != nil {
		return
	}
	policy, err := client.ConfigGet(ctx, "maxmemory-policy").Result()
	if err == nil {
		if p := policy["maxmemory-policy"]; p != "" && p != "noeviction" {
			err = fmt.Errorf("maxmemory-policy is %s: profiles would vanish silently when memory is full", p)
		}
		d.report("Redis keeps what it is given", err, "redis-cli config set maxmemory-policy noeviction")
	}
}
