package bidder

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/bidder/consent"
	"github.com/clickloop/clickloop/bidder/ledger"
	"github.com/clickloop/clickloop/bidder/markup"
	"github.com/clickloop/clickloop/bidder/notice"
	"github.com/clickloop/clickloop/bidder/price"
	"github.com/clickloop/clickloop/internal/access"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/retry"
)

func (b *Bidder) makeCatalogue() error {
	objectives := b.d.Scorer.Objectives()
	b.catalogue = campaign.New(campaign.Config{Seat: b.cfg.Seat, Most: b.cfg.MaxCandidates})
	b.store = &campaign.Store{
		Client: b.d.Client, Catalogue: b.catalogue, Objectives: objectives, Now: b.clock.now, Logger: b.logger,
		Follower: &campaign.Follower{
			Client: b.d.Client, Catalogue: b.catalogue, Objectives: objectives, Logger: b.logger,
			Count: func(result string, n int) { b.metrics.records.WithLabelValues(result).Add(float64(n)) },
		},
	}
	if b.cfg.Campaigns == "" {
		close(b.seeded)
		return nil
	}
	var err error
	b.wish, err = campaign.Load(b.cfg.Campaigns, objectives)
	return err
}

// seed writes the campaigns of the configuration's file to the topic, as far as they are new there.
func (b *Bidder) seed(ctx context.Context) error {
	if len(b.wish) == 0 {
		return nil
	}
	for backoff := (retry.Backoff{Min: 100 * time.Millisecond, Max: 2 * time.Second}); ; {
		written, err := b.store.Seed(ctx, b.wish)
		if err == nil {
			b.logger.Info("the campaigns of the file are on the topic", "file", b.cfg.Campaigns, "campaigns", len(b.wish), "written", written)
			close(b.seeded)
			return nil
		}
		if errors.As(err, new(*campaign.Conflict)) || errors.As(err, new(*campaign.Full)) {
			return fmt.Errorf("bidding.campaigns: %s: %w", b.cfg.Campaigns, err)
		}
		if backoff.ShouldLog() {
			b.logger.Warn("cannot write the campaigns of the file to their topic yet", "err", err)
		}
		if !backoff.Pause(ctx) {
			return ctx.Err()
		}
	}
}

func (b *Bidder) makeLedger() (err error) {
	cfg := ledger.Defaults()
	cfg.Prefix, cfg.Longest, cfg.Sum = b.d.Prefix, maxHold+grace, 15*time.Minute
	if cfg.Late = b.cfg.Late; cfg.ReadBack < cfg.Late+cfg.Longest+2*cfg.Sum {
		cfg.ReadBack = cfg.Late + cfg.Longest + 2*cfg.Sum
	}
	if b.d.Recorded() { // whose hours may pass in seconds
		cfg.ReadBack, cfg.Allowance = 0, 24*time.Hour
		cfg.Linger, cfg.Refresh, cfg.Sweep = time.Millisecond, 10*time.Millisecond, 10*time.Millisecond
	}
	b.ledger, err = ledger.New(cfg, ledger.Deps{
		Kafka: b.d.Client, Redis: b.d.Redis, Campaign: func(id string) *campaign.Campaign { return b.catalogue.View().Find(id) }, Now: b.clock.now,
		Logger: b.logger, Registerer: b.d.Registerer,
	})
	return err
}

func (b *Bidder) makePrices() error {
	b.landscape, b.pacer = price.NewLandscape(), price.NewPacer()
	b.restorePacing()
	b.labels = newLabels(b.strategies, func(id string) *campaign.Campaign { return b.catalogue.View().Find(id) })
	return nil
}

func (b *Bidder) makeNotices() (err error) {
	b.links, err = notice.NewLinks(b.cfg.PublicURL, b.d.Keys)
	if err != nil {
		return field.Within("bidding", err)
	}
	b.maker, err = markup.New(markup.Config{ClickMacro: b.cfg.ClickMacro, ClickMacroEncoded: b.cfg.ClickMacroEncoded}, b.links)
	if err != nil {
		return field.Within("bidding", err)
	}
	b.notices, err = notice.New(notice.Config{Late: b.cfg.Late, Wait: b.cfg.Wait}, notice.Deps{
		Keys: b.d.Keys, Ledger: timed{b.ledger, b.clock}, Events: b.d.Events, Now: b.d.Now, Recorded: b.d.Recorded, User: b.ledger.User,
		Rate: b.cfg.rate, Currency: b.cfg.Currency, Enter: b.enterNotice, Logger: b.logger, Registerer: b.d.Registerer,
	})
	return err
}

// enterNotice lets a notice in. It has no key, and counts within the rates of its address.
func (b *Bidder) enterNotice(r *http.Request) (leave func(), err error) {
	visit, err := b.d.Gate.Enter(r, access.Bid, !b.d.Recorded())
	return visit.End, err
}

// privacy is what the account is under the law.
func (b *Bidder) privacy() consent.Policy {
	return consent.Policy{Default: b.cfg.Privacy.GDPR, Vendor: b.cfg.Privacy.Vendor}
}
