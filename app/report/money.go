package report

import (
	"fmt"
	"math"
)

// priced is a format of money in a currency.
func priced(currency string) format {
	return func(v float64) string { return inCurrency(amount(v), currency) }
}

// inCurrency adds the currency to an amount, if it is known.
func inCurrency(amount, currency string) string {
	if currency == "" {
		return amount
	}
	return amount + " " + currency
}

// section tells what was spent and what it brought.
func (b *bids) section(cfg Config, objectives []*quality, unknown *unknowns) *Section {
	if !b.any() {
		unknown.add("Money: there are no bids in this period.")
		return nil
	}
	now := b.now()
	out := &Section{ID: "money", Title: "Spend and return"}
	out.say("Everything here counts at the time of the bid, also bills and clicks that came later. An impression is a bid that was billed. Amounts are in %s.", currencyName(cfg.Currency))
	b.byCampaign(out, objectives, &now)
	b.overTime(out, cfg, objectives)
	b.notKnown(cfg, &now, unknown)
	return out
}

func currencyName(currency string) string {
	if currency == "" {
		return "units of the account's currency"
	}
	return currency
}

func (b *bids) byCampaign(out *Section, objectives []*quality, all *money) {
	spend := &Table{ID: "campaigns", Title: "Campaigns, most spend first", Note: "Worth is what the impressions were worth to the campaign when it bid for them, by the model and the campaign's own value of what it wants; it is an estimate, not income.",
		Columns: []Column{text("Campaign", "campaign"), number("Bids", "bids"), estimate("Win rate", "win_rate"), number("Impressions", "impressions"), number("Spent", "spent"), number("Spent in the span before", "spent_before"), text("Budget", "budget"), number("Per 1,000 impressions", "ecpm"), number("Worth", "worth")}}
	results := &Table{ID: "campaign_results", Title: "What the campaigns' impressions brought", Note: "Shares and costs are those of the impressions whose label has come; the cost of one is what these impressions cost over their positives.", Columns: []Column{text("Campaign", "campaign"), number("Impressions", "impressions"), number("Spent", "spent")}}
	for _, q := range objectives {
		o := q.objective.Name
		results.Columns = append(results.Columns, number(capital(o)+", labelled", o+"_labelled"), number("Positives", o+"_positives"), estimate("Share", o+"_rate"), estimate("Cost of one", o+"_cost"))
	}
	row := func(name, budget string, m *money, before int64) {
		spend.add(label(name), count(m.bids), m.winRate().cell(percent), count(m.impressions), value(units(m.spent), amount), value(units(before), amount), label(budget), value(m.perThousand().value, amount), value(units(m.worth), amount))
		cells := []Cell{label(name), count(m.impressions), value(units(m.spent), amount)}
		for i := range objectives {
			cells = append(cells, count(m.labelled[i]), count(m.positives[i]), m.positiveRate(i).cell(percent), m.perPositive(i).cell(amount))
		}
		results.add(cells...)
	}
	row("(all)", "", all, b.sides[before].spent)
	for _, c := range b.sorted() {
		row(c.id, c.budget(), &c.now, c.was.spent)
	}
	out.show(spend)
	if len(objectives) > 0 {
		out.show(results)
	}
}

// budget is the campaign's budgets in words.
func (c *campaign) budget() string {
	switch {
	case c.total > 0 && c.daily > 0:
		return fmt.Sprintf("%s, %s a day", amount(units(c.total)), amount(units(c.daily)))
	case c.total > 0:
		return amount(units(c.total))
	case c.daily > 0:
		return amount(units(c.daily)) + " a day"
	}
	return "none told"
}

// capital begins a word with a capital letter.
func capital(s string) string {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}

func (b *bids) overTime(out *Section, cfg Config, objectives []*quality) {
	t := &Table{ID: "money_over_time", Title: "Money over time", Columns: []Column{instant("From (UTC)", "start"), number("Bids", "bids"), estimate("Win rate", "win_rate"), number("Impressions", "impressions"), number("Spent", "spent"), number("Per 1,000 impressions", "ecpm")}}
	for _, q := range objectives {
		t.Columns = append(t.Columns, number(capital(q.objective.Name)+"s", q.objective.Name+"_positives"), estimate("Per "+q.objective.Name, q.objective.Name+"_cost"))
	}
	spent := make([]float64, len(b.buckets))
	wins, cost := newLine("win rate"), newLine("cost")
	for i := range b.buckets {
		m := &b.buckets[i]
		if m.bids == 0 {
			continue
		}
		row := []Cell{when(b.period.start(i)), count(m.bids), m.winRate().cell(percent), count(m.impressions), value(units(m.spent), amount), value(m.perThousand().value, amount)}
		for k := range objectives {
			row = append(row, count(m.positives[k]), m.perPositive(k).cell(amount))
		}
		t.add(row...)
		spent[i] = units(m.spent)
		wins.add(i, m.winRate())
		if len(objectives) > 0 {
			cost.add(i, m.perPositive(0))
		}
	}
	all := []*Chart{
		barsOverTime(b.period, "spend", "Spend", currencyName(cfg.Currency), priced(cfg.Currency), spent),
		overTime(b.period, "win-rate", "Win rate", look{unit: "share of bids", zero: true, write: percent, axis: edge}, wins),
	}
	if len(objectives) > 0 {
		o := objectives[0].objective.Name
		all = append(all, overTime(b.period, "cost-of-"+o, "Cost of one "+o, look{unit: currencyName(cfg.Currency), zero: true, write: amount}, cost))
	}
	out.show(t, charts(all...)...)
}

func (b *bids) notKnown(cfg Config, now *money, unknown *unknowns) {
	if b.untracked > 0 {
		unknown.add("Money: %s beyond %s that were open or billed at once; what became of them is not counted.", plural(b.untracked, "bid"), thousands(maxBids))
	}
	if spent, n := b.stray(); n > 0 {
		unknown.add("Money: %s of %s in the period, for bids that are not on the topic: they are in no figure.", plural(n, "bill"), priced(cfg.Currency)(units(spent)))
	}
	if now.uncovered > 0 {
		unknown.add("Money: late bills of %s had no room in a budget. They are owed, and not in what was spent.", priced(cfg.Currency)(units(now.uncovered)))
	}
}

// returned is what a unit of spend was worth, by the bids' own values.
func (m *money) returned() float64 {
	if m.spent == 0 {
		return math.NaN()
	}
	return float64(m.worth) / float64(m.spent)
}
