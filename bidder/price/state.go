package price

import (
	"encoding/json"
	"math"

	"github.com/clickloop/clickloop/internal/field"
)

// state is what a Pacer knows that cannot be read from standings and the clock, as JSON.
type state struct {
	Version   int                  `json:"version"`
	All       Forecast             `json:"all"`
	Campaigns map[string]paceState `json:"campaigns"`
}

type paceState struct {
	Forecast   Forecast `json:"forecast"`
	Share      float64  `json:"share"`
	Multiplier float64  `json:"multiplier"`
	Costs      float64  `json:"costs"`
	Takes      float64  `json:"takes"`
	Released   float64  `json:"released"`
	Settled    float64  `json:"settled"`
}

const stateVersion = 1

// State is what the Pacer has learned: the forecasts, and what auctions cost. Whoever keeps it and
// hands it to Restore spares a process that starts the day in which it would take traffic for flat.
// It takes about 5 kB a campaign.
func (p *Pacer) State() []byte {
	s := state{Version: stateVersion, Campaigns: map[string]paceState{}}
	p.allMu.Lock()
	s.All = p.all
	p.allMu.Unlock()
	p.mu.RLock()
	defer p.mu.RUnlock()
	for id, w := range p.paces {
		w.mu.Lock()
		s.Campaigns[id] = paceState{w.forecast, w.plan.Share, w.plan.Multiplier, w.costs, w.takes, w.released, w.settled}
		w.mu.Unlock()
	}
	b, err := json.Marshal(&s)
	if err != nil {
		panic("BUG: a pacer's state is no JSON: " + err.Error())
	}
	return b
}

// Restore takes a State, before the first Plan. It refuses one of another version, or with numbers
// that no Pacer has, and takes nothing then.
func (p *Pacer) Restore(b []byte) error {
	var s state
	if err := json.Unmarshal(b, &s); err != nil {
		return field.Wrong("state", "is not a pacer's: %v", err)
	}
	if s.Version != stateVersion {
		return field.Wrong("state.version", "is %d, want %d", s.Version, stateVersion)
	}
	if len(s.Campaigns) > maxPaces {
		return field.Wrong("state.campaigns", "are %d, want at most %d", len(s.Campaigns), maxPaces)
	}
	if !s.All.valid() {
		return field.Wrong("state.all", "has an hour below 0 or above %g", mostAuctions)
	}
	paces := map[string]*pace{}
	for id, c := range s.Campaigns {
		if !c.valid() {
			return field.Wrong("state.campaigns."+id, "has a number that is out of its range")
		}
		paces[id] = &pace{forecast: c.Forecast, plan: Plan{c.Share, c.Multiplier}, costs: c.Costs, takes: c.Takes, released: c.Released, settled: c.Settled}
	}
	p.mu.Lock()
	p.paces = paces
	p.mu.Unlock()
	p.allMu.Lock()
	p.all = s.All
	p.allMu.Unlock()
	return nil
}

// mostAuctions bounds those of an hour.
const mostAuctions = 1e12

func (f *Forecast) valid() bool {
	for _, hours := range [][]Hour{f.Week[:], f.Day[:]} {
		for _, h := range hours {
			if !within(h.Auctions, mostAuctions) {
				return false
			}
		}
	}
	return true
}

func (s *paceState) valid() bool {
	return s.Forecast.valid() && within(s.Share, 1) && within(s.Multiplier, mostMultiplier) &&
		within(s.Costs, math.MaxInt64) && within(s.Takes, math.MaxInt64) && within(s.Released, math.MaxInt64) && within(s.Settled, math.MaxInt64)
}

func within(f, most float64) bool { return f >= 0 && f <= most }

// PacingInfo is how a campaign is paced, for people. Money is in units of the currency.
type PacingInfo struct {
	Campaign   string  `json:"campaign"`
	Share      float64 `json:"share"`
	Multiplier float64 `json:"multiplier,omitempty"` // of the strategy spend: what a positive is worth
	// Target is the share, or the multiplier, that is steered to.
	Target     float64 `json:"target"`
	Spent      float64 `json:"spent"`
	Reserved   float64 `json:"reserved"`
	SpentToday float64 `json:"spent_today"`
	Left       float64 `json:"left"`   // of the budget that binds, without what reservations will take
	Coming     float64 `json:"coming"` // auctions that match until that budget ends
	// Cost is of an auction taken part in, won or not; 0: not known yet.
	Cost float64 `json:"cost"`
	// Settled is the part of the reserved money that is spent in the end.
	Settled float64 `json:"settled"`
}

// Describe says how a campaign is paced; false for one that this process has not bid for.
func (p *Pacer) Describe(campaign string) (PacingInfo, bool) {
	p.mu.RLock()
	w := p.paces[campaign]
	p.mu.RUnlock()
	if w == nil {
		return PacingInfo{}, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	i := PacingInfo{Campaign: campaign, Share: w.plan.Share, Target: w.target, Spent: w.budget.Spent.Units(), Reserved: w.budget.Reserved.Units(),
		SpentToday: w.budget.SpentToday.Units(), Left: w.left / 1e6, Coming: w.auctions, Settled: w.part()}
	if w.plan.Multiplier > 0 {
		i.Multiplier, i.Target = w.plan.Multiplier/1e6, w.target/1e6
	}
	if w.takes > 0 {
		i.Cost = w.costs / w.takes / 1e6
	}
	return i, true
}
