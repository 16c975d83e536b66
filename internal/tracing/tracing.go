// Package tracing follows single requests and events through the loop as traces of OpenTelemetry: a
// span where a call is answered, and one where a stage has done what a record asks for. Records
// carry the trace in the headers traceparent and tracestate of W3C Trace Context, level 1
// (https://www.w3.org/TR/trace-context/).
//
// A nil Tracer is one that is off: it costs a comparison.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	"github.com/clickloop/clickloop/internal/field"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"
)

// Config says where traces go, and which are made.
type Config struct {
	// URL of a collector that takes OTLP over HTTP, such as http://localhost:4318/v1/traces; empty:
	// no traces. The variable OTEL_EXPORTER_OTLP_HEADERS adds headers, such as a key.
	Endpoint string `yaml:"endpoint"`
	// Share of the calls without a sampled traceparent that begin a trace.
	Share float64 `yaml:"share"`
	// Trace the calls whose traceparent says that their caller samples them.
	Follow bool `yaml:"follow"`
	// Most traces a second that calls begin or follow; the others are not traced.
	Most int `yaml:"most"`
}

// DefaultConfig returns the settings that serve until told otherwise.
func DefaultConfig() Config { return Config{Share: 0.01, Follow: true, Most: 100} }

// Validate returns a *field.Error that names the first setting that is wrong.
func (c *Config) Validate() error {
	if c.Endpoint != "" {
		if u, err := url.Parse(c.Endpoint); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return field.Wrong("endpoint", "is %.100q, want a URL such as http://localhost:4318/v1/traces, or nothing for no traces", c.Endpoint)
		}
	}
	if !(c.Share >= 0 && c.Share <= 1) {
		return field.Wrong("share", "is %v, want 0 to 1", c.Share)
	}
	if c.Most < 1 || c.Most > 100_000 {
		return field.Wrong("most", "is %d, want 1 to 100000", c.Most)
	}
	return nil
}

// Tracer makes spans and sends them. It is safe for concurrent use.
type Tracer struct {
	cfg      Config
	provider *sdk.TracerProvider
	spans    trace.Tracer
	limit    *rate.Limiter
}

// Bounds of the spans that wait for the collector. Those that find no room are dropped: the loop
// never waits for its traces.
const (
	maxWaiting = 2048
	maxBatch   = 512
	sendWithin = 10 * time.Second
)

// Open returns a Tracer, or nil where there is no endpoint. The collector need not answer: spans
// are dropped then, and a warning says so.
func Open(cfg Config, logger *slog.Logger) (*Tracer, error) {
	if cfg.Endpoint == "" {
		return nil, nil
	}
	to, err := otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(cfg.Endpoint), otlptracehttp.WithTimeout(sendWithin))
	if err != nil {
		return nil, fmt.Errorf("cannot send traces to %s (tracing.endpoint): %w", cfg.Endpoint, err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		logger.Warn("traces are lost: the collector did not take them", "endpoint", cfg.Endpoint, "err", err)
	}))
	return newTracer(cfg, sdk.NewBatchSpanProcessor(to, sdk.WithMaxQueueSize(maxWaiting), sdk.WithMaxExportBatchSize(maxBatch), sdk.WithExportTimeout(sendWithin))), nil
}

func newTracer(cfg Config, to sdk.SpanProcessor) *Tracer {
	of := resource.NewSchemaless(attribute.String("service.name", "clickloop"), attribute.String("service.version", revision()))
	p := sdk.NewTracerProvider(sdk.WithSampler(sdk.AlwaysSample()), sdk.WithSpanProcessor(to), sdk.WithResource(of))
	return &Tracer{cfg: cfg, provider: p, spans: p.Tracer("github.com/clickloop/clickloop"), limit: rate.NewLimiter(rate.Limit(cfg.Most), cfg.Most)}
}

// revision is that of the sources, as the build notes it.
func revision() string {
	info, _ := debug.ReadBuildInfo()
	for i := 0; info != nil && i < len(info.Settings); i++ {
		if s := info.Settings[i]; s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "unknown"
}

// Close sends what waits, until ctx ends.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("traces of the last seconds are lost: %w", err)
	}
	return nil
}

var w3c propagation.TraceContext

// Serve returns a handler that makes a span of the calls that are traced. Its context has the span,
// for Headers and Part.
func (t *Tracer) Serve(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, traced := t.admit(r)
		if !traced {
			next.ServeHTTP(w, r)
			return
		}
		ctx, span := t.spans.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.String("http.request.method", r.Method)))
		defer span.End()
		r = r.WithContext(ctx)
		answer := &answer{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, r)
		if r.Pattern != "" {
			span.SetName(r.Pattern)
			span.SetAttributes(attribute.String("http.route", r.Pattern))
		}
		span.SetAttributes(attribute.Int("http.response.status_code", answer.status))
		if answer.status >= 500 {
			span.SetStatus(codes.Error, http.StatusText(answer.status))
		}
	})
}

// admit tells whether a call is traced, and returns a context with the span of its caller.
func (t *Tracer) admit(r *http.Request) (ctx context.Context, traced bool) {
	ctx = r.Context()
	if r.Header.Get("Traceparent") != "" {
		ctx = w3c.Extract(ctx, propagation.HeaderCarrier(r.Header))
		traced = t.cfg.Follow && trace.SpanContextFromContext(ctx).IsSampled()
	}
	if !traced {
		traced = rand.Float64() < t.cfg.Share
	}
	return ctx, traced && t.limit.Allow()
}

// answer remembers the status of an answer.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
