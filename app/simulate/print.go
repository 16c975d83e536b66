package simulate

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/clickloop/clickloop/bidder/campaign"
)

// Line is p on one line.
func (p *Progress) Line() string {
	line := fmt.Sprintf("%s %d auctions, %d bids, %d wins (%s), spend %s, CTR %s, eCPC %s, eCPM %s", p.Time.Std().Format("02 15:04"),
		p.Requests, p.Bids, p.Wins, percent(p.WinRate()), money(p.Spend), percent(p.CTR()), money(p.ECPC()), money(p.ECPM()))
	if !math.IsNaN(p.BidderLogLoss) {
		line += fmt.Sprintf(", log loss %.4f (the rule's own %s)", p.BidderLogLoss, number4(p.ruleLoss()))
	}
	return line
}

// Print writes the tables of a report.
func (r *Report) Print(w io.Writer) error {
	p := printer{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)}
	p.table("hour", r.ByHour)
	if len(r.Campaigns) > 0 {
		p.campaigns(r.Campaigns)
	}
	if len(r.Learning) > 0 {
		p.table("stage", r.Learning)
	}
	if p.err == nil {
		p.err = p.w.Flush()
	}
	p.w = nil
	for _, line := range append(r.findings(), r.Faults.lines()...) {
		if p.err == nil {
			_, p.err = fmt.Fprintln(w, line)
		}
	}
	return p.err
}

// printer writes tables and keeps the first error.
type printer struct {
	w   *tabwriter.Writer
	err error
}

func (p *printer) row(cells ...string) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, strings.Join(cells, "\t")+"\t")
	}
}

// blank ends a table: columns of the next one are its own.
func (p *printer) blank() {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w)
	}
}

// table writes rows of stretches of time.
func (p *printer) table(name string, rows []Row) {
	p.row(name, "auctions", "bid", "won", "spend", "eCPM", "CTR", "CVR", "eCPC", "surplus", "log loss", "rule's", "clicks/unit", "oracle's", "of oracle's")
	for i := range rows {
		r := &rows[i]
		oracle := math.NaN()
		if r.Oracle != nil {
			oracle = r.Oracle.ExpectedPerUnit()
		}
		own := math.NaN()
		if r.BidderLogLoss != nil {
			own = *r.BidderLogLoss
		}
		p.row(r.Name, fmt.Sprint(r.Requests), percent(ratio(float64(r.Bids), float64(r.Slots))), percent(r.WinRate()), money(r.Spend), money(r.ECPM()), percent(r.CTR()),
			percent(r.CVR()), money(r.ECPC()), r.surplus(), number4(own), number4(r.ruleLoss()), money(r.ExpectedPerUnit()), money(oracle), percent(r.OfOracle()))
	}
	p.blank()
}

func (p *printer) campaigns(rows []Row) {
	p.row("campaign", "strategy", "budget", "spend", "won", "eCPM", "CTR", "CVR", "eCPC", "surplus", "oracle's", "oracle's spend", "clicks/unit", "oracle's")
	for i := range rows {
		r := &rows[i]
		oracle := Tally{}
		if r.Oracle != nil {
			oracle = *r.Oracle
		}
		p.row(r.Name, r.Campaign.Bid.Strategy, budget(r.Campaign), money(r.Spend), percent(r.WinRate()), money(r.ECPM()), percent(r.CTR()), percent(r.CVR()), money(r.ECPC()),
			r.surplus(), money(oracle.Surplus()), money(oracle.Spend), money(r.ExpectedPerUnit()), money(oracle.ExpectedPerUnit()))
	}
	p.blank()
}

func budget(c *campaign.Campaign) string {
	var parts []string
	if c.Budget.Daily > 0 {
		parts = append(parts, money(c.Budget.Daily.Units())+" a day")
	}
	if c.Budget.Total > 0 {
		parts = append(parts, money(c.Budget.Total.Units())+" in all")
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// surplus is empty without an oracle: then nothing is known of what impressions are worth.
func (r *Row) surplus() string {
	if r.Oracle == nil {
		return "-"
	}
	return money(r.Surplus())
}

func (t *Tally) ruleLoss() float64 { return ratio(t.LogLoss, float64(t.Shown)) }

// findings sum up what a run is for.
func (r *Report) findings() (lines []string) {
	length := time.Duration(r.Hours * float64(time.Hour)).Round(time.Second)
	lines = append(lines, fmt.Sprintf("seed %d: %v in %.1f s, %.0f auctions a second", r.Seed, length, r.Seconds, ratio(float64(r.All.Requests), r.Seconds)))
	for i := 1; i < len(r.Learning); i++ {
		first, stage := &r.Learning[0], &r.Learning[i]
		line := fmt.Sprintf("clicks for a unit of spend, %s: %s, which is %s times those of the first 5%% (%s)", stage.Name, money(stage.ExpectedPerUnit()), money(r.TimesFirst(stage)), money(first.ExpectedPerUnit()))
		if stage.Oracle != nil {
			line += fmt.Sprintf(" and %s of the oracle's (%s)", percent(stage.OfOracle()), money(stage.Oracle.ExpectedPerUnit()))
			line += fmt.Sprintf("; surplus %s, the oracle's %s", money(stage.Surplus()), money(stage.Oracle.Surplus()))
		}
		lines = append(lines, line)
	}
	for _, p := range r.Pacing {
		lines = append(lines, fmt.Sprintf("pacing of %s on %s: spent %s of %s (%s), hours off by %s", p.Campaign, p.Day, money(p.Spend), money(p.Budget), percent(p.Spend/p.Budget), percent(p.Error)))
	}
	return lines
}

// lines tell what went wrong; none where nothing did.
func (f *Faults) lines() (lines []string) {
	for _, c := range []struct {
		n    int64
		what string
	}{{f.Unanswered, "auctions were not answered in time"}, {f.Rejected, "auctions were refused"}, {f.Notices, "notices were not taken"}} {
		if c.n > 0 {
			lines = append(lines, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	for _, why := range slices.Sorted(maps.Keys(f.Refused)) {
		lines = append(lines, fmt.Sprintf("%d bids were refused: %s", f.Refused[why], why))
	}
	if f.First != "" {
		lines = append(lines, "the first fault: "+f.First)
	}
	return lines
}

func percent(share float64) string {
	if math.IsNaN(share) || math.IsInf(share, 0) {
		return "-"
	}
	return fmt.Sprintf("%.2f%%", 100*share)
}

// money is an amount of the currency, or a number of that size.
func money(amount float64) string {
	switch {
	case math.IsNaN(amount) || math.IsInf(amount, 0):
		return "-"
	case amount != 0 && math.Abs(amount) < 1:
		return fmt.Sprintf("%.3f", amount)
	}
	return fmt.Sprintf("%.2f", amount)
}

func number4(n float64) string {
	if math.IsNaN(n) {
		return "-"
	}
	return fmt.Sprintf("%.4f", n)
}
