package campaign

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
)

// ids are those of the candidates' creatives.
func ids(all []Candidate) (out []string) {
	for _, c := range all {
		out = append(out, c.Creative.ID)
	}
	return out
}

// banners is a campaign with so many creatives of one size.
func banners(id string, n int) *Campaign {
	c := &Campaign{ID: id, Advertiser: Advertiser{ID: "a", Domain: "a.com"}, Bid: Bid{Strategy: StrategyCPM, CPM: 1}}
	for i := range n {
		c.Creatives = append(c.Creatives, Creative{ID: fmt.Sprint(id, "-", i), Banner: &BannerCreative{W: 300, H: 250, Image: "https://a.com/b.png", MIME: "image/png", Type: 2}})
	}
	return c
}

var anyBanner = auction.Imp{ID: "1", Banner: &auction.Banner{}}

// Where more match than are taken, each campaign has the same share of the places over many
// requests, whatever others stand beside it, and one request gets the same ones always.
func TestEachOfManyCampaignsHasItsShareOfThePlaces(t *testing.T) {
	const campaigns, most, requests = 400, 20, 20_000
	c := New(Config{Most: most})
	var all []*Campaign
	for i := range campaigns {
		all = append(all, banners(fmt.Sprint("c", i), 1+i%3))
	}
	if err := c.Change(all); err != nil {
		t.Fatal(err)
	}
	// another process, which has read the campaigns in another order
	other := New(Config{Most: most})
	slices.Reverse(all)
	_ = other.Change(all[:100])
	_ = other.Change(all[100:])
	shown := map[string]int{}
	first := map[string]int{}
	for i := range requests {
		q := &auction.Request{ID: fmt.Sprint("q", i)}
		got := c.View().Match(nil, q, &anyBanner, testNow)
		if again := other.View().Match(nil, q, &anyBanner, testNow); !slices.Equal(ids(got), ids(again)) {
			t.Fatalf("%s gets %v and %v", q.ID, ids(got), ids(again))
		}
		if len(got) != most {
			t.Fatalf("%d candidates", len(got))
		}
		for _, candidate := range got {
			shown[candidate.Campaign.ID]++
			first[candidate.Creative.ID]++
		}
	}
	// of each expected count the standard deviation is about its root
	want := float64(requests) * most / campaigns
	sum := 0.0
	for _, c := range all {
		sum += (float64(shown[c.ID]) - want) * (float64(shown[c.ID]) - want) / want
		for _, cr := range c.Creatives {
			if share := float64(first[cr.ID]) * float64(len(c.Creatives)) / want; share < 0.75 || share > 1.25 {
				t.Errorf("%s is shown %d times, of %v for its campaign", cr.ID, first[cr.ID], want)
			}
		}
	}
	// chi-squared of 399 degrees of freedom: 28 is its standard deviation
	if sum > campaigns+5*28 {
		t.Errorf("the shares differ by chi-squared %v, want about %d", sum, campaigns)
	}
}

// Places that some campaigns do not need are for further creatives of the others.
func TestPlacesAreFilledWithFurtherCreatives(t *testing.T) {
	c := New(Config{Most: 10})
	_ = c.Change([]*Campaign{banners("many", 30), banners("one", 1), banners("two", 2)})
	seen := map[string]bool{}
	for i := range 300 {
		got := c.View().Match(nil, &auction.Request{ID: fmt.Sprint("q", i)}, &anyBanner, testNow)
		of := map[string]int{}
		for _, candidate := range got {
			of[candidate.Campaign.ID]++
			seen[candidate.Creative.ID] = true
		}
		if len(got) != 10 || of["many"] < 7 {
			t.Fatalf("%v", ids(got))
		}
	}
	if len(seen) != 33 {
		t.Errorf("%d of 33 creatives are shown", len(seen))
	}
	if got := c.View().Match(make([]Candidate, 3, 50), &auction.Request{ID: "q"}, &anyBanner, testNow); len(got) != 13 || got[2].Campaign != nil {
		t.Errorf("%d candidates with those that were there", len(got))
	}
}

// Where hardly a creative fits, a bounded number of campaigns is looked at, other ones for each
// request.
func TestLookingForCreativesIsBounded(t *testing.T) {
	c := New(Config{Most: 2})
	all := []*Campaign{banners("fits", 1)}
	for i := range 999 {
		all = append(all, banners(fmt.Sprint("c", i), 1))
		all[i+1].Creatives[0].Attributes = []int{1}
	}
	_ = c.Change(all)
	m := auction.Imp{ID: "1", Banner: &auction.Banner{BlockedAttributes: []int{1}}}
	found := 0
	for i := range 10_000 {
		found += len(c.View().Match(nil, &auction.Request{ID: fmt.Sprint("q", i)}, &m, testNow))
	}
	// 32 of 1000 campaigns are looked at; 18 is the standard deviation
	if found < 320-80 || found > 320+80 {
		t.Errorf("the one that fits is found %d times in 10,000, want about 320", found)
	}
}

func TestACampaignBidsFromItsStartUntilItsEnd(t *testing.T) {
	c := New(Config{})
	timed := banners("timed", 1)
	timed.Start, timed.End = testNow, testNow+10
	later := banners("later", 1)
	later.Start = testNow + 5
	paused := banners("paused", 1)
	paused.Paused = true
	_ = c.Change([]*Campaign{timed, later, paused})
	f := func(at event.Time, want ...string) {
		t.Helper()
		got := ids(c.View().Match(nil, &auction.Request{ID: "q"}, &anyBanner, testNow+at))
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%d ms later: %v, want %v", at, got, want)
		}
	}
	for range 2 { // and back in time
		f(-1)
		f(0, "timed-0")
		f(4, "timed-0")
		f(5, "later-0", "timed-0")
		f(9, "later-0", "timed-0")
		f(10, "later-0")
	}
	for at, want := range map[event.Time]string{-1: StatusScheduled, 0: StatusActive, 10: StatusEnded} {
		if got := timed.Status(testNow + at); got != want {
			t.Errorf("it is %s, want %s", got, want)
		}
	}
	if paused.Status(testNow) != StatusPaused {
		t.Error(paused.Status(testNow))
	}
}

// A View stays as it is while campaigns change.
func TestAViewDoesNotChange(t *testing.T) {
	r := newRandom(5)
	c := New(Config{Most: 1 << 20})
	type moment struct {
		v    *View
		want []string
	}
	var moments []moment
	q := &auction.Request{ID: "q", User: auction.User{ID: "u"}, Device: auction.Device{Country: "USA", Type: 4, OS: "ios"}}
	for range 30 {
		for range 60 {
			id := fmt.Sprint("c", r.IntN(1500))
			if r.IntN(3) == 0 {
				_ = c.Change(nil, id)
			} else {
				_ = c.Change([]*Campaign{r.campaign(id)})
			}
		}
		v := c.View()
		moments = append(moments, moment{v, asTexts(v.Match(nil, q, &anyBanner, testNow))})
	}
	for i, m := range moments {
		if got := asTexts(m.v.Match(nil, q, &anyBanner, testNow)); !slices.Equal(got, m.want) {
			t.Fatalf("moment %d has %v, want %v", i, got, m.want)
		}
	}
	v := c.View()
	_ = c.Change(nil, slices.Clone(v.IDs())...)
	if v = c.View(); v.Len() != 0 || v.index.values != 0 || len(v.Match(nil, q, &anyBanner, testNow)) != 0 {
		t.Errorf("%d campaigns and %d values are left", v.Len(), v.index.values)
	}
}

// Every place within a circle lies in one of its cells.
func TestTheCellsOfACircleHoldItsPlaces(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	inside, cells := 0, 0
	for range 200_000 {
		c := Circle{Lat: 180*r.Float64() - 90, Lon: 360*r.Float64() - 180, Km: math.Exp(8*r.Float64() - 1)}
		if r.IntN(4) == 0 {
			c.Lat, c.Lon = math.Round(c.Lat), math.Round(c.Lon/180)*180
		}
		near := c.Km / 111
		lat := min(90, max(-90, c.Lat+near*(2*r.Float64()-1)))
		lon := math.Mod(c.Lon+near/max(0.01, math.Cos(c.Lat*math.Pi/180))*(2*r.Float64()-1)+540, 360) - 180
		keys := c.cells()
		if cells += len(keys); len(keys) > maxCells {
			t.Fatalf("%+v has %d cells", c, len(keys))
		}
		if !c.has(lat, lon) || keys[0][1] == keyNowhere && len(keys[0]) == 2 {
			continue
		}
		inside++
		if want := cellKey(nil, lat, lon); !slices.ContainsFunc(keys, func(key []byte) bool { return string(key) == string(want) }) {
			t.Fatalf("%+v has %v, %v, and none of its %d cells does", c, lat, lon, len(keys))
		}
	}
	if inside < 50_000 {
		t.Errorf("%d places are inside", inside)
	}
}

func TestDistancesAreThoseOfTheEarth(t *testing.T) {
	berlin := Circle{Lat: 52.52, Lon: 13.405}
	f := func(lat, lon, km float64) {
		t.Helper()
		for _, d := range []float64{-1, 1} {
			berlin.Km = km + d
			if got := berlin.has(lat, lon); got != (d > 0) {
				t.Errorf("%v, %v is within %v km: %v", lat, lon, berlin.Km, got)
			}
		}
	}
	f(48.137, 11.575, 504.4) // Munich
	f(40.713, -74.006, 6385) // New York
	f(-52.52, 13.405-180, math.Pi*6371)
}

func TestHoursAreTheUsers(t *testing.T) {
	f := func(at time.Time, offset int, zoned bool, want int) {
		t.Helper()
		if got := hourOfWeek(&auction.Device{UTCOffset: offset, Zoned: zoned}, event.TimeOf(at)); got != want {
			t.Errorf("%v with %d: %d, want %d", at, offset, got, want)
		}
	}
	sunday := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
	f(sunday, 0, false, 0)
	f(sunday, -1, true, 7*24-1)
	f(sunday, -1, false, 0)
	f(sunday.Add(23*time.Hour+30*time.Minute), 30, true, 24)
	f(sunday.Add(-time.Millisecond), 0, true, 7*24-1)
	f(time.Date(1969, 12, 31, 23, 59, 0, 0, time.UTC), 0, true, 3*24+23)
}

// The bitmaps of the index end where active campaigns do; campaigns that are paused may stand
// behind them.
func TestPausedCampaignsBehindAllOthersDoNoHarm(t *testing.T) {
	c := New(Config{Most: 1 << 20})
	var all []*Campaign
	for i := range pageEntries + 1 {
		all = append(all, banners(fmt.Sprint("c", i), 1))
		all[i].Targeting.Countries.Block = []string{"USA"}
	}
	all[pageEntries].Paused = true
	if err := c.Change(all); err != nil {
		t.Fatal(err)
	}
	for country, want := range map[string]int{"DEU": pageEntries, "USA": 0} {
		q := &auction.Request{ID: "q", Device: auction.Device{Country: country}}
		if got := len(c.View().Match(nil, q, &anyBanner, testNow)); got != want {
			t.Errorf("%s: %d candidates, want %d", country, got, want)
		}
	}
}
