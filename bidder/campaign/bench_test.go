package campaign

import (
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/event"
)

// market makes campaigns and requests as a bidder of a middling size has them: most campaigns
// target a country, and besides some of devices, sites, categories, segments, circles and hours.
type market struct{ random }

// few is one of n values, the first ones most often.
func (r market) few(name string, n int) string {
	return nth(name, int(float64(n)*r.Float64()*r.Float64()*r.Float64()))
}

// nth has three letters for a country, C.
func nth(name string, i int) string {
	if name == "C" {
		return fmt.Sprintf("C%c%c", 'A'+i/26, 'A'+i%26)
	}
	return fmt.Sprint(name, i)
}

func (r market) list(chance float64, most int, name string, n int) (all []string) {
	if r.Float64() > chance {
		return nil
	}
	for range 1 + r.IntN(most) {
		all = append(all, r.few(name, n))
	}
	return all
}

var marketSizes = []auction.Size{{W: 300, H: 250}, {W: 728, H: 90}, {W: 320, H: 50}, {W: 160, H: 600}, {W: 300, H: 600}, {W: 970, H: 250}}

func (r market) campaign(id string) *Campaign {
	c := &Campaign{ID: id, Budget: Budget{Pacing: PacingEven}, Bid: Bid{Strategy: StrategyCPM, CPM: 1}, Paused: r.IntN(20) == 0}
	if r.IntN(4) == 0 {
		c.Start, c.End = testNow.Add(-240*time.Hour), testNow.Add(time.Duration(r.IntN(480)-120)*time.Hour)
	}
	c.Advertiser = Advertiser{ID: r.few("a", 2000), Categories: r.list(1, 2, "IAB", 26)}
	c.Advertiser.Domain = c.Advertiser.ID + ".com"
	c.Targeting = Targeting{
		Countries: Match{Allow: r.list(0.9, 2, "C", 60)}, Regions: Match{Allow: r.list(0.1, 3, "R", 30)}, Cities: Match{Allow: r.list(0.05, 5, "T", 500)},
		OS: Match{Allow: r.list(0.3, 2, "O", 4)}, Languages: Match{Allow: r.list(0.2, 1, "l", 20)},
		Sites: Match{Allow: r.list(0.2, 30, "site.com.", 2000), Block: r.list(0.3, 10, "site.com.", 2000)},
		Apps:  Match{Allow: r.list(0.1, 30, "app", 1000)}, Categories: Match{Allow: r.list(0.3, 4, "IAB", 26), Block: r.list(0.2, 4, "IAB", 26)},
		Segments: Match{Allow: r.list(0.3, 5, "s", 3000)}, Deals: Match{Allow: r.list(0.05, 2, "d", 300)},
	}
	if r.IntN(3) == 0 {
		c.Targeting.DeviceTypes.Allow = []int{[]int{2, 4, 5, 3}[r.IntN(4)]}
	}
	if r.IntN(8) == 0 {
		for range 1 + r.IntN(5) {
			c.Targeting.Geo = append(c.Targeting.Geo, Circle{Lat: 30 + 25*r.Float64(), Lon: -120 + 50*r.Float64(), Km: 5 + 40*r.Float64()})
		}
	}
	if r.IntN(4) == 0 {
		c.Targeting.Hours = []Hours{{From: 8, To: 20}}
	}
	for i := range 1 + r.IntN(5) {
		size := marketSizes[min(r.IntN(6), r.IntN(6))]
		c.Creatives = append(c.Creatives, Creative{ID: fmt.Sprint(id, "-", i), Landing: "https://" + c.Advertiser.Domain, Secure: r.IntN(20) > 0,
			Banner: &BannerCreative{W: size.W, H: size.H, Image: "https://cdn.com/" + id + ".png", MIME: "image/png", Type: 2}})
	}
	return c
}

// open is a campaign that every request of the market may show. It targets as the others do, but
// with lists that no request is outside of.
func (r market) open(id string) *Campaign {
	c := r.campaign(id)
	g := &c.Targeting
	*g = Targeting{DeviceTypes: MatchNumbers{Allow: []int{2, 4, 5}}, Sites: Match{Block: []string{"site.com.x", "rival.org"}}, Hours: []Hours{{From: 6, To: 24}},
		Categories: Match{Block: []string{"IAB25", "IAB26-1"}}, Segments: Match{Block: []string{"none"}}}
	for i := range 60 {
		g.Countries.Allow = append(g.Countries.Allow, nth("C", i))
	}
	for i := range 20 {
		g.Languages.Allow = append(g.Languages.Allow, fmt.Sprint("l", i))
	}
	for i := range 4 {
		g.OS.Allow = append(g.OS.Allow, fmt.Sprint("O", i))
	}
	c.Paused, c.Start, c.End = false, 0, 0
	c.Advertiser = Advertiser{ID: "open", Domain: "open.com", Categories: []string{"IAB99"}}
	c.Creatives = c.Creatives[:1]
	c.Creatives[0].Secure = true
	c.Creatives[0].Banner.W, c.Creatives[0].Banner.H = 300, 250
	return c
}

func (r market) request(id string) *auction.Request {
	q := &auction.Request{ID: id, CategoryTaxonomy: 1, BlockedCategories: []string{"IAB25", "IAB26", "IAB7"}, BlockedAdvertisers: []string{"a1.com", "a77.com", "rival.org"}}
	q.Place = auction.Place{Kind: auction.Site, Domain: "www." + r.few("site.com.", 2000), Publisher: "p1", Categories: []string{r.few("IAB", 26), "IAB3-1"}}
	q.Device = auction.Device{Type: []int{2, 4, 5}[r.IntN(3)], OS: r.few("O", 4), Language: r.few("l", 20), Country: r.few("C", 60), Region: r.few("R", 30),
		City: r.few("T", 500), Located: true, Lat: 30 + 25*r.Float64(), Lon: -120 + 50*r.Float64(), Zoned: true, UTCOffset: -300}
	q.User = auction.User{ID: "u", Segments: r.list(1, 8, "s", 3000)}
	q.Imps = []auction.Imp{{ID: "1", Secure: true, Banner: &auction.Banner{Sizes: []auction.Size{{W: 300, H: 250}, {W: 300, H: 600}}, BlockedAttributes: []int{1, 9}, Position: 1}}}
	return q
}

// marketCampaigns are those of the largest market so far, since they take long to choose.
var marketCampaigns []*Campaign

// cpuTime is what the process has used of its processors: on a machine that others use too it says
// more than the clock does.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// newMarket has n campaigns, of which five match each of the requests and the others none.
func newMarket(t testing.TB, n int) (*Catalogue, []*auction.Request) {
	r := market{newRandom(7)}
	var requests []*auction.Request
	for i := range 64 {
		requests = append(requests, r.request(fmt.Sprint("q", i)))
	}
	var all []*Campaign
	for i := range 5 {
		all = append(all, r.open(fmt.Sprint("open", i)))
	}
	for len(all) < n {
		if len(all) < len(marketCampaigns) {
			all = append(all, marketCampaigns[len(all)])
			continue
		}
		id := fmt.Sprint("c", len(all))
		c := r.campaign(id)
		alone := New(Config{})
		_ = alone.Change([]*Campaign{c})
		if !slices.ContainsFunc(requests, func(q *auction.Request) bool { return len(alone.View().Match(nil, q, &q.Imps[0], testNow)) > 0 }) {
			all = append(all, c)
		}
	}
	if len(all) > len(marketCampaigns) {
		marketCampaigns = all
	}
	c := New(Config{})
	if err := c.Change(all); err != nil {
		t.Fatal(err)
	}
	return c, requests
}

// BenchmarkMatch matches requests with five of so many campaigns.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c, requests := newMarket(b, n)
			v := c.View()
			var dst []Candidate
			found, i := 0, 0
			b.ReportAllocs()
			began := cpuTime()
			for b.Loop() {
				q := requests[i%len(requests)]
				dst = v.Match(dst[:0], q, &q.Imps[0], testNow)
				found += len(dst)
				i++
			}
			b.ReportMetric(float64(cpuTime()-began)/float64(i), "cpu-ns/op")
			b.ReportMetric(float64(found)/float64(i), "matches")
		})
	}
}

// BenchmarkMatchAll matches requests with all of so many campaigns, of which a hundred are taken.
func BenchmarkMatchAll(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := market{newRandom(8)}
			c := New(Config{})
			var all []*Campaign
			for i := range n {
				all = append(all, r.open(fmt.Sprint("open", i)))
			}
			_ = c.Change(all)
			v, q := c.View(), r.request("q")
			var dst []Candidate
			i := 0
			b.ReportAllocs()
			began := cpuTime()
			for b.Loop() {
				i++
				q.ID = requestIDs[i%len(requestIDs)]
				dst = v.Match(dst[:0], q, &q.Imps[0], testNow)
			}
			b.ReportMetric(float64(cpuTime()-began)/float64(i), "cpu-ns/op")
			b.ReportMetric(float64(len(dst)), "matches")
		})
	}
}

var requestIDs = func() (all []string) {
	for i := range 1024 {
		all = append(all, fmt.Sprint("q", i))
	}
	return all
}()

// BenchmarkChange puts one campaign among others, and makes a View.
func BenchmarkChange(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := New(Config{})
			r := market{newRandom(9)}
			var all []*Campaign
			for i := range n {
				all = append(all, r.campaign(fmt.Sprint("c", i)))
			}
			began := time.Now()
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			_ = c.Change(all)
			took := time.Since(began)
			runtime.GC()
			runtime.ReadMemStats(&after)
			i := 0
			for b.Loop() {
				_ = c.Change(all[i%n : i%n+1])
				i++
			}
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "index-B/campaign")
			b.ReportMetric(float64(took.Microseconds())/float64(n), "us/campaign-at-once")
		})
	}
}

// An auction allocates nothing, after the first one behind a change.
func TestMatchingAllocatesNothing(t *testing.T) {
	if testing.CoverMode() != "" || raceEnabled {
		t.Skip("instruments allocate")
	}
	c, requests := newMarket(t, 500)
	v := c.View()
	var dst []Candidate
	i := 0
	if n := testing.AllocsPerRun(1000, func() {
		i++
		q := requests[i%len(requests)]
		dst = v.Match(dst[:0], q, &q.Imps[0], testNow+event.Time(i))
	}); n > 0 || len(dst) != 5 {
		t.Errorf("%v allocations for %d matches", n, len(dst))
	}
}

// fastest is the least time that a match takes, over short bursts of all requests: what other
// programs take of the processor in between is left out.
func fastest(v *View, requests []*auction.Request, bursts int) time.Duration {
	least := time.Hour
	var dst []Candidate
	for range bursts {
		began := time.Now()
		for _, q := range requests {
			dst = v.Match(dst[:0], q, &q.Imps[0], testNow)
		}
		least = min(least, time.Since(began))
	}
	return least / time.Duration(len(requests))
}

// TestManyCampaignsCostLittleMoreThanFew holds a match among 10,000 campaigns against one among 10,
// where both have five matches.
func TestManyCampaignsCostLittleMoreThanFew(t *testing.T) {
	if testing.CoverMode() != "" || raceEnabled {
		t.Skip("instruments take time")
	}
	many, requests := newMarket(t, 10_000)
	few, _ := newMarket(t, 10)
	var a, b time.Duration
	for range 5 {
		a, b = fastest(few.View(), requests, 400), fastest(many.View(), requests, 400)
		if t.Logf("10 campaigns: %v; 10,000: %v, %.1f times as long", a, b, float64(b)/float64(a)); b <= 5*a {
			return
		}
	}
	t.Errorf("a match among 10,000 campaigns takes %v, among 10 %v", b, a)
}

// BenchmarkParse reads campaigns from the topic's form, and compiles them.
func BenchmarkParse(b *testing.B) {
	r := market{newRandom(12)}
	var lines [][]byte
	bytes := 0
	for i := range 200 {
		lines = append(lines, r.campaign(fmt.Sprint("c", i)).AppendJSON(nil))
		bytes += len(lines[i])
	}
	i := 0
	began := cpuTime()
	for b.Loop() {
		c, err := Parse(lines[i%len(lines)], "", testObjectives)
		if err != nil {
			b.Fatal(err)
		}
		newEntry(c, "", "")
		i++
	}
	b.ReportMetric(float64(bytes)/float64(len(lines)), "B/campaign")
	b.ReportMetric(float64(cpuTime()-began)/float64(i), "cpu-ns/op")
}
