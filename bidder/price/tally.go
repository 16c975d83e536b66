package price

import "time"

// LandscapeInfo is what the model has learned, for people.
type LandscapeInfo struct {
	Learned int64   `json:"learned"`  // outcomes
	Open    int     `json:"open"`     // bids whose outcome is waited for
	Late    int64   `json:"late"`     // notices that came after their bid's reservation had ended
	Sampled float64 `json:"sampled"`  // share of the bids that is learned: less than 1 where too many are open
	WinRate float64 `json:"win_rate"` // of the last outcomes
	// Expected is the mean of P(win) of the same bids, as it was when they were made.
	Expected float64 `json:"expected_win_rate"`
	// Told is the share of the outcomes with the least winning price.
	Told float64 `json:"told"`
	// Delay is the age at which outcomes are learned: when nearly all losses are known.
	Delay       time.Duration `json:"delay"`
	Calibration []Calibration `json:"calibration"`
}

// Calibration compares the bids whose P(win) was between From and To.
type Calibration struct {
	From     float64 `json:"from"`
	To       float64 `json:"to"`
	Bids     float64 `json:"bids"` // of the last 10,000, about
	Expected float64 `json:"expected"`
	Won      float64 `json:"won"`
}

const calibrationBins = 10

// tally counts outcomes; old ones fade.
type tally struct {
	bins                      [calibrationBins]struct{ bids, expected, won float64 }
	bids, expected, won, told float64
	late                      int64
}

// remembered is how much of a count is left after each outcome.
const remembered = 1 - 1.0/10_000

func (t *tally) add(b *openBid) {
	if b.pwin <= 0 {
		return
	}
	for _, sum := range []*float64{&t.bids, &t.expected, &t.won, &t.told} {
		*sum *= remembered
	}
	t.told += truth(b.least != 0)
	bin := &t.bins[min(int(b.pwin*calibrationBins), calibrationBins-1)]
	bin.bids, bin.expected, bin.won = bin.bids*remembered, bin.expected*remembered, bin.won*remembered
	won := truth(b.state == bidWon)
	bin.bids, bin.expected, bin.won = bin.bids+1, bin.expected+b.pwin, bin.won+won
	t.bids, t.expected, t.won = t.bids+1, t.expected+b.pwin, t.won+won
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// Describe says what the model has learned, as of the copy that Offer reads.
func (l *Landscape) Describe() LandscapeInfo { return l.current.Load().about }

func (l *Landscape) describe() LandscapeInfo {
	t := &l.tally
	i := LandscapeInfo{
		Learned: l.learner.count, Open: len(l.open.byID), Late: t.late, Sampled: 1 / float64(uint64(1)<<l.open.thin),
		WinRate: ratio(t.won, t.bids), Expected: ratio(t.expected, t.bids), Told: ratio(t.told, t.bids),
		Delay: l.open.ages.horizon(longestWait).Duration(),
	}
	for k := range t.bins {
		b := &t.bins[k]
		i.Calibration = append(i.Calibration, Calibration{
			From: float64(k) / calibrationBins, To: float64(k+1) / calibrationBins,
			Bids: b.bids, Expected: ratio(b.expected, b.bids), Won: ratio(b.won, b.bids),
		})
	}
	return i
}

func ratio(of, by float64) float64 {
	if by == 0 {
		return 0
	}
	return of / by
}
