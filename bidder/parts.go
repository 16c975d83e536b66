package bidder

import (
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
)

func (b *Bidder) makeCatalogue() error {
	b.catalogue = campaign.New(campaign.Config{Seat: b.cfg.Seat, Most: b.cfg.MaxCandidates})
	b.follower = &campaign.Follower{}
	if b.cfg.Campaigns != "" {
		all, err := campaign.Load(b.cfg.Campaigns, b.d.Scorer.Objectives())
		if err != nil {
			return err
		}
		return b.catalogue.Change(all)
	}
	return nil
}

func (b *Bidder) makeLedger() (err error) {
	cfg := ledger.Defaults()
	cfg.Prefix, cfg.Longest = b.d.Prefix, maxHold+grace
	if cfg.Late = b.cfg.Late; cfg.ReadBack < cfg.Late+cfg.Longest+2*cfg.Sum {
		cfg.ReadBack = cfg.Late + cfg.Longest + 2*cfg.Sum
	}
	if b.d.Recorded() { // whose hours may pass in seconds
		cfg.ReadBack, cfg.Refresh, cfg.Sweep = 0, 10*time.Millisecond, 10*time.Millisecond
	}
	b.ledger, err = ledger.New(cfg, ledger.Deps{
		Kafka: b.d.Client, Redis: b.d.Redis, Campaign: func(id string) *campaign.Campaign { return b.catalogue.View().Find(id) }, Now: b.clock.now,
		Logger: b.logger, Registerer: b.d.Registerer,
	})
	return err
}

func (b *Bidder) makePrices() error {
	b.landscape, b.pacer = price.NewLandscape(), price.NewPacer()
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
		Keys: b.d.Keys, Ledger: b.ledger, Events: b.d.Events, Now: b.d.Now, Recorded: b.d.Recorded, User: b.ledger.User,
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
