// Command clickloop runs the stages of the real-time learning loop: ingest, scorer, feedback and
// learner. It also has the tools around them.
//
// Each subcommand has its own file, in this order: flags, clients, the stage or tool, its run. A
// command returns an error; only main exits. Results go to standard output, and all else to
// standard error, so that output can be piped.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// command is one subcommand. run gets the arguments behind its name, and returns errUsage once it
// has explained a wrong use.
type command struct {
	name, summary string
	run           func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}

// commands returns the subcommands, in the order in which the help lists them.
func commands() []command {
	return []command{
		{"up", "run every stage in one process, with embedded Kafka and Redis unless addresses are given", upCommand},
		{"ingest", "run the collector and the consumer that folds events into profiles", stageCommand("ingest")},
		{"scorer", "answer score requests", stageCommand("scorer")},
		{"bidder", "answer bid requests of exchanges, and keep budgets", stageCommand("bidder")},
		{"feedback", "join predictions with what happened, label and evaluate them", stageCommand("feedback")},
		{"learner", "learn from labelled examples and publish the weights", stageCommand("learner")},
		{"dashboard", "show the loop in a browser, from its topics", stageCommand("dashboard")},
		{"replay", "play a recording into a running system", replayCommand},
		{"simulate", "sell simulated auctions to a bidder, and compare it with an oracle", simulateCommand},
		{"fit", "learn one pass over files or a recording, and report how good the predictions were", fitCommand},
		{"predict", "predict the rows of files with a learned model, and learn nothing", predictCommand},
		{"model", "show, compare and verify learned models: files and what is on the model topic", modelCommand},
		{"tail", "print a topic's messages as they come", tailCommand},
		{"explain", "tell what became of a prediction, and why it was made", explainCommand},
		{"decision", "make random choices again, from the predictions that log them", decisionCommand},
		{"topics", "create the topics that are missing, so that stages need no right to do so", topicsCommand},
		{"acl", "print the commands that give a stage's user in Kafka and Redis what it needs, and nothing more", aclCommand},
		{"doctor", "check configuration, Kafka, topics, Redis and model, and say how to mend what is wrong", doctorCommand},
		{"version", "print the version", versionCommand},
	}
}

// errUsage is returned by a command whose message is already on stderr.
var errUsage = errors.New("usage")

// misused prints how a command was misused, and returns errUsage.
func misused(stderr io.Writer, command, format string, args ...any) error {
	fmt.Fprintf(stderr, "clickloop "+command+": "+format+"\n", args...)
	return errUsage
}

// main ends at the first signal in an orderly way, and at the second one at once. Nothing else
// exits the process.
func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		stop() // a second signal ends the process at once
	}()
	os.Exit(execute(ctx, hideSecrets(os.Args)[1:], os.Stdout, os.Stderr))
}

// execute runs a command and returns the exit status: 0 done, 1 failed, 2 wrong usage.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		usage(stderr)
		return 2
	}
	switch args[0] {
	case "help", "-h", "--help":
		usage(stdout)
		return 0
	case "--version", "-version":
		args[0] = "version"
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		err := c.run(ctx, args[1:], stdout, stderr)
		switch {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return 0
		case errors.Is(err, errUsage):
			return 2
		}
		fmt.Fprintf(stderr, "clickloop %s: %v\n", c.name, err)
		return 1
	}
	fmt.Fprintf(stderr, "clickloop: there is no command %q\n\n", args[0])
	usage(stderr)
	return 2
}

// usage prints the list of commands.
func usage(w io.Writer) {
	fmt.Fprint(w, "clickloop learns from clicks while they happen.\n\nusage: clickloop COMMAND [flags]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\nTry it:  clickloop up --replay examples/bank-marketing --lockstep\nHelp:    clickloop COMMAND --help\n")
}

// newFlags returns a flag set whose help shows a synopsis and examples.
func newFlags(name, synopsis, examples string, stderr io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprintf(stderr, "usage: clickloop %s\n\nexamples:\n%s\nflags:\n", synopsis, examples)
		fs.PrintDefaults()
	}
	return fs
}

// parseFlags parses args that are flags only. hint says more about a positional argument.
func parseFlags(fs *flag.FlagSet, args []string, hint string, stderr io.Writer) error {
	rest, err := parse(fs, args)
	if err == nil && len(rest) > 0 {
		return misused(stderr, fs.Name(), "%q is no flag%s", rest[0], hint)
	}
	return err
}

// parse parses args that may mix flags and positional arguments, and returns the positional ones.
func parse(fs *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, errUsage
		}
		if fs.NArg() == 0 {
			return rest, nil
		}
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}
}

// within runs fn with a limit of time.
func within(ctx context.Context, limit time.Duration, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return fn(ctx)
}

// every calls fn once an interval, from another goroutine, until the caller calls stop. fn has
// returned for the last time when stop returns.
func every(interval time.Duration, fn func()) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				fn()
			}
		}
	}()
	return func() { close(done); <-ended }
}
