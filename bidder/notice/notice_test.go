package notice

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"image/gif"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/bidder/auction"
	"github.com/clickloop/clickloop/bidder/ledger"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/access"
	"github.com/clickloop/clickloop/internal/signing"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	base   = "https://bid.example/"
	target = "https://shop.example/x?a=1&b=2"
	secret = "a secret of notice's tests"
)

var start = event.Time(1_795_000_000_000)

// books is a ledger in memory. It takes each step of a bid once.
type books struct {
	mu      sync.Mutex
	fault   error
	users   map[string]string // by bid
	expires event.Time
	old     event.Time // from when on it is too late; 0: never
	taken   map[string]bool
	notices []ledger.Notice
}

func (b *books) Notice(_ context.Context, n ledger.Notice) (ledger.Result, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault != nil {
		return ledger.Result{}, b.fault
	}
	if b.old != 0 && n.Time > b.old {
		return ledger.Result{Late: true}, ledger.ErrTooLate
	}
	key := n.Step + " " + n.Bid
	r := ledger.Result{Repeated: b.taken[key], Late: n.Time > b.expires, User: b.users[n.Bid]}
	if b.taken[key] = true; !r.Repeated || n.Paid > 0 {
		b.notices = append(b.notices, n)
	}
	return r, nil
}

// log is the topic of events.
type log struct {
	mu     sync.Mutex
	fault  error
	events []event.Event
}

func (l *log) Take(_ context.Context, events []event.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault != nil {
		return l.fault
	}
	for i := range events {
		if err := events[i].Complete(start); err != nil {
			return err
		}
	}
	l.events = append(l.events, events...)
	return nil
}

// stage is Notices with doubles around it, in virtual time.
type stage struct {
	t      *testing.T
	now    event.Time
	keys   *signing.Ring
	links  *Links
	books  *books
	log    *log
	reg    *prometheus.Registry
	mux    *http.ServeMux
	header http.Header // of requests
}

func run(t *testing.T, change func(*Config, *Deps)) *stage {
	t.Helper()
	keys, err := signing.Hold(secret)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, now: start, keys: keys, log: &log{}, reg: prometheus.NewRegistry(), mux: http.NewServeMux(), header: http.Header{}}
	s.books = &books{users: map[string]string{}, taken: map[string]bool{}, expires: start.Add(time.Minute)}
	if s.links, err = NewLinks(base, keys); err != nil {
		t.Fatal(err)
	}
	cfg, d := DefaultConfig(), Deps{
		Keys: keys, Ledger: s.books, Events: s.log, Now: func() event.Time { return s.now }, Logger: slog.New(slog.DiscardHandler), Registerer: s.reg,
		Rate: func(currency string) (float64, bool) { return 2, currency == "EUR" },
		User: func(_ context.Context, _, bid string) (string, error) { return s.books.users[bid], nil },
	}
	if change != nil {
		change(&cfg, &d)
	}
	n, err := New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	n.Register(s.mux)
	return s
}

func bid() Bid {
	return Bid{ID: "r-1.0", Campaign: "c1", Ad: "a1", Price: 1200, Issued: start, Expires: start.Add(time.Minute)}
}

// link is the URL of a notice of a kind, with the macros as they are.
func (s *stage) link(k Kind) string {
	b := bid()
	switch k {
	case Click:
		return string(s.links.AppendClick(nil, &b, target))
	case Progress:
		return string(s.links.AppendProgress(nil, &b, "complete"))
	}
	return string(s.links.Append(nil, k, &b))
}

// call sends a notice and returns the answer.
func (s *stage) call(method, link string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, link, nil)
	r.Header = s.header.Clone()
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, r)
	if w.Code < 400 && w.Header().Get("Cache-Control") == "" {
		s.t.Errorf("%s may be kept: %v", link, w.Header())
	}
	return w
}

// filled is a link with its macros replaced, as an exchange does.
func filled(link string, values ...string) string {
	return strings.NewReplacer(append(values, "${AUCTION_PRICE}", "", "${AUCTION_CURRENCY}", "", "${AUCTION_MIN_TO_WIN}", "", "${AUCTION_LOSS}", "")...).Replace(link)
}

// counted is how many notices of a kind had a result.
func (s *stage) counted(k Kind, result string) int {
	return s.metric("clickloop_bidder_notices_total", map[string]string{"notice": k.String(), "result": result})
}

func (s *stage) metric(name string, labels map[string]string) int {
	s.t.Helper()
	families, err := s.reg.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			all := true
			for _, l := range m.GetLabel() {
				all = all && (labels[l.GetName()] == "" || labels[l.GetName()] == l.GetValue())
			}
			if all {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return int(n)
}

// expect checks what a kind answers when it is taken.
func (s *stage) expect(k Kind, w *httptest.ResponseRecorder) {
	s.t.Helper()
	switch k {
	case Win, Bill, Loss:
		if w.Code != http.StatusNoContent || w.Body.Len() > 0 {
			s.t.Errorf("%v: %d %s", k, w.Code, w.Body)
		}
	case Click:
		if w.Code != http.StatusFound || w.Header().Get("Location") != target || w.Body.Len() > 0 {
			s.t.Errorf("click: %d to %q", w.Code, w.Header().Get("Location"))
		}
	default:
		s.expectPixel(http.StatusOK, w)
	}
}

func (s *stage) expectPixel(status int, w *httptest.ResponseRecorder) {
	s.t.Helper()
	img, err := gif.Decode(bytes.NewReader(w.Body.Bytes()))
	if err != nil || img.Bounds().Dx() != 1 || img.Bounds().Dy() != 1 || w.Code != status || w.Header().Get("Content-Type") != "image/gif" {
		s.t.Errorf("no pixel: %d %v, %v", w.Code, w.Header(), err)
	}
}

var all = []Kind{Win, Bill, Loss, Impression, Click, Progress}

func TestEachNoticeBecomesAnEventAndAStep(t *testing.T) {
	s := run(t, nil)
	s.books.users["r-1.0"] = "u1"
	s.now = start.Add(10 * time.Second)
	want := map[Kind]string{
		Win:        `"win" price_micros=1100 min_to_win_micros=900`,
		Bill:       `"billing" price_micros=1100 min_to_win_micros=900`,
		Loss:       `"loss" price_micros=1100 min_to_win_micros=900 loss_reason=102`,
		Impression: `"impression" price_micros=1100`,
		Click:      `"click"`,
		Progress:   `"ad_complete"`,
	}
	for i, k := range all {
		method := []string{http.MethodGet, http.MethodPost}[i%2]
		link := filled(s.link(k), "${AUCTION_PRICE}", "1.1", "${AUCTION_CURRENCY}", "USD", "${AUCTION_MIN_TO_WIN}", "0.9", "${AUCTION_LOSS}", "102")
		s.expect(k, s.call(method, link))
		e := s.log.events[i]
		got := strconv.Quote(e.Type)
		for _, p := range e.Properties {
			got += " " + p.Name + "=" + p.Value.Text()
		}
		if got != want[k] {
			t.Errorf("%v: %s, want %s", k, got, want[k])
		}
		if e.Prediction != "r-1.0" || e.Request != "r-1" || e.Ad != "a1" || e.Campaign != "c1" || e.User != "u1" || e.Time != s.now || e.ID == "" || e.Context != nil {
			t.Errorf("%v: %+v", k, e)
		}
		if v := s.keys.Keys().Verify(e.Token, e.Prediction, s.now, time.Hour); v != signing.Valid {
			t.Errorf("%v: feedback finds its token %v", k, v)
		}
		if s.counted(k, taken) != 1 {
			t.Errorf("%v is not counted", k)
		}
	}
	for i, step := range []string{event.StepWin, event.StepBill, event.StepLoss} {
		n := s.books.notices[i]
		paid, reason := auction.Micros(1100), int64(0)
		if step == event.StepLoss {
			paid, reason = 0, 102
		}
		if want := (ledger.Notice{Step: step, Bid: "r-1.0", Campaign: "c1", Reserved: 1200, Expires: start.Add(time.Minute), Paid: paid, MinToWin: 900, Reason: reason, Time: s.now}); n != want {
			t.Errorf("%+v, want %+v", n, want)
		}
	}
	if len(s.books.notices) != 3 {
		t.Errorf("%d notices are in the ledger", len(s.books.notices))
	}
}

// What comes again, to this process or another one, is answered like the first and counts once.
func TestReplayedNoticesCountOnce(t *testing.T) {
	s := run(t, nil)
	other := run(t, func(_ *Config, d *Deps) { d.Ledger = s.books })
	for _, k := range all {
		for range 3 {
			s.expect(k, s.call("GET", filled(s.link(k))))
		}
		if s.counted(k, taken) != 1 || s.counted(k, repeated) != 2 {
			t.Errorf("%v: %d taken, %d repeated", k, s.counted(k, taken), s.counted(k, repeated))
		}
		other.expect(k, other.call("GET", filled(s.link(k))))
	}
	if len(s.log.events) != len(all) || len(s.books.notices) != 3 {
		t.Errorf("%d events, %d steps", len(s.log.events), len(s.books.notices))
	}
	ids := map[string]bool{}
	for i, e := range s.log.events {
		if ids[e.ID] = true; e.ID != other.log.events[i].ID {
			t.Errorf("two processes call it %q and %q", e.ID, other.log.events[i].ID)
		}
	}
	if len(ids) != len(all) || other.counted(Bill, repeated) != 1 {
		t.Errorf("ids are %v", ids)
	}
}

// Of many at once, one changes the ledger, and all events have one id.
func TestNoticesAtOnceCountOnce(t *testing.T) {
	s := run(t, nil)
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			k := all[i%len(all)]
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, filled(s.link(k)), nil)
			s.mux.ServeHTTP(httptest.NewRecorder(), r)
		})
	}
	wg.Wait()
	ids := map[string]bool{}
	for _, e := range s.log.events {
		ids[e.ID] = true
	}
	if len(ids) != len(all) || len(s.books.notices) != 3 {
		t.Errorf("ids %v, %d steps", ids, len(s.books.notices))
	}
}

// Operators read of foreign tokens once a minute, however many come.
func TestForeignTokensAreLoggedOnceAMinute(t *testing.T) {
	var text bytes.Buffer
	s := run(t, func(_ *Config, d *Deps) { d.Logger = slog.New(slog.NewTextHandler(&text, nil)) })
	foreign, err := signing.Hold("a secret of somebody else")
	if err != nil {
		t.Fatal(err)
	}
	links, _ := NewLinks(base, foreign)
	b := bid()
	for range 3 {
		for range 10 {
			s.call("GET", filled(string(links.Append(nil, Bill, &b))))
		}
		s.now = s.now.Add(time.Minute)
	}
	if n := strings.Count(text.String(), "same secrets"); n != 3 || !strings.Contains(text.String(), "more=9") {
		t.Errorf("%d lines:\n%s", n, text.String())
	}
}

// Forged, altered, foreign and old tokens are refused by name, and leave no trace.
func TestTokensThatAreNotGoodAreRefusedAndCounted(t *testing.T) {
	foreign, err := signing.Hold("a secret of somebody else")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range all {
		s := run(t, nil)
		f := func(link, result string) {
			t.Helper()
			before := s.counted(k, result)
			w := s.call("GET", link)
			switch {
			case k == Impression || k == Progress:
				s.expectPixel(http.StatusOK, w)
			case w.Code != http.StatusBadRequest || w.Header().Get("Location") != "" || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain"):
				t.Errorf("%v %s: %d %v", k, result, w.Code, w.Header())
			}
			if s.counted(k, result) != before+1 {
				t.Errorf("%v: not counted as %s", k, result)
			}
		}
		good := filled(s.link(k))
		u, _ := url.Parse(good)
		token := u.Query().Get("t")
		with := func(t string) string { return strings.Replace(good, token, t, 1) }
		f(with(""), "missing")
		f(strings.Replace(good, "t=", "x=", 1), "missing")
		f(with("x"), "malformed")
		f(with(strings.Repeat("A", 9000)), "malformed")
		raw, _ := base64.RawURLEncoding.DecodeString(token)
		f(with(base64.RawURLEncoding.EncodeToString(raw[:len(raw)-1])), "mismatch")
		f(with(base64.RawURLEncoding.EncodeToString(append(raw, 0))), "mismatch")
		f(with(token[:20]+swapped(token[20])+token[21:]), "mismatch")
		b := bid()
		forged := &Token{Kind: k, Bid: b, Target: "https://evil.example/"}
		f(with(string(forged.Append(nil, foreign.Keys()))), "unknown_key")
		f(with(string(s.keys.Keys().Append(nil, []byte(b.ID), start))), "malformed") // of a prediction
		f(with(string(s.keys.Keys().Seal(nil, "other", forged.appendPayload(nil)))), "mismatch")
		f(with(string(s.keys.Keys().Seal(nil, label, []byte("x")))), "malformed")
		for _, other := range all {
			if other != k {
				x := &Token{Kind: other, Bid: b, Target: target}
				f(with(string(x.Append(nil, s.keys.Keys()))), "kind")
			}
		}
		s.now = start.Add(72*time.Hour + time.Millisecond)
		if k == Click { // the person arrives, and does not count
			s.expect(k, s.call("GET", good))
		} else {
			f(good, "expired")
		}
		if s.counted(k, "expired") != 1 || len(s.log.events) > 0 || len(s.books.notices) > 0 {
			t.Errorf("%v: %d expired; %d events and %d steps are left", k, s.counted(k, "expired"), len(s.log.events), len(s.books.notices))
		}
	}
}

func swapped(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

func TestLateNoticesAreTakenAndFlagged(t *testing.T) {
	s := run(t, nil)
	s.now = start.Add(72 * time.Hour)
	for i, k := range all {
		s.expect(k, s.call("GET", filled(s.link(k))))
		if v, _ := s.log.events[i].Properties.Lookup("late"); v.Str != "true" || s.counted(k, late) != 1 {
			t.Errorf("%v: %+v", k, s.log.events[i])
		}
	}
}

// A key that was the first and is the second now still opens its tokens.
func TestTokensOutliveARotation(t *testing.T) {
	s := run(t, func(_ *Config, d *Deps) {
		rotated, err := signing.Hold("a secret that is newer than it\n" + secret)
		if err != nil {
			t.Fatal(err)
		}
		d.Keys = rotated
	})
	s.expect(Bill, s.call("GET", filled(s.link(Bill))))
}

// A price that is no number is not told: the bid's price is taken.
func TestPricesThatAreNotToldAreTheBids(t *testing.T) {
	f := func(price, currency string, want auction.Micros, result string) {
		t.Helper()
		s := run(t, nil)
		b := bid()
		link := strings.NewReplacer("${AUCTION_PRICE}", price, "${AUCTION_CURRENCY}", currency).Replace(string(s.links.Append(nil, Bill, &b)))
		s.expect(Bill, s.call("GET", link))
		if got := s.books.notices[0].Paid; got != want {
			t.Errorf("%q %q: %d micros are paid, want %d", price, currency, got, want)
		}
		if s.metric("clickloop_bidder_notice_prices_total", map[string]string{"result": result}) != 1 {
			t.Errorf("%q %q is not counted as %s", price, currency, result)
		}
		spent := want
		if want == 0 {
			spent = b.Price
		}
		if v, _ := s.log.events[0].Properties.Lookup("price_micros"); v.Num != float64(spent) {
			t.Errorf("%q: the event has %v", price, v)
		}
	}
	f("1.1", "", 1100, told)
	f("1.1", "USD", 1100, told)
	f("1.1", "usd", 1100, told)
	f("1.1", "AUDIT", 1100, told)
	f("1.1", "${AUCTION_CURRENCY}", 1100, told)
	f("%201.1%20", "", 1100, told)
	f("1.1e0", "", 1100, told)
	f("0", "", 0, told)
	f("0.0004", "", 0, told)
	f("0.5", "EUR", 1000, told)
	f("0.5", "CHF", 0, elsewhere)
	f("1.2004", "", 1200, told) // rounded by the exchange
	f("1.21", "", 1200, told)
	f("1.3", "", 0, absurd) // nobody owes more than was bid
	f("120", "", 0, absurd) // cents
	f("1e300", "", 0, absurd)
	f("1e999", "", 0, absurd)
	f("-1", "", 0, negative)
	f("-0", "", 0, negative)
	f("-1e999", "", 0, negative)
	f("", "", 0, empty)
	f("AUDIT", "", 0, audit)
	f("audit", "", 0, audit)
	f("${AUCTION_PRICE}", "", 0, unfilled)
	f("$%7BAUCTION_PRICE%7D", "", 0, unfilled)
	f("${AUCTION_PRICE:B64}", "", 0, unfilled)
	f("%25%25WINNING_PRICE%25%25", "", 0, unfilled)
	f("USQlVUgABAAAAAAAAAAAAAAAAADt3w3A_OYVrQ", "", 0, unread) // encrypted
	f("MS4x", "", 0, unread)
	f("1,10", "", 0, unread)
	f("NaN", "", 0, unread)
	f("Inf", "", 0, unread)
	f("0x10", "", 0, unread)
	f("1.1.1", "", 0, unread)
	f("%00", "", 0, unread)
	f(strings.Repeat("1", 100), "", 0, unread)
	f("%zz", "", 0, unasked) // what cannot be unescaped is not there
}

// Kafka or Redis away: senders are told to come again, the notice is taken then, and it counts
// once.
func TestNoticesThatCannotBeWrittenAreAskedForAgain(t *testing.T) {
	away := errors.New("away")
	f := func(k Kind, break_ func(*stage, error)) {
		t.Helper()
		s := run(t, nil)
		break_(s, away)
		w := s.call("GET", filled(s.link(k)))
		switch k {
		case Click: // the person arrives
			s.expect(k, w)
		case Impression, Progress:
			s.expectPixel(http.StatusServiceUnavailable, w)
		default:
			if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
				t.Errorf("%v: %d", k, w.Code)
			}
		}
		if s.counted(k, unavailable) != 1 || len(s.log.events) != 0 {
			t.Errorf("%v: %d unavailable, %d events", k, s.counted(k, unavailable), len(s.log.events))
		}
		break_(s, nil)
		s.expect(k, s.call("GET", filled(s.link(k))))
		s.expect(k, s.call("GET", filled(s.link(k))))
		if len(s.log.events) != 1 || len(s.books.notices) > 1 {
			t.Errorf("%v: %d events, %d steps", k, len(s.log.events), len(s.books.notices))
		}
	}
	for _, k := range all {
		f(k, func(s *stage, err error) { s.log.fault = err })
	}
	for _, k := range []Kind{Win, Bill, Loss} {
		f(k, func(s *stage, err error) { s.books.fault = err })
	}
}

// The ledger knows later when a notice is too late than the token does: nothing is owed then.
func TestWhatTheLedgerFindsTooLateIsRefused(t *testing.T) {
	s := run(t, nil)
	s.books.old, s.now = start.Add(time.Hour), start.Add(2*time.Hour)
	for _, k := range []Kind{Win, Bill, Loss} {
		if w := s.call("GET", filled(s.link(k))); w.Code != http.StatusBadRequest || s.counted(k, string(Expired)) != 1 {
			t.Errorf("%v: %d", k, w.Code)
		}
	}
	if len(s.log.events) > 0 {
		t.Errorf("%d events", len(s.log.events))
	}
}

// A bill that told no price may be sent again with one, by another part of the exchange.
func TestTheFirstPriceThatABillTellsReachesTheLedger(t *testing.T) {
	s := run(t, nil)
	var paid []auction.Micros
	for _, price := range []string{"", "", "1.1", "1.1", "", "1.0"} {
		s.expect(Bill, s.call("GET", filled(s.link(Bill), "${AUCTION_PRICE}", price)))
	}
	for _, n := range s.books.notices {
		paid = append(paid, n.Paid)
	}
	if len(paid) != 2 || paid[0] != 0 || paid[1] != 1100 || len(s.log.events) != 1 || s.counted(Bill, repeated) != 5 {
		t.Errorf("%v are told to the ledger, %d events, %d repeated", paid, len(s.log.events), s.counted(Bill, repeated))
	}
}

// An event that can never be written is no reason to ask for it again.
func TestANoticeThatMakesNoEventIsNotAskedForAgain(t *testing.T) {
	s := run(t, nil)
	b := bid()
	b.Campaign = strings.Repeat("c", 300)
	s.expect(Bill, s.call("GET", filled(string(s.links.Append(nil, Bill, &b)))))
	if s.counted(Bill, invalid) != 1 {
		t.Error("it is not counted")
	}
}

func TestWhoIsKnownIsNamedAndNobodyElse(t *testing.T) {
	fault := error(nil)
	s := run(t, func(_ *Config, d *Deps) {
		d.User = func(context.Context, string, string) (string, error) { return "", fault }
	})
	s.header.Set("X-Forwarded-For", "203.0.113.7")
	s.header.Set("X-Device-IP", "203.0.113.7")
	s.header.Set("Cookie", "id=203.0.113.7")
	s.header.Set("User-Agent", "Mozilla/5.0 203.0.113.7")
	for _, k := range all {
		if fault = nil; k == Click {
			fault = errors.New("Redis is away")
		}
		s.expect(k, s.call("GET", filled(s.link(k))+"&ip=203.0.113.7&user=203.0.113.7"))
	}
	for _, e := range s.log.events {
		if text := string(e.AppendJSON(nil)); strings.Contains(text, "203.0.113") || strings.Contains(text, "192.0.2") || e.User != "" || e.Anonymous != "" {
			t.Errorf("it is told: %s", text)
		}
	}
	if len(s.log.events) != len(all) {
		t.Errorf("%d events", len(s.log.events))
	}
}

func TestWhatNobodySawDoesNotCount(t *testing.T) {
	f := func(method, name, value string, counts bool) {
		t.Helper()
		s := run(t, nil)
		s.header.Set(name, value)
		for _, k := range []Kind{Impression, Click, Progress} {
			w := s.call(method, filled(s.link(k)))
			if method == http.MethodGet {
				s.expect(k, w)
			}
			if got := s.counted(k, taken) == 1; got != counts || s.counted(k, robot) == 1 == counts || len(s.log.events) > 0 && !counts {
				t.Errorf("%v of %s %s %q counts: %v", k, method, name, value, got)
			}
		}
	}
	f("GET", "User-Agent", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36", true)
	f("GET", "User-Agent", "Mozilla/5.0 (Linux; Android 14; CUBOT X50) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36", true)
	f("GET", "User-Agent", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", false)
	f("GET", "User-Agent", "facebookexternalhit/1.1", false)
	f("GET", "User-Agent", "Mozilla/5.0 HeadlessChrome/120", false)
	f("GET", "User-Agent", "Twitterbot", false)
	f("GET", "User-Agent", "Go-http-client/1.1", true) // a server that reports
	f("GET", "User-Agent", "", true)
	f("GET", "X-Device-User-Agent", "AdsBot-Google (+http://www.google.com/adsbot.html)", false)
	f("GET", "Sec-Purpose", "prefetch;prerender", false)
	f("GET", "X-Purpose", "preview", false)
	f("HEAD", "User-Agent", "Mozilla/5.0", false)
	s := run(t, nil)
	s.header.Set("User-Agent", "Googlebot/2.1")
	s.expect(Bill, s.call("GET", filled(s.link(Bill)))) // exchanges are programs
	if w := s.call("HEAD", filled(s.link(Bill))); w.Code != http.StatusMethodNotAllowed {
		t.Error(w.Code)
	}
	if w := s.call("PUT", filled(s.link(Bill))); w.Code != http.StatusMethodNotAllowed {
		t.Error(w.Code)
	}
}

// No parameter and no token leads anywhere but to the signed target.
func TestClicksLeadToSignedTargetsOnly(t *testing.T) {
	s := run(t, nil)
	good := s.link(Click)
	for _, more := range []string{"&u=https://evil.example/", "&url=//evil.example", "&t=x", "&target=javascript:alert(1)", "&redirect=%0d%0aLocation:%20https://evil.example"} {
		s.expect(Click, s.call("GET", good+more))
	}
	for _, signed := range []string{"javascript:alert(1)", "//evil.example/", "/x", "https:/x", "https://", "data:text/html,x", "https://x.example/\r\nSet-Cookie: a=b", "https://x.example/ a",
		"https://a.example\\@evil.example/", "https://user@evil.example/", "ftp://x.example/", "https://x.example/ä", "https://x.example/" + strings.Repeat("a", maxTarget)} {
		b := bid()
		w := s.call("GET", string(s.links.AppendClick(nil, &b, signed)))
		if w.Code != http.StatusBadRequest || w.Header().Get("Location") != "" {
			t.Errorf("%q: %d to %q", signed, w.Code, w.Header().Get("Location"))
		}
	}
	b := bid()
	s.expectPixel(http.StatusOK, s.call("GET", string(s.links.AppendClick(nil, &b, "")))) // it only counts
}

func TestWhoComesTooOftenIsRefused(t *testing.T) {
	left := 0
	no := error(&access.Refused{Status: http.StatusTooManyRequests, Code: "rate_limited"})
	s := run(t, func(_ *Config, d *Deps) {
		d.Enter = func(*http.Request) (func(), error) { return func() { left++ }, no }
	})
	w := s.call("GET", filled(s.link(Bill)))
	if w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), "rate_limited") || s.counted(Bill, limited) != 1 || len(s.log.events) > 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	no = errors.New("another reason")
	if w := s.call("GET", filled(s.link(Bill))); w.Code != http.StatusTooManyRequests {
		t.Error(w.Code)
	}
	no = nil
	s.expect(Bill, s.call("GET", filled(s.link(Bill))))
	if left != 3 {
		t.Errorf("%d requests have left", left)
	}
}

func TestRecordedNoticesHaveTheirTimeInAParameter(t *testing.T) {
	recorded := true
	s := run(t, func(_ *Config, d *Deps) { d.Recorded = func() bool { return recorded } })
	at := start.Add(42 * time.Second)
	s.expect(Bill, s.call("GET", filled(s.link(Bill))+"&time="+at.String()))
	if e := s.log.events[0]; e.Time != at || e.Received != at || s.books.notices[0].Time != at {
		t.Errorf("%+v, %+v", e, s.books.notices[0])
	}
	if w := s.call("GET", filled(s.link(Win))+"&time=yesterday"); w.Code != http.StatusBadRequest {
		t.Error(w.Code)
	}
	recorded = false // then it is a parameter of the exchange's
	s.expect(Win, s.call("GET", filled(s.link(Win))+"&time="+at.String()))
	if e := s.log.events[1]; e.Time != start {
		t.Errorf("%+v", e)
	}
}

func TestNoticesOfTestAuctionsChangeNothing(t *testing.T) {
	s := run(t, nil)
	b := bid()
	b.Test = true
	for _, k := range all {
		link := filled(string(s.links.Append(nil, k, &b)))
		switch k {
		case Click:
			link = string(s.links.AppendClick(nil, &b, target))
		case Progress:
			link = string(s.links.AppendProgress(nil, &b, "start"))
		}
		s.expect(k, s.call("GET", link))
		if s.counted(k, tested) != 1 {
			t.Errorf("%v is not counted", k)
		}
	}
	if len(s.log.events) > 0 || len(s.books.notices) > 0 {
		t.Errorf("%d events, %d steps", len(s.log.events), len(s.books.notices))
	}
}

func TestStepsOfAnAdAreEventsOfTheirOwn(t *testing.T) {
	s := run(t, nil)
	b := bid()
	for step := range Steps {
		s.expect(Progress, s.call("GET", string(s.links.AppendProgress(nil, &b, step))))
	}
	s.expectPixel(http.StatusOK, s.call("GET", string(s.links.AppendProgress(nil, &b, "conversion"))))
	ids, types := map[string]bool{}, map[string]bool{}
	for _, e := range s.log.events {
		ids[e.ID], types[e.Type] = true, true
	}
	if len(ids) != len(Steps) || len(types) != len(Steps) || s.counted(Progress, invalid) != 1 {
		t.Errorf("ids %v, types %v", ids, types)
	}
}

func TestConfigurationsAreChecked(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for _, wrong := range []Config{{Late: time.Second, Wait: time.Second}, {Late: 31 * 24 * time.Hour, Wait: time.Second}, {Late: time.Hour}, {Late: time.Hour, Wait: time.Minute}} {
		if err := wrong.Validate(); err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	if _, err := New(DefaultConfig(), Deps{}); err == nil {
		t.Error("no keys are needed")
	}
	for _, wrong := range []string{"bid.example", "ftp://bid.example", "https://", "https://bid.example/?a", "https://bid.example/#a", "https://u:p@bid.example", `https://bid.example/"`,
		"https://bid.example/ x", "https://bid.exämple/", "https://bid.example/$x", "https://" + strings.Repeat("a", 300)} {
		if _, err := Base(wrong); err == nil || !strings.HasPrefix(err.Error(), "public_url ") {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	for text, want := range map[string]string{"https://bid.example": "https://bid.example/", "http://[::1]:80/a/b//": "http://[::1]:80/a/b/"} {
		if got, err := Base(text); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
