package scorer

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/internal/backend"
	"github.com/clickloop/clickloop/stream"
	"github.com/prometheus/client_golang/prometheus"
)

// runWithItems returns a Scorer with the catalogue items, at work on brokers.
func runWithItems(t testing.TB, brokers []string, prefix string, change func(*setup)) *Scorer {
	t.Helper()
	s := runScorer(t, brokers, prefix, func(u *setup) {
		u.config.Items.Catalogues = []string{"items"}
		if change != nil {
			change(u)
		}
	})
	ensureItems(t, s.client)
	return s
}

func ensureItems(t testing.TB, c *stream.Client) {
	t.Helper()
	for _, o := range event.Topics(nil, 1, "items") {
		if err := c.EnsureTopics(t.Context(), stream.Topic(o)); err != nil && o.Compacted {
			t.Fatal(err)
		}
	}
}

// callItems makes a call of administrators.
func callItems(s *Scorer, method, path, body string) (int, string) {
	mux := http.NewServeMux()
	s.Register(mux, mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(method, path, strings.NewReader(body)))
	return w.Code, w.Body.String()
}

// await waits until a catalogue is as it should be.
func await(t testing.TB, s *Scorer, what string, is func(*served) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c := s.catalogues[0]
	for {
		changed := c.Changed.Wait()
		if is(c) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("the catalogue has %d items, and not %s", c.View().Items(), what)
		}
	}
}

func hasItems(n int) func(*served) bool {
	return func(c *served) bool { return c.follower.Whole() && c.View().Items() == n }
}

const shoes = `{"id":"shoes","campaign":"c1","fields":{"category":"wear","price":20,"country":"fr"}}
{"id":"hats","campaign":"c1","fields":{"category":"wear","price":10}}
{"id":"lamps","value":2.5,"fields":{"category":"home","price":30,"geo":{"city":"Ulm"}}}
`

func TestItemsAreWrittenReadAndDeleted(t *testing.T) {
	s := runWithItems(t, backend.Kafka(t), backend.Prefix(t), nil)
	f := func(method, path, body string, status int, want string) {
		t.Helper()
		if code, got := callItems(s, method, path, body); code != status || !strings.Contains(got, want) {
			t.Errorf("%s %s %s: %d %s, want %d %s", method, path, body, code, got, status, want)
		}
	}
	f("POST", "/v1/items", shoes+`{"id":"bad","price":4}`+"\n", 200, `{"written":3,"refused":1,"warnings":[{"field":"price","message":"line 4: price is not known`)
	f("PUT", "/v1/items/a/b%20c", `{"fields":{"category":"home"}}`, 200, `{"id":"a/b c"}`)
	await(t, s, "4", hasItems(4))
	f("GET", "/v1/items/lamps", "", 200, `{"id":"lamps","value":2.5,"fields":{"category":"home","geo.city":"Ulm","price":30}}`)
	f("GET", "/v1/items/a/b%20c", "", 200, `{"id":"a/b c","fields":{"category":"home"}}`)
	f("GET", "/v1/items/", "", 200, `{"catalogue":"items","items":4,`)
	f("GET", "/v1/items/none", "", 404, "has no item")
	f("GET", "/v1/items/shoes?catalogue=item", "", 404, `did you mean items?`)
	f("DELETE", "/v1/items/hats", "", 200, `{"id":"hats","deleted":true}`)
	f("POST", "/v1/items", `{"id":"a/b c","deleted":true}`, 200, `{"written":1,"refused":0}`)
	await(t, s, "2", hasItems(2))
	f("PUT", "/v1/items/x", `{"id":"y"}`, 400, "another one than that of the address")
	f("PUT", "/v1/items/x", `{"value":-1}`, 400, `value is -1`)
	f("PUT", "/v1/items/x", `[]`, 400, "")
	f("PUT", "/v1/items/x", strings.Repeat(" ", 21<<10), 413, "")
	f("PUT", "/v1/items/", `{}`, 400, "id is missing")
	f("POST", "/v1/items", "\n", 400, "has no items")
}

func TestWithoutACatalogueItemsAreNotKnown(t *testing.T) {
	s := newScorer(t, nil)
	if code, body := callItems(s, "GET", "/v1/items/x", ""); code != 404 || !strings.Contains(body, "scorer.items.catalogues") {
		t.Errorf("%d %s", code, body)
	}
	if w := post(s, `{"candidates":{"catalogue":"items"}}`, ""); w.Code != 200 && w.Code != 400 || !strings.Contains(w.Body.String(), "no catalogue is configured") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// adsOf are those of an answer's predictions.
func adsOf(a answered) (all []string) {
	for _, p := range a.Predictions {
		all = append(all, p.Ad)
	}
	return all
}

func TestARequestChoosesFromACatalogue(t *testing.T) {
	brokers, prefix := backend.Kafka(t), backend.Prefix(t)
	s := runWithItems(t, brokers, prefix, func(u *setup) { u.priors = map[string]float64{"click": 0.1} })
	callItems(s, "POST", "/v1/items", shoes)
	await(t, s, "3", hasItems(3))
	ask := func(body string) answered {
		t.Helper()
		return parseAnswer(t, post(s, body, "").Body.Bytes())
	}
	const first = `{"request":"r1","context":{"country":"fr"},"choose":2,"candidates":{"catalogue":"items","filter":"item.category in [\"wear\", \"home\"]"}}`
	a := ask(first)
	if got := adsOf(a); !slices.Equal(got, []string{"lamps", "shoes"}) || a.Retrieved.Passed != 3 || a.Retrieved.Scored != 3 || a.Predictions[1].Prediction != "r1.1" || a.Predictions[1].Campaign != "c1" {
		t.Fatalf("%+v", a)
	}
	// a repeated id gets the first answer, whatever the catalogue has become
	callItems(s, "DELETE", "/v1/items/lamps", "")
	await(t, s, "2", hasItems(2))
	if again := ask(first); !slices.Equal(adsOf(again), adsOf(a)) || again.Retrieved != a.Retrieved || again.Predictions[0].P["click"] != a.Predictions[0].P["click"] {
		t.Errorf("sent again: %+v", again)
	}
	if b := ask(strings.Replace(first, "home", "hats", 1)); b.Error.Code != "conflict" {
		t.Errorf("another filter: %+v", b)
	}
	// so does one that another process answered, as far as predictions tell
	other := runWithItems(t, brokers, prefix, nil)
	await(t, other, "2", hasItems(2))
	logged(t, s)
	if err := other.memory.restore(t.Context(), other.client, other.logger); err != nil {
		t.Fatal(err)
	}
	w := post(other, first, "")
	if b := parseAnswer(t, w.Body.Bytes()); !slices.Equal(adsOf(b), adsOf(a)) || b.Predictions[0].Prediction != "r1.0" || b.Predictions[0].Propensity != 1 {
		t.Errorf("another process: %s", w.Body)
	}
	logged(t, s)
	var all []string
	for _, r := range logged(t, other) {
		p, err := event.ParsePrediction(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		if v, _ := p.Features.Lookup("category"); p.ID == "r1.1" && (v.Str != "wear" || len(p.Others) != 1 || p.Others[0].Ad != "hats") {
			t.Errorf("%s", r.Value)
		}
		all = append(all, p.ID+" "+p.Ad)
	}
	slices.Sort(all)
	if want := []string{"r1.0 lamps", "r1.0 lamps", "r1.1 shoes", "r1.1 shoes"}; !slices.Equal(all, want) {
		t.Errorf("%v", all)
	}
}

func TestOneBodyWithAnIDTwiceGetsOneAnswerFromACatalogue(t *testing.T) {
	s := runWithItems(t, backend.Kafka(t), backend.Prefix(t), nil)
	callItems(s, "POST", "/v1/items", shoes)
	await(t, s, "3", hasItems(3))
	line := `{"request":"r1","choose":2,"candidates":{"catalogue":"items"}}` + "\n"
	w := post(s, line+line, "application/x-ndjson")
	if a, b, _ := strings.Cut(strings.TrimSpace(w.Body.String()), "\n"); a != b || !strings.Contains(a, `"ad":"lamps"`) {
		t.Errorf("%s", w.Body)
	}
}

func TestWrongQuestionsToACatalogueAreRefusedByName(t *testing.T) {
	s := runWithItems(t, backend.Kafka(t), backend.Prefix(t), nil)
	callItems(s, "POST", "/v1/items", shoes)
	await(t, s, "3", hasItems(3))
	f := func(candidates string, status int, field, message string) {
		t.Helper()
		w := post(s, `{"context":{"country":"fr"},"candidates":`+candidates+`}`, "")
		a := parseAnswer(t, w.Body.Bytes())
		if a.Error.Field != field || !strings.Contains(a.Error.Message, message) || w.Code != status {
			t.Errorf("%s: %d %s, want %d %s %s", candidates, w.Code, w.Body, status, field, message)
		}
	}
	f(`{"catalogue":"item"}`, 400, "candidates.catalogue", "did you mean items?")
	f(`{"catalogue":""}`, 400, "candidates.catalogue", "is empty")
	f(`{"filter":"item.price < 5"}`, 400, "candidates", "has no catalogue")
	f(`{"catalogue":"items","limit":0}`, 400, "candidates.limit", "want 1 to 1000")
	f(`{"catalogue":"items","filter":"item.price <"}`, 400, "candidates.filter", "column 1")
	f(`{"catalogue":"items","filter":"item.price + 1"}`, 400, "candidates.filter", "is no condition")
	f(`{"catalogue":"items","filter":"price < 3"}`, 400, "candidates.filter", "column 1: ")
	f(`{"catalogue":"items","filter":"item.price < context.budget"}`, 400, "candidates.filter", "column 14: context.budget is missing")

	g := func(filter, warning string, want ...string) {
		t.Helper()
		text, _ := json.Marshal(filter)
		w := post(s, `{"context":{"country":"fr","budget":15},"choose":0,"candidates":{"catalogue":"items","filter":`+string(text)+`}}`, "")
		a := parseAnswer(t, w.Body.Bytes())
		got := adsOf(a)
		slices.Sort(got)
		if w.Code != 200 || !slices.Equal(got, want) || fmt.Sprint(a.Warnings) != "[]" != (warning != "") || !strings.Contains(fmt.Sprint(a.Warnings), warning) {
			t.Errorf("%s: %d %s", filter, w.Code, w.Body)
		}
	}
	g("item.price < context.budget", "", "hats")
	g("item.price < (context.most ?? 25)", "", "hats", "shoes")
	g("item.country == context.country", "", "shoes")
	g("not (item.country == context.country)", "")
	g(`(item.country ?? context.country) == context.country`, "", "hats", "lamps", "shoes")
	g(`item.campaign == "c1" and item.id != "hats"`, "", "shoes")
	g(`item.categry == "wear"`, "categry. category")
	g(`item.category < 3`, "has no result for 3 items")
}

func TestAQuestionToACatalogueInRecordedTimeIsRefused(t *testing.T) {
	s := runWithItems(t, backend.Kafka(t), backend.Prefix(t), func(u *setup) { u.recorded = true })
	w := post(s, `{"request":"r1","time":"2026-01-01T00:00:00Z","candidates":{"catalogue":"items"}}`, "")
	if !strings.Contains(w.Body.String(), "recorded time") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// A restart finds what the topic holds: the last record of each key, whatever stood before it.
// Broken records cost themselves and nothing else.
func TestARestartReadsTheCatalogueWhole(t *testing.T) {
	brokers, prefix := backend.Kafka(t), backend.Prefix(t)
	first := runWithItems(t, brokers, prefix, nil)
	callItems(first, "POST", "/v1/items", shoes)
	record := func(key, value string) stream.Record {
		return stream.Record{Key: []byte(key), Value: []byte(value)}
	}
	records := []stream.Record{
		record("hats", `{"id":"hats","fields":{"price":11}}`), record("broken", `{"id":"broken"`), record("key", `{"id":"other"}`),
		record("nothing", `{}`), record("infinite", `{"id":"infinite","fields":{"price":NaN}}`), {Key: []byte("shoes")}, {Key: []byte("never")},
		record("hats", `{"id":"hats","fields":{"price":12},"later":true}`), record("shoes", `{"id":"shoes","campaign":"c2"}`), {Key: []byte("lamps")},
		record("last", `{"id":"last"}`),
	}
	if err := first.client.Produce(t.Context(), event.TopicCatalogue("items"), records); err != nil {
		t.Fatal(err)
	}
	has := func(c *served) bool { _, ok := c.Find(c.View(), "last"); return ok }
	await(t, first, "the last", has)
	reg := prometheus.NewRegistry()
	second := runWithItems(t, brokers, prefix, func(u *setup) { u.registry = reg })
	await(t, second, "3", hasItems(3))
	for _, s := range []*Scorer{first, second} {
		v := s.catalogues[0].View()
		var all []string
		for _, id := range []string{"hats", "shoes", "last", "lamps", "broken", "other", "key", "nothing", "infinite"} {
			if slot, ok := s.catalogues[0].Find(v, id); ok {
				item := v.Item(slot)
				all = append(all, string(item.AppendJSON(nil)))
			}
		}
		if want := []string{`{"id":"hats","fields":{"price":12}}`, `{"id":"shoes","campaign":"c2"}`, `{"id":"last"}`}; !slices.Equal(all, want) {
			t.Errorf("%v", all)
		}
	}
	if n := metric(t, reg, "clickloop_scorer_item_records_total", "items", "malformed"); n != 4 {
		t.Errorf("%v malformed records are counted", n)
	}
}

func TestAFullCatalogueTakesNoMoreItems(t *testing.T) {
	brokers, prefix := backend.Kafka(t), backend.Prefix(t)
	reg := prometheus.NewRegistry()
	s := runWithItems(t, brokers, prefix, func(u *setup) { u.config.Items.MaxItems, u.registry = 3, reg })
	callItems(s, "POST", "/v1/items", shoes)
	await(t, s, "3", hasItems(3))
	if code, body := callItems(s, "PUT", "/v1/items/more", "{}"); code != 413 || !strings.Contains(body, "at most 3 items") {
		t.Errorf("%d %s", code, body)
	}
	if code, body := callItems(s, "PUT", "/v1/items/hats", `{"campaign":"c7"}`); code != 200 {
		t.Errorf("an item that is there: %d %s", code, body)
	}
	err := s.client.Produce(t.Context(), event.TopicCatalogue("items"), []stream.Record{{Key: []byte("more"), Value: []byte(`{"id":"more"}`)}, {Key: []byte("lamps")}})
	if err != nil {
		t.Fatal(err)
	}
	await(t, s, "2", hasItems(2))
	if n := metric(t, reg, "clickloop_scorer_item_records_total", "items", "full"); n != 1 {
		t.Errorf("%v records are counted as beyond the bound", n)
	}
	if code, _ := callItems(s, "PUT", "/v1/items/more", "{}"); code != 200 {
		t.Errorf("with room again: %d", code)
	}
	await(t, s, "3", hasItems(3))
}
