package simulate

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/bidder/openrtb"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/model"
)

var testObjectives = []event.Objective{
	{Name: "click", Trigger: event.TypeImpression, Positive: event.TypeClick, Window: 2 * time.Minute},
	{Name: "conversion", Trigger: event.TypeImpression, Positive: event.TypeConversion, Window: time.Hour},
}

// testCampaigns are campaigns about different topics that pay by the click, and take every slot.
func testCampaigns() (all []*campaign.Campaign) {
	for i, category := range []string{"IAB17", "IAB20", "IAB19", "IAB13", "IAB18", "IAB9"} {
		id := fmt.Sprintf("c%d", i)
		c := &campaign.Campaign{ID: id, Advertiser: campaign.Advertiser{ID: "a" + id, Domain: id + ".example", Categories: []string{category}}}
		c.Bid = campaign.Bid{Strategy: "value", Value: "p.click * 0.25"}
		for j, size := range []auction.Size{leaderboard, rectangle, halfPage, billboard, skyscraper, mobile, mobileScreen} {
			c.Creatives = append(c.Creatives, campaign.Creative{ID: fmt.Sprintf("%s-%d", id, j), Secure: true, Banner: &campaign.BannerCreative{W: size.W, H: size.H}})
		}
		c.Creatives = append(c.Creatives, campaign.Creative{ID: id + "-n", Secure: true, Native: &campaign.NativeCreative{}},
			campaign.Creative{ID: id + "-v", Secure: true, Video: &campaign.VideoCreative{Duration: 15 * time.Second}})
		all = append(all, c)
	}
	return all
}

// student is a bidder with the oracle's prices, which has to learn the rule from clicks: what can
// be expected of a bidder by this exchange's scale.
type student struct {
	*oracle
	t       *testing.T
	net     *model.Net
	scratch *model.Scratch
	x       []model.Feature
	waiting []lesson
	read    *sale // whose bid request is in request
	request auction.Request
}

type lesson struct {
	due     event.Time
	x       []model.Feature
	clicked float64
}

func newStudent(t *testing.T, x *oracle) *student {
	cfg := model.DefaultConfig()
	cfg.Prior = 0.02
	net, err := model.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	st := &student{oracle: x, t: t, net: net, scratch: net.NewScratch()}
	x.believe = func(s *sale, o *offered, a ad) (click, conversion float64) {
		st.x = features.Encode(st.x[:0], st.facts(s, o, a))
		return net.Predict(st.x, st.scratch), 0
	}
	x.shown = func(s *sale, o *offered, a ad, clicked bool) {
		st.waiting = append(st.waiting, lesson{s.time.Add(testObjectives[0].Window), features.Encode(nil, st.facts(s, o, a)), float64(number(clicked))})
	}
	return st
}

// facts are the features of an ad in an auction, as the bidder makes them of a bid request, but for
// profiles.
func (st *student) facts(s *sale, o *offered, a ad) event.Fields {
	if st.read != s {
		if err := openrtb.Read(s.body(), &st.request, openrtb.Options{Now: s.time}); err != nil {
			st.t.Fatal(err)
		}
		st.read = s
	}
	at := slices.IndexFunc(st.request.Imps, func(m auction.Imp) bool { return m.ID == o.id })
	f := auction.Facts(nil, &st.request, &st.request.Imps[at])
	for _, own := range [][2]string{{"ad_format", a.format.String()}, {"ad_size", a.size.String()}, {"ad", a.creative}, {"campaign", a.advertiser}} {
		f = append(f, event.Field{Name: own[0], Value: event.Value{Kind: event.String, Str: own[1]}})
	}
	return f
}

// learn learns the labels that are due.
func (st *student) learn(at event.Time) {
	for ; len(st.waiting) > 0 && st.waiting[0].due <= at; st.waiting = st.waiting[1:] {
		if _, err := st.net.Learn(st.waiting[0].x, st.waiting[0].clicked, 1, st.scratch); err != nil {
			st.t.Fatal(err)
		}
	}
}

// The exchange is a fair test of a learner: within an hour and a half one gets most of what an
// oracle gets, and much more than it got at first.
func TestTheRuleCanBeLearned(t *testing.T) {
	if raced || testing.Short() {
		t.Skip("one goroutine computes for minutes with the race detector")
	}
	const seed, minutes = 1, 90
	w, tr := newWorld(seed), newTraffic(traffic{perHour: 40_000, outage: -1})
	start := firstDay.Add(9 * time.Hour)
	bidder := func() *oracle {
		x, err := newOracle(w, tr, testCampaigns(), testObjectives, start)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	oracle, pupil := bidder(), newStudent(t, bidder())
	at, n, carry := start, int64(0), 0.0
	for at.Sub(start) < minutes*time.Minute {
		next := at.Add(30 * time.Second)
		carry += tr.between(at, next)
		pupil.learn(at)
		for ; carry >= 1; carry-- {
			s := w.sale(n, at, secondPrice)
			n++
			oracle.play(s)
			pupil.play(s)
		}
		at = next
	}
	first, late, best := pupil.tallies.sum(0, minutes/20, nil), pupil.tallies.sum(60, minutes, nil), oracle.tallies.sum(60, minutes, nil)
	t.Logf("%d auctions; clicks a unit: %.2f at first, %.2f late, an oracle's %.2f; won %.2f, CTR %.4f; an oracle's %.2f, %.4f",
		n, first.ExpectedPerUnit(), late.ExpectedPerUnit(), best.ExpectedPerUnit(), late.WinRate(), late.CTR(), best.WinRate(), best.CTR())
	if got := late.ExpectedPerUnit() / first.ExpectedPerUnit(); got < 1.4 {
		t.Errorf("a learner's clicks for a unit of spend are %.2f times those at first", got)
	}
	if got := late.ExpectedPerUnit() / best.ExpectedPerUnit(); got < 0.8 {
		t.Errorf("a learner has %.2f of an oracle's clicks for a unit of spend", got)
	}
	if late.Surplus() > best.Surplus() {
		t.Errorf("the oracle's surplus %.2f is below a learner's %.2f", best.Surplus(), late.Surplus())
	}
}
