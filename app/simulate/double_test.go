package simulate

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
)

// double is a bidder that bids one price for everything, and keeps what it is told.
type double struct {
	*httptest.Server
	t     *testing.T
	mode  string
	price float64
	// changes an answer before it is sent; nil: it stays
	alter func(*bidResponse)
	// answers a bid request instead; false: it is answered as usual
	instead func(http.ResponseWriter, *http.Request) bool

	mu     sync.Mutex
	sold   map[string]bidRequest
	calls  map[string][]url.Values // by path
	agents map[string]int
	events []event.Event
	clock  event.Time
	impressions,
	disorder int // notices whose time is not before the clock
}

func newDouble(t *testing.T) *double {
	d := &double{t: t, mode: "recorded", price: 5, sold: map[string]bidRequest{}, calls: map[string][]url.Values{}, agents: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /openrtb2/bid", d.bid)
	mux.HandleFunc("GET /n/", d.notice)
	mux.HandleFunc("POST /v1/events", d.take)
	mux.HandleFunc("GET /v1/clock", func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		fmt.Fprintf(w, `{"mode":%q,"now":"2026-01-01T00:00:00Z","folded":%q}`, d.mode, d.clock)
	})
	mux.HandleFunc("GET /v1/model", func(w http.ResponseWriter, _ *http.Request) {
		d.mu.Lock()
		defer d.mu.Unlock()
		fmt.Fprintf(w, `{"examples":%d}`, d.impressions)
	})
	mux.HandleFunc("GET /v1/evaluation", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"objective":"click","window":"all","examples":100,"positives":2,"weight":100,"log_loss_sum":9}`)
	})
	d.Server = httptest.NewServer(mux)
	t.Cleanup(d.Close)
	return d
}

func (d *double) bid(w http.ResponseWriter, r *http.Request) {
	if d.instead != nil && d.instead(w, r) {
		return
	}
	var in io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		in, _ = gzip.NewReader(r.Body)
	}
	var q bidRequest
	if err := json.NewDecoder(in).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	d.sold[q.ID] = q
	d.calls["bid"] = append(d.calls["bid"], r.URL.Query())
	d.mu.Unlock()
	answer := bidResponse{ID: q.ID, Cur: "USD", SeatBid: []seatBid{{Seat: "s1"}}}
	for _, i := range q.Imp {
		if i.Native != nil && len(q.ID)%2 == 0 {
			continue // not every slot gets a bid
		}
		answer.SeatBid[0].Bid = append(answer.SeatBid[0].Bid, d.one(&q, &i))
	}
	if d.alter != nil {
		d.alter(&answer)
	}
	if len(answer.SeatBid[0].Bid) == 0 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	z := gzip.NewWriter(w)
	_ = json.NewEncoder(z).Encode(answer)
	_ = z.Close()
}

// one is a bid with links of the outside.
func (d *double) one(q *bidRequest, i *imp) bid {
	id := q.ID + "." + i.ID
	const outside = "https://bid.example/n/"
	link := func(kind string) string {
		return outside + kind + "?t=" + id + "&p=${AUCTION_PRICE}&m=${AUCTION_MIN_TO_WIN}&l=${AUCTION_LOSS}"
	}
	b := bid{ID: id, ImpID: i.ID, Price: d.price, CID: "c1", CrID: "cr1", Cat: []string{"IAB17-1"}, ADomain: []string{"a.example"}, NURL: link("win"), BURL: link("bill"), LURL: link("loss")}
	switch {
	case i.Video != nil:
		b.MType = 2
		b.AdM = `<VAST version="4.0"><Ad><InLine><Impression><![CDATA[` + link("imp") + `]]></Impression><Creatives><Creative><Linear><VideoClicks><ClickThrough><![CDATA[` + outside + "click?t=" + id + `]]></ClickThrough></VideoClicks></Linear></Creative></Creatives></InLine></Ad></VAST>`
	case i.Native != nil:
		b.MType = 4
		b.AdM = `{"ver":"1.2","link":{"url":"` + outside + "click?t=" + id + `"},"eventtrackers":[{"event":1,"method":1,"url":"` + link("imp") + `"}]}`
	default:
		b.W, b.H = i.Banner.Format[0].W, i.Banner.Format[0].H
		b.AdM = `<a href="` + outside + "click?t=" + id + `" target="_blank"><img src="https://cdn.example/300.png"></a><img src="` + strings.ReplaceAll(link("imp"), "&", "&amp;") + `" width="1" height="1">`
	}
	return b
}

func (d *double) notice(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	kind, q := strings.TrimPrefix(r.URL.Path, "/n/"), r.URL.Query()
	d.calls[kind] = append(d.calls[kind], q)
	d.agents[kind+" "+r.UserAgent()]++
	if kind == "imp" {
		d.impressions++
	}
	if at, err := event.ParseTime(q.Get("time")); d.mode == "recorded" && (err != nil || at < d.clock) {
		d.disorder++
	}
	if kind == "click" {
		http.Redirect(w, r, "https://landing.example/", http.StatusFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (d *double) take(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var raw []json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range raw {
		var e event.Event
		if err := e.UnmarshalJSON(one); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if e.Received < d.clock {
			d.disorder++
		}
		d.events = append(d.events, e)
	}
	if text := r.URL.Query().Get("clock"); text != "" {
		at, err := event.ParseTime(text)
		if err != nil || at < d.clock {
			d.disorder++
		}
		d.clock = at
	}
	fmt.Fprint(w, `{}`)
}

// config is an hour of an exchange that sells to d.
func (d *double) config() Config {
	return Config{
		Bidder: d.URL + "/", Admin: d.URL, Seed: 7, At: secondPrice, Length: time.Hour, PerHour: 600, For: time.Second, Rate: 1, Outage: -1, Connections: 3,
		Campaigns: testCampaigns(), Objectives: testObjectives, Objective: "click",
	}
}

func (d *double) run(cfg Config) *Report {
	d.t.Helper()
	x, err := New(cfg)
	if err != nil {
		d.t.Fatal(err)
	}
	r, err := x.Run(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}
