package simulate

import (
	"math"
	"time"

	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
)

// Report is what became of a run.
type Report struct {
	Seed      uint64  `json:"seed"`
	Start     string  `json:"start"`
	Hours     float64 `json:"hours"`   // of simulated time
	Seconds   float64 `json:"seconds"` // that it took
	Recorded  bool    `json:"recorded"`
	All       Row     `json:"all"`
	ByHour    []Row   `json:"by_hour"`
	Campaigns []Row   `json:"by_campaign"`
	Learning  []Row   `json:"learning"` // the first 5%, and later stages; none of a short run
	Faults    Faults  `json:"faults"`

	// of campaigns with a daily budget that is paced evenly, of days that the run has whole
	Pacing []Pacing `json:"pacing,omitempty"`
}

// Row is a part of a run: the bidder's, and what the oracle made of the same auctions.
type Row struct {
	Name string `json:"name"`
	Tally
	Oracle *Tally `json:"oracle,omitempty"`
	// mean log loss of the bidder's probabilities of a click, of the labels that came due meanwhile
	BidderLogLoss *float64           `json:"log_loss,omitempty"`
	Campaign      *campaign.Campaign `json:"-"`
}

// Pacing is how a campaign's spend of a day followed its traffic: the slots that it fits.
type Pacing struct {
	Campaign string  `json:"campaign"`
	Day      string  `json:"day"`
	Budget   float64 `json:"budget"`
	Spend    float64 `json:"spend"`
	// sum over the hours of the distance of the spend from the budget's part by traffic, over the
	// budget
	Error float64 `json:"hourly_error"`
}

// TimesFirst is how many times the clicks of the first stage a stage has for a unit of spend, luck
// left out.
func (r *Report) TimesFirst(stage *Row) float64 {
	return ratio(stage.ExpectedPerUnit(), r.Learning[0].ExpectedPerUnit())
}

// OfOracle is how many of the oracle's clicks a row has for a unit of spend, luck left out; NaN
// without an oracle.
func (r *Row) OfOracle() float64 {
	if r.Oracle == nil {
		return math.NaN()
	}
	return ratio(r.ExpectedPerUnit(), r.Oracle.ExpectedPerUnit())
}

func (x *Exchange) report(took time.Duration) *Report {
	x.mu.Lock()
	defer x.mu.Unlock()
	minutes := int(math.Ceil(x.cfg.Length.Minutes()))
	r := &Report{
		Seed: x.cfg.Seed, Start: x.tallies.start.String(), Hours: x.cfg.Length.Hours(), Seconds: took.Seconds(), Recorded: x.client.recorded, Faults: x.faults,
		All: x.row("all", 0, minutes, nil),
	}
	for from := 0; from < minutes; from += 60 {
		r.ByHour = append(r.ByHour, x.row(x.minute(from).Std().Format("02 15:04"), from, min(from+60, minutes), nil))
	}
	r.Learning = x.learning(minutes)
	for _, c := range x.cfg.Campaigns {
		row := x.row(c.ID, 0, minutes, func(id string) bool { return id == c.ID })
		row.Campaign, row.BidderLogLoss = c, nil
		r.Campaigns = append(r.Campaigns, row)
		r.Pacing = append(r.Pacing, x.pacing(c, minutes)...)
	}
	return r
}

// learning sums up the stages of learning; there are none in a run of a few minutes.
func (x *Exchange) learning(minutes int) (stages []Row) {
	if minutes < 20 {
		return nil
	}
	stages = append(stages, x.row("first 5%", 0, minutes/20, nil))
	if minutes > 60 {
		stages = append(stages, x.row("after an hour", 60, minutes, nil))
	}
	return append(stages, x.row("last quarter", minutes-minutes/4, minutes, nil))
}

// minute is the time of a minute of the run.
func (x *Exchange) minute(n int) event.Time {
	return x.tallies.start.Add(time.Duration(n) * time.Minute)
}

// row sums up minutes of some campaigns, or of all and what belongs to none.
func (x *Exchange) row(name string, from, to int, want func(string) bool) Row {
	r := Row{Name: name, Tally: x.tallies.sum(from, to, want)}
	if x.oracle != nil {
		sum := x.oracle.tallies.sum(from, to, want)
		r.Oracle = &sum
	}
	if l := x.bidderLoss(x.minute(from), x.minute(to)); !math.IsNaN(l) {
		r.BidderLogLoss = &l
	}
	return r
}

// bidderLoss is the bidder's mean log loss over labels that came due between two times; NaN where
// none did.
func (x *Exchange) bidderLoss(from, to event.Time) float64 {
	var before, after mark
	for _, m := range x.marks {
		if m.at <= from {
			before = m
		}
		if m.at <= to {
			after = m
		}
	}
	return ratio(after.logLoss-before.logLoss, after.weight-before.weight)
}

// pacing compares a campaign's spend by the hour with its traffic, on days of UTC.
func (x *Exchange) pacing(c *campaign.Campaign, minutes int) (all []Pacing) {
	const day = 24 * 60
	if c.Budget.Daily <= 0 || c.Budget.Pacing == "asap" || x.oracle == nil {
		return nil
	}
	own := func(id string) bool { return id == c.ID }
	budget := c.Budget.Daily.Units()
	hour := x.tallies.start.Std()
	first := (day - hour.Hour()*60 - hour.Minute()) % day
	for from := first; from+day <= minutes; from += day {
		p := Pacing{Campaign: c.ID, Day: x.minute(from).Std().Format(time.DateOnly), Budget: budget}
		whole := x.oracle.tallies.sum(from, from+day, own)
		for m := from; m < from+day; m += 60 {
			spend, hour := x.tallies.sum(m, m+60, own).Spend, x.oracle.tallies.sum(m, m+60, own)
			ideal := budget * ratio(float64(hour.Slots), float64(whole.Slots))
			p.Spend += spend
			p.Error += math.Abs(spend-ideal) / budget
		}
		if whole.Slots > 0 {
			all = append(all, p)
		}
	}
	return all
}

// Progress is how far a run is.
type Progress struct {
	Time  event.Time
	Share float64 // of the run's time that is over
	Tally
	BidderLogLoss float64 // NaN: not known yet
}

// Progress may be called while the exchange runs.
func (x *Exchange) Progress() Progress {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := Progress{Time: x.now, Tally: x.tallies.sum(0, len(x.tallies.minutes), nil), BidderLogLoss: math.NaN()}
	if x.now > 0 {
		p.Share = float64(x.now.Sub(x.tallies.start)) / float64(x.cfg.Length)
	}
	if n := len(x.marks); n > 0 {
		p.BidderLogLoss = ratio(x.marks[n-1].logLoss, x.marks[n-1].weight)
	}
	return p
}
