// Command bid measures how long bids take, on real Kafka and Redis, while collector, feedback and
// learner work beside them.
//
// It starts both services by scripts/services.sh and `clickloop up` with ten campaigns, of which
// five have a creative that fits, and ends all of them. Bid requests are sent in an open loop: when
// they are due, whether or not earlier ones were answered. An answer that comes late because its
// connection was still busy counts from when its request was due. Beside them come pages of the
// same users, so that profiles change, and the notices of some bids, so that budgets, caps, and
// networks change.
//
// It prints what became of all requests, and how many answers of each kind came and how long they
// took while it measured, and exits with status 1 when they took longer than -p99, or fewer than
// 99.9% came within -within.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"syscall"
	"time"

	"github.com/clickloop/clickloop/bench/internal/system"
)

func main() {
	o := options{}
	flag.StringVar(&o.binary, "binary", "bin/clickloop", "the program to measure")
	flag.StringVar(&o.services, "services", "scripts/services.sh", "what starts Kafka and Redis; empty: the embedded ones serve")
	flag.StringVar(&o.url, "url", "", "the public port of a bidder that runs already, such as http://127.0.0.1:8080")
	flag.IntVar(&o.rate, "rate", 2000, "bid requests a second")
	flag.IntVar(&o.connections, "connections", 32, "kept alive")
	flag.DurationVar(&o.warm, "warm", 15*time.Second, "how long they are sent before they are measured")
	flag.DurationVar(&o.length, "for", 30*time.Second, "how long they are measured")
	flag.Float64Var(&o.won, "won", 0.05, "share of the bids whose notices come")
	flag.IntVar(&o.pages, "pages", 200, "events of users a second")
	flag.DurationVar(&o.p99, "p99", 5*time.Millisecond, "most that 99% of the answers may take")
	flag.DurationVar(&o.within, "within", 20*time.Millisecond, "most that 99.9% of the answers may take")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, o); err != nil {
		stop()
		log.Fatal(err)
	}
}

type options struct {
	binary, services, url string
	rate, connections     int
	pages                 int
	warm, length          time.Duration
	won                   float64
	p99, within           time.Duration
}

func (o *options) check() error {
	if o.rate < 1 || o.connections < 1 || o.pages < 0 || o.won < 0 || o.won > 1 || o.length <= 0 {
		return errors.New("-rate and -connections want at least 1, -pages at least 0, -won 0 to 1, -for more than 0")
	}
	return nil
}

func measure(ctx context.Context, o options) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	var s *system.System // nil: another runs already
	if o.url == "" {
		if s, err = start(o); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Stop()) }()
		o.url = s.URL
	}
	beside := newBeside(o)
	defer beside.stop()
	warm := newBids(o, beside, 0, o.warm)
	warm.Run(ctx)
	if err := ctx.Err(); err != nil {
		return err
	}
	bids := newBids(o, beside, warm.Requests(), o.length)
	if s == nil {
		bids.Run(ctx)
	} else if err := watch(s, bids.Requests(), func() { bids.Run(ctx) }); err != nil {
		return err
	}
	fmt.Println(beside)
	return bids.judge(o)
}
