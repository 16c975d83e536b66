package bidder

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/campaign"
	"github.com/clickloop/clickloop/event"
)

// The id of a bid request is that of its body: exchanges that give two auctions one id get two
// bids, and a body that is sent again has the same id. It is always an id that events may have.
func TestARequestIsKnownByItsBody(t *testing.T) {
	key := func(id, body string) string { return string(appendKey(nil, id, []byte(body))) }
	if a, b := key("a1", "x"), key("a1", "y"); a == b || !strings.HasPrefix(a, "a1-") || a != key("a1", "x") {
		t.Errorf("%q and %q", a, b)
	}
	for _, id := range []string{"", "\x00", strings.Repeat("i", 65), "\xff"} {
		if k := key(id, "x"); len(k) != 16 || event.CheckRequestID(impID(k, 49)) != nil {
			t.Errorf("the id %q gives %q", id, k)
		}
	}
}

func TestAReservationLastsAsLongAsTheAdMayBeShown(t *testing.T) {
	app, site := &auction.Request{Place: auction.Place{Kind: auction.App}}, &auction.Request{Place: auction.Place{Kind: auction.Site}}
	for _, c := range []struct {
		q    *auction.Request
		m    auction.Imp
		want time.Duration
	}{
		{site, auction.Imp{Banner: &auction.Banner{}}, 2 * time.Minute},
		{app, auction.Imp{Banner: &auction.Banner{}}, 6 * time.Minute},
		{app, auction.Imp{Native: &auction.Native{}}, 11 * time.Minute},
		{site, auction.Imp{Video: &auction.Video{}}, 6 * time.Minute},
		{site, auction.Imp{Banner: &auction.Banner{}, Full: true}, 31 * time.Minute},
		{site, auction.Imp{Banner: &auction.Banner{}, Full: true, Expires: 30 * time.Second}, 90 * time.Second},
		{site, auction.Imp{Expires: 24 * time.Hour}, 121 * time.Minute},
	} {
		if got := holdFor(c.q, &c.m); got != c.want {
			t.Errorf("%+v: %v, want %v", c.m, got, c.want)
		}
	}
}

// What a request allows by a list is refused to whoever does not tell that it is on it.
func TestListsOfWhatIsAllowed(t *testing.T) {
	k := campaign.Candidate{Campaign: &campaign.Campaign{Advertiser: campaign.Advertiser{Categories: []string{"IAB1-2"}}}, Creative: &campaign.Creative{Language: "EN"}}
	silent := campaign.Candidate{Campaign: &campaign.Campaign{}, Creative: &campaign.Creative{}}
	m := &auction.Imp{Multiplier: 1}
	for name, c := range map[string]struct {
		q        auction.Request
		m        *auction.Imp
		k        campaign.Candidate
		suitable bool
	}{
		"no lists":            {auction.Request{}, m, silent, true},
		"a category":          {auction.Request{AllowedCategories: []string{"IAB1-2"}}, m, k, true},
		"one above":           {auction.Request{AllowedCategories: []string{"iab1"}}, m, k, true},
		"another":             {auction.Request{AllowedCategories: []string{"IAB1-3", "IAB2"}}, m, k, false},
		"an unknown category": {auction.Request{AllowedCategories: []string{"IAB1"}}, m, silent, false},
		"another taxonomy":    {auction.Request{AllowedCategories: []string{"IAB1-2"}, CategoryTaxonomy: 6}, m, k, false},
		"a language":          {auction.Request{Languages: []string{"de", "en"}}, m, k, true},
		"another language":    {auction.Request{Languages: []string{"de"}}, m, k, false},
		"an unknown language": {auction.Request{Languages: []string{"de"}}, m, silent, false},
		"paid more than once": {auction.Request{}, &auction.Imp{Multiplier: 12}, k, false},
		"a part of a showing": {auction.Request{}, &auction.Imp{Multiplier: 0.5}, k, true},
	} {
		if got := suits(&c.q, c.m, &c.k); got != c.suitable {
			t.Errorf("%s: %v, want %v", name, got, c.suitable)
		}
	}
}

// A deal's floor takes the place of the imp's, and a floor for the duration comes on top.
func TestFloors(t *testing.T) {
	m := &auction.Imp{Floor: 1, FloorCur: "USD", Video: &auction.Video{Floors: auction.Floors{PerSecond: 0.1}}}
	k := &campaign.Candidate{Creative: &campaign.Creative{Video: &campaign.VideoCreative{Duration: 20 * time.Second}}}
	if floor, currency := floorOf(m, k); floor != 2 || currency != "USD" {
		t.Errorf("%v %s, want 2 USD", floor, currency)
	}
	k.Deal = &auction.Deal{Floor: 3, FloorCur: "EUR"}
	if floor, currency := floorOf(m, k); floor != 3 || currency != "EUR" {
		t.Errorf("%v %s, want 3 EUR", floor, currency)
	}
	banner := &campaign.Candidate{Creative: &campaign.Creative{Banner: &campaign.BannerCreative{}}}
	if floor, _ := floorOf(m, banner); floor != 1 {
		t.Errorf("a banner's floor is %v", floor)
	}
}

func TestBidsAreInACurrencyThatTheAuctionTakes(t *testing.T) {
	c := DefaultConfig()
	c.Rates = map[string]float64{"EUR": 1.25}
	for _, x := range []struct {
		takes []string
		want  string
		rate  float64
	}{{nil, "USD", 1}, {[]string{"EUR", "USD"}, "USD", 1}, {[]string{"JPY", "EUR"}, "EUR", 1.25}, {[]string{"JPY"}, "", 0}} {
		currency, rate, err := c.answerIn(&auction.Request{Currencies: x.takes})
		if currency != x.want || rate != x.rate || (err == nil) != (x.want != "") {
			t.Errorf("%v: %s at %v, %v", x.takes, currency, rate, err)
		}
	}
}

func TestAnswersArePackedForWhoTakesThat(t *testing.T) {
	for header, want := range map[string]bool{
		"gzip": true, "br, gzip;q=0.8": true, "*": true, "": false, "br": false, "gzip;q=0": false, "gzip; q=0.0": false, "identity": false,
	} {
		if got := takesGzip(http.Header{"Accept-Encoding": {header}}); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
	w := httptest.NewRecorder()
	writePacked(w, bytes.Repeat([]byte("x"), 5000))
	r, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); len(b) != 5000 || err != nil || w.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("%d bytes, %v, %v", len(b), err, w.Header())
	}
}

// The feedback of a strategy learns from an impression once all its labels are there.
func TestWhatIsPaidMeetsItsLabels(t *testing.T) {
	c := &campaign.Campaign{ID: "c", Bid: campaign.Bid{Strategy: "cpa", Objective: "click", Target: 0.001}}
	s := newStrategies([]string{"click", "conversion"})
	l := newLabels(s, func(id string) *campaign.Campaign {
		if id == "c" {
			return c
		}
		return nil
	})
	learn := func(n int, y float64) {
		for i := range n {
			bid := event.PredictionID("r", i)
			l.step(&event.BidStep{Step: event.StepBill, Bid: bid, Campaign: "c", Spent: 1000})
			l.step(&event.BidStep{Step: event.StepBill, Bid: bid, Campaign: "gone", Spent: 1000})
			before := s.of(c).feedback.Factor()
			l.label(0, &event.Example{Prediction: bid, Y: y, P: 1})
			if s.of(c).feedback.Factor() != before {
				t.Fatal("it learns before the other label is there")
			}
			l.label(1, &event.Example{Prediction: bid, P: 0.5})
		}
	}
	learn(200, 0)
	low := s.of(c).feedback.Factor()
	if !(low < 0.2) {
		t.Errorf("a campaign that pays for nothing bids %v of its value", low)
	}
	changed := *c
	changed.Paused = true
	c = &changed
	if again := s.of(c).feedback.Factor(); again != low {
		t.Errorf("a pause changes the factor from %v to %v", low, again)
	}
	other := *c
	other.Bid.Target = 2
	c = &other
	if again := s.of(c).feedback.Factor(); again != 1 {
		t.Errorf("another target begins with %v", again)
	}
	s.keep(func(string) bool { return false })
	if _, kept := s.known.Load("c"); kept {
		t.Error("a campaign that is gone is kept")
	}
	if l.label(0, &event.Example{Prediction: "nobody's"}); len(l.shown) != 0 {
		t.Errorf("%d impressions wait", len(l.shown))
	}
}

func TestImpressionsThatWaitAreBounded(t *testing.T) {
	c := &campaign.Campaign{ID: "c", Bid: campaign.Bid{Strategy: "roas", Value: "p.click", Target: 2}}
	l := newLabels(newStrategies([]string{"click"}), func(string) *campaign.Campaign { return c })
	for i := range 2*mostShown + 10 {
		l.step(&event.BidStep{Step: event.StepBill, Bid: event.PredictionID("r", i), Campaign: "c", Spent: 1})
	}
	if len(l.shown) != mostShown || len(l.order) > 2*mostShown+1 {
		t.Errorf("%d wait, %d in order", len(l.shown), len(l.order))
	}
}

func TestDrawsAreSpreadAndStay(t *testing.T) {
	var sum float64
	for i := range 10_000 {
		key := appendKey(nil, "a", []byte{byte(i), byte(i >> 8)})
		d := draw(key, "c")
		if d < 0 || d >= 1 || d != draw(key, "c") || d == draw(key, "d") {
			t.Fatalf("draw %v", d)
		}
		sum += d
	}
	if sum < 4800 || sum > 5200 {
		t.Errorf("the mean is %v", sum/10_000)
	}
}
