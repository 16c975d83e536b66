package openrtb

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/prebid/openrtb/v20/adcom1"
	"github.com/prebid/openrtb/v20/openrtb2"

	"github.com/clickloop/clickloop/bidder/auction"
)

func TestAnswersHaveOneForm(t *testing.T) {
	f := func(a Answer, want string) {
		t.Helper()
		if got := string(AppendResponse([]byte("x"), &a)); got != "x"+want {
			t.Errorf("%+v is\n%s, want\nx%s", a, got, want)
		}
	}
	f(Answer{ID: "7", NBR: 2}, `{"id":"7","nbr":2}`)
	f(Answer{ID: "7", Currency: "USD"}, `{"id":"7","nbr":0}`)
	f(Answer{ID: "7", BidID: "b", Currency: "EUR", NBR: 2, Seats: []SeatBid{{Bids: []Bid{{ID: "7/1", ImpID: "1", Price: 0.5}}}}},
		`{"id":"7","bidid":"b","cur":"EUR","seatbid":[{"bid":[{"id":"7/1","impid":"1","price":0.5}]}]}`)
	f(Answer{ID: "\"\n\u2028", Seats: []SeatBid{
		{Seat: "a", Bids: []Bid{
			{ID: "1", ImpID: "1", Price: 1.234, Adm: `<a href="x?a=1&b='2'">`, W: 300, H: 250, MType: 1, ADomain: []string{"a.de", "b.de"}, Attr: []int{1, 2}},
			{ID: "2", ImpID: "2", Price: 10, API: []int{7, 3}, Protocol: 3, Exp: 60, Dur: 15, Deal: "d", MType: 2},
		}},
		{Seat: "b", Bids: []Bid{{ID: "3", ImpID: "1", Price: 2, NURL: "n", BURL: "b", LURL: "l", AdID: "a", CrID: "r", CID: "c", Cat: []string{"IAB1"},
			CatTax: 1, Language: "de", IURL: "i", Bundle: "com.x", Behalf: "a \"b\"", Paid: "c"}}},
	}}, `{"id":"\"\n\u2028","seatbid":[{"seat":"a","bid":[`+
		`{"id":"1","impid":"1","price":1.234,"adm":"<a href=\"x?a=1&b='2'\">","adomain":["a.de","b.de"],"attr":[1,2],"w":300,"h":250,"mtype":1},`+
		`{"id":"2","impid":"2","price":10,"api":7,"apis":[7,3],"protocol":3,"dealid":"d","exp":60,"dur":15,"mtype":2}]},`+
		`{"seat":"b","bid":[{"id":"3","impid":"1","price":2,"nurl":"n","burl":"b","lurl":"l","adid":"a","bundle":"com.x","iurl":"i","cid":"c","crid":"r",`+
		`"cattax":1,"cat":["IAB1"],"language":"de","ext":{"dsa":{"behalf":"a \"b\"","paid":"c"}}}]}]}`)
}

func TestPricesHaveNoNoise(t *testing.T) {
	f := func(cpm float64, want string) {
		t.Helper()
		if got := string(appendPrice(nil, cpm)); got != want {
			t.Errorf("%v is %s, want %s", cpm, got, want)
		}
	}
	f(0, "0")
	f(-1, "0")
	f(math.NaN(), "0")
	f(math.Inf(1), "0")
	f(0.1+0.2, "0.3")
	f(100, "100")
	f(1e9, "1000000000")
	f(1.23456, "1.2346")
	f(0.00001, "0")
	for m := auction.Micros(1); m < 5e6; m += 997 {
		var back float64
		if err := json.Unmarshal(appendPrice(nil, m.CPM()), &back); err != nil || auction.OfCPM(back) != m {
			t.Fatalf("%d micros come back as %d (%v)", m, auction.OfCPM(back), err)
		}
	}
}

// What is written is read by the library to the same values, and nothing is left over.
func TestTheLibraryReadsAnswers(t *testing.T) {
	markup := "<div class=\"a\">\u2028 \\ \t äöü & </script>\x00\x1f</div>" + strings.Repeat("€", 100)
	a := Answer{ID: "req", BidID: "bid", Currency: "USD", Seats: []SeatBid{{Seat: "s", Bids: []Bid{{
		ID: "req/0", ImpID: "1", Price: 1.5, AdID: "a", CrID: "cr", CID: "c", Deal: "d", ADomain: []string{"x.de"}, Cat: []string{"IAB1"}, CatTax: 1, Adm: markup,
		IURL: "https://i", Bundle: "com.x", W: 300, H: 250, MType: 1, Attr: []int{3}, API: []int{7}, Protocol: 2, Exp: 300, Dur: 30, Language: "de",
		NURL: "https://n?p=${AUCTION_PRICE}", BURL: "https://b", LURL: "https://l",
	}}}}}
	var got openrtb2.BidResponse
	d := json.NewDecoder(strings.NewReader(string(AppendResponse(nil, &a))))
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	want := openrtb2.BidResponse{ID: "req", BidID: "bid", Cur: "USD", SeatBid: []openrtb2.SeatBid{{Seat: "s", Bid: []openrtb2.Bid{{
		ID: "req/0", ImpID: "1", Price: 1.5, AdID: "a", CrID: "cr", CID: "c", DealID: "d", ADomain: []string{"x.de"}, Cat: []string{"IAB1"}, CatTax: 1, AdM: markup,
		IURL: "https://i", Bundle: "com.x", W: 300, H: 250, MType: openrtb2.MarkupBanner, Attr: []adcom1.CreativeAttribute{3}, API: 7,
		APIs: []adcom1.APIFramework{7}, Protocol: 2, Exp: 300, Dur: 30, Language: "de", NURL: "https://n?p=${AUCTION_PRICE}", BURL: "https://b", LURL: "https://l",
	}}}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	if err := json.Unmarshal(AppendResponse(nil, &Answer{ID: "req", NBR: 3}), &got); err != nil || got.NBR == nil || *got.NBR != 3 {
		t.Errorf("%+v %v", got.NBR, err)
	}
}

func TestRepliesNameTheirVersion(t *testing.T) {
	f := func(requested, want string) {
		t.Helper()
		if got := ReplyVersion(requested); got != want {
			t.Errorf("%q is answered as %s, want %s", requested, got, want)
		}
	}
	f("", "2.6")
	f("2.6", "2.6")
	f("2.6-202303", "2.6")
	f("2.5", "2.5")
	f(" 2.3.1 ", "2.5")
	f("2.50", "2.6")
	f("3.0", "2.6")
}

func BenchmarkAppendResponse(b *testing.B) {
	a := Answer{ID: "7f2d8f2c-61b4-4cf8-9f0a-6f0a1d6c7f11", Currency: "USD", Seats: []SeatBid{{Seat: "s", Bids: []Bid{{
		ID: "7f2d8f2c-61b4-4cf8-9f0a-6f0a1d6c7f11/0", ImpID: "1", Price: 1.234, ADomain: []string{"x.de"}, Adm: strings.Repeat(`<a href="https://x.example/">`, 20), W: 300, H: 250, MType: 1,
		NURL: "https://b.example/n/win?t=" + strings.Repeat("a", 120), BURL: "https://b.example/n/bill?t=" + strings.Repeat("a", 120)}}}}}
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		buf = AppendResponse(buf[:0], &a)
	}
}
