package run_test

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clickloop/clickloop/app/config"
	"github.com/clickloop/clickloop/event"
	"github.com/clickloop/clickloop/stream"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spans is a collector of OTLP over HTTP. It keeps the names of spans by the id of their trace.
type spans struct {
	mu    sync.Mutex
	names map[string][]string
}

func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(r.Body)
	}
	text, err := io.ReadAll(body)
	var got collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(text, &got) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, of := range got.ResourceSpans {
		for _, scope := range of.ScopeSpans {
			for _, span := range scope.Spans {
				trace := hex.EncodeToString(span.TraceId)
				s.names[trace] = append(s.names[trace], span.Name)
			}
		}
	}
}

func (s *spans) of(trace string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(slices.Values(s.names[trace]))
}

// await waits until a trace has spans of these names, in their order.
func (s *spans) await(t *testing.T, trace string, want ...string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got := s.of(trace)
		if slices.Equal(got, want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("trace %s has the spans %q, want %q", trace, got, want)
		}
	}
}

// A request, its label and what is learned of it are one trace, and so are an event and what is
// folded of it. Calls whose traceparent is not sampled are in none.
func TestATraceFollowsARequestAndAnEventThroughTheLoop(t *testing.T) {
	got := &spans{names: map[string][]string{}}
	otlp := httptest.NewServer(got)
	defer otlp.Close()
	l := start(t, func(c *config.Config) {
		c.Tracing.Endpoint, c.Tracing.Share = otlp.URL+"/v1/traces", 0
		c.Objectives = []event.Objective{{Name: "click", Trigger: event.TypeImpression, Positive: event.TypeClick, Window: 500 * time.Millisecond}}
	})
	call := func(path, trace, flags, body string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.HTTP+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Traceparent", fmt.Sprintf("00-%s-00f067aa0ba902b7-%s", trace, flags))
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s: %s", path, resp.Status, text)
		}
		return string(text)
	}
	const request, shown, quiet = "4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4737", "4bf92f3577b34da6a3ce929d0e0e4738"
	call("/v1/score", request, "01", `{"request":"r1","user":"u1","candidates":[{"ad":"a1"}]}`)
	call("/v1/score", quiet, "00", `{"request":"r2","user":"u1","candidates":[{"ad":"a1"}]}`)
	call("/v1/events", shown, "01", `{"id":"e1","type":"impression","user":"u1","prediction":"r1.0"}`)
	got.await(t, shown, "POST /v1/events", "fold into outcomes", "fold into profiles")
	got.await(t, request, "POST /v1/score", "label click", "learn click", "read profiles")
	if names := got.of(quiet); len(names) > 0 {
		t.Errorf("a call that is not sampled has the spans %q", names)
	}
	for topic, want := range map[string]string{event.TopicPredictions: request, event.TopicEvents: shown, event.TopicExamples("click"): request} {
		if traced := parents(t, l.Client, topic); len(traced) != 1 || !strings.HasPrefix(traced[0], "00-"+want+"-") {
			t.Errorf("topic %s has the traceparents %q, want one of %s", topic, traced, want)
		}
	}
	if names := got.of(shown); len(names) != 3 {
		t.Errorf("the event's trace has %q by the end", names)
	}
}

// parents are the headers traceparent of all records of a topic.
func parents(t *testing.T, client *stream.Client, topic string) (found []string) {
	t.Helper()
	ranges, err := client.Offsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for p, r := range ranges {
		err := client.ReadRange(t.Context(), topic, p, r.First, r.End, func(r *stream.Record) error {
			for _, h := range r.Headers {
				if h.Key == "traceparent" {
					found = append(found, string(h.Value))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// The collector of traces is away: the loop goes on, and ends in time.
func TestALoopDoesNotWaitForItsTraces(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	l := start(t, func(c *config.Config) { c.Tracing.Endpoint, c.Tracing.Share = gone.URL+"/v1/traces", 1 })
	for i := range 50 {
		resp, err := http.Post("http://"+l.HTTP+"/v1/score", "application/json", strings.NewReader(fmt.Sprintf(`{"request":"r%d","candidates":[{"ad":"a1"}]}`, i)))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(err, resp)
		}
		resp.Body.Close()
	}
}
