package campaign

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/expression"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/strictjson"
)

// Values of Budget.Pacing.
const (
	PacingEven = "even"
	PacingASAP = "asap"
)

// Values of Bid.Strategy.
const (
	StrategyCPM   = "cpm"
	StrategyValue = "value"
	StrategyCPA   = "cpa"
	StrategyROAS  = "roas"
	StrategySpend = "spend"
)

var strategies = []string{StrategyCPM, StrategyValue, StrategyCPA, StrategyROAS, StrategySpend}

// Bounds of a campaign, beside event.CampaignBytes for all of it.
const (
	MaxCreatives = 100
	maxList      = 5000 // texts of a list
	maxCaps      = 10
	maxCircles   = 100
	maxHours     = 100
	maxText      = 256 // bytes
	maxURL       = 4096
	maxHTML      = 64 << 10
	maxSize      = 10_000 // pixels
	maxFiles     = 20
	maxTrackers  = 20
	maxNumber    = 10_000 // of the specification's lists
	maxUnits     = 1e9    // of the currency
	maxRatio     = 1e6
	maxKm        = 20_038 // half of the Earth's circumference
	maxWindow    = 90 * 24 * time.Hour
	maxLength    = 6 * time.Hour // of a video
)

var (
	earliest   = event.TimeOf(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))
	country    = regexp.MustCompile(`^[A-Za-z]{3}$`)
	domainName = regexp.MustCompile(`^[\p{L}\p{N}_-]+(\.[\p{L}\p{N}_-]+)*$`)
	mimeType   = regexp.MustCompile(`^[a-z]+/[a-z0-9.+-]+$`)
)

// checker keeps the first mistake, a *field.Error.
type checker struct{ err error }

func (k *checker) wrong(path, format string, args ...any) {
	if k.err == nil {
		k.err = field.Wrong(path, format, args...)
	}
}

// at is the path of an element.
func at(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// amount reads an amount in units of the currency.
func (k *checker) amount(path string, units float64) auction.Micros {
	k.between(path, units, 0, maxUnits)
	m := auction.OfUnits(units)
	if units > 0 && m == 0 {
		k.wrong(path, "is %v, want 0 or at least 0.000001", units)
	}
	return m
}

// between refuses NaN, too.
func (k *checker) between(path string, x, least, most float64) {
	if !(x >= least && x <= most) {
		k.wrong(path, "is %v, want a number from %v to %v", x, least, most)
	}
}

func (k *checker) time(path, text string) event.Time {
	if text == "" {
		return 0
	}
	t, err := event.ParseTime(text)
	if err != nil {
		k.wrong(path, "is %s, want a time of RFC 3339, such as 2026-11-25T09:00:00Z", strictjson.Quote(text))
	}
	if err == nil && t < earliest {
		k.wrong(path, "is %s, before the year 2000", t)
	}
	return t
}

func (k *checker) zone(path, name string) *time.Location {
	z, err := loadZone(name)
	if err != nil || name == "Local" {
		k.wrong(path, "is %s, want the name of a time zone, such as Europe/Berlin", strictjson.Quote(name))
		return time.UTC
	}
	return z
}

// text checks a text of at most a number of bytes, without control characters.
func (k *checker) text(path, s string, most int) {
	switch {
	case len(s) > most:
		k.wrong(path, "has %d bytes, want at most %d", len(s), most)
	case !utf8.ValidString(s):
		k.wrong(path, "is not valid UTF-8")
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }):
		k.wrong(path, "contains a control character")
	}
}

func (k *checker) needed(path, s string, most int) {
	if s == "" {
		k.wrong(path, "is missing")
	}
	k.text(path, s, most)
}

func (k *checker) oneOf(path, s string, allowed []string) {
	switch {
	case slices.Contains(allowed, s):
	case s == "":
		k.wrong(path, "is missing, want one of %s", strings.Join(allowed, ", "))
	default:
		k.wrong(path, "is %s, want one of %s", strictjson.Quote(s), strings.Join(allowed, ", "))
	}
}

func (k *checker) most(path string, n, most int) {
	if n > most {
		k.wrong(path, "has %d elements, want at most %d", n, most)
	}
}

// texts checks a list of texts that are not empty.
func (k *checker) texts(path string, list []string, check func(path, s string)) {
	k.most(path, len(list), maxList)
	for i, s := range list {
		if k.err != nil {
			return
		}
		k.needed(at(path, i), s, maxText)
		if check != nil && k.err == nil {
			check(at(path, i), s)
		}
	}
}

func (k *checker) match(path string, m Match, check func(path, s string)) {
	k.texts(path+".allow", m.Allow, check)
	k.texts(path+".block", m.Block, check)
}

func (k *checker) numbers(path string, list []int, least int) {
	k.most(path, len(list), maxList)
	for i, n := range list {
		if n < least || n > maxNumber {
			k.wrong(at(path, i), "is %d, want a number of OpenRTB's list, %d to %d", n, least, maxNumber)
		}
	}
}

// Validate says what is wrong with c, as a *field.Error. A value and an objective may be of the
// given objectives only.
func (c *Campaign) Validate(objectives []string) error {
	var k checker
	k.needed("id", c.ID, maxText)
	k.text("name", c.Name, maxText)
	k.text("bundle", c.Bundle, maxText)
	k.advertiser(&c.Advertiser)
	if c.Start != 0 && c.End != 0 && c.End <= c.Start {
		k.wrong("end", "is %s, want a time after start, which is %s", c.End, c.Start)
	}
	k.budget(&c.Budget)
	k.bid(c, objectives)
	k.caps(c.Caps)
	k.targeting(&c.Targeting)
	k.creatives(c)
	if k.err == nil {
		if n := len(c.AppendJSON(nil)); n > event.CampaignBytes {
			k.wrong("", "has %d bytes as JSON, want at most %d", n, event.CampaignBytes)
		}
	}
	return k.err
}

func (k *checker) advertiser(a *Advertiser) {
	k.needed("advertiser.id", a.ID, maxText)
	k.needed("advertiser.domain", a.Domain, maxText)
	if k.err == nil {
		k.domain("advertiser.domain", a.Domain)
	}
	k.texts("advertiser.categories", a.Categories, nil)
	k.text("advertiser.seat", a.Seat, maxText)
}

func (k *checker) domain(path, s string) {
	if !domainName.MatchString(s) {
		k.wrong(path, "is %s, want a domain without scheme, port and path, such as example.com", strictjson.Quote(s))
	}
}

func (k *checker) budget(b *Budget) {
	if b.Total < 0 || b.Daily < 0 {
		k.wrong("budget", "is negative, want amounts of 0 or more")
	}
	if b.Total > 0 && b.Daily > b.Total {
		k.wrong("budget.daily", "is %v, which is above budget.total of %v", b.Daily.Units(), b.Total.Units())
	}
	k.oneOf("budget.pacing", b.Pacing, []string{PacingEven, PacingASAP})
}

func (k *checker) bid(c *Campaign, objectives []string) {
	b := &c.Bid
	k.oneOf("bid.strategy", b.Strategy, strategies)
	k.between("bid.cpm", b.CPM, 0, maxUnits)
	k.between("bid.max_cpm", b.MaxCPM, 0, maxUnits)
	most := float64(maxUnits)
	if b.Strategy == StrategyROAS {
		most = maxRatio
	}
	k.between("bid.target", b.Target, 0, most)
	if k.err != nil {
		return
	}
	k.takes("bid.cpm", b, b.CPM != 0, StrategyCPM)
	k.takes("bid.objective", b, b.Objective != "", StrategyCPA, StrategySpend)
	k.takes("bid.target", b, b.Target != 0, StrategyCPA, StrategyROAS)
	k.takes("bid.value", b, b.Value != "", StrategyValue, StrategyROAS)
	if b.MaxCPM > 0 && b.CPM > b.MaxCPM {
		k.wrong("bid.max_cpm", "is %v, which is below bid.cpm of %v", b.MaxCPM, b.CPM)
	}
	k.notTiny("bid.cpm", b.CPM)
	k.notTiny("bid.max_cpm", b.MaxCPM)
	if b.Strategy == StrategySpend && c.Budget.Daily == 0 && c.Budget.Total == 0 {
		k.wrong("budget", "is missing: the strategy spend spends a daily or a total budget")
	}
	if b.Objective != "" && !slices.Contains(objectives, b.Objective) {
		k.wrong("bid.objective", "is %s, want one that is configured: %s", strictjson.Quote(b.Objective), strings.Join(objectives, ", "))
	}
	if b.Value != "" {
		k.value("bid.value", b.Value, objectives)
	}
}

// notTiny refuses a price that is rounded to nothing.
func (k *checker) notTiny(path string, cpm float64) {
	if cpm > 0 && auction.OfCPM(cpm) == 0 {
		k.wrong(path, "is %v, want 0 or at least 0.001", cpm)
	}
}

// takes checks that a setting is given where the strategy needs it, and only there.
func (k *checker) takes(path string, b *Bid, given bool, strategies ...string) {
	switch needs := slices.Contains(strategies, b.Strategy); {
	case needs && !given:
		k.wrong(path, "is missing: the strategy %s needs it", b.Strategy)
	case given && !needs:
		k.wrong(path, "is given, but the strategy %s does not use it, only %s", b.Strategy, strings.Join(strategies, " and "))
	}
}

func (k *checker) value(path, text string, objectives []string) {
	p, err := expression.Compile(text, expression.Names{Numbers: map[string][]string{"p": objectives}})
	switch {
	case err != nil:
		k.wrong(path, "is %s: %v", strictjson.Quote(text), err)
	case !p.Numeric():
		k.wrong(path, "is %s, which is true or false, want a number such as p.click * 0.40", strictjson.Quote(text))
	}
}

func (k *checker) caps(caps []Cap) {
	k.most("caps", len(caps), maxCaps)
	for i, c := range caps {
		if c.Impressions < 1 || c.Impressions > maxNumber {
			k.wrong(at("caps", i)+".impressions", "is %d, want 1 to %d", c.Impressions, maxNumber)
		}
		if c.Window < time.Minute || c.Window > maxWindow {
			k.wrong(at("caps", i)+".window", "is %s, want 1m to %s", durationText(c.Window), durationText(maxWindow))
		}
		if slices.ContainsFunc(caps[:i], func(other Cap) bool { return other.Window == c.Window }) {
			k.wrong(at("caps", i)+".window", "is %s, for which there is a cap already", durationText(c.Window))
		}
	}
}

func (k *checker) targeting(t *Targeting) {
	k.match("targeting.countries", t.Countries, func(path, s string) {
		if !country.MatchString(s) {
			k.wrong(path, "is %s, want three letters of ISO 3166-1, such as USA", strictjson.Quote(s))
		}
	})
	k.match("targeting.sites", t.Sites, func(path, s string) { k.domain(path, s) })
	for _, m := range []struct {
		name string
		Match
	}{
		{"regions", t.Regions}, {"cities", t.Cities}, {"metros", t.Metros}, {"os", t.OS}, {"languages", t.Languages}, {"apps", t.Apps},
		{"publishers", t.Publishers}, {"categories", t.Categories}, {"segments", t.Segments}, {"deals", t.Deals},
	} {
		k.match("targeting."+m.name, m.Match, nil)
	}
	k.numbers("targeting.device_types.allow", t.DeviceTypes.Allow, 0)
	k.numbers("targeting.device_types.block", t.DeviceTypes.Block, 0)
	k.numbers("targeting.positions.allow", t.Positions.Allow, 0)
	k.numbers("targeting.positions.block", t.Positions.Block, 0)
	k.circles(t.Geo)
	k.hours(t.Hours)
	k.most("targeting.formats", len(t.Formats), maxList)
}

func (k *checker) circles(circles []Circle) {
	k.most("targeting.geo", len(circles), maxCircles)
	for i, c := range circles {
		k.between(at("targeting.geo", i)+".lat", c.Lat, -90, 90)
		k.between(at("targeting.geo", i)+".lon", c.Lon, -180, 180)
		if k.between(at("targeting.geo", i)+".km", c.Km, 0, maxKm); c.Km == 0 {
			k.wrong(at("targeting.geo", i)+".km", "is 0, want a radius above 0")
		}
	}
}

func (k *checker) hours(hours []Hours) {
	k.most("targeting.hours", len(hours), maxHours)
	for i, h := range hours {
		path := at("targeting.hours", i)
		if h.From < 0 || h.From > 23 {
			k.wrong(path+".from", "is %d, want an hour of 0 to 23", h.From)
		}
		if h.To <= h.From || h.To > 24 {
			k.wrong(path+".to", "is %d, want an hour after from, which is %d, up to 24; two spans go over midnight", h.To, h.From)
		}
		k.most(path+".days", len(h.Days), len(days))
		for j, d := range h.Days {
			if d < 0 || d > 6 {
				k.wrong(at(path+".days", j), "is %d, want 0 for Sunday to 6", d)
			}
		}
	}
}
