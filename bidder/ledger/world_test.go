package ledger

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// world is Kafka, Redis, a clock and a catalogue, for the bidders of a test.
type world struct {
	t         testing.TB
	cfg       Config
	kafka     stream.Config
	redis     features.RedisConfig
	clock     atomic.Int64
	campaigns map[string]*campaign.Campaign
	admin     *redis.Client // sees and destroys what it likes
	client    *stream.Client
	registry  *prometheus.Registry // of the next bidder; nil for none
}

// noon is when the tests begin.
var noon = mustTime("2026-11-29T12:00:00Z")

func mustTime(s string) event.Time {
	t, err := event.ParseTime(s)
	if err != nil {
		panic(err)
	}
	return t
}

// newWorld makes a world on the services of the test, with a topic and keys of its own.
func newWorld(t testing.TB, campaigns ...*campaign.Campaign) *world {
	t.Helper()
	login := backend.Administrator()
	return worldOn(t, sharedKafka(t),
		features.RedisConfig{Address: backend.Redis(t), Username: login.Username, PasswordFile: login.PasswordFile, TLS: backend.TLS()}, backend.RedisClient(t), campaigns...)
}

// sharedKafka is the Kafka of all tests.
func sharedKafka(t testing.TB) stream.Config {
	t.Helper()
	return stream.Config{Brokers: backend.Kafka(t), TLS: backend.TLS(), SASL: stream.SASL(backend.Administrator())}
}

// serverWorld makes a world on a Redis of the test's own.
func serverWorld(t testing.TB, kafka stream.Config, s *backend.Server, campaigns ...*campaign.Campaign) *world {
	t.Helper()
	admin := redis.NewClient(&redis.Options{Addr: s.Address, DisableIdentity: true, MaxRetries: -1})
	t.Cleanup(func() { admin.Close() })
	return worldOn(t, kafka, features.RedisConfig{Address: s.Address}, admin, campaigns...)
}

// plainWorld makes a world on servers without users.
func plainWorld(t testing.TB, kafka, redisAddress string, campaigns ...*campaign.Campaign) *world {
	t.Helper()
	admin := redis.NewClient(&redis.Options{Addr: redisAddress, DisableIdentity: true, MaxRetries: -1})
	t.Cleanup(func() { admin.Close() })
	return worldOn(t, stream.Config{Brokers: []string{kafka}}, features.RedisConfig{Address: redisAddress}, admin, campaigns...)
}

func worldOn(t testing.TB, kafka stream.Config, redisConfig features.RedisConfig, admin *redis.Client, campaigns ...*campaign.Campaign) *world {
	t.Helper()
	cfg := Defaults()
	cfg.Prefix, cfg.ReadBack, cfg.Sweep, cfg.Call = backend.Prefix(t), 0, 20*time.Millisecond, time.Second
	w := &world{t: t, cfg: cfg, kafka: kafka, redis: redisConfig, admin: admin, campaigns: map[string]*campaign.Campaign{}}
	w.clock.Store(int64(noon))
	for _, c := range campaigns {
		w.campaigns[c.ID] = c
	}
	w.client = w.dial()
	b := event.BiddingTopics()[0]
	if err := w.client.EnsureTopics(t.Context(), stream.Topic{Name: b.Name, Partitions: b.Partitions, Retention: b.Retention, NeedMessage: b.NeedMessage, Ordered: b.Ordered}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) dial() *stream.Client {
	w.t.Helper()
	cfg := w.kafka
	cfg.Prefix, cfg.ClientID, cfg.Logger = w.cfg.Prefix, "ledger-test", logger()
	client, err := stream.Dial(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { client.Close() })
	return client
}

func logger() *slog.Logger {
	if os.Getenv("CLICKLOOP_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, nil))
}

func (w *world) now() event.Time { return event.Time(w.clock.Load()) }

func (w *world) pass(d time.Duration) { w.clock.Add(d.Milliseconds()) }

func (w *world) registerer() prometheus.Registerer {
	if w.registry == nil {
		return nil
	}
	return w.registry
}

// bidder is a running Ledger.
type bidder struct {
	*Ledger
	w    *world
	stop context.CancelFunc
	done chan error
	once sync.Once
}

// start starts a bidder, which the test's end stops.
func (w *world) start() *bidder {
	w.t.Helper()
	client, err := features.DialRedis(w.redis, features.Writing)
	if err != nil {
		w.t.Fatal(err)
	}
	l, err := New(w.cfg, Deps{Kafka: w.dial(), Redis: client, Campaign: func(id string) *campaign.Campaign { return w.campaigns[id] }, Now: w.now, Logger: logger(), Registerer: w.registerer()})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	b := &bidder{Ledger: l, w: w, stop: stop, done: make(chan error, 1)}
	go func() { b.done <- l.Run(ctx) }()
	w.t.Cleanup(func() { b.end(); client.Close() })
	return b
}

// ready waits until the bidder can reserve.
func (b *bidder) ready() *bidder {
	b.w.t.Helper()
	b.w.await("a ready bidder", func() bool { return b.Ready(b.w.t.Context()) == nil })
	return b
}

// end stops the bidder in good order.
func (b *bidder) end() {
	b.once.Do(func() { b.stop(); <-b.done })
}

// kill drops the bidder's queue and all that it knows.
func (b *bidder) kill() {
	b.once.Do(func() { b.abrupt = true; b.stop(); <-b.done })
}

func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("%s is awaited for 30 s", what)
		}
	}
}

// claim is a bid of a campaign at the present time.
func (w *world) claim(c, bid string, price auction.Micros, user string) Claim {
	now := w.now()
	return Claim{Campaign: w.campaigns[c], Step: event.BidStep{Bid: bid, Time: now, Price: int64(price), User: user, Expires: now.Add(5 * time.Minute)}}
}

// try reserves one claim, again and again while the ledger has no allowance or is not available.
func (b *bidder) try(c Claim) (event.BidStep, Verdict) {
	b.w.t.Helper()
	claims, verdicts := [][]Claim{{c}}, [][]Verdict{{0}}
	b.w.await("a verdict", func() bool {
		if err := b.Reserve(b.w.t.Context(), claims, verdicts); err != nil {
			b.w.t.Fatal(err)
		}
		return verdicts[0][0] != Unavailable
	})
	return claims[0][0].Step, verdicts[0][0]
}

// reserve reserves a bid, and fails the test when the verdict is another.
func (b *bidder) reserve(c Claim, want Verdict) event.BidStep {
	b.w.t.Helper()
	step, got := b.try(c)
	if got != want {
		b.w.t.Fatalf("bid %s of %s: %v, want %v", c.Step.Bid, c.Campaign.ID, got, want)
	}
	return step
}

// tell gives a notice of a bid.
func (b *bidder) tell(step string, bid event.BidStep, paid auction.Micros) Result {
	b.w.t.Helper()
	r, err := b.Notice(b.w.t.Context(), Notice{Step: step, Bid: bid.Bid, Campaign: bid.Campaign, Reserved: auction.Micros(bid.Price), Expires: bid.Expires, Paid: paid, Time: b.w.now()})
	if err != nil {
		b.w.t.Fatalf("%s of bid %s: %v", step, bid.Bid, err)
	}
	return r
}

// numbers are those that Redis has of a campaign.
type numbers struct{ spent, reserved, pending, held int64 }

func (w *world) numbers(c string) (n numbers) {
	epoch := w.admin.HGet(context.Background(), w.cfg.Prefix+"ledger:state", "epoch").Val()
	v := w.admin.HGetAll(context.Background(), w.cfg.Prefix+"ledger:"+epoch+":c:"+escape(c)).Val()
	number := func(name string) int64 { i, _ := strconv.ParseInt(v[name], 10, 64); return i }
	return numbers{number("s"), number("r"), number("p"), number("h")}
}

// settles waits until Redis has these numbers of a campaign.
func (w *world) settles(c string, spent, reserved int64) {
	w.t.Helper()
	var got numbers
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if got = w.numbers(c); got == (numbers{spent, reserved, 0, 0}) {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("campaign %s has %+v, want spent %d and reserved %d", c, got, spent, reserved)
		}
	}
}

// steps are all steps on the topic, as they stand there.
func (w *world) steps() (steps []event.BidStep) {
	w.t.Helper()
	ranges, err := w.client.Offsets(context.Background(), event.TopicBids)
	if err != nil {
		w.t.Fatal(err)
	}
	err = w.client.ReadRange(context.Background(), event.TopicBids, 0, ranges[0].First, ranges[0].End, func(r *stream.Record) error {
		s, err := event.ParseBidStep(r.Value)
		steps = append(steps, s)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return steps
}

// flush deletes all keys of the world.
func (w *world) flush() {
	ctx := context.Background()
	keys := w.admin.Keys(ctx, w.cfg.Prefix+"*").Val()
	if len(keys) > 0 {
		w.admin.Del(ctx, keys...)
	}
}

func brief(steps []event.BidStep) string {
	var b strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&b, "%s %s %s %d.%d r%+d s%+d\n", s.Step, s.Campaign, s.Bid, s.Epoch, s.Seq, s.Reserved, s.Spent)
	}
	return b.String()
}
