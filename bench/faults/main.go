// Command faults breaks what a scorer depends on, asks more of it than it can do, and judges what
// it promises meanwhile. It starts real Kafka and Redis by scripts/services.sh and `clickloop up`
// with profiles of users, ads and campaigns, everything on loopback addresses, and ends all of
// them.
//
// Redis stands behind a proxy in this process, which can pause, delay and refuse; Kafka is paused
// and killed by the script. Requests are sent in an open loop. Each case prints a line, and one
// more for each promise that is broken; then the exit status is 1.
//
// The generator runs beside what it measures. So the limits of time allow what the same requests
// take without a fault, in the case "calm" of the same run, and the load of the machine is printed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/clickloop/clickloop/bench/internal/system"
	"github.com/clickloop/clickloop/stream"
)

type options struct {
	binary, services string
	cases            []string
	length           time.Duration // of what has no fault
	away             time.Duration // for how long Kafka is
	overloadFor      time.Duration
}

// cases are those that -cases may name, in the order in which they run.
var cases = []struct {
	name string
	run  func(*bench, context.Context) (string, error)
}{
	{"calm", (*bench).calm},
	{"redis-paused", redisFault("paused", (*proxy).pause)},
	{"redis-slow", redisFault("slow", (*proxy).slow)},
	{"redis-refused", redisFault("refused", (*proxy).refuse)},
	{"redis-emptied", (*bench).redisEmptied},
	{"kafka-paused", kafkaFault("pause", "resume")},
	{"kafka-killed", kafkaFault("kill", "restart")},
	{"recommend", (*bench).recommend},
	{"overload", (*bench).overload},
	{"term", (*bench).term},
}

func main() {
	var all []string
	for _, c := range cases {
		all = append(all, c.name)
	}
	var o options
	flag.StringVar(&o.binary, "binary", "bin/clickloop", "the program to measure")
	flag.StringVar(&o.services, "services", "scripts/services.sh", "what starts Kafka and Redis")
	names := flag.String("cases", strings.Join(all, ","), "what is tried; calm is where a case compares with it")
	flag.DurationVar(&o.length, "for", 10*time.Second, "how long requests are sent where nothing is broken")
	flag.DurationVar(&o.away, "away", 20*time.Second, "how long Kafka is away")
	flag.DurationVar(&o.overloadFor, "overload", time.Minute, "how long three times the capacity is asked for")
	flag.Parse()
	o.cases = strings.Split(*names, ",")
	for _, name := range o.cases {
		if !slices.Contains(all, name) {
			log.Fatalf("-cases: there is no %q, but %s", name, strings.Join(all, ", "))
		}
	}
	if o.length < time.Second || o.away < time.Second || o.overloadFor < 2*time.Second {
		log.Fatal("-for and -away want at least 1s, -overload at least 2s")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := try(ctx, o); err != nil {
		stop()
		log.Fatal(err)
	}
}

// bench is what the cases share.
type bench struct {
	options
	system *system.System
	redis  *proxy
	client *stream.Client
	up     bool

	undisturbed *answers // of the case calm; nil: it has not run
	capacity    capacity // zero: not yet measured
}

// report prints what a case tells, and what it found to be broken. A case that tells nothing could
// not be tried.
func report(name, text string, err error) error {
	if text != "" {
		fmt.Printf("%s: %s%s\n", name, text, machine())
	}
	if err == nil {
		return nil
	}
	what := "BROKEN"
	if text == "" {
		what = "could not be tried"
	}
	fmt.Printf("%s: %s: %s\n", name, what, strings.ReplaceAll(err.Error(), "\n", "; "))
	return fmt.Errorf("%s: %s", name, strings.ToLower(what))
}

// try runs the cases that are asked for. Each ends within its limit of time, whatever hangs.
func try(ctx context.Context, o options) (err error) {
	b := &bench{options: o}
	if b.system, err = system.New(o.services); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if b.redis, err = newProxy(b.system.Redis); err != nil {
		return err
	}
	b.system.Redis = b.redis.address()
	if b.client, err = stream.Dial(stream.Config{Brokers: []string{b.system.Kafka}, Prefix: topicPrefix}); err != nil {
		return err
	}
	if err := b.system.Write(map[string]string{"clickloop.yaml": configuration}); err != nil {
		return err
	}
	var broken error
	for _, c := range cases {
		if !slices.Contains(o.cases, c.name) {
			continue
		}
		if err := b.start(ctx); err != nil {
			return err
		}
		limited, cancel := context.WithTimeout(ctx, 3*time.Minute+o.length+o.away+o.overloadFor)
		text, err := c.run(b, limited)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		broken = errors.Join(broken, report(c.name, text, err))
	}
	return broken
}

// start starts the program where the case before has ended it, and waits until it uses profiles.
func (b *bench) start(ctx context.Context) error {
	if b.up {
		return nil
	}
	if err := b.system.Up(b.binary, b.system.File("clickloop.yaml")); err != nil {
		return err
	}
	b.up = true
	return b.teach(ctx)
}

// close ends everything, Kafka and Redis last. They are let go before, so that nothing waits for
// what a case has paused.
func (b *bench) close() (err error) {
	if b.redis != nil {
		err = b.redis.restore()
	}
	if b.client != nil {
		err = errors.Join(err, b.client.Close())
	}
	err = errors.Join(err, b.system.Stop())
	if b.redis != nil {
		err = errors.Join(err, b.redis.close())
	}
	return err
}

// machine tells how busy the machine is.
func machine() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return fmt.Sprintf("; load %s on %d processors", strings.Fields(string(text))[0], runtime.NumCPU())
}

// pause waits; an error says that ctx has ended.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// topicPrefix is the default one.
const topicPrefix = "clickloop."

const configuration = `objectives:
  - {name: click, trigger: prediction, positive: click, window: 5s}
features:
  profiles:
    - {name: user.clicks_1h, entity: user, aggregate: count, event: click, window: 1h}
    - {entity: user, aggregate: recency, event: click}
    - {entity: ad, aggregate: ratio, event: click, over: impression, window: 1d, prior: 0.01, weight: 100}
    - {entity: campaign, aggregate: ratio, event: click, over: impression, window: 1d, prior: 0.01, weight: 100}
scorer:
  items: {catalogues: [items]}
`
