package bidder

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/markup"
	"github.com/clickloop/clickloop/internal/field"
)

// Config is the bidding section of the configuration.
type Config struct {
	// bid on auctions, and take notices. campaigns says so, too
	Enabled bool `yaml:"enabled"`
	// YAML file of advertisers, campaigns and creatives, beside this file where the path is
	// relative; it is read at the start. Empty: campaigns come by /v1/campaigns
	Campaigns string `yaml:"campaigns"`
	Currency  string `yaml:"currency"` // of budgets, values and prices: ISO 4217
	// what one unit of another currency is in the account's, such as EUR: 1.08; auctions in other
	// currencies get no bid
	Rates map[string]float64 `yaml:"rates"`
	// where exchanges and browsers reach the public port, such as https://bid.example.com; empty:
	// the host that the bid request names
	PublicURL string `yaml:"public_url"`
	Seat      string `yaml:"seat"` // buyer seat of advertisers that have none
	// file of secrets that sign notices, one a line: the first signs, all verify. Empty: those of
	// feedback.sign_key, else a file that is made in the data folder
	SignKey string `yaml:"sign_key"`
	// for an auction that says no tmax: how long it may take
	TMax time.Duration `yaml:"tmax"`
	// of an auction's tmax: kept for the network on both ways
	Margin time.Duration `yaml:"margin"`
	// no bid is answered with 200 and the reason (nbr), not with 204
	TellNoBid bool `yaml:"tell_no_bid"`
	MaxBody   int  `yaml:"max_body"` // bytes of a bid request; a larger one gets 413
	// bid requests that may be at work at once; further ones get no bid
	MaxInFlight int `yaml:"max_in_flight"`
	// creatives that are scored for one place; of more that match, other ones for each request
	MaxCandidates int `yaml:"max_candidates"`
	// bytes of answers that are remembered, so that a bid request that is sent again gets the same
	MaxRemembered int `yaml:"max_remembered"`
	// how long after the bid a notice is taken; a bill counts as far as the budget has room
	Late time.Duration `yaml:"late"`
	// how long a notice waits for Redis and Kafka; then its sender is told to come again, and a
	// click is redirected uncounted
	Wait time.Duration `yaml:"wait"`
	// macro that an exchange replaces by the beginning of its own click URL, such as
	// %%CLICK_URL_UNESC%%: it stands before the escaped URL of a click
	ClickMacro string `yaml:"click_macro"`
	// the same for {click_encoded} in a creative's HTML, such as %%CLICK_URL_ESC%%
	ClickMacroEncoded string  `yaml:"click_macro_encoded"`
	Privacy           Privacy `yaml:"privacy"`
}

// Privacy is what the account is under the law.
type Privacy struct {
	// whether the GDPR applies where a bid request does not say: auto (where the device is in the
	// EEA or the United Kingdom, or a consent string comes without a country), yes or no
	GDPR string `yaml:"gdpr"`
	// the account's id in the Global Vendor List of the TCF; 0: purposes alone decide
	Vendor int `yaml:"vendor"`
}

// DefaultConfig does not bid.
func DefaultConfig() Config {
	return Config{
		Currency: "USD", TMax: 150 * time.Millisecond, Margin: 20 * time.Millisecond, MaxBody: 256 << 10, MaxInFlight: 256, MaxCandidates: 100,
		MaxRemembered: 32 << 20, Late: 72 * time.Hour, Wait: time.Second, Privacy: Privacy{GDPR: "auto"},
	}
}

// On says whether the stage runs.
func (c *Config) On() bool { return c.Enabled || c.Campaigns != "" }

var currencyForm = regexp.MustCompile(`^[A-Z]{3}$`)

// Validate names the first setting that is wrong.
func (c Config) Validate() error {
	switch {
	case c.Campaigns != strings.TrimSpace(c.Campaigns) || strings.ContainsRune(c.Campaigns, 0):
		return field.Wrong("campaigns", "is %q, want the path of a file", c.Campaigns)
	case c.SignKey != strings.TrimSpace(c.SignKey) || strings.ContainsRune(c.SignKey, 0):
		return field.Wrong("sign_key", "is %q, want the path of a file", c.SignKey)
	case !currencyForm.MatchString(c.Currency):
		return field.Wrong("currency", "is %q, want a code of ISO 4217 in capitals, such as USD", c.Currency)
	case len(c.Seat) > 64:
		return field.Wrong("seat", "is %q, want at most 64 bytes", c.Seat)
	case c.TMax < time.Millisecond || c.TMax > 10*time.Second:
		return field.Wrong("tmax", "is %v, want 1ms to 10s", c.TMax)
	case c.Margin < 0 || c.Margin > time.Second:
		return field.Wrong("margin", "is %v, want 0 to 1s", c.Margin)
	case c.Margin >= c.TMax:
		return field.Wrong("margin", "is %v, want less than tmax (%v): no time is left to bid", c.Margin, c.TMax)
	case c.MaxBody < 1<<10 || c.MaxBody > 4<<20:
		return field.Wrong("max_body", "is %d, want 1024 to 4194304 bytes", c.MaxBody)
	case c.MaxInFlight < 1 || c.MaxInFlight > 100_000:
		return field.Wrong("max_in_flight", "is %d, want 1 to 100000", c.MaxInFlight)
	case c.MaxCandidates < 1 || c.MaxCandidates > 1000:
		return field.Wrong("max_candidates", "is %d, want 1 to 1000", c.MaxCandidates)
	case c.MaxRemembered < 1<<20:
		return field.Wrong("max_remembered", "is %d, want at least 1048576 bytes", c.MaxRemembered)
	case c.Late < time.Minute || c.Late > 30*24*time.Hour:
		return field.Wrong("late", "is %v, want 1m to 720h", c.Late)
	case c.Wait < 10*time.Millisecond || c.Wait > 10*time.Second:
		return field.Wrong("wait", "is %v, want 10ms to 10s", c.Wait)
	}
	for _, code := range slices.Sorted(maps.Keys(c.Rates)) {
		switch rate := c.Rates[code]; {
		case !currencyForm.MatchString(code):
			return field.Wrong("rates."+code, "is no currency, want a code of ISO 4217 in capitals, such as EUR")
		case code == c.Currency:
			return field.Wrong("rates."+code, "is the rate of the account's own currency, want those of others only")
		case !(rate > 1e-6 && rate < 1e6):
			return field.Wrong("rates."+code, "is %v, want what one %s is in %s, more than 0.000001 and less than 1000000", rate, code, c.Currency)
		}
	}
	if err := c.validateURL(); err != nil {
		return err
	}
	if err := (markup.Config{ClickMacro: c.ClickMacro, ClickMacroEncoded: c.ClickMacroEncoded}).Validate(); err != nil {
		return err
	}
	return field.Within("privacy", c.Privacy.validate())
}

func (c *Config) validateURL() error {
	if c.PublicURL == "" {
		return nil
	}
	u, err := url.Parse(c.PublicURL)
	if err == nil && u.User != nil {
		return field.Wrong("public_url", "holds a user or a password, want http:// or https://, a host, and perhaps a path, such as https://bid.example.com")
	}
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return field.Wrong("public_url", "is %q, want http:// or https://, a host, and perhaps a path, such as https://bid.example.com", c.PublicURL)
	}
	return nil
}

func (p *Privacy) validate() error {
	switch p.GDPR {
	case "auto", "yes", "no":
	default:
		return field.Wrong("gdpr", "is %q, want auto, yes or no", p.GDPR)
	}
	if p.Vendor < 0 || p.Vendor > 65535 {
		return field.Wrong("vendor", "is %d, want 0 (none) to 65535", p.Vendor)
	}
	return nil
}

// rate is what one unit of a currency is in the account's; false where that is not known.
func (c *Config) rate(currency string) (float64, bool) {
	if currency == "" {
		currency = "USD"
	}
	if currency == c.Currency {
		return 1, true
	}
	r, ok := c.Rates[currency]
	return r, ok
}

// answerIn is the currency of the bids for an auction, and what one unit of it is in the account's.
// An auction that names none takes any, since the answer tells which.
func (c *Config) answerIn(q *auction.Request) (currency string, rate float64, err error) {
	if len(q.Currencies) == 0 || slices.Contains(q.Currencies, c.Currency) {
		return c.Currency, 1, nil
	}
	for _, currency := range q.Currencies {
		if rate, ok := c.rate(currency); ok && currency != "" {
			return currency, rate, nil
		}
	}
	return "", 0, fmt.Errorf("cur is %s, and the account's is %s: add a rate (bidding.rates)", strings.Join(q.Currencies, ", "), c.Currency)
}
