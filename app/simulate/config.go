// Package simulate is an exchange that sells simulated traffic to a bidder over OpenRTB. To the
// bidder it is an exchange like any other: it posts bid requests, tells what became of the bids,
// and shows ads to simulated visitors, who click and buy by a rule that nobody is told.
//
// What chance decides is a function of the seed and the number of an auction. So an oracle that
// knows the rule can bid in the very same auctions, and what the bidder gets is compared with it.
package simulate

import (
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"time"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
)

// Config says what an Exchange sells, and to whom.
type Config struct {
	Bidder string // base URL of the bidder's public port
	Admin  string // base URL of its admin port
	Client *http.Client
	Seed   uint64
	At     int // 1: first price, 2: second price, 0: either by chance

	// where the bidder's clock is recorded
	Length  time.Duration // of simulated time
	PerHour float64       // auctions an hour, on average of a day
	Start   event.Time    // 0: the midnight after what the bidder has seen
	Flat    bool          // no daily curve
	Outage  int           // an hour of the day with a third of the traffic; -1: none
	// simulated time between an auction and the next call that tells what became of it: auctions
	// of a tick are sold before the notices of any of them are sent
	Tick time.Duration
	// where it is the wall's
	For  time.Duration
	Rate float64 // auctions a second

	Connections  int  // auctions and notices at once
	Pack         bool // bid requests are packed by gzip
	HideMinToWin bool // AUCTION_MIN_TO_WIN is not told
	HideLosses   bool // lurl is not called

	// what the bidder runs, for the oracle and the report; none: there is no oracle
	Campaigns  []*campaign.Campaign
	Objectives []event.Objective // of the bidder
	// the objective of clicks, whose labels are waited for in recorded time
	Objective string
	Logger    *slog.Logger
}

// Validate names the first field that is wrong, by its flag.
func (c *Config) Validate() error {
	switch {
	case c.At < 0 || c.At > 2:
		return field.Wrong("at", "is %d, want 1, 2 or mixed", c.At)
	case c.Length < time.Second || c.Length > 366*24*time.Hour:
		return field.Wrong("hours", "is %v, want 1s to a year", c.Length)
	case !(c.PerHour >= 1) || math.IsInf(c.PerHour, 0) || c.PerHour > 1e8:
		return field.Wrong("per-hour", "is %v, want 1 to 100000000 auctions", c.PerHour)
	case c.Outage < -1 || c.Outage > 23:
		return field.Wrong("outage", "is %d, want an hour of the day, 0 to 23", c.Outage)
	case c.Tick < 0 || c.Tick > 5*time.Minute:
		return field.Wrong("tick", "is %v, want up to 5m: bids expire that have no notice for longer", c.Tick)
	case c.For < time.Second || c.For > 366*24*time.Hour:
		return field.Wrong("for", "is %v, want 1s to a year", c.For)
	case !(c.Rate >= 0.01) || c.Rate > 1e5:
		return field.Wrong("rate", "is %v, want 0.01 to 100000 auctions a second", c.Rate)
	case c.Connections < 1 || c.Connections > 256:
		return field.Wrong("connections", "is %d, want 1 to 256", c.Connections)
	}
	for name, base := range map[string]string{"bidder": c.Bidder, "admin": c.Admin} {
		if u, err := url.Parse(base); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return field.Wrong(name, "is %q, want a URL such as http://127.0.0.1:8080", base)
		}
	}
	return nil
}

// objective is the one of clicks; false where the bidder has none of that name.
func (c *Config) objective() (event.Objective, bool) {
	for _, o := range c.Objectives {
		if o.Name == c.Objective {
			return o, true
		}
	}
	return event.Objective{}, false
}

const (
	usualTick = 30 * time.Second
	leastTick = time.Second
	tickSales = 250.0 // of a tick that nobody chose, at most
	wallTick  = 100 * time.Millisecond
)

// tick is how long a stretch of auctions is that are sold at once.
func (c *Config) tick(recorded bool) time.Duration {
	switch {
	case !recorded:
		return wallTick
	case c.Tick > 0:
		return c.Tick
	}
	most := time.Duration(tickSales / c.PerHour * float64(time.Hour))
	return max(leastTick, min(usualTick, most.Truncate(time.Second)))
}
