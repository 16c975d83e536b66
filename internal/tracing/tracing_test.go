package tracing

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/clickloop/clickloop/internal/field"
	"github.com/clickloop/clickloop/stream"
	"go.opentelemetry.io/otel/attribute"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	sampled = "00-" + traceID + "-00f067aa0ba902b7-01"
	unasked = "00-" + traceID + "-00f067aa0ba902b7-00"
)

// record returns a Tracer, and the spans that it has ended.
func record(t *testing.T, change func(*Config)) (*Tracer, *tracetest.SpanRecorder) {
	cfg := DefaultConfig()
	cfg.Share = 0
	if change != nil {
		change(&cfg)
	}
	spans := tracetest.NewSpanRecorder()
	tracer := newTracer(cfg, spans)
	t.Cleanup(func() {
		if err := tracer.Close(t.Context()); err != nil && !errors.Is(err, t.Context().Err()) {
			t.Error(err)
		}
	})
	return tracer, spans
}

func attributeOf(s sdk.ReadOnlySpan, key string) string {
	for _, a := range s.Attributes() {
		if a.Key == attribute.Key(key) {
			return a.Value.String()
		}
	}
	return ""
}

// serve answers one call whose header is parent, and returns the headers of a record that it
// writes.
func serve(tracer *Tracer, parent string, status int) []stream.Header {
	var written []stream.Header
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/score", func(w http.ResponseWriter, r *http.Request) {
		written = Headers(r.Context(), []stream.Header{{Key: "schema", Value: []byte("prediction/1")}})
		w.WriteHeader(status)
	})
	r := httptest.NewRequest(http.MethodPost, "/v1/score", nil)
	if parent != "" {
		r.Header.Set("Traceparent", parent)
	}
	tracer.Serve(mux).ServeHTTP(httptest.NewRecorder(), r)
	return written
}

func TestACallIsTracedByItsCallerOrByChance(t *testing.T) {
	f := func(change func(*Config), parent string, want bool) {
		t.Helper()
		tracer, spans := record(t, change)
		headers := serve(tracer, parent, http.StatusOK)
		if got := len(spans.Ended()); got == 1 != want || len(headers) == 2 != want {
			t.Errorf("parent %q: %d spans, headers %v; traced: want %v", parent, got, headers, want)
		}
	}
	always := func(c *Config) { c.Share = 1 }
	f(nil, sampled, true)
	f(nil, unasked, false)
	f(nil, "", false)
	f(nil, "00-zz-01", false)
	f(always, "", true)
	f(always, "00-zz-01", true)
	f(always, unasked, true)
	f(func(c *Config) { c.Follow = false }, sampled, false)
}

func TestASpanTellsTheCallAndItsCaller(t *testing.T) {
	tracer, spans := record(t, nil)
	headers := serve(tracer, sampled, http.StatusServiceUnavailable)
	s := spans.Ended()[0]
	if s.Name() != "POST /v1/score" || s.SpanContext().TraceID().String() != traceID || s.Parent().SpanID().String() != "00f067aa0ba902b7" ||
		attributeOf(s, "http.response.status_code") != "503" || s.Status().Code.String() != "Error" {
		t.Errorf("%s of %s, parent %s, %v, %v", s.Name(), s.SpanContext().TraceID(), s.Parent().SpanID(), s.Attributes(), s.Status())
	}
	if want := "00-" + traceID + "-" + s.SpanContext().SpanID().String() + "-01"; headers[0].Key != "schema" || headers[1].Key != "traceparent" || string(headers[1].Value) != want {
		t.Errorf("a record has the headers %s, want a traceparent of %s", headers, want)
	}
}

func TestNoMoreThanSoManyTracesASecondBegin(t *testing.T) {
	tracer, spans := record(t, func(c *Config) { c.Most = 3 })
	tracer.limit.SetLimit(0) // no time passes
	for range 10 {
		serve(tracer, sampled, http.StatusOK)
	}
	if got := len(spans.Ended()); got != 3 {
		t.Errorf("%d traces, want 3", got)
	}
}

func TestWorkOnARecordBelongsToItsTrace(t *testing.T) {
	tracer, spans := record(t, nil)
	records := []stream.Record{
		{Partition: 3, Offset: 17, Headers: []stream.Header{{Key: "schema", Value: []byte("event/1")}, {Key: "traceparent", Value: []byte(sampled)}, {Key: "tracestate", Value: []byte("vendor=1")}}},
		{Headers: []stream.Header{{Key: "traceparent", Value: []byte(unasked)}}},
		{Headers: []stream.Header{{Key: "traceparent", Value: []byte("nonsense")}}},
		{Headers: []stream.Header{{Key: "traceparent"}}},
		{},
	}
	began := time.Now()
	tracer.Took("fold into profiles", began, records)
	if got := spans.Ended(); len(got) != 1 || got[0].Name() != "fold into profiles" || got[0].SpanContext().TraceID().String() != traceID ||
		attributeOf(got[0], "messaging.kafka.offset") != "17" || !got[0].StartTime().Equal(began) {
		t.Fatalf("%d spans: %v", len(got), got)
	}
	s := tracer.Begin(tracer.Of(records[0].Headers), "label click", began)
	headers := s.Headers(records[1].Headers[:0])
	s.End()
	written := map[string]string{}
	for _, h := range headers {
		written[h.Key] = string(h.Value)
	}
	if len(headers) != 2 || !strings.HasPrefix(written["traceparent"], "00-"+traceID) || written["tracestate"] != "vendor=1" {
		t.Errorf("what it writes has the headers %s", headers)
	}
	if string(records[1].Headers[0].Value) != unasked {
		t.Error("the headers of another record were overwritten")
	}
}

func TestATracerThatIsOffDoesNothing(t *testing.T) {
	tracer, err := Open(DefaultConfig(), nil)
	if tracer != nil || err != nil {
		t.Fatal(tracer, err)
	}
	base := serve(tracer, sampled, http.StatusOK)
	records := []stream.Record{{Headers: []stream.Header{{Key: "traceparent", Value: []byte(sampled)}}}}
	allocations := testing.AllocsPerRun(100, func() {
		tracer.Took("fold", time.Time{}, records)
		s := tracer.Begin(tracer.Of(records[0].Headers), "label", time.Time{})
		s.Place(0, 1)
		s.Note("model", "click@1")
		base = s.Headers(base)
		s.End()
	})
	if allocations > 0 || len(base) != 1 || tracer.Close(t.Context()) != nil {
		t.Errorf("%v allocations, headers %s", allocations, base)
	}
}

func TestSettingsThatAreWrongAreNamed(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		c := DefaultConfig()
		change(&c)
		var wrong *field.Error
		if err := c.Validate(); want == "" && err != nil || want != "" && (!errors.As(err, &wrong) || wrong.Field != want) {
			t.Errorf("%+v: %v, want one of %q", c, err, want)
		}
	}
	f("", func(c *Config) { c.Endpoint = "http://localhost:4318/v1/traces" })
	f("endpoint", func(c *Config) { c.Endpoint = "localhost:4318" })
	f("share", func(c *Config) { c.Share = 1.5 })
	f("most", func(c *Config) { c.Most = 0 })
}
