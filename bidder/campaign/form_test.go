package campaign

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// full is a campaign with every member.
const full = `{"id":"c1","name":"Spring","paused":true,` +
	`"advertiser":{"id":"acme","domain":"acme.com","categories":["IAB8-5"],"seat":"s1"},"bundle":"com.acme","start":"2026-11-01T00:00:00.000Z","end":"2026-12-01T00:00:00.000Z",` +
	`"budget":{"total":1000,"daily":50.25,"zone":"Europe/Berlin","pacing":"asap"},` +
	`"bid":{"strategy":"roas","target":2.5,"value":"p.click * 0.40 + p.conversion * 12","max_cpm":9.5},` +
	`"caps":[{"impressions":3,"window":"24h"},{"impressions":1,"window":"90m"}],` +
	`"targeting":{"countries":{"allow":["DEU"],"block":["USA"]},"regions":{"allow":["BY"]},"cities":{"block":["Ulm"]},"metros":{"allow":["501"]},"geo":[{"lat":48.1,"lon":11.5,"km":20}],` +
	`"device_types":{"allow":[4,5]},"os":{"allow":["iOS"]},"languages":{"allow":["de"]},"sites":{"block":["bad.com"]},"apps":{"allow":["com.game"]},"publishers":{"allow":["p1"]},` +
	`"categories":{"allow":["IAB17"]},"segments":{"allow":["acme/sports"]},"deals":{"allow":["d1"]},"formats":["banner","video","audio","native"],"positions":{"block":[3]},` +
	`"hours":[{"days":["mon","sun"],"from":8,"to":20},{"to":24}]},` +
	`"creatives":[{"id":"b1","landing":"https://acme.com/?c=${CLICK}","attributes":[1,16],"secure":true,"trackers":["https://t.com/p"],"language":"de",` +
	`"banner":{"w":300,"h":250,"image":"https://cdn.com/b.png","type":2,"apis":[5],"mime":"image/png"}},` +
	`{"id":"h1","landing":"http://acme.com","banner":{"w":728,"h":90,"html":"<a href=\"{click}\">hi</a>","type":2}},` +
	`{"id":"v1","video":{"duration":"30s","w":640,"h":360,"files":[{"url":"https://cdn.com/v.mp4","mime":"video/mp4","bitrate":800,"w":640,"h":360}],"skip_after":"5s","protocol":7,"apis":[7]}},` +
	`{"id":"a1","audio":{"duration":"15500ms","files":[{"url":"https://cdn.com/a.mp3","mime":"audio/mpeg"}],"protocol":3}},` +
	`{"id":"n1","landing":"https://acme.com","native":{"title":"Shoes","body":"Good ones","cta":"Buy","sponsored":"Acme","rating":"4","price":"9","icon":{"url":"https://cdn.com/i.jpg","w":80,"h":80,"mime":"image/jpeg"},` +
	`"main":{"url":"https://cdn.com/m","w":1200,"h":627,"mime":"image/webp"},"logo":{"url":"https://cdn.com/l.gif","w":50,"h":50,"mime":"image/gif"}}}]}`

// short is a campaign with what it needs alone; each change replaces a part.
func short(changes ...string) string {
	text := `{"id":"c1","advertiser":{"id":"a","domain":"a.com"},"budget":{},"bid":{"strategy":"cpm","cpm":1},"caps":[],"targeting":{},` +
		`"creatives":[{"id":"b1","landing":"https://a.com","banner":{"w":300,"h":250,"image":"https://a.com/b.png"}}]}`
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(text, changes[i]) {
			panic("BUG: no " + changes[i])
		}
		text = strings.Replace(text, changes[i], changes[i+1], 1)
	}
	return text
}

func parse(t testing.TB, text string) *Campaign {
	t.Helper()
	c, err := Parse([]byte(text), "", testObjectives)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

func TestACampaignIsWrittenAsItWasRead(t *testing.T) {
	c := parse(t, full)
	if got := string(c.AppendJSON(nil)); got != full {
		t.Errorf("it is written as\n%s\nwant\n%s", got, full)
	}
	berlin, _ := time.LoadLocation("Europe/Berlin")
	if c.Budget != (Budget{1_000_000_000, 50_250_000, c.Budget.Zone, PacingASAP}) || c.Budget.Zone.String() != berlin.String() ||
		c.Caps[1] != (Cap{1, 90 * time.Minute}) || c.End != event.TimeOf(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)) ||
		!reflect.DeepEqual(c.Targeting.Hours, []Hours{{[]int{1, 0}, 8, 20}, {nil, 0, 24}}) || c.Creatives[2].Video.SkipAfter != 5*time.Second ||
		c.Targeting.Formats[3] != auction.FormatNative {
		t.Errorf("it is read as %+v", c)
	}
}

func TestWhatIsLeftOutHasADefault(t *testing.T) {
	c := parse(t, short())
	b := c.Creatives[0].Banner
	if c.Budget.Zone != time.UTC || c.Budget.Pacing != PacingEven || b.MIME != "image/png" || b.Type != 2 {
		t.Errorf("%+v, %+v", c.Budget, b)
	}
	f := func(html string, want int) {
		t.Helper()
		c := parse(t, short(`"image":"https://a.com/b.png"`, `"html":"`+html+`"`))
		if got := c.Creatives[0].Banner; got.Type != want || got.MIME != "" {
			t.Errorf("%s has the type %d, want %d", html, got.Type, want)
		}
	}
	f("<b>hi</b>", 2)
	f("<SCRIPT src='https://x'></SCRIPT>", 3)
	f("<iframe>", 4)
	if c := parse(t, short(`"a.com"`, `"WWW.Shop.A.com."`)); c.Advertiser.Domain != "shop.a.com" {
		t.Errorf("the domain is %q", c.Advertiser.Domain)
	}
}

func TestAWrongCampaignIsRefusedByFieldAndReason(t *testing.T) {
	f := func(text, field string, wants ...string) {
		t.Helper()
		_, err := Parse([]byte(text), "", testObjectives)
		for _, want := range append(wants, field) {
			if err == nil || !strings.HasPrefix(err.Error(), field+" ") || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", text, err, want)
			}
		}
	}
	change := func(from, to, field string, wants ...string) {
		t.Helper()
		f(short(from, to), field, wants...)
	}
	f(`null`, "the value", "is null")
	f(`[]`, "the value", "is an array")
	f(`{}`, "id", "is missing")
	f(`{"id":"c1","id":"c2"}`, "id", "given twice")
	f(short()+"x", "the value", "is not JSON")
	change(`"id":"c1"`, `"id":7`, "id", "is a number, expected a string")
	change(`"id":"c1"`, `"id":"a\u0001"`, "id", "control character")
	change(`"id":"c1"`, `"id":"`+strings.Repeat("x", 257)+`"`, "id", "has 257 bytes, want at most 256")
	change(`"budget":{}`, `"budgt":{}`, "budgt", "did you mean budget?")
	change(`"budget":{}`, `"budget":{"dayly":1}`, "budget.dayly", "did you mean daily?")
	change(`"budget":{}`, `"budget":{"total":"10"}`, "budget.total", "expected a number")
	change(`"budget":{}`, `"budget":{"total":-1}`, "budget.total", "is -1, want a number from 0 to 1e+09")
	change(`"budget":{}`, `"budget":{"total":1e-9}`, "budget.total", "want 0 or at least 0.000001")
	change(`"budget":{}`, `"budget":{"total":10,"daily":11}`, "budget.daily", "is 11, which is above budget.total of 10")
	change(`"budget":{}`, `"budget":{"zone":"Mars"}`, "budget.zone", `is "Mars"`, "Europe/Berlin")
	change(`"budget":{}`, `"budget":{"zone":"Local"}`, "budget.zone", `is "Local"`)
	change(`"budget":{}`, `"budget":{"zone":"../etc"}`, "budget.zone", `is "../etc"`)
	change(`"budget":{}`, `"budget":{"pacing":"slow"}`, "budget.pacing", `is "slow", want one of even, asap`)
	change(`"budget":{}`, `"start":"yesterday"`, "start", "RFC 3339")
	change(`"budget":{}`, `"start":"1970-01-01T00:00:00Z"`, "start", "before the year 2000")
	change(`"budget":{}`, `"start":"2026-02-01T00:00:00Z","end":"2026-01-01T00:00:00Z"`, "end", "want a time after start, which is 2026-02-01")
	change(`{"id":"a","domain":"a.com"}`, `"acme"`, "advertiser", `is "acme"`, "only a file")
	change(`"a.com"`, `"https://a.com"`, "advertiser.domain", "want a domain without scheme")
	change(`"domain":"a.com"`, `"categories":["IAB1"]`, "advertiser.domain", "is missing")
	change(`"domain":"a.com"`, `"domain":"a.com","categories":[""]`, "advertiser.categories[0]", "is missing")
	change(`"domain":"a.com"`, `"domain":"a.com","categories":[null]`, "advertiser.categories[0]", "is null")

	bid := func(bid, field string, wants ...string) {
		t.Helper()
		change(`{"strategy":"cpm","cpm":1}`, bid, field, wants...)
	}
	bid(`{}`, "bid.strategy", "is missing, want one of cpm, value, cpa, roas, spend")
	bid(`{"strategy":"CPM"}`, "bid.strategy", `is "CPM"`)
	bid(`{"strategy":"cpm"}`, "bid.cpm", "is missing: the strategy cpm needs it")
	bid(`{"strategy":"cpm","cpm":0.0001}`, "bid.cpm", "at least 0.001")
	bid(`{"strategy":"cpm","cpm":2,"max_cpm":1}`, "bid.max_cpm", "is 1, which is below bid.cpm of 2")
	bid(`{"strategy":"cpm","cpm":2,"value":"p.click"}`, "bid.value", "is given, but the strategy cpm does not use it, only value and roas")
	bid(`{"strategy":"value"}`, "bid.value", "is missing")
	bid(`{"strategy":"value","value":"p.clack"}`, "bid.value", "p.clack", "did you mean click?")
	bid(`{"strategy":"value","value":"p.click +"}`, "bid.value", "at column")
	bid(`{"strategy":"value","value":"p.click > 1"}`, "bid.value", "true or false")
	bid(`{"strategy":"value","value":"context.margin"}`, "bid.value", "the group context is not known")
	bid(`{"strategy":"cpa","objective":"click"}`, "bid.target", "is missing")
	bid(`{"strategy":"cpa","objective":"sale","target":1}`, "bid.objective", `is "sale", want one that is configured: click, conversion`)
	bid(`{"strategy":"roas","value":"p.click","target":1e7}`, "bid.target", "want a number from 0 to 1e+06")
	bid(`{"strategy":"spend","objective":"click"}`, "budget", "is missing: the strategy spend")

	caps := func(caps, field string, wants ...string) {
		t.Helper()
		change(`"caps":[]`, `"caps":[`+caps+`]`, field, wants...)
	}
	caps(`{"impressions":1}`, "caps[0].window", "want 1m to 2160h")
	caps(`{"impressions":0,"window":"1h"}`, "caps[0].impressions", "is 0, want 1 to 10000")
	caps(`{"impressions":1.5,"window":"1h"}`, "caps[0].impressions", "whole number")
	caps(`{"impressions":5000000000,"window":"1h"}`, "caps[0].impressions", "is 5000000000")
	caps(`{"impressions":1,"window":"1"}`, "caps[0].window", "has no unit")
	caps(`{"impressions":1,"window":"1h"},{"impressions":2,"window":"60m"}`, "caps[1].window", "is 1h, for which there is a cap already")

	targeting := func(targeting, field string, wants ...string) {
		t.Helper()
		change(`"targeting":{}`, `"targeting":{`+targeting+`}`, "targeting."+field, wants...)
	}
	targeting(`"countries":{"allow":["US"]}`, "countries.allow[0]", `is "US", want three letters of ISO 3166-1`)
	targeting(`"sites":{"block":["a.com","b.com/x"]}`, "sites.block[1]", `is "b.com/x", want a domain`)
	targeting(`"countries":["USA"]`, "countries", "is an array, expected an object")
	targeting(`"cities":{"alow":[]}`, "cities.alow", "did you mean allow?")
	targeting(`"segments":{"allow":[""]}`, "segments.allow[0]", "is missing")
	targeting(`"device_types":{"allow":["phone"]}`, "device_types.allow[0]", "expected a whole number")
	targeting(`"positions":{"block":[-1]}`, "positions.block[0]", "is -1")
	targeting(`"geo":[{"lat":91,"lon":0,"km":1}]`, "geo[0].lat", "is 91, want a number from -90 to 90")
	targeting(`"geo":[{"lat":1,"lon":0}]`, "geo[0].km", "is 0")
	targeting(`"formats":["banners"]`, "formats[0]", `is "banners", want banner, video, audio or native`)
	targeting(`"deals":{"allow":[]}`, "deals.allow", "is empty, want the deals")
	change(`"targeting":{}`, `"targeting":{"formats":["video"]}`, "creatives[0]", "has the format banner, which targeting.formats leaves out")
	targeting(`"hours":[{"from":20,"to":8}]`, "hours[0].to", "is 8, want an hour after from, which is 20", "over midnight")
	targeting(`"hours":[{"from":24}]`, "hours[0].from", "is 24")
	targeting(`"hours":[{"days":["monday"]}]`, "hours[0].days[0]", `is "monday", want one of sun, mon`)
	targeting(`"apps":{"allow":[`+strings.Repeat(`"a",`, maxList)+`"b"]}`, "apps.allow[5000]", "is one too many")
}

func TestAWrongCreativeIsRefusedByFieldAndReason(t *testing.T) {
	f := func(creative, field string, wants ...string) {
		t.Helper()
		text := short(`{"id":"b1","landing":"https://a.com","banner":{"w":300,"h":250,"image":"https://a.com/b.png"}}`, creative)
		_, err := Parse([]byte(text), "", testObjectives)
		for _, want := range append(wants, field) {
			if err == nil || !strings.HasPrefix(err.Error(), field+" ") || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", creative, err, want)
			}
		}
	}
	good := `{"id":"g","landing":"https://a.com","banner":{"w":1,"h":1,"html":"x"}}`
	f("", "creatives", "is empty")
	f(good+","+good, "creatives[1].id", `is "g", which another creative has`)
	f(strings.TrimSuffix(strings.Repeat(good+",", 101), ","), "creatives", "has 101 elements, want at most 100")
	f(`{"id":"x"}`, "creatives[0]", "has 0 formats, want exactly one")
	f(`{"id":"x","banner":{},"video":{}}`, "creatives[0]", "has 2 formats")
	f(`{"banner":{}}`, "creatives[0].id", "is missing")
	f(`{"id":"x","banner":{"w":1,"h":1,"html":"x"}}`, "creatives[0].landing", "is missing")
	f(`{"id":"x","landing":"a.com","banner":{"w":1,"h":1,"html":"x"}}`, "creatives[0].landing", "https://")
	f(`{"id":"x","landing":"javascript://a","banner":{"w":1,"h":1,"html":"x"}}`, "creatives[0].landing", "https://")
	f(`{"id":"x","landing":"https://a.com/\"><b>","banner":{"w":1,"h":1,"html":"x"}}`, "creatives[0].landing", "https://")
	banner := func(banner, field string, wants ...string) {
		t.Helper()
		f(`{"id":"x","landing":"http://a.com","secure":true,"banner":`+banner+`}`, "creatives[0].banner"+field, wants...)
	}
	banner(`{"html":"x"}`, ".w", "is 0, want 1 to 10000 pixels")
	banner(`{"w":300,"h":250}`, "", "has both of image and html, or none")
	banner(`{"w":300,"h":250,"html":"x","image":"https://a.com/b.png"}`, "", "has both")
	banner(`{"w":300,"h":250,"image":"https://a.com/b"}`, ".mime", "is missing")
	banner(`{"w":300,"h":250,"image":"http://a.com/b.png"}`, ".image", "but the creative says secure: want https")
	banner(`{"w":300,"h":250,"html":"<img src='HTTP://a.com/b.png'>"}`, ".html", "http://a.com", "says secure")
	banner(`{"w":300,"h":250,"html":"x","mime":"text/html"}`, ".mime", "only an image has one")
	banner(`{"w":300,"h":250,"html":"x","type":9}`, ".type", "is 9")
	parse(t, short(`"landing":"https://a.com","banner":{"w":300,"h":250,"image":"https://a.com/b.png"}`, `"landing":"http://a.com","secure":true,"banner":{"w":300,"h":250,"html":"<svg xmlns='http://www.w3.org/2000/svg'/>"}`))
	f(`{"id":"x","landing":"http://a.com","secure":true,"trackers":["http://t.com"],"banner":{"w":1,"h":1,"html":"x"}}`, "creatives[0].trackers[0]", "want https")
	f(`{"id":"x","video":{"files":[]}}`, "creatives[0].video.duration", "is 0h, want 1s to 6h")
	f(`{"id":"x","video":{"duration":"30s"}}`, "creatives[0].video.files", "is empty")
	f(`{"id":"x","video":{"duration":"30s","files":[{"url":"https://a.com/v","mime":"MP4"}]}}`, "creatives[0].video.files[0].mime", `is "MP4"`)
	f(`{"id":"x","video":{"duration":"30s","files":[{"mime":"video/mp4"}]}}`, "creatives[0].video.files[0].url", "is missing")
	f(`{"id":"x","video":{"duration":"30s","skip_after":"30s","files":[{"url":"https://a.com/v","mime":"video/mp4"}]}}`, "creatives[0].video.skip_after", "less than the duration")
	f(`{"id":"x","audio":{"duration":"30s","protocol":1,"files":[{"url":"https://a.com/v","mime":"audio/mp3"}]}}`, "creatives[0].audio.protocol", "is 1")
	f(`{"id":"x","landing":"https://a.com","native":{}}`, "creatives[0].native.title", "is missing")
	f(`{"id":"x","landing":"https://a.com","native":{"title":"t","icon":{"url":"https://a.com/i.png"}}}`, "creatives[0].native.icon.w", "is 0")
	f(`{"id":"x","landing":"https://a.com","native":{"title":"t","icon":{"w":3,"h":3}}}`, "creatives[0].native.icon.url", "is missing")
	large := `{"id":"%d","landing":"https://a.com","banner":{"w":1,"h":1,"html":"` + strings.Repeat("x", 60_000) + `"}}`
	f(fmt.Sprintf(large+","+large+","+large+","+large+","+large, 1, 2, 3, 4, 5), "the value", "is too large")
}

// What is read from JSON is read from YAML alike, and written so that it reads back the same.
func TestRandomCampaignsReadBackFromJSONAndYAML(t *testing.T) {
	r := newRandom(3)
	schema := schemaOf(t)
	valid := 0
	for i := range 2000 {
		want := r.campaign(fmt.Sprint("c", i))
		if r.IntN(2) == 0 {
			want.Budget.Daily, want.Budget.Total = auction.Micros(r.Int64N(1e15)), 1e15
		}
		if want.Validate(testObjectives) != nil {
			continue
		}
		valid++
		line := want.AppendJSON(nil)
		got, err := Parse(line, "", testObjectives)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s is read as %+v (%v), want %+v", line, got, err, want)
		}
		all, err := ParseFile("f.yaml", append(append([]byte("campaigns:\n- "), line...), '\n'), testObjectives)
		if i < 300 && (err != nil || len(all) != 1 || !reflect.DeepEqual(all[0], want)) {
			t.Fatalf("as YAML %s is read as %+v (%v), want %+v", line, all, err, want)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		if err == nil {
			err = schema.Validate(v)
		}
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	if valid < 800 {
		t.Errorf("%d of the random campaigns are valid", valid)
	}
}

func schemaOf(t testing.TB) *jsonschema.Schema {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join("../../docs/schemas/campaign.json"))
	if err != nil || schema.Title != event.SchemaCampaign {
		t.Fatal(err)
	}
	return schema
}

func TestTheSchemaTakesWhatIsACampaign(t *testing.T) {
	f := func(text string, want bool) {
		t.Helper()
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schemaOf(t).Validate(v); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	f(full, true)
	f(string(parse(t, short()).AppendJSON(nil)), true)
	f(`{}`, false)
	f(short(`"budget":{}`, `"budget":{"dayly":1}`), false)
	f(short(`"cpm":1`, `"cpm":-1`), false)
	f(short(`"caps":[]`, `"caps":[{"impressions":1,"window":"1"}]`), false)
}

const file = `
# what the newcomer writes
advertisers:
  - {id: acme, domain: acme.com, categories: [IAB8]}
campaigns:
  - id: c1
    advertiser: acme
    budget: {total: 1000, daily: 50, zone: Europe/Berlin, pacing: even}
    bid: {strategy: value, value: p.click * 0.40}
    caps: [{impressions: 3, window: 1d}]
    start: 2026-11-01T00:00:00Z
    creatives:
      - {id: b1, landing: "https://acme.com", banner: {w: 300, h: 250, image: "https://cdn.com/b.png"}}
  - id: c2
    advertiser: {id: other, domain: other.org}
    bid: {strategy: cpm, cpm: 1.5}
    creatives:
      - id: v1
        video:
          duration: 15s
          files: [{url: "https://cdn.com/v.mp4", mime: video/mp4}]
`

func TestAFileOfCampaignsIsRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "campaigns.yaml")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := Load(path, testObjectives)
	if err != nil || len(all) != 2 || all[0].Advertiser.Domain != "acme.com" || all[1].Advertiser.ID != "other" || all[0].Caps[0].Window != 24*time.Hour ||
		all[1].Creatives[0].Video.Duration != 15*time.Second || all[0].Start != event.TimeOf(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)) {
		t.Fatalf("%+v, %v", all, err)
	}
	if _, err := Load(path+"x", testObjectives); err == nil || !strings.Contains(err.Error(), "cannot read campaigns") {
		t.Error(err)
	}
	if all, err := ParseFile("f.yaml", nil, testObjectives); err != nil || len(all) != 0 {
		t.Errorf("an empty file: %v, %v", all, err)
	}
}

func TestAWrongFileIsRefusedByLineAndField(t *testing.T) {
	f := func(from, to string, wants ...string) {
		t.Helper()
		if !strings.Contains(file, from) {
			t.Fatalf("no %q", from)
		}
		_, err := ParseFile("f.yaml", []byte(strings.Replace(file, from, to, 1)), testObjectives)
		for _, want := range wants {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", to, err, want)
			}
		}
	}
	f("daily: 50", "dayly: 50", "f.yaml:8:", `unknown field "dayly" in campaigns[0].budget, did you mean daily?`)
	f("daily: 50", "daily: 5000", "f.yaml:8: campaigns[0].budget.daily is 5000, which is above budget.total of 1000")
	f("daily: 50", "daily: much", "f.yaml:8:", "want a number")
	f("daily: 50", "daily: .nan", "f.yaml:8: campaigns[0].budget.daily is NaN")
	f("window: 1d", "window: 5", "f.yaml:10:", "campaigns[0].caps[0].window")
	f("advertiser: acme", "advertiser: acne", `f.yaml:7: campaigns[0].advertiser is "acne", which is none of advertisers`)
	f("{id: acme, domain: acme.com, categories: [IAB8]}", "acme", "f.yaml:4: advertisers[0] has no id")
	f("campaigns:", "  - {id: acme, domain: x.com}\ncampaigns:", "f.yaml:5: advertisers[1].id", "another advertiser")
	f("id: c2", "id: c1", `f.yaml:14: campaigns[1].id is "c1", which another campaign has`)
	f("id: v1", "id: b1", `f.yaml:18: campaigns[1].creatives[0].id is "b1", which a creative of the campaign "c1" has`)
	f("campaigns:", "campagins:", "did you mean campaigns?")
	f("duration: 15s", "duration: 15s\n          banner: x", `unknown field "banner" in campaigns[1].creatives[0].video`)
}

// Whatever comes, it is refused or reads back the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(short()))
	f.Add([]byte(short(`"targeting":{}`, `"targeting":{"hours":[{"days":["sat"]}],"geo":[{"km":1}]}`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b, "c", testObjectives)
		if err != nil {
			return
		}
		line := c.AppendJSON(nil)
		again, err := Parse(line, "", testObjectives)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got := again.AppendJSON(nil); !bytes.Equal(got, line) {
			t.Fatalf("%s\n%s", line, got)
		}
		_ = New(Config{}).Change([]*Campaign{c})
	})
}

// The page about campaigns names every member of the schema, and its example is a file.
func TestThePageAboutCampaignsIsRight(t *testing.T) {
	b, err := os.ReadFile("../../docs/reference/campaigns.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	_, block, _ := strings.Cut(page, "```yaml\n")
	block, _, _ = strings.Cut(block, "```")
	if all, err := ParseFile("campaigns.md", []byte(block), testObjectives); err != nil || len(all) != 1 || len(all[0].Creatives) != 2 {
		t.Errorf("the example: %d campaigns, %v", len(all), err)
	}
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(of reflect.Type) {
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		if of.Kind() != reflect.Struct || seen[of] {
			return
		}
		seen[of] = true
		for _, m := range members(of) {
			if !strings.Contains(page, "`"+m.name+"`") {
				t.Errorf("the page does not name %s of %s", m.name, of)
			}
			visit(of.Field(m.index).Type)
		}
	}
	visit(reflect.TypeFor[form]())
}
