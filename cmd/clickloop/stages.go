package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/app/tail"
)

// stageCommand runs one stage against Kafka and Redis until a signal. Stages on one machine need
// nothing but --http to be told apart: beside it, an admin address that nobody gave is any free one
// (the default could be the next stage's --http).
func stageCommand(name string) func(context.Context, []string, io.Writer, io.Writer) error {
	return func(ctx context.Context, args []string, _, stderr io.Writer) error {
		examples := fmt.Sprintf("  clickloop %s --kafka localhost:9092 --redis localhost:6379 --http 127.0.0.1:8080\n", name)
		if name == run.Dashboard { // which keeps nothing, and serves administrators
			examples = "  clickloop dashboard --kafka localhost:9092 --http 127.0.0.1:0 --admin 127.0.0.1:8081\n"
		}
		fs := newFlags(name, name+" [flags]", examples, stderr)
		common := config.CommonFlags(fs)
		clock := fs.String("clock", "", "wall, or recorded for replays")
		lockstep := fs.Bool("lockstep", false, "for replays in lockstep: publish weights after every batch")
		verbose := fs.Bool("verbose", false, "log what the stage does, not only what goes wrong")
		if err := parseFlags(fs, args, "", stderr); err != nil {
			return err
		}
		cfg, err := common.Load()
		if err != nil {
			return err
		}
		if *clock != "" {
			cfg.Clock = *clock
			if err := cfg.Validate(); err != nil {
				return fmt.Errorf("--clock: %w", err)
			}
		}
		if *lockstep {
			cfg.Learner.Publish = 0
		}
		if name == run.Bidder && !cfg.Bidding.On() {
			return errors.New("bidding is off: set bidding.campaigns to a file of campaigns, or bidding.enabled to true")
		}
		if err := checkGiven(name, &cfg); err != nil {
			return err
		}
		spare := run.Spare{Admin: !common.Given("admin")}
		if spare.Admin && common.Given("http") {
			cfg.Admin = "127.0.0.1:0"
		}
		l, err := run.Start(ctx, run.Options{Config: cfg, Stages: []string{name}, Spare: spare, Version: version, Logger: newLogger(stderr, *verbose)})
		if err != nil {
			return err
		}
		printMoved(stderr, cfg.Admin, l.Admin)
		if url := l.Dashboard(); url != "" {
			fmt.Fprintf(stderr, "dashboard  %s\n", url)
		}
		fmt.Fprintf(stderr, "%s listens on %s, and on %s for administrators (%s)\n", name, l.HTTP, l.Admin, time.Now().Format(time.RFC3339))
		select {
		case <-ctx.Done():
		case <-l.Done():
		}
		return l.Close()
	}
}

// checkGiven requires brokers. A stage does not search for a running `clickloop up`, as tools do:
// it would share the partitions with up's own stage, and only a person can want that.
func checkGiven(stage string, cfg *config.Config) error {
	if len(cfg.Kafka.Brokers) > 0 {
		return nil
	}
	up, err := findUp(cfg.Data)
	if err != nil {
		return err
	}
	return fmt.Errorf("no Kafka brokers are given. %s runs every stage; for another %s beside it: clickloop %s --kafka %s --redis %s --prefix %s --http 127.0.0.1:0",
		describeUp(up), stage, stage, strings.Join(up.Kafka, ","), tail.ShellQuote(up.Redis), tail.ShellQuote(up.Prefix))
}
