package run_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/run"
	"github.com/clickloop/clickloop/event"
)

// where lists bids as "imp adapter".
func where(bids []prebidBid) (all []string) {
	for _, b := range bids {
		all = append(all, b.ImpID+" "+b.seat)
	}
	return all
}

// sentBy returns what an adapter sent, which only medianet packs, only pulsepoint wants an Accept,
// and only automatad sends without a type.
func sentBy(t *testing.T, sent []asked, adapter string) asked {
	t.Helper()
	for _, a := range sent {
		by := "vrtcal"
		switch {
		case a.header.Get("Content-Encoding") == "gzip":
			by = "medianet"
		case a.header.Get("Accept") != "":
			by = "pulsepoint"
		case a.header.Get("Content-Type") == "":
			by = "automatad"
		}
		if by == adapter {
			return a
		}
	}
	t.Fatalf("%s did not ask the bidder: %v", adapter, sent)
	return asked{}
}

// Prebid Server asks by four adapters for places of four formats: each place that an adapter knows
// gets a bid through it, which Prebid Server takes as it is.
func TestPrebidServerGetsBidsForEveryFormat(t *testing.T) {
	l := bidding(t)
	p := newPrebidServer(t, l.HTTP)
	answer, bids, sent := p.auction(page("auction-1", []string{
		imp("banner", bannerPlace, "automatad", "vrtcal", "pulsepoint", "medianet"), imp("video", videoPlace, "vrtcal", "pulsepoint", "medianet"),
		imp("audio", audioPlace, "pulsepoint"), imp("native", nativePlace, "vrtcal", "pulsepoint", "medianet"),
	}))
	want := []string{
		"audio pulsepoint", "banner automatad", "banner medianet", "banner pulsepoint", "banner vrtcal",
		"native medianet", "native pulsepoint", "native vrtcal", "video medianet", "video pulsepoint", "video vrtcal",
	}
	if got := where(bids); !slices.Equal(got, want) || len(answer.Ext.Errors) > 0 || answer.Cur != "USD" {
		t.Fatalf("bids %q in %s, errors %v; want %q", got, answer.Cur, answer.Ext.Errors, want)
	}
	most := map[string]float64{"banner": 2.5, "video": 8, "audio": 4, "native": 3}
	ids := map[string]bool{}
	for _, b := range bids {
		ids[b.ID] = true
		if b.Ext.Prebid.Type != b.ImpID {
			t.Errorf("the bid for %s has the type %s at %s", b.ImpID, b.Ext.Prebid.Type, b.seat)
		}
		if b.Price <= 0 || b.Price > most[b.ImpID] {
			t.Errorf("the bid for %s is %v, want at most %v", b.ImpID, b.Price, most[b.ImpID])
		}
		if b.CrID == "" || b.CID == "" || !slices.Equal(b.ADomain, []string{"shoes.example"}) || b.NURL == "" || b.BURL == "" || b.LURL == "" {
			t.Errorf("the bid for %s lacks something: %+v", b.ImpID, b)
		}
		if b.ImpID == "banner" && (b.W != 300 || b.H != 250 && b.H != 600) {
			t.Errorf("a banner of %dx%d, want 300x250 or 300x600", b.W, b.H)
		}
		if b.Ext.Prebid.Targeting["hb_pb_"+b.seat] == "" {
			t.Errorf("the bid for %s has no price for the ad server: %v", b.ImpID, b.Ext.Prebid.Targeting)
		}
		checkMarkup(t, b)
	}
	if len(ids) != len(bids) {
		t.Errorf("%d bids have %d ids", len(bids), len(ids))
	}
	packed := sentBy(t, sent, "medianet")
	if packed.query == "" || packed.answered.Get("Content-Encoding") != "gzip" || packed.answered.Get("Content-Type") != "application/json" {
		t.Errorf("medianet sent gzip to ?%s and got %v", packed.query, packed.answered)
	}
	if bare := sentBy(t, sent, "automatad"); bare.status != 200 {
		t.Errorf("automatad, which sends no Content-Type, got %d", bare.status)
	}
}

// checkMarkup reads a bid's markup as what shows it does.
func checkMarkup(t *testing.T, b prebidBid) {
	t.Helper()
	switch b.ImpID {
	case "video", "audio":
		var vast struct {
			XMLName xml.Name `xml:"VAST"`
			Version string   `xml:"version,attr"`
			Ad      []struct {
				InLine struct {
					Impression []string
					Files      []string `xml:"Creatives>Creative>Linear>MediaFiles>MediaFile"`
				}
			}
		}
		if err := xml.Unmarshal([]byte(b.Adm), &vast); err != nil || len(vast.Ad) != 1 || len(vast.Ad[0].InLine.Impression) == 0 || len(vast.Ad[0].InLine.Files) == 0 {
			t.Errorf("%v: %+v of %s", err, vast, b.Adm)
		}
	case "native":
		var native struct {
			Assets []struct{ ID int }
			Link   struct{ URL string }
		}
		if err := json.Unmarshal([]byte(b.Adm), &native); err != nil || len(native.Assets) < 2 || !strings.HasPrefix(native.Link.URL, "https://") {
			t.Errorf("%v: %+v of %s", err, native, b.Adm)
		}
	default:
		if !strings.Contains(b.Adm, "<img") || strings.Contains(b.Adm, "http://") {
			t.Errorf("a banner of %s", b.Adm)
		}
	}
	noticeIn(t, b.Adm, "imp")
	noticeIn(t, b.Adm, "click")
}

// What a page asks for is kept on the way through Prebid Server: floors, deals, blocks, currencies,
// seats and time.
func TestPrebidServersAuctionsKeepToWhatIsAsked(t *testing.T) {
	l := bidding(t)
	p := newPrebidServer(t, l.HTTP)
	banner := func(more string) []string {
		return []string{imp("i", bannerPlace+more, "automatad", "vrtcal", "medianet")}
	}
	all := []string{"i automatad", "i medianet", "i vrtcal"}
	app := `{"bundle":"com.game","name":"Game","publisher":{"id":"p1"},"cat":["IAB9"]}`
	for n, c := range []struct {
		name string
		imps []string
		more []string
		want []string
	}{
		{"plain", banner(""), nil, all},
		{"a floor below", banner(`,"bidfloor":1.2,"bidfloorcur":"USD"`), nil, all},
		{"a floor above", banner(`,"bidfloor":30`), nil, nil},
		{"a floor in a currency without a rate", banner(`,"bidfloor":1,"bidfloorcur":"SEK"`), nil, nil},
		{"one of two places has a floor above", []string{imp("i", bannerPlace, "vrtcal"), imp("j", bannerPlace+`,"bidfloor":30`, "vrtcal")}, nil, []string{"i vrtcal"}},
		{"a blocked advertiser", banner(""), []string{"badv", `["Shoes.Example"]`}, nil},
		{"a blocked category", banner(""), []string{"bcat", `["IAB18"]`}, nil},
		{"another blocked category", banner(""), []string{"bcat", `["IAB7-39"]`}, all},
		{"a seat that we have not", banner(""), []string{"wseat", `["another"]`}, nil},
		{"a size that we have not", []string{imp("i", `"banner":{"format":[{"w":970,"h":90}]}`, "vrtcal")}, nil, nil},
		{"an interstitial", []string{imp("i", `"instl":1,"banner":{"format":[{"w":320,"h":480},{"w":300,"h":250}]}`, "vrtcal")}, nil, []string{"i vrtcal"}},
		{"a deal, in private", banner(`,"pmp":{"private_auction":1,"deals":[{"id":"deal-shoes","bidfloor":10}]}`), nil, all},
		{"a deal that is too dear, in private", banner(`,"pmp":{"private_auction":1,"deals":[{"id":"deal-shoes","bidfloor":50}]}`), nil, nil},
		{"another deal, in the open", banner(`,"pmp":{"deals":[{"id":"deal-hats"}]}`), nil, all},
		{"a currency without a rate", banner(""), []string{"cur", `["SEK"]`}, nil},
		{"an app", banner(""), []string{"site", "", "app", app}, all},
		{"a chain of sellers", banner(""), []string{"source", `{"schain":{"ver":"1.0","complete":1,"nodes":[{"asi":"exchange.example","sid":"1","hp":1}]}}`}, all},
		{"a test", banner(""), []string{"test", "1"}, all},
		{"a place of two formats", []string{imp("i", bannerPlace+","+videoPlace, "vrtcal")}, nil, []string{"i vrtcal"}},
	} {
		answer, bids, sent := p.auction(page(fmt.Sprint("auction-", n), c.imps, c.more...))
		if got := where(bids); !slices.Equal(got, c.want) {
			t.Errorf("%s: bids %q, want %q: %v", c.name, got, c.want, answer.Ext.Errors)
		}
		for _, a := range sent {
			if a.status != 200 && a.status != 204 {
				t.Errorf("%s: an adapter got %d", c.name, a.status)
			}
		}
		for _, b := range bids {
			if private := strings.Contains(c.name, "private"); private != (b.DealID == "deal-shoes") || private && b.Price < 10 {
				t.Errorf("%s: a bid of %v in the deal %q", c.name, b.Price, b.DealID)
			}
		}
	}
}

// The time that Prebid Server gives its bidders is over when the page's is: an answer comes before,
// or none is needed.
func TestPrebidServersTimeIsKept(t *testing.T) {
	l := bidding(t)
	p := newPrebidServer(t, l.HTTP)
	for n, tmax := range []int{1, 30, 100, 1000} {
		began := time.Now()
		_, _, sent := p.auction(page(fmt.Sprint("auction-", n), []string{imp("i", bannerPlace, "vrtcal")}, "tmax", fmt.Sprint(tmax)))
		for _, a := range sent {
			if a.status != 200 && a.status != 204 || at(a.body, "tmax") != float64(tmax) {
				t.Errorf("tmax %d: vrtcal asked with %v and got %d", tmax, at(a.body, "tmax"), a.status)
			}
		}
		if took := time.Since(began); took > time.Duration(tmax)*time.Millisecond+2*time.Second {
			t.Errorf("tmax %d took %v", tmax, took)
		}
	}
}

// fired calls each notice of a bid twice, as a page that is loaded again does, and returns where a
// click leads to.
func fired(t *testing.T, l *run.Loop, b prebidBid) (landing string) {
	t.Helper()
	price := fmt.Sprint(b.Price)
	click := noticeIn(t, b.Adm, "click")
	for range 2 {
		for kind, address := range map[string]string{"win": b.NURL, "bill": b.BURL, "imp": noticeIn(t, b.Adm, "imp")} {
			if status, _ := fire(t, l, address, price); status/100 != 2 {
				t.Errorf("the notice %s of %s got %d: %s", kind, b.ImpID, status, address)
			}
		}
		var status int
		if status, landing = fire(t, l, click, price); status != 302 {
			t.Errorf("the click on %s got %d", b.ImpID, status)
		}
	}
	return landing
}

// Prebid.js fires nurl when it shows a bid and burl when the ad server has billed it, with the
// bid's own price; the markup brings the impression and the click. Each counts once.
func TestNoticesOfPrebidBecomeStepsAndEvents(t *testing.T) {
	l := bidding(t)
	p := newPrebidServer(t, l.HTTP)
	_, bids, _ := p.auction(page("auction-1", []string{
		imp("banner", bannerPlace, "vrtcal"), imp("video", videoPlace, "vrtcal"), imp("native", nativePlace, "vrtcal"), imp("audio", audioPlace, "pulsepoint"),
		imp("lost", bannerPlace, "medianet"),
	}))
	if len(bids) != 5 {
		t.Fatalf("bids %q", where(bids))
	}
	i := slices.IndexFunc(bids, func(b prebidBid) bool { return b.ImpID == "lost" })
	lost := bids[i]
	bids = slices.Delete(bids, i, i+1)
	if status, _ := fire(t, l, strings.ReplaceAll(lost.LURL, "${AUCTION_LOSS}", "102"), ""); status/100 != 2 {
		t.Errorf("the notice of a loss got %d", status)
	}
	for _, b := range bids {
		if landing := fired(t, l, b); !strings.HasPrefix(landing, "https://shoes.example/") {
			t.Errorf("a click on %s leads to %q", b.ImpID, landing)
		}
	}
	checkSteps(t, l, lost, 0, event.StepBid, event.StepLoss)
	for _, b := range bids {
		checkSteps(t, l, b, b.Price*1000, event.StepBid, event.StepWin, event.StepBill)
		types := map[string]int{}
		seen := map[string]bool{}
		for _, e := range holding(t, l, event.TopicEvents, "prediction", b.ID, 4) {
			if id := e["id"].(string); !seen[id] { // a repeat has the id of the first
				seen[id] = true
				types[e["type"].(string)]++
			}
		}
		for _, kind := range []string{"win", "billing", "impression", "click"} {
			if types[kind] != 1 {
				t.Errorf("%s has %d events %s, want 1: %v", b.ImpID, types[kind], kind, types)
			}
		}
	}
}

// checkSteps holds the steps of a bid against those that it should have, in any order, and against
// the micros that they should have spent.
func checkSteps(t *testing.T, l *run.Loop, b prebidBid, micros float64, want ...string) {
	t.Helper()
	var steps []string
	reserved, spent := 0.0, 0.0
	for _, s := range holding(t, l, event.TopicBids, "bid", b.ID, len(want)) {
		steps = append(steps, s["step"].(string))
		r, _ := s["reserved"].(float64)
		d, _ := s["spent"].(float64)
		reserved, spent = reserved+r, spent+d
	}
	if !slices.Equal(sorted(steps), sorted(want)) {
		t.Errorf("the steps of %s are %q, want %q", b.ImpID, steps, want)
	}
	if reserved != 0 || spent < micros-1 || spent > micros+1 {
		t.Errorf("%s has %v micros reserved and %v spent, want 0 and %v", b.ImpID, reserved, spent, micros)
	}
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }
