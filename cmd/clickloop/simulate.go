package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/app/simulate"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/access"
)

const simulateExamples = `  clickloop simulate auctions --up --config examples/bidding/clickloop.yaml    a day in a minute or so
  clickloop simulate auctions --config examples/bidding/clickloop.yaml         into the running up, by its clock
  clickloop simulate auctions --bidder http://localhost:8080 --rate 100 --for 5m
`

// simulateOptions holds the flags of simulate.
type simulateOptions struct {
	common *config.Common
	cfg    simulate.Config
	at     string
	start  string
	hours  float64

	up        bool
	admin     string // URL
	campaigns string // file
	keyFile   string
	json      bool
}

// simulateCommand sells simulated auctions to a bidder, over HTTP like any exchange.
func simulateCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o simulateOptions
	fs := newFlags("simulate", "simulate auctions [flags]", simulateExamples, stderr)
	o.common = config.CommonFlags(fs)
	o.declare(fs)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 || rest[0] != "auctions" {
		return misused(stderr, "simulate", "want auctions; --help shows examples")
	}
	cfg, err := o.common.Load()
	if err != nil {
		return err
	}
	if err := o.complete(&cfg); err != nil {
		return misused(stderr, "simulate", "%v", err)
	}
	if o.up {
		return o.runUp(ctx, cfg, stdout, stderr)
	}
	o.target(&cfg, stderr)
	return o.run(ctx, &cfg, stdout, stderr)
}

// declare declares the flags on fs.
func (o *simulateOptions) declare(fs *flag.FlagSet) {
	c := &o.cfg
	fs.BoolVar(&o.up, "up", false, "run every stage in this process, in simulated time, with embedded Kafka and Redis unless addresses are given")
	fs.StringVar(&c.Bidder, "bidder", "", "`URL` of the bidder (default: that of the running `clickloop up`, or http://127.0.0.1:8080)")
	fs.StringVar(&o.admin, "bidder-admin", "", "`URL` of its admin port (default: that of the running `clickloop up`, or port 8081 of --bidder's host)")
	fs.StringVar(&o.keyFile, "key-file", "", "`file` whose first line is sent as the key with every call, good for bid, events and admin where these want one")
	fs.Uint64Var(&c.Seed, "seed", 0, "seed of all chance; 0: another one each time. It is printed")
	fs.StringVar(&o.at, "at", "mixed", "`price` that winners pay: 1 (their own), 2 (the second), or mixed")
	fs.Float64Var(&o.hours, "hours", 24, "simulated hours, where the bidder's clock is recorded")
	fs.Float64Var(&c.PerHour, "per-hour", 1000, "auctions a simulated hour, on average of a day")
	fs.StringVar(&o.start, "start", "", "simulated `time` of the start (default: the midnight after what the bidder has seen)")
	fs.BoolVar(&c.Flat, "flat", false, "the same traffic at every hour")
	fs.IntVar(&c.Outage, "outage", -1, "`hour` of the day in which two thirds of the traffic are missing; -1: none")
	fs.DurationVar(&c.Tick, "tick", 0, "simulated time of which auctions are sold before the notices of any are sent; 0: by --per-hour, at most 30s")
	fs.Float64Var(&c.Rate, "rate", 50, "auctions a second, where the bidder's clock is the wall's")
	fs.DurationVar(&c.For, "for", time.Minute, "how long auctions are sold, where the bidder's clock is the wall's")
	fs.IntVar(&c.Connections, "connections", 8, "auctions, and notices, that are sent at once")
	fs.BoolVar(&c.Pack, "gzip", false, "pack bid requests")
	fs.BoolVar(&c.HideMinToWin, "no-min-to-win", false, "do not tell what would have won")
	fs.BoolVar(&c.HideLosses, "no-losses", false, "do not tell of lost auctions")
	fs.StringVar(&o.campaigns, "campaigns", "", "`file` of the bidder's campaigns, for the oracle and the report (default: that of the configuration)")
	fs.StringVar(&c.Objective, "objective", "click", "`name` of the bidder's objective of clicks")
	fs.BoolVar(&o.json, "json", false, "print the report as one JSON object on standard output")
}

// complete checks the flags, and makes the exchange's configuration of them.
func (o *simulateOptions) complete(cfg *config.Config) error {
	switch o.at {
	case "1":
		o.cfg.At = 1
	case "2":
		o.cfg.At = 2
	case "mixed":
	default:
		return fmt.Errorf("--at is %q, want 1, 2 or mixed", o.at)
	}
	if o.start != "" {
		var err error
		if o.cfg.Start, err = event.ParseTime(o.start); err != nil {
			return fmt.Errorf("--start %w", err)
		}
	}
	if o.up && (o.cfg.Bidder != "" || o.admin != "") {
		return errors.New("--up and --bidder contradict each other: --up runs the bidder itself")
	}
	if o.up && !cfg.Bidding.On() {
		return errors.New("--up needs a configuration that bids: --config examples/bidding/clickloop.yaml")
	}
	o.cfg.Length = time.Duration(o.hours * float64(time.Hour))
	if o.cfg.Seed == 0 {
		o.cfg.Seed = uint64(rand.Uint32()) + 1
	}
	checked := o.cfg
	checked.Bidder, checked.Admin = cmp.Or(o.cfg.Bidder, "http://127.0.0.1:8080"), cmp.Or(o.admin, "http://127.0.0.1:8081")
	if err := checked.Validate(); err != nil {
		return fmt.Errorf("--%w", err)
	}
	return nil
}

// target fills in the bidder's addresses: those of the `clickloop up` on this machine, which also
// completes cfg, or the default ports.
func (o *simulateOptions) target(cfg *config.Config, stderr io.Writer) {
	if o.cfg.Bidder == "" {
		o.cfg.Bidder = "http://127.0.0.1:8080"
		if up, err := findUp(cfg.Data); err == nil {
			useUp(cfg, o.common, up)
			fmt.Fprintf(stderr, "into the running %s\n", describeUp(up))
			o.cfg.Bidder, o.admin = urlOf(up.HTTP, up.HTTPS), cmp.Or(o.admin, urlOf(up.Admin, up.AdminHTTPS))
		}
	}
	o.cfg.Admin = cmp.Or(o.admin, adminOf(o.cfg.Bidder))
}

// runUp runs the stages in simulated time while the exchange sells.
func (o *simulateOptions) runUp(ctx context.Context, cfg config.Config, stdout, stderr io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cfg.Clock = config.ClockRecorded
	cfg.Learner.Publish = 0 // the exchange waits for the scorer
	l, err := run.Start(ctx, run.Options{
		Config: cfg, Embedded: true, Version: version, Logger: newLogger(stderr, false),
		Spare: run.Spare{HTTP: !o.common.Given("http"), Admin: !o.common.Given("admin")},
	})
	if err != nil {
		return err
	}
	err = within(ctx, time.Minute, l.AwaitReady)
	if err == nil {
		o.cfg.Bidder, o.cfg.Admin = urlOf(l.HTTP, cfg.HTTPS.Enabled()), urlOf(l.Admin, cfg.AdminHTTPS.Enabled())
		err = o.run(ctx, &cfg, stdout, stderr)
	}
	return errors.Join(err, l.Close())
}

// run sells until the end of the time, and prints the report.
func (o *simulateOptions) run(ctx context.Context, cfg *config.Config, stdout, stderr io.Writer) error {
	o.cfg.Objectives = cfg.Objectives
	o.cfg.Logger = newLogger(stderr, false)
	if path := cmp.Or(o.campaigns, cfg.Bidding.Campaigns); path != "" {
		var names []string
		for i := range cfg.Objectives {
			names = append(names, cfg.Objectives[i].Name)
		}
		var err error
		if o.cfg.Campaigns, err = campaign.Load(path, names); err != nil {
			return err
		}
	}
	transport := access.Bearer{Next: transport(o.cfg.Connections)}
	if o.keyFile != "" {
		var err error
		if transport.Key, err = access.ReadKey(o.keyFile); err != nil {
			return fmt.Errorf("--key-file: %w", err)
		}
	}
	o.cfg.Client = &http.Client{Timeout: time.Minute, Transport: transport}
	x, err := simulate.New(o.cfg)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "seed %d\n", o.cfg.Seed)
	stop := showSales(x, stderr)
	report, err := x.Run(ctx)
	stop()
	if err != nil {
		return err
	}
	if o.json {
		return json.NewEncoder(stdout).Encode(report)
	}
	return report.Print(stdout)
}

// transport keeps as many connections as are used at once.
func transport(connections int) http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = connections
	return t
}

// showSales shows how far x is until stop is called: in place on a terminal, else by a line every
// five seconds.
func showSales(x *simulate.Exchange, w io.Writer) (stop func()) {
	interval, inLine := 5*time.Second, isTerminal(w)
	if inLine {
		interval = 500 * time.Millisecond
	}
	end := every(interval, func() {
		p := x.Progress()
		if p.Requests == 0 {
			return
		}
		line := bar(int64(p.Share*1000), 1000) + " " + p.Line()
		if inLine {
			fmt.Fprintf(w, "\r\033[K%s", line)
			return
		}
		fmt.Fprintln(w, line)
	})
	return func() {
		end()
		if inLine {
			fmt.Fprint(w, "\r\033[K")
		}
	}
}
