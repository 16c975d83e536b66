package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/app/replay"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/internal/access"
)

const replayExamples = `  clickloop replay examples/bank-marketing --collector http://localhost:8080 --collector-admin http://localhost:8081
  clickloop replay examples/bank-marketing --speed 60           a recorded minute a second
  clickloop replay examples/bank-marketing --lockstep           the stages must run with --clock recorded
`

// playFlags are the flags of `up --replay` and `replay` about the pace and the length of a replay.
type playFlags struct {
	lockstep bool
	speed    float64
	limit    int64
}

// declare declares the flags on fs.
func (p *playFlags) declare(fs *flag.FlagSet) {
	fs.BoolVar(&p.lockstep, "lockstep", false, "before a tick of recorded time, wait until every label due by then is learned and served")
	fs.Float64Var(&p.speed, "speed", 0, "recorded seconds a second; 0 for as fast as it goes")
	fs.Int64Var(&p.limit, "limit", 0, "play the first `N` requests only")
}

// check refuses flags that contradict each other.
func (p *playFlags) check() error {
	switch {
	case !(p.speed >= 0) || math.IsInf(p.speed, 0):
		return fmt.Errorf("--speed is %v, want recorded seconds a second, or 0 for as fast as it goes", p.speed)
	case p.lockstep && p.speed > 0:
		return errors.New("--lockstep and --speed contradict each other: in lockstep, what is learned says how fast it goes")
	case p.limit < 0:
		return fmt.Errorf("--limit is %d, want how many requests, or 0 for all", p.limit)
	}
	return nil
}

// startPatience is how long a command waits for a collector or a broker that is starting.
const startPatience = 10 * time.Second

// replayCommand plays a recording over HTTP, like any client, into stages that run elsewhere.
func replayCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := newFlags("replay", "replay RECORDING [flags]", replayExamples, stderr)
	common := config.CommonFlags(fs)
	var to targets
	to.declare(fs)
	var play playFlags
	play.declare(fs)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return misused(stderr, "replay", "name one recording, such as examples/bank-marketing")
	}
	rec, err := recording.Open(rest[0])
	if err != nil {
		return err
	}
	if err := play.check(); err != nil {
		return misused(stderr, "replay", "%v", err)
	}
	cfg, err := common.LoadBeside("", config.Recorded{Name: rec.Name(), Objective: rec.Objective()})
	if err != nil {
		return err
	}
	rec.Adopt(cfg.Objective(rec.Objective().Name))
	to.complete(&cfg, common, stderr)
	client, err := to.client()
	if err != nil {
		return err
	}
	logger := newLogger(stderr, false)
	err = within(ctx, startPatience, func(ctx context.Context) error { return replay.CheckClock(ctx, client, to.collectorAdmin, logger) })
	if err != nil {
		return err
	}
	resume, err := resumeRow(ctx, &cfg, rec, logger)
	if err != nil {
		return err
	}
	keys, err := cfg.SignKeys(logger)
	if err != nil {
		return err
	}
	d, err := replay.New(replay.Config{
		Recording: rec, Objective: rec.Objective(), Tick: rec.Tick(), Limit: play.limit, Lockstep: play.lockstep, Speed: play.speed, Resume: resume,
		Collector: to.collector, CollectorAdmin: to.collectorAdmin, Scorer: to.scorer, ScorerAdmin: to.scorerAdmin, Client: client, Keys: keys, Logger: logger,
	})
	if err != nil {
		return err
	}
	began := time.Now()
	if err := d.Run(ctx); err != nil {
		return err
	}
	printNotices("replay", rec.Notices(), stderr)
	rows := d.Progress.Rows.Load()
	fmt.Fprintf(stdout, "%d requests, %d events, %d refused in %.1f s: %.0f requests/s\n",
		rows, d.Progress.Events.Load(), d.Progress.Rejected.Load(), time.Since(began).Seconds(), float64(rows)/time.Since(began).Seconds())
	return nil
}

// targets are the URLs that replay calls, of both ports of ingest and of the scorer, and the file
// of the key that it sends.
type targets struct{ collector, collectorAdmin, scorer, scorerAdmin, keyFile string }

// declare declares the flags on fs.
func (t *targets) declare(fs *flag.FlagSet) {
	fs.StringVar(&t.collector, "collector", "", "`URL` of ingest (default: that of the running `clickloop up`, or http://127.0.0.1:8080)")
	fs.StringVar(&t.collectorAdmin, "collector-admin", "", "`URL` of ingest's admin port (default: that of the running `clickloop up`, or port 8081 of --collector's host)")
	fs.StringVar(&t.scorer, "scorer", "", "`URL` of the scorer (default: that of --collector)")
	fs.StringVar(&t.keyFile, "key-file", "", "`file` whose first line is sent as the key with every call, good for events, score and admin where these want one")
	fs.StringVar(&t.scorerAdmin, "scorer-admin", "", "`URL` of the scorer's admin port (default: that of --collector-admin, or port 8081 of --scorer's host)")
}

// complete fills in what no flag gives: the addresses of the `clickloop up` on this machine, which
// also complete cfg, or the default ports.
func (t *targets) complete(cfg *config.Config, common *config.Common, stderr io.Writer) {
	if t.collector == "" {
		t.collector = "http://127.0.0.1:8080"
		if up, err := findUp(cfg.Data); err == nil && len(cfg.Kafka.Brokers) == 0 {
			useUp(cfg, common, up)
			fmt.Fprintf(stderr, "into the running %s\n", describeUp(up))
			t.collector, t.collectorAdmin = urlOf(up.HTTP, up.HTTPS), cmp.Or(t.collectorAdmin, urlOf(up.Admin, up.AdminHTTPS))
		}
	}
	t.collectorAdmin = cmp.Or(t.collectorAdmin, adminOf(t.collector))
	if t.scorer == "" {
		t.scorer, t.scorerAdmin = t.collector, cmp.Or(t.scorerAdmin, t.collectorAdmin)
	}
	t.scorerAdmin = cmp.Or(t.scorerAdmin, adminOf(t.scorer))
	for _, url := range []*string{&t.collector, &t.collectorAdmin, &t.scorer, &t.scorerAdmin} {
		*url = strings.TrimSuffix(*url, "/")
	}
}

// client returns the client that sends the key.
func (t *targets) client() (*http.Client, error) {
	with := access.Bearer{Next: http.DefaultTransport}
	if t.keyFile != "" {
		var err error
		if with.Key, err = access.ReadKey(t.keyFile); err != nil {
			return nil, fmt.Errorf("--key-file: %w", err)
		}
	}
	return &http.Client{Timeout: time.Minute, Transport: with}, nil
}

// adminOf returns the URL of the default admin port beside a public one.
func adminOf(public string) string {
	u, err := url.Parse(public)
	if err != nil {
		return public // whoever asks it tells what is wrong with it
	}
	return u.Scheme + "://" + net.JoinHostPort(u.Hostname(), "8081")
}

// resumeRow returns the last row that an interrupted replay of rec has played. Without Kafka's
// address it returns 0. The replay then begins at the start, and stages recognize what repeats.
func resumeRow(ctx context.Context, cfg *config.Config, rec *recording.Recording, logger *slog.Logger) (int64, error) {
	if len(cfg.Kafka.Brokers) == 0 {
		return 0, nil
	}
	client, err := dialKafka(ctx, cfg.Kafka, "clickloop-replay", logger)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	return run.LastRow(ctx, client, rec.Name())
}
