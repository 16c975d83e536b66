package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/app/recording"
	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/internal/settings"
)

const upExamples = `  clickloop up                                              every stage, embedded Kafka and Redis
  clickloop up --replay examples/bank-marketing --lockstep  and recorded data through it, as in real time
  clickloop up --replay examples/bank-marketing --exit --json    as fast as it goes
  clickloop up --kafka localhost:9092 --redis localhost:6379 --data ./data
`

// upOptions holds the flags of up.
type upOptions struct {
	playFlags
	common    *config.Common
	replay    string
	exit      bool
	json      bool
	addresses string // file to write
	verbose   bool
}

// upCommand runs all stages in one process. It needs no other service: Kafka and Redis are embedded
// where no address is given.
func upCommand(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o upOptions
	fs := newFlags("up", "up [flags]", upExamples, stderr)
	o.common = config.CommonFlags(fs)
	fs.StringVar(&o.replay, "replay", "", "play this `recording` (a folder with recording.yaml) through the loop")
	o.playFlags.declare(fs)
	fs.BoolVar(&o.exit, "exit", false, "end when the recording has been played, judged and learned")
	fs.BoolVar(&o.json, "json", false, "print the summary as one JSON object on standard output")
	fs.StringVar(&o.addresses, "addresses", "", "write HTTP=, ADMIN=, KAFKA= and REDIS= lines to this `file` once all are ready")
	fs.BoolVar(&o.verbose, "verbose", false, "log what stages do, not only what goes wrong")
	if err := parseFlags(fs, args, "; a recording goes behind --replay", stderr); err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return misused(stderr, "up", "%v", err)
	}
	return up(ctx, o, stdout, stderr)
}

// load opens the recording, if a flag names one, and loads the configuration. The recording
// completes its objective there.
func (o *upOptions) load() (*recording.Recording, config.Config, error) {
	if o.replay == "" {
		cfg, err := o.common.Load()
		return nil, cfg, err
	}
	rec, err := recording.Open(o.replay)
	if err != nil {
		return nil, config.Config{}, err
	}
	cfg, err := o.common.LoadBeside(rec.ConfigFile(), config.Recorded{Name: rec.Name(), Objective: rec.Objective(), Shown: rec.Shown()})
	if err != nil {
		return rec, cfg, err
	}
	cfg.Clock = config.ClockRecorded
	rec.Adopt(cfg.Objective(rec.Objective().Name))
	return rec, cfg, nil
}

// check refuses flags that contradict each other.
func (o *upOptions) check() error {
	if o.replay == "" {
		for _, f := range []struct {
			name  string
			given bool
		}{{"--lockstep", o.lockstep}, {"--exit", o.exit}, {"--json", o.json}, {"--limit", o.limit != 0}, {"--speed", o.speed != 0}} {
			if f.given {
				return fmt.Errorf("%s is for a recording: give --replay RECORDING too", f.name)
			}
		}
	}
	return o.playFlags.check()
}

// newLogger returns the logger of a command. By default it logs what goes wrong only.
func newLogger(w io.Writer, verbose bool) *slog.Logger {
	level := slog.LevelWarn
	if verbose {
		level = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
}

// up starts the stages, runs them, and closes them in any case.
func up(ctx context.Context, o upOptions, stdout, stderr io.Writer) error {
	began := time.Now()
	rec, cfg, err := o.load()
	if err != nil {
		return err
	}
	if o.lockstep {
		cfg.Learner.Publish = 0 // the replay waits for the scorer after every batch
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l, err := run.Start(ctx, run.Options{
		Config: cfg, Embedded: true, Version: version, Logger: newLogger(stderr, o.verbose),
		Spare: run.Spare{HTTP: !o.common.Given("http"), Admin: !o.common.Given("admin")},
	})
	if err != nil {
		return err
	}
	printMoved(stderr, cfg.HTTP, l.HTTP)
	printMoved(stderr, cfg.Admin, l.Admin)
	err = runUp(ctx, l, &cfg, rec, o, began, stdout, stderr)
	return errors.Join(err, l.Close())
}

// printMoved tells that a port listens elsewhere than configured, because another process has its
// address.
func printMoved(stderr io.Writer, configured, is string) {
	_, before, _ := net.SplitHostPort(configured)
	if _, now, _ := net.SplitHostPort(is); before != now && before != "0" {
		fmt.Fprintf(stderr, "%s is in use: listening on %s\n", configured, is)
	}
}

// runUp waits until the stages are ready, announces them, plays the recording if there is one, and
// then serves until a signal or a failure. Loop.Close returns the error of a failure.
func runUp(ctx context.Context, l *run.Loop, cfg *config.Config, rec *recording.Recording, o upOptions, began time.Time, stdout, stderr io.Writer) error {
	if err := within(ctx, time.Minute, l.AwaitReady); err != nil {
		return err
	}
	fmt.Fprintf(stderr, "ready in %.2f s: HTTP %s, admin %s, Kafka %s, Redis %s\n", time.Since(began).Seconds(), l.HTTP, l.Admin, strings.Join(l.Kafka, ","), settings.Redact(l.Redis))
	if what := embeddedNote(cfg); what != "" {
		fmt.Fprintln(stderr, what)
		fmt.Fprintln(stderr, l.Bounds())
	}
	if url := l.Dashboard(); url != "" && !o.exit {
		fmt.Fprintf(stderr, "dashboard  %s\n", url)
	}
	announced, err := announce(l, cfg)
	if err != nil {
		fmt.Fprintln(stderr, err) // other commands need addresses then; that is no reason to stop
	} else {
		defer announced.Close()
	}
	if o.addresses != "" {
		if err := writeAddresses(o.addresses, l); err != nil {
			return err
		}
	}
	if rec != nil {
		if err := playRecording(ctx, l, cfg, rec, o, stdout, stderr); err != nil {
			return err
		}
		if o.exit {
			return nil
		}
	}
	select {
	case <-ctx.Done():
		fmt.Fprintln(stderr, "stopping")
	case <-l.Done():
	}
	return nil
}

// embeddedNote says which services are embedded.
func embeddedNote(cfg *config.Config) string {
	const purpose = "for trying out, tests and demos, not for production"
	kafka, redis := len(cfg.Kafka.Brokers) == 0, cfg.Redis.Address == ""
	switch {
	case kafka && redis:
		return "Kafka and Redis are embedded: " + purpose
	case kafka:
		return "Kafka is embedded: " + purpose + "; Redis is the one at " + cfg.Redis.String()
	case redis:
		return "Redis is embedded: " + purpose + "; Kafka is the one at " + strings.Join(cfg.Kafka.Brokers, ",")
	}
	return ""
}

// writeAddresses writes the file in one step, so that a waiting program never reads half of it.
func writeAddresses(path string, l *run.Loop) error {
	text := fmt.Sprintf("HTTP=%s\nADMIN=%s\nKAFKA=%s\nREDIS=%s\n", l.HTTP, l.Admin, strings.Join(l.Kafka, ","), settings.Redact(l.Redis))
	err := os.WriteFile(path+".part", []byte(text), 0o644)
	if err == nil {
		err = os.Chmod(path+".part", 0o644) // embedded services take this right from new files
	}
	if err != nil {
		return fmt.Errorf("cannot write the addresses: %w", err)
	}
	return os.Rename(path+".part", path)
}

// playRecording plays the recording and prints its summary. Afterwards the stages take wall time,
// so that a person can go on with requests of today.
func playRecording(ctx context.Context, l *run.Loop, cfg *config.Config, rec *recording.Recording, o upOptions, stdout, stderr io.Writer) error {
	p := newProgress(l, rec, o.limit, stderr)
	s, err := l.Play(ctx, run.PlayOptions{Recording: rec, Lockstep: o.lockstep, Limit: o.limit, Speed: o.speed, Watch: p.watch})
	p.stop()
	if err != nil {
		return err
	}
	l.SetRecorded(false)
	printNotices("up", rec.Notices(), stderr)
	if !o.json {
		printSummary(stdout, s, &o, rec)
	} else if err := json.NewEncoder(stdout).Encode(s); err != nil {
		return err
	}
	if !o.exit {
		printTry(stderr, l, cfg, rec)
	}
	return nil
}
