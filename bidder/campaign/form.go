package campaign

import (
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/internal/strictjson"

	// so that a budget's zone is known on machines that have no zones
	_ "time/tzdata"
)

// form is a Campaign as people write it: money in units of the currency, times, zones, days and
// formats as texts. Sections that need no translation are the Campaign's own types.
type form struct {
	ID         string         `yaml:"id"`
	Name       string         `yaml:"name"`
	Paused     bool           `yaml:"paused"`
	Advertiser advertiserForm `yaml:"advertiser"`
	Bundle     string         `yaml:"bundle"`
	Start      string         `yaml:"start"`
	End        string         `yaml:"end"`
	Budget     budgetForm     `yaml:"budget"`
	Bid        bidForm        `yaml:"bid"`
	Caps       []Cap          `yaml:"caps"`
	Targeting  targetingForm  `yaml:"targeting"`
	Creatives  []creativeForm `yaml:"creatives"`
}

// advertiserForm may be the id of an advertiser that a file lists.
type advertiserForm struct {
	ID         string   `yaml:"id"`
	Domain     string   `yaml:"domain"`
	Categories []string `yaml:"categories"`
	Seat       string   `yaml:"seat"`
	Listed     bool     `yaml:"-"` // given by the id alone
}

// Short is called for an advertiser that is given by its id.
func (a *advertiserForm) Short(id string) { *a = advertiserForm{ID: id, Listed: true} }

type budgetForm struct {
	Total  float64 `yaml:"total"`
	Daily  float64 `yaml:"daily"`
	Zone   string  `yaml:"zone"`
	Pacing string  `yaml:"pacing"`
}

type bidForm struct {
	Strategy  string  `yaml:"strategy"`
	CPM       float64 `yaml:"cpm"`
	Objective string  `yaml:"objective"`
	Target    float64 `yaml:"target"`
	Value     string  `yaml:"value"`
	MaxCPM    float64 `yaml:"max_cpm"`
}

type targetingForm struct {
	Countries   Match        `yaml:"countries"`
	Regions     Match        `yaml:"regions"`
	Cities      Match        `yaml:"cities"`
	Metros      Match        `yaml:"metros"`
	Geo         []Circle     `yaml:"geo"`
	DeviceTypes MatchNumbers `yaml:"device_types"`
	OS          Match        `yaml:"os"`
	Languages   Match        `yaml:"languages"`
	Sites       Match        `yaml:"sites"`
	Apps        Match        `yaml:"apps"`
	Publishers  Match        `yaml:"publishers"`
	Categories  Match        `yaml:"categories"`
	Segments    Match        `yaml:"segments"`
	Deals       Match        `yaml:"deals"`
	Formats     []string     `yaml:"formats"`
	Positions   MatchNumbers `yaml:"positions"`
	Hours       []hoursForm  `yaml:"hours"`
}

// hoursForm has 24 for To where none is given.
type hoursForm struct {
	Days []string `yaml:"days"`
	From int      `yaml:"from"`
	To   int      `yaml:"to"`
}

type creativeForm struct {
	ID         string          `yaml:"id"`
	Landing    string          `yaml:"landing"`
	Attributes []int           `yaml:"attributes"`
	Secure     bool            `yaml:"secure"`
	Trackers   []string        `yaml:"trackers"`
	Language   string          `yaml:"language"`
	Banner     *BannerCreative `yaml:"banner"`
	Video      *videoForm      `yaml:"video"`
	Audio      *AudioCreative  `yaml:"audio"`
	Native     *NativeCreative `yaml:"native"`
}

// videoForm is a VideoCreative whose names have words.
type videoForm struct {
	Duration  time.Duration `yaml:"duration"`
	W         int           `yaml:"w"`
	H         int           `yaml:"h"`
	Files     []MediaFile   `yaml:"files"`
	SkipAfter time.Duration `yaml:"skip_after"`
	Protocol  int           `yaml:"protocol"`
	APIs      []int         `yaml:"apis"`
}

var days = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

var formats = map[string]auction.Format{
	"banner": auction.FormatBanner, "video": auction.FormatVideo, "audio": auction.FormatAudio, "native": auction.FormatNative,
}

// Parse reads a campaign from JSON and checks it; objectives are those that are configured. A
// campaign without an id gets the given one. The error is a *field.Error.
func Parse(b []byte, id string, objectives []string) (*Campaign, error) {
	var r strictjson.Reader
	r.Reset(string(b), strictjson.Limits{Bytes: event.CampaignBytes, Depth: maxDepth})
	if r.Kind() == strictjson.KindNull {
		r.Fail("is null, expected an object")
	}
	f := form{ID: id}
	readJSON(&r, reflect.ValueOf(&f).Elem())
	if err := r.End(); err != nil {
		return nil, err
	}
	if f.Advertiser.Listed {
		return nil, field.Wrong("advertiser", "is %s, want a section with id, domain, categories and seat: only a file lists advertisers", strictjson.Quote(f.Advertiser.ID))
	}
	return f.check(objectives)
}

// check returns the form's campaign, if it is right.
func (f *form) check(objectives []string) (*Campaign, error) {
	c, err := f.campaign()
	if err == nil {
		err = c.Validate(objectives)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AppendJSON appends c on one line, in the form that Parse reads.
func (c *Campaign) AppendJSON(dst []byte) []byte {
	f := formOf(c)
	return appendJSON(dst, reflect.ValueOf(&f).Elem())
}

// campaign translates f, and fills in defaults.
func (f *form) campaign() (*Campaign, error) {
	a := f.Advertiser
	c := &Campaign{
		ID: f.ID, Name: f.Name, Paused: f.Paused, Bundle: f.Bundle, Caps: f.Caps,
		Advertiser: Advertiser{ID: a.ID, Domain: cleanDomain(a.Domain), Categories: a.Categories, Seat: a.Seat},
		Bid:        Bid(f.Bid),
	}
	var k checker
	c.Start, c.End = k.time("start", f.Start), k.time("end", f.End)
	c.Budget = Budget{Total: k.amount("budget.total", f.Budget.Total), Daily: k.amount("budget.daily", f.Budget.Daily),
		Zone: k.zone("budget.zone", f.Budget.Zone), Pacing: f.Budget.Pacing}
	if c.Budget.Pacing == "" {
		c.Budget.Pacing = PacingEven
	}
	c.Targeting = f.Targeting.targeting(&k)
	for i := range f.Creatives {
		c.Creatives = append(c.Creatives, f.Creatives[i].creative())
	}
	return c, k.err
}

func (f *targetingForm) targeting(k *checker) Targeting {
	t := Targeting{
		Countries: f.Countries, Regions: f.Regions, Cities: f.Cities, Metros: f.Metros, Geo: f.Geo, DeviceTypes: f.DeviceTypes, OS: f.OS,
		Languages: f.Languages, Sites: f.Sites, Apps: f.Apps, Publishers: f.Publishers, Categories: f.Categories, Segments: f.Segments,
		Deals: f.Deals, Positions: f.Positions,
	}
	if f.Deals.Allow != nil && len(f.Deals.Allow) == 0 {
		k.wrong("targeting.deals.allow", "is empty, want the deals with one of which the campaign bids, or no list")
	}
	for i, name := range f.Formats {
		format, known := formats[name]
		if !known {
			k.wrong(at("targeting.formats", i), "is %s, want banner, video, audio or native", strictjson.Quote(name))
		}
		t.Formats = append(t.Formats, format)
	}
	for i, h := range f.Hours {
		span := Hours{From: h.From, To: h.To}
		if span.To == 0 {
			span.To = 24
		}
		for j, name := range h.Days {
			day := 0
			for day < len(days) && days[day] != strings.ToLower(name) {
				day++
			}
			if day == len(days) {
				k.wrong(at(at("targeting.hours", i)+".days", j), "is %s, want one of %s", strictjson.Quote(name), strings.Join(days, ", "))
			}
			span.Days = append(span.Days, day)
		}
		t.Hours = append(t.Hours, span)
	}
	return t
}

func (f *creativeForm) creative() Creative {
	cr := Creative{ID: f.ID, Landing: f.Landing, Attributes: f.Attributes, Secure: f.Secure, Trackers: f.Trackers, Language: f.Language,
		Banner: f.Banner, Audio: f.Audio, Native: f.Native}
	if f.Video != nil {
		v := VideoCreative(*f.Video)
		cr.Video = &v
	}
	cr.fill()
	return cr
}

// formOf is the form that campaign translates to c.
func formOf(c *Campaign) form {
	a, t := c.Advertiser, &c.Targeting
	f := form{
		ID: c.ID, Name: c.Name, Paused: c.Paused, Bundle: c.Bundle, Caps: c.Caps,
		Advertiser: advertiserForm{ID: a.ID, Domain: a.Domain, Categories: a.Categories, Seat: a.Seat},
		Start:      timeText(c.Start), End: timeText(c.End),
		Budget: budgetForm{Total: c.Budget.Total.Units(), Daily: c.Budget.Daily.Units(), Pacing: c.Budget.Pacing},
		Bid:    bidForm(c.Bid),
		Targeting: targetingForm{
			Countries: t.Countries, Regions: t.Regions, Cities: t.Cities, Metros: t.Metros, Geo: t.Geo, DeviceTypes: t.DeviceTypes, OS: t.OS,
			Languages: t.Languages, Sites: t.Sites, Apps: t.Apps, Publishers: t.Publishers, Categories: t.Categories, Segments: t.Segments,
			Deals: t.Deals, Positions: t.Positions,
		},
	}
	if z := c.Budget.Zone; z != nil && z != time.UTC {
		f.Budget.Zone = z.String()
	}
	for _, format := range t.Formats {
		f.Targeting.Formats = append(f.Targeting.Formats, format.String())
	}
	for _, h := range t.Hours {
		span := hoursForm{From: h.From, To: h.To}
		for _, d := range h.Days {
			span.Days = append(span.Days, days[d])
		}
		f.Targeting.Hours = append(f.Targeting.Hours, span)
	}
	for i := range c.Creatives {
		f.Creatives = append(f.Creatives, formOfCreative(&c.Creatives[i]))
	}
	return f
}

func formOfCreative(cr *Creative) creativeForm {
	f := creativeForm{ID: cr.ID, Landing: cr.Landing, Attributes: cr.Attributes, Secure: cr.Secure, Trackers: cr.Trackers, Language: cr.Language,
		Banner: cr.Banner, Audio: cr.Audio, Native: cr.Native}
	if cr.Video != nil {
		v := videoForm(*cr.Video)
		f.Video = &v
	}
	return f
}

func timeText(t event.Time) string {
	if t == 0 {
		return ""
	}
	return t.String()
}

var zones sync.Map // of string: *time.Location

// loadZone is time.LoadLocation, which reads a file whenever it is called.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	if known, ok := zones.Load(name); ok {
		return known.(*time.Location), nil
	}
	z, err := time.LoadLocation(name)
	if err == nil {
		known, _ := zones.LoadOrStore(name, z)
		z = known.(*time.Location)
	}
	return z, err
}
