package campaign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

// bidder is a Store with its Follower at work.
type bidder struct {
	*Store
	mux *http.ServeMux
	log *logged

	mu     sync.Mutex
	counts map[string]int
}

// logged is a log that a test reads while it is written.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// dial returns a client of a broker, and makes the topic.
func dial(t testing.TB, brokers []string, prefix string) *stream.Client {
	t.Helper()
	client, err := stream.Dial(stream.Config{Brokers: brokers, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	for _, topic := range event.BiddingTopics() {
		if topic.Name == event.TopicCampaigns {
			if err := client.EnsureTopics(t.Context(), stream.Topic(topic)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return client
}

func run(t testing.TB, brokers []string, prefix string) *bidder {
	t.Helper()
	client := dial(t, brokers, prefix)
	b := &bidder{mux: http.NewServeMux(), log: &logged{}, counts: map[string]int{}}
	logger := slog.New(slog.NewTextHandler(b.log, nil))
	c := New(Config{})
	f := &Follower{Client: client, Catalogue: c, Objectives: testObjectives, Logger: logger, Count: b.count}
	b.Store = &Store{Client: client, Catalogue: c, Follower: f, Objectives: testObjectives, Now: func() event.Time { return testNow }, Logger: logger}
	b.Register(b.mux)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return b
}

func (b *bidder) count(result string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts[result] += n
}

func (b *bidder) counted(result string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts[result]
}

// seen waits until the bidder has all that the topic has.
func (b *bidder) seen(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := b.Follower.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
}

// call makes a call of administrators. headers are names and values.
func (b *bidder) call(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.mux.ServeHTTP(w, r)
	return w
}

// named is a campaign of an id, with a creative of its own.
func named(id string, changes ...string) string {
	return short(append([]string{`"id":"c1"`, `"id":"` + id + `"`, `"id":"b1"`, `"id":"b-` + id + `"`}, changes...)...)
}

func TestCampaignsAreWrittenReadAndDeletedByTheAPI(t *testing.T) {
	b := run(t, backend.Kafka(t), backend.Prefix(t))
	f := func(method, path, body string, status int, wants ...string) {
		t.Helper()
		w := b.call(method, path, body)
		for _, want := range append(wants, "") {
			if w.Code != status || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s %s: %d %s, want %d %s", method, path, w.Code, w.Body, status, want)
			}
		}
	}
	b.seen(t)
	f("GET", "/v1/campaigns", "", 200, `{"campaigns":[],"total":0}`)
	f("PUT", "/v1/campaigns/c1", full, 200, `{"id":"c1","status":"paused","etag":"`)
	f("GET", "/v1/campaigns/c1", "", 200, full)
	f("PUT", "/v1/campaigns/c2", named("c2", `"id":"c2",`, ``), 200, `{"id":"c2","status":"active"`)
	f("PUT", "/v1/campaigns/a%2Fb", named("a/b", `"budget":{}`, `"end":"2026-11-01T00:00:00Z"`), 200, `{"id":"a/b","status":"ended"`)
	f("PUT", "/v1/campaigns/c3", named("c3", `"budget":{}`, `"start":"2027-11-01T00:00:00Z","name":"later"`), 200, `"status":"scheduled"`)
	f("GET", "/v1/campaigns", "", 200, `{"campaigns":[{"id":"a/b","status":"ended","advertiser":"a","creatives":1,"etag":"`, `"id":"c1","name":"Spring","status":"paused"`, `"total":4}`)
	f("GET", "/v1/campaigns?limit=2", "", 200, `"total":4,"next":"c1"}`)
	f("GET", "/v1/campaigns?limit=2&after=c1", "", 200, `{"campaigns":[{"id":"c2"`, `"total":4}`)
	f("GET", "/v1/campaigns?after=b", "", 200, `{"campaigns":[{"id":"c1"`)
	f("GET", "/v1/campaigns?after=z", "", 200, `{"campaigns":[],"total":4}`)
	f("GET", "/v1/campaigns?limit=0", "", 400, `"field":"limit"`, `want 1 to 1000`)
	f("GET", "/v1/campaigns?page=2", "", 400, `"field":"page"`)
	f("DELETE", "/v1/campaigns/c2", "", 200, `{"id":"c2","deleted":true}`)
	f("GET", "/v1/campaigns/c2", "", 404, "not_found")
	f("DELETE", "/v1/campaigns/c2", "", 404, "not_found")
	f("PUT", "/v1/campaigns/x", named("y"), 400, `"field":"id"`, "another one than that of the address")
	f("PUT", "/v1/campaigns/x", named("x", `"cpm":1`, `"cpm":-1`), 400, `"field":"bid.cpm"`, "is -1")
	f("PUT", "/v1/campaigns/x", `{`, 400, "is not JSON")
	f("PUT", "/v1/campaigns/x", strings.Repeat(" ", event.CampaignBytes+1), 413, "too_large")
	f("PUT", "/v1/campaigns/x", short(`"id":"c1"`, `"id":"x"`), 409, `"field":"creatives[0].id"`, `which a creative of the campaign \"c1\" has`)
	f("PUT", "/v1/campaigns/"+strings.Repeat("x", 257), `{}`, 400, `"field":"id"`)
	if p, c := b.Catalogue.View().Creative("b-c3"); p == nil || p.Name != "later" || c.ID != "b-c3" {
		t.Errorf("the creative is %v of %v", c, p)
	}
}

func TestTwoEditorsDoNotOverwriteEachOther(t *testing.T) {
	b := run(t, backend.Kafka(t), backend.Prefix(t))
	f := func(method, body string, status int, headers ...string) string {
		t.Helper()
		w := b.call(method, "/v1/campaigns/c1", body, headers...)
		if w.Code != status {
			t.Errorf("%s with %v: %d %s, want %d", method, headers, w.Code, w.Body, status)
		}
		return w.Header().Get("ETag")
	}
	f("PUT", short(), 412, "If-Match", "*")
	first := f("PUT", short(), 200, "If-None-Match", "*")
	f("PUT", short(), 412, "If-None-Match", "*")
	if got := f("GET", "", 200); got != first || len(first) < 10 {
		t.Errorf("the etag is %s, want %s", got, first)
	}
	second := f("PUT", short(`"cpm":1`, `"cpm":2`), 200, "If-Match", `"x", `+first)
	if second == first {
		t.Error("another campaign has the same etag")
	}
	f("PUT", short(`"cpm":1`, `"cpm":3`), 412, "If-Match", first)
	f("DELETE", "", 412, "If-Match", first)
	f("PUT", short(`"cpm":1`, `"cpm":3`), 200)
	f("DELETE", "", 200, "If-Match", "*")
	f("DELETE", "", 412, "If-Match", second)
}

// A bidder follows what others write, within a second, and a restart finds what the topic holds.
func TestEveryBidderFollowsTheTopic(t *testing.T) {
	brokers, prefix := backend.Kafka(t), backend.Prefix(t)
	one, two := run(t, brokers, prefix), run(t, brokers, prefix)
	two.seen(t)
	for i := range 5 {
		began := time.Now()
		text := named("c1", `"cpm":1`, fmt.Sprint(`"cpm":`, i+1))
		if w := one.call("PUT", "/v1/campaigns/c1", text); w.Code != 200 {
			t.Fatal(w.Body)
		}
		// what is acknowledged is seen by whoever asks next
		if c := one.Catalogue.View().Find("c1"); c == nil || c.Bid.CPM != float64(i+1) {
			t.Fatalf("%d: the writer has %+v", i, c)
		}
		two.seen(t)
		if c := two.Catalogue.View().Find("c1"); c == nil || c.Bid.CPM != float64(i+1) {
			t.Fatalf("%d: the other has %+v", i, c)
		}
		if took := time.Since(began); took > time.Second {
			t.Logf("a change takes %v", took)
		}
	}
	one.call("PUT", "/v1/campaigns/c2", named("c2"))
	one.call("DELETE", "/v1/campaigns/c1", "")
	three := run(t, brokers, prefix)
	if three.Follower.Ready() == nil {
		t.Log("it was ready at once")
	}
	three.seen(t)
	if v := three.Catalogue.View(); v.Len() != 1 || v.Find("c2") == nil || three.Follower.Ready() != nil {
		t.Errorf("a restart finds %v", v.IDs())
	}
}

func TestRecordsThatAreOfNoUseChangeNothing(t *testing.T) {
	brokers, prefix := backend.Kafka(t), backend.Prefix(t)
	client := dial(t, brokers, prefix)
	record := func(key, value string) stream.Record {
		return stream.Record{Key: []byte(key), Value: []byte(value)}
	}
	records := []stream.Record{
		record("c1", short()), record("c1", `{"id":"c1"`), record("c1", short(`"cpm":1`, `"cpm":-1`)), record("key", named("other")),
		record("c2", named("c2", `{"strategy":"cpm","cpm":1}`, `{"strategy":"value","value":"p.gone"}`)), {Key: []byte("never")},
	}
	if err := client.Produce(t.Context(), event.TopicCampaigns, records); err != nil {
		t.Fatal(err)
	}
	b := run(t, brokers, prefix)
	b.seen(t)
	if v := b.Catalogue.View(); v.Len() != 1 || v.Find("c1").Bid.CPM != 1 {
		t.Errorf("there are %v", v.IDs())
	}
	if b.counted(ResultMalformed) != 4 || b.counted(ResultPut) != 1 || b.counted(ResultDeleted) != 1 {
		t.Errorf("%v", b.counts)
	}
	log := b.log.String()
	for _, want := range []string{"offset=1", "is not JSON", "offset=2", "bid.cpm is -1", "offset=3 key=key", "the record's key another one", "offset=4 key=c2"} {
		if strings.Count(log, want) != 1 {
			t.Errorf("the log has %d times %q:\n%s", strings.Count(log, want), want, log)
		}
	}
}

func TestATopicThatIsMadeAgainReplacesTheCampaigns(t *testing.T) {
	services := backend.Embedded(t)
	prefix := backend.Prefix(t)
	b := run(t, []string{services.Kafka}, prefix)
	for _, id := range []string{"c1", "c2"} {
		if w := b.call("PUT", "/v1/campaigns/"+id, named(id)); w.Code != 200 {
			t.Fatal(w.Body)
		}
	}
	backend.DeleteTopic(t, services.Kafka, prefix+event.TopicCampaigns)
	client := dial(t, []string{services.Kafka}, prefix)
	if err := client.Produce(t.Context(), event.TopicCampaigns, []stream.Record{{Key: []byte("c3"), Value: []byte(named("c3"))}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		changed := b.Catalogue.Changed.Wait()
		if v := b.Catalogue.View(); v.Len() == 1 && v.Find("c3") != nil {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("there are %v", b.Catalogue.View().IDs())
		}
	}
}

func wish(t testing.TB, texts ...string) (all []*Campaign) {
	for _, text := range texts {
		all = append(all, parse(t, text))
	}
	return all
}

func TestAFileIsWrittenWhereItSaysSomethingNew(t *testing.T) {
	brokers, prefix := backend.Kafka(t), backend.Prefix(t)
	b := run(t, brokers, prefix)
	f := func(b *bidder, want int, texts ...string) {
		t.Helper()
		if n, err := b.Seed(t.Context(), wish(t, texts...)); err != nil || n != want {
			t.Errorf("%d campaigns are written (%v), want %d", n, err, want)
		}
	}
	put := func(id string, changes ...string) {
		t.Helper()
		if w := b.call("PUT", "/v1/campaigns/"+id, named(id, changes...)); w.Code != 200 {
			t.Fatal(w.Body)
		}
	}
	cpm := func(id string) float64 { return b.Catalogue.View().Find(id).Bid.CPM }
	f(b, 2, named("c1"), named("c2"))
	f(b, 0, named("c1"), named("c2"))
	put("api")
	f(b, 0, named("c1"), named("c2"))
	// what the API changes stays while the file says the same, by another process, too
	put("c1", `"cpm":1`, `"cpm":7`)
	f(run(t, brokers, prefix), 0, named("c1"), named("c2"))
	if cpm("c1") != 7 {
		t.Errorf("the change is lost: %v", cpm("c1"))
	}
	f(b, 1, named("c1", `"cpm":1`, `"cpm":3`), named("c2"))
	if cpm("c1") != 3 {
		t.Errorf("the file does not win: %v", cpm("c1"))
	}
	f(b, 0, named("c1", `"cpm":1`, `"cpm":3`))
	b.call("DELETE", "/v1/campaigns/c2", "")
	f(b, 1, named("c1", `"cpm":1`, `"cpm":3`), named("c2"))
	f(b, 0, named("api")) // it is there as the file has it
	if v := b.Catalogue.View(); v.Len() != 3 || v.Find("api") == nil {
		t.Errorf("there are %v", v.IDs())
	}
	_, err := b.Seed(t.Context(), wish(t, named("c9", `"id":"b-c9"`, `"id":"b-api"`)))
	if !errors.As(err, new(*Conflict)) || !strings.Contains(err.Error(), `"c9" is "b-api", which a creative of the campaign "api" has`) {
		t.Error(err)
	}
	// a creative may move from one campaign of the file to another
	f(b, 2, named("c1", `"id":"b-c1"`, `"id":"b-c2"`), named("c2", `"id":"b-c2"`, `"id":"b-c1"`))
	if c, _ := b.Catalogue.View().Creative("b-c1"); c == nil || c.ID != "c2" {
		t.Errorf("the creative is of %v", c)
	}
}

func TestWithoutKafkaAChangeIsToBeSentAgain(t *testing.T) {
	services := backend.Embedded(t)
	b := run(t, []string{services.Kafka}, backend.Prefix(t))
	b.seen(t)
	services.StopKafka()
	f := func(want string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		w := httptest.NewRecorder()
		b.mux.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "PUT", "/v1/campaigns/c1", strings.NewReader(short())))
		var answer struct{ Error struct{ Code string } }
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 503 || answer.Error.Code != "unavailable" || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%d %v %s, want %s", w.Code, w.Header(), w.Body, want)
		}
	}
	f("no acknowledgement of Kafka")
	// nor does a call wait longer than it may for the turn of another one
	if err := b.turn.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer b.turn.end()
	f("another change is waiting")
}

func TestCampaignsBeyondTheBoundAreRefused(t *testing.T) {
	c := New(Config{})
	c.next.live = MaxCampaigns - 1
	full := (*Full)(nil)
	err := c.Change([]*Campaign{parse(t, named("c1")), parse(t, named("c1")), parse(t, named("c2"))})
	if !errors.As(err, &full) || !strings.Contains(err.Error(), `"c2" is one too many`) || c.View().Find("c1") == nil || c.View().Find("c2") != nil {
		t.Error(err)
	}
}

func TestBeforeAllIsReadTheAPISaysSo(t *testing.T) {
	c := New(Config{})
	s := &Store{Catalogue: c, Follower: &Follower{Catalogue: c}, Now: func() event.Time { return testNow }}
	mux := http.NewServeMux()
	s.Register(mux)
	for _, path := range []string{"/v1/campaigns", "/v1/campaigns/c1"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 503 || !strings.Contains(w.Body.String(), "are being read") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// TestAChangeAmongManyIsServedWithinASecond follows a topic of 10,000 campaigns.
func TestAChangeAmongManyIsServedWithinASecond(t *testing.T) {
	n := 10_000
	if raceEnabled {
		n = 1000
	}
	brokers, prefix := backend.Kafka(t), backend.Prefix(t)
	client := dial(t, brokers, prefix)
	r := market{newRandom(11)}
	var records []stream.Record
	for i := range n {
		id := fmt.Sprint("c", i)
		records = append(records, stream.Record{Key: []byte(id), Value: r.campaign(id).AppendJSON(nil)})
	}
	if err := client.Produce(t.Context(), event.TopicCampaigns, records); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	one, two := run(t, brokers, prefix), run(t, brokers, prefix)
	one.seen(t)
	two.seen(t)
	t.Logf("two bidders have read %d campaigns in %v", two.Catalogue.View().Len(), time.Since(began))
	fastest := time.Hour
	for i := range 5 {
		began := time.Now()
		if w := one.call("PUT", "/v1/campaigns/new", named("new", `"cpm":1`, fmt.Sprint(`"cpm":`, i+1))); w.Code != 200 {
			t.Fatal(w.Body)
		}
		two.seen(t)
		if c := two.Catalogue.View().Find("new"); c.Bid.CPM != float64(i+1) {
			t.Fatalf("the other bidder has %+v", c)
		}
		fastest = min(fastest, time.Since(began))
	}
	if t.Logf("a change is served by another bidder after %v", fastest); fastest > time.Second || two.Catalogue.View().Len() != n+1 {
		t.Errorf("a change is served after %v", fastest)
	}
}
