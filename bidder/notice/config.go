// Package notice takes what exchanges and browsers tell of bids: that they won, are owed, lost,
// that the ad was shown, seen and clicked. Each notice becomes a change of the ledger and an event.
//
// The one invariant: a notice counts once, and only with a signed token of its kind that was made
// for its bid. All that a notice says of the bid stands in the token; nothing of its sender, such
// as an address, is kept.
package notice

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/clickloop/clickloop/bidder/ledger"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/signing"
	"github.com/prometheus/client_golang/prometheus"
)

// Config is what an operator says of notices.
type Config struct {
	// how long after its bid a notice is taken
	Late time.Duration `yaml:"late"`
	// how long a notice waits for Redis and Kafka: then the sender is told to come again, and a
	// click is redirected uncounted
	Wait time.Duration `yaml:"wait"`
}

// DefaultConfig takes notices for three days, and lets them wait for a second.
func DefaultConfig() Config { return Config{Late: 72 * time.Hour, Wait: time.Second} }

// Validate names the first field that is wrong.
func (c Config) Validate() error {
	switch {
	case c.Late < time.Minute || c.Late > 30*24*time.Hour:
		return field.Wrong("late", "is %v, want 1m to 720h: exchanges tell late, and what they tell later is not owed", c.Late)
	case c.Wait < 10*time.Millisecond || c.Wait > 10*time.Second:
		return field.Wrong("wait", "is %v, want 10ms to 10s", c.Wait)
	}
	return nil
}

// Ledger keeps what campaigns have spent.
type Ledger interface {
	// Notice settles or releases the reservation of a bid. It changes nothing when the step was
	// taken before, but that the first price that is told counts. After an error the sender repeats
	// the notice, unless that is ledger.ErrTooLate or a *field.Error.
	Notice(context.Context, ledger.Notice) (ledger.Result, error)
}

// Events writes events, as package collect does. It returns nil once they are acknowledged, and a
// *event.Error for one that can never be written. After any other error the caller repeats them
// with the same ids.
type Events interface {
	Take(context.Context, []event.Event) error
}

// Deps are the parts that Notices uses.
type Deps struct {
	Keys   *signing.Ring // that signed the tokens
	Ledger Ledger
	Events Events
	Now    func() event.Time
	// Recorded says whether times are recorded ones: then the parameter time is the time of a
	// notice, such as a simulated exchange sends it. nil: they are not.
	Recorded func() bool
	// User returns the user of a bid, of a campaign, for impressions and clicks, while it is known
	// and the bid's request allowed it; else "". After an error they have none. nil: they have
	// none.
	User func(ctx context.Context, campaign, bid string) (string, error)
	// Rate returns how many units of the account's currency one unit of another is worth. nil: no
	// other currency is known.
	Rate     func(currency string) (float64, bool)
	Currency string // the account's; empty: USD
	// Enter lets a request in, or returns an error, such as a *access.Refused. leave is called when
	// the request is answered, error or not, unless it is nil. A nil Enter lets all in.
	Enter      func(*http.Request) (leave func(), err error)
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil for none
}

// Notices handles the notices of bids.
type Notices struct {
	cfg     Config
	deps    Deps
	written written
	metrics metrics
	faults  quiet // of Redis and Kafka
	refused quiet // tokens
}

// New checks cfg and returns Notices.
func New(cfg Config, d Deps) (*Notices, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if d.Keys == nil {
		return nil, errors.New("notices need keys: their tokens are signed")
	}
	if d.Currency == "" {
		d.Currency = "USD"
	}
	return &Notices{cfg: cfg, deps: d, metrics: newMetrics(d.Registerer), faults: quiet{logger: d.Logger}, refused: quiet{logger: d.Logger}}, nil
}

// Register adds the paths of notices to the public calls. Neither exchanges nor browsers have a
// key: the token is it.
func (n *Notices) Register(public *http.ServeMux) {
	for k := Win; k < kinds; k++ {
		handle := func(w http.ResponseWriter, r *http.Request) { n.handle(k, w, r) }
		public.HandleFunc("GET /n/"+k.String(), handle)
		public.HandleFunc("POST /n/"+k.String(), handle)
	}
}
