package ledger

import (
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"strings"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// Config bounds a ledger. Times are of the bidder's clock (Deps.Now), which a replay drives, unless
// a field says otherwise. All bidders of one ledger have the same configuration.
type Config struct {
	// Prefix begins every key in Redis: PREFIX "ledger:" and more.
	Prefix string
	// Longest is the longest time for which a bid reserves money. A claim that wants more is
	// refused.
	Longest time.Duration
	// Late is how long after the end of its reservation a bill is taken. Redis keeps billed bids as
	// long, so that a bill that is repeated is charged once.
	Late time.Duration
	// Remember is how long a bid that was lost or has expired is known, so that the same request
	// sent again is not a new bid.
	Remember time.Duration
	// Unlogged is the share of a campaign's smallest budget that one bidder may have reserved by
	// bids that are not on the topic yet, and UnloggedLeast the least of it. As much may be held
	// back for each bidder that dies at the same time as Redis. Too little of it refuses bids when
	// Kafka is slow.
	Unlogged      float64
	UnloggedLeast auction.Micros
	// Allowance is how long a bidder may use the above before it says so anew on the topic. What is
	// held back for a dead bidder is free after Allowance and Longest.
	Allowance time.Duration
	// Sum is how often each campaign's spend is written to the topic, and ReadBack how far before
	// the topic's last record a ledger that is made again begins to read, by the clock of Kafka:
	// more than Late, Longest, all windows of caps, and twice Sum. 0 reads the whole topic, as a
	// replay must, whose time is not Kafka's.
	Sum      time.Duration
	ReadBack time.Duration
	// MaxWaiting is the most bytes of steps that wait for Kafka; with more, no bid is reserved.
	MaxWaiting int
	// Call bounds a call of Redis, in real time. A bid waits for it as long as its context allows.
	Call time.Duration
	// Sweep is how often, in real time, reservations that have ended are looked for.
	Sweep time.Duration
	// Linger is how long, in real time, steps wait for others of the same write to Kafka. A notice
	// is answered once its step is on the topic, so it waits as long.
	Linger time.Duration
	// Refresh is how often, in real time, the numbers that Standing tells are read.
	Refresh time.Duration
	// Drain is how long, in real time, the process waits at its end for Kafka.
	Drain time.Duration
}

// Defaults are what a Config is unless it says otherwise.
func Defaults() Config {
	return Config{
		Prefix: "clickloop.", Longest: time.Hour, Late: 72 * time.Hour, Remember: 15 * time.Minute, Unlogged: 0.01, UnloggedLeast: 100_000, Allowance: 10 * time.Minute,
		Sum: 6 * time.Hour, ReadBack: 8 * 24 * time.Hour, MaxWaiting: 8 << 20, Call: 2 * time.Second, Sweep: 200 * time.Millisecond, Linger: 20 * time.Millisecond, Refresh: time.Second, Drain: 5 * time.Second,
	}
}

// Validate returns a *field.Error about the first setting that is wrong.
func (c Config) Validate() error {
	for _, d := range []struct {
		name        string
		value, most time.Duration
	}{
		{"longest", c.Longest, 7 * 24 * time.Hour}, {"late", c.Late, 30 * 24 * time.Hour}, {"remember", c.Remember, 7 * 24 * time.Hour}, {"allowance", c.Allowance, 24 * time.Hour},
		{"sum", c.Sum, 7 * 24 * time.Hour}, {"call", c.Call, time.Minute}, {"sweep", c.Sweep, time.Minute}, {"linger", c.Linger, time.Second}, {"refresh", c.Refresh, time.Minute}, {"drain", c.Drain, 10 * time.Minute},
	} {
		if d.value < time.Millisecond || d.value > d.most {
			return field.Wrong(d.name, "is %v, want from 1ms to %v", d.value, d.most)
		}
	}
	switch {
	case !(c.Unlogged > 0 && c.Unlogged <= 1):
		return field.Wrong("unlogged", "is %v, want more than 0, and at most 1", c.Unlogged)
	case c.UnloggedLeast < 1 || c.UnloggedLeast > maxMicros:
		return field.Wrong("unlogged_least", "is %d micros, want from 1 to %d", c.UnloggedLeast, maxMicros)
	case c.MaxWaiting < 64<<10:
		return field.Wrong("max_waiting", "is %d bytes, want at least %d", c.MaxWaiting, 64<<10)
	case c.ReadBack != 0 && c.ReadBack < c.Late+c.Longest+2*c.Sum:
		return field.Wrong("read_back", "is %v, want at least %v (late, longest, and twice sum), or 0 for the whole topic", c.ReadBack, c.Late+c.Longest+2*c.Sum)
	case strings.ContainsAny(c.Prefix, "\n{}"):
		return field.Wrong("prefix", "is %q, want a text without braces", c.Prefix)
	}
	return nil
}

// maxMicros bounds amounts: Lua's numbers are exact up to it. It is nine billion units.
const maxMicros = 1 << 53

// Deps are what a ledger stands on.
type Deps struct {
	Kafka *stream.Client
	Redis *features.RedisClient // in the role features.Writing: it must not retry by itself
	// Campaign returns a campaign of the catalogue, or nil: notices tell only its id.
	Campaign   func(id string) *campaign.Campaign
	Now        func() event.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil for none
}

// newName returns a name that no other process has.
func newName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}

// dayOf is the day of a campaign's daily budget.
func dayOf(c *campaign.Campaign, t event.Time) string {
	at := t.Std()
	if c != nil && c.Budget.Zone != nil {
		at = at.In(c.Budget.Zone)
	}
	return at.Format(time.DateOnly)
}

// longestWindow is the longest window of a campaign's caps; 0 for none.
func longestWindow(c *campaign.Campaign) time.Duration {
	longest := time.Duration(0)
	for _, limit := range c.Caps {
		longest = max(longest, limit.Window)
	}
	return longest
}
