package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/features"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
)

// read returns all that a topic holds, by partition.
func read(t testing.TB, client *stream.Client, topic string) [][]stream.Record {
	t.Helper()
	ranges, err := client.Offsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	all := make([][]stream.Record, len(ranges))
	for p, rg := range ranges {
		err := client.ReadRange(t.Context(), topic, p, rg.First, rg.End, func(r *stream.Record) error {
			all[p] = append(all[p], *r)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestWhatIsRejectedBesideGoodEventsIsBuriedAsItCame(t *testing.T) {
	_, client, server := stage(t, features.NewMemory(), false)
	bad := []string{`{"type":7}`, `{"type":"click",  "time":"1971-01-01T00:00:00Z"}`, `{"type":"click","user":"` + strings.Repeat("u", 300) + `"}`, `{"type":"a\u0001"}`, `7`}
	body := `[{"id":"g1","type":"page"},` + strings.Join(bad, ",") + `,{"id":"g2","type":"page"}]`
	status, _, a := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(body))
	if status != 200 || len(a.Results) != len(bad)+2 || a.Results[0].ID != "g1" || a.Results[0].Status != "accepted" || a.Results[2].Field != "time" {
		t.Fatalf("status %d, %+v", status, a)
	}
	letters := read(t, client, event.TopicDeadLetter)[0]
	if len(letters) != len(bad) {
		t.Fatalf("%d dead letters, want %d", len(letters), len(bad))
	}
	for i, r := range letters {
		d, err := event.ParseDeadLetter(r.Value)
		if err != nil || d.Stage != "ingest" || string(d.Payload) != bad[i] || d.Reason != a.Results[i+1].Reason {
			t.Errorf("dead letter %s (%v), want %s because it %s", r.Value, err, bad[i], a.Results[i+1].Reason)
		}
	}
	// Nothing good: the sender is told, and nobody else.
	if status, _, a := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(`[{"type":7},8]`)); status != 400 || len(a.Results) != 2 || a.Error.Field != "type" {
		t.Errorf("status %d, %+v", status, a)
	}
	if n := len(read(t, client, event.TopicDeadLetter)[0]); n != len(bad) {
		t.Errorf("%d dead letters, want no more than %d", n, len(bad))
	}
}

// An event whose numbers, written out, are longer than what a message may be is refused before it
// is written.
func TestAnEventThatGrowsTooLargeIsRejected(t *testing.T) {
	_, _, server := stage(t, features.NewMemory(), false)
	var b strings.Builder
	b.WriteString(`{"type":"page","context":{`)
	for i := range 900 {
		fmt.Fprintf(&b, `"a_rather_long_name_%03d":1e20,`, i)
	}
	b.WriteString(`"z":1}}`)
	if b.Len() > event.EventLimits.Bytes {
		t.Fatalf("the event has %d bytes to begin with", b.Len())
	}
	if status, _, a := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(b.String())); status != 400 || !strings.Contains(a.Error.Message, "bytes") {
		t.Errorf("status %d, %+v", status, a)
	}
}

// A message and its batch's context are within bounds each, but not together.
func TestAMessageThatItsBatchMakesTooLargeIsRejected(t *testing.T) {
	_, _, server := stage(t, features.NewMemory(), false)
	fields := func(prefix string) string {
		var b strings.Builder
		for i := range 600 {
			fmt.Fprintf(&b, `"%s%d":1,`, prefix, i)
		}
		return b.String()
	}
	body := `{"batch":[{"type":"page","userId":"u","context":{` + fields("a") + `"z":1}},{"type":"page","userId":"u"}],"context":{` + fields("b") + `"z":1}}`
	if status, _, a := send(t, "POST", server.URL+"/v1/batch", nil, strings.NewReader(body)); status != 200 || len(a.Results) != 2 || a.Results[0].Field != "context" || a.Results[1].Status != "accepted" {
		t.Errorf("status %d, %+v", status, a)
	}
}

func packed(size int) *bytes.Buffer {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(bytes.Repeat([]byte(" "), size))
	_, _ = z.Write([]byte(`{"type":"page"}`))
	_ = z.Close()
	return &b
}

func TestBodiesAreBounded(t *testing.T) {
	_, _, server := stage(t, features.NewMemory(), false)
	f := func(what string, body io.Reader, want int) {
		t.Helper()
		status, _, a := send(t, "POST", server.URL+"/v1/events", nil, body)
		if status != want || want != 200 && a.Error.Message == "" {
			t.Errorf("%s: status %d (%s), want %d", what, status, a.Error.Message, want)
		}
	}
	limit := DefaultConfig().MaxBody
	f("at the limit", strings.NewReader(strings.Repeat(" ", limit-15)+`{"type":"page"}`), 200)
	f("over the limit", strings.NewReader(strings.Repeat(" ", limit-14)+`{"type":"page"}`), 413)
	f("packed", packed(limit-15), 200)
	f("packed and over the limit", packed(limit-14), 413)
	f("a bomb", packed(20<<20), 413)
	f("torn gzip", bytes.NewReader(packed(1000).Bytes()[:20]), 400)
	f("too many", strings.NewReader("["+strings.Repeat(`{"type":"page"},`, DefaultConfig().MaxEvents)+`{"type":"page"}]`), 400)
	f("empty", strings.NewReader(" \n"), 400)
}

func TestTooManyEventsASecondAreLimited(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	cfg := DefaultConfig()
	cfg.Rate, cfg.MaxEvents, cfg.CORSOrigins = 10, 10, []string{"https://shop.example"}
	_, server, _ := run(t, client, cfg, features.NewMemory(), false)
	limited := false
	for range 20 {
		status, h, a := send(t, "POST", server.URL+"/v1/track", map[string]string{"Origin": "https://shop.example"}, strings.NewReader(`{"userId":"u","event":"x"}`))
		if status == http.StatusTooManyRequests {
			limited = true
			if h.Get("Retry-After") != "1" || h.Get("Access-Control-Expose-Headers") != "Retry-After" || a.Error.Code != "rate_limited" {
				t.Errorf("headers %v, %+v", h, a)
			}
		}
	}
	if !limited {
		t.Error("20 events at once pass a rate of 10 a second")
	}
}

// Clients that send their bodies slowly hold nothing of what bodies at work may hold, however many
// they are. Beyond it others are told to come again, at once.
func TestSlowBodiesHoldNothingThatOthersNeed(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	cfg := DefaultConfig()
	cfg.MaxBody, cfg.MaxWaiting = 64<<10, 256<<10
	i, server, _ := run(t, client, cfg, features.NewMemory(), false)
	all := int64(cfg.MaxWaiting)
	for range 20 {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n%s", strings.Repeat(" ", 50_000))
	}
	big := strings.Repeat(" ", 60_000) + `{"type":"page"}`
	for range 20 {
		if status, _, _ := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(big)); status != 200 {
			t.Fatalf("a body beside slow ones: status %d", status)
		}
	}
	free(t, i.collector)
	if !i.collector.budget.TryAcquire(all) {
		t.Fatal("slow bodies hold the budget")
	}
	status, h, a := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(`{"type":"page"}`))
	if status != 503 || h.Get("Retry-After") != "1" || a.Error.Code != "unavailable" || !strings.Contains(a.Error.Message, "too many requests are under way") {
		t.Errorf("with nothing left: status %d, %v, %+v", status, h, a)
	}
	i.collector.budget.Release(all)
}

// Kafka is away: nothing is pretended. It comes back: what is sent again counts once.
func TestWhileKafkaIsAwayTheCollectorSaysSo(t *testing.T) {
	services := backend.Embedded(t)
	client := dial(t, []string{services.Kafka})
	cfg := DefaultConfig()
	cfg.Acknowledge = 300 * time.Millisecond
	store := features.NewMemory()
	i, server, _ := run(t, client, cfg, store, true)
	t0, _ := event.ParseTime("2026-11-25T09:00:00Z")
	post := func(id string) int {
		body := `{"id":"` + id + `","type":"click","user":"u1","time":"2026-11-25T08:59:00Z","received":"2026-11-25T08:59:00Z"}`
		status, h, _ := send(t, "POST", server.URL+"/v1/events?clock="+t0.String(), nil, strings.NewReader(body))
		if status == 503 && h.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
		return status
	}
	// on a slow machine an acknowledgement may come too late
	for end := time.Now().Add(20 * time.Second); post("c1") != 200; {
		if time.Now().After(end) {
			t.Fatal("the collector does not begin")
		}
	}
	services.StopKafka()
	for range 3 {
		if status := post("c2"); status != 503 {
			t.Errorf("while Kafka is away: status %d, want 503", status)
		}
	}
	if err := services.StartKafka(); err != nil {
		t.Fatal(err)
	}
	t0 += 1000
	for end := time.Now().Add(20 * time.Second); post("c2") != 200; {
		if time.Now().After(end) {
			t.Fatal("the collector does not go on")
		}
	}
	if n := clicks(t, i, store, "u1", t0); n != 2 {
		t.Errorf("%v clicks are counted, want 2", n)
	}
}

// The clock that stands behind an event in its partition is not before it: no event that was
// received earlier comes after a heartbeat.
func TestAHeartbeatVouchesForAllThatCameBeforeIt(t *testing.T) {
	client := dial(t, backend.Kafka(t))
	cfg := DefaultConfig()
	cfg.Heartbeat = 10 * time.Millisecond
	_, server, _ := run(t, client, cfg, features.NewMemory(), false)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var failed atomic.Int32
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 1))
			for ctx.Err() == nil {
				var b bytes.Buffer
				for range 1 + rng.IntN(60) {
					fmt.Fprintf(&b, `{"type":"page","user":"u%d","context":{"a":1,"b":"c"}}`+"\n", rng.IntN(20))
				}
				if status, _, _ := send(t, "POST", server.URL+"/v1/events", nil, &b); status != 200 && failed.Add(1) > 200 {
					cancel() // nothing goes through: waiting for more is in vain
				}
			}
		})
	}
	defer wg.Wait()
	defer cancel()
	for {
		beats, events := vouched(t, client)
		switch {
		case beats >= 150 && events >= 500:
			return
		case ctx.Err() != nil:
			t.Fatalf("only %d heartbeats and %d events were written", beats, events)
		}
	}
}

// vouched counts the heartbeats and events that are written so far, none of which may stand behind
// a clock that was later than it.
func vouched(t *testing.T, client *stream.Client) (beats, events int) {
	t.Helper()
	for p, records := range read(t, client, event.TopicEvents) {
		mark := event.Time(0)
		for _, r := range records {
			e, err := event.ParseEvent(r.Value)
			switch {
			case err != nil:
				t.Fatal(err)
			case e.Type == event.TypeHeartbeat:
				mark = max(mark, e.Received)
				beats++
			case e.Received < mark:
				t.Fatalf("partition %d, offset %d: an event received at %v stands behind the clock %v", p, r.Offset, e.Received, mark)
			default:
				events++
			}
		}
	}
	return beats, events
}

// Bodies with anything in the place of anything get a 4xx with a reason, or verdicts; the collector
// goes on.
func TestMalformedInputIsAnsweredWithReasons(t *testing.T) {
	_, _, server := stage(t, features.NewMemory(), false)
	rng := rand.New(rand.NewPCG(7, 7))
	good := map[string]any{"id": "e1", "type": "click", "time": "2026-11-25T06:00:00.000Z", "user": "u1", "prediction": "p1", "ad": "a1", "value": 1, "context": map[string]any{"d": "m"},
		"userId": "u", "event": "Click", "properties": map[string]any{"value": 2}, "timestamp": "2026-11-25T06:00:00Z", "sentAt": "2026-11-25T06:00:00Z"}
	junk := []string{`null`, `true`, `-1`, `1e308`, `1e999`, `""`, `[]`, `{}`, `"` + strings.Repeat("x", 70_000) + `"`, `"\ud800"`, `"2026-13-45T99:99:99Z"`, `"0001-01-01T00:00:00Z"`,
		`"9999-12-31T23:59:59Z"`, `{"a":{"b":{"c":[1,[2,[3]]]}}}`, `NaN`, `10000000000000000000000000`, `"\u0000"`, "\"\xff\"", `{"a":1,"a":2}`, strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)}
	names := make([]string, 0, len(good))
	for k := range good {
		names = append(names, k)
	}
	paths := []string{"/v1/events", "/v1/track", "/v1/page", "/v1/batch"}
	for n := range 500 {
		var b strings.Builder
		b.WriteByte('{')
		broken := names[rng.IntN(len(names))]
		for i, k := range names {
			if i > 0 {
				b.WriteByte(',')
			}
			v, _ := json.Marshal(good[k])
			if k == broken || rng.IntN(12) == 0 {
				v = []byte(junk[rng.IntN(len(junk))])
			}
			fmt.Fprintf(&b, "%q:%s", k, v)
		}
		b.WriteByte('}')
		path, body := paths[n%len(paths)], b.String()
		if path == "/v1/batch" {
			body = `{"batch":[` + body + `]}`
		}
		status, _, a := send(t, "POST", server.URL+path, nil, strings.NewReader(body))
		if status != 200 && (status < 400 || status >= 500 || a.Error.Message == "" || a.Error.Code == "") {
			t.Errorf("%s %.200s: status %d, %+v", path, body, status, a)
		}
	}
	mixed := `{"type":"page","id":"ok1"}` + "\n" + `{"type":` + "\n" + `{"type":"page","id":"ok2"}`
	if status, _, a := send(t, "POST", server.URL+"/v1/events", nil, strings.NewReader(mixed)); status != 200 || len(a.Results) != 3 || a.Results[1].Status != "rejected" || a.Results[2].ID != "ok2" {
		t.Errorf("good events beside a bad one: %d %+v", status, a)
	}
}

func TestSettingsLetSegmentsBrowserLibraryStart(t *testing.T) {
	_, _, server := stage(t, features.NewMemory(), false)
	resp, err := http.Get(server.URL + "/v1/projects/key%22x/settings")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var a struct {
		Integrations map[string]struct{ APIKey string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || a.Integrations["Segment.io"].APIKey != `key"x` {
		t.Errorf("settings are %+v (%v)", a, err)
	}
}

func TestConfigurationNamesWhatIsWrong(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Fatalf("the default: %v", err)
	}
	f := func(field string, change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		if e, ok := c.Validate().(*event.Error); !ok || e.Field != field {
			t.Errorf("%s: %v", field, c.Validate())
		}
	}
	f("max_body", func(c *Config) { c.MaxBody = 1 })
	f("max_events", func(c *Config) { c.MaxEvents = 0 })
	f("max_waiting", func(c *Config) { c.MaxWaiting = c.MaxBody })
	f("rate", func(c *Config) { c.Rate = 0 })
	f("acknowledge", func(c *Config) { c.Acknowledge = 0 })
	f("heartbeat", func(c *Config) { c.Heartbeat = time.Hour })
}

func BenchmarkCollect(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprint(n, " events a request"), func(b *testing.B) {
			cfg := DefaultConfig()
			cfg.Rate = 1e9
			_, server, _ := run(b, dial(b, backend.Kafka(b)), cfg, features.NewMemory(), false)
			var body bytes.Buffer
			for i := range n {
				fmt.Fprintf(&body, `{"type":"click","user":"u%d","prediction":"p1","ad":"a1","context":{"device":"mobile","page":"/x"}}`+"\n", i)
			}
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					resp, err := client.Post(server.URL+"/v1/events", "application/json", bytes.NewReader(body.Bytes()))
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if resp.StatusCode != 200 {
						b.Errorf("status %d", resp.StatusCode)
						return
					}
				}
			})
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
