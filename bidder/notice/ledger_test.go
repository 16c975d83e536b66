package notice

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/bidder/ledger"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

var _ Ledger = (*ledger.Ledger)(nil)

// A bill settles what its bid has reserved, at the price that it tells, and the impression is the
// user's.
func TestNoticesSettleTheLedger(t *testing.T) {
	cfg := ledger.Defaults()
	cfg.Prefix = backend.Prefix(t)
	brokers := backend.Kafka(t)
	by, login := backend.Secured(brokers)
	client, err := stream.Dial(stream.Config{Brokers: brokers, Prefix: cfg.Prefix, ClientID: "test", Session: backend.Session(), TLS: by, SASL: stream.SASL(login)})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topic := event.BiddingTopics()[0]
	if err := client.EnsureTopics(t.Context(), stream.Topic{Name: topic.Name, Partitions: topic.Partitions, Ordered: topic.Ordered, NeedMessage: topic.NeedMessage}); err != nil {
		t.Fatal(err)
	}
	admin := backend.Administrator()
	redis, err := features.DialRedis(features.RedisConfig{Address: backend.Redis(t), Username: admin.Username, PasswordFile: admin.PasswordFile, TLS: backend.TLS()}, features.Writing)
	if err != nil {
		t.Fatal(err)
	}
	defer redis.Close()
	var now atomic.Int64
	now.Store(int64(start))
	plan := &campaign.Campaign{ID: "c1", Budget: campaign.Budget{Total: 10_000}}
	l, err := ledger.New(cfg, ledger.Deps{
		Kafka: client, Redis: redis, Now: func() event.Time { return event.Time(now.Load()) }, Logger: slog.New(slog.DiscardHandler),
		Campaign: func(string) *campaign.Campaign { return plan },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	defer func() { stop(); <-ended }()
	await := func(what string, holds func() bool) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s is awaited for 20 s", what)
			}
		}
	}
	await("the ledger", func() bool { return l.Ready(ctx) == nil })
	b := bid()
	claims := [][]ledger.Claim{{{Campaign: plan, Step: event.BidStep{Bid: b.ID, Ad: b.Ad, User: "u1", Price: int64(b.Price), Time: b.Issued, Expires: b.Expires}}}}
	verdicts := [][]ledger.Verdict{{0}}
	await("a reservation", func() bool {
		if err := l.Reserve(ctx, claims, verdicts); err != nil {
			t.Fatal(err)
		}
		return verdicts[0][0] == ledger.Reserved
	})

	s := run(t, func(cfg *Config, d *Deps) { d.Ledger, d.User, cfg.Wait = l, l.User, 10*time.Second })
	for _, k := range []Kind{Impression, Win, Bill, Bill, Click} {
		s.expect(k, s.call("GET", filled(s.link(k), "${AUCTION_PRICE}", "1.1")))
	}
	for _, e := range s.log.events {
		if e.User != "u1" {
			t.Errorf("a %s has the user %q", e.Type, e.User)
		}
	}
	other := run(t, func(cfg *Config, d *Deps) { d.Ledger, cfg.Wait = l, 10*time.Second }) // another process
	other.expect(Bill, other.call("GET", filled(s.link(Bill), "${AUCTION_PRICE}", "1.1")))
	other.expect(Loss, other.call("GET", filled(s.link(Loss))))
	if other.counted(Bill, repeated) != 1 || len(s.log.events) != 4 {
		t.Errorf("%d repeated, %d events", other.counted(Bill, repeated), len(s.log.events))
	}
	await("the campaign's numbers", func() bool {
		standing, ok := l.Standing("c1")
		return ok && standing.Spent == auction.Micros(1100) && standing.Reserved == 0
	})
}
