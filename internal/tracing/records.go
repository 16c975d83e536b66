package tracing

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/clickloop/clickloop/stream"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

const (
	headerParent = "traceparent"
	headerState  = "tracestate"
	maxState     = 512 // bytes of a tracestate that is kept; a longer one is left out
)

// carrier reads and writes the headers of a record.
type carrier struct{ headers []stream.Header }

func (c *carrier) Get(key string) string {
	for _, h := range c.headers {
		if h.Key == key && len(h.Value) <= maxState {
			return string(h.Value)
		}
	}
	return ""
}

func (c *carrier) Set(key, value string) {
	if len(value) <= maxState {
		c.headers = append(c.headers, stream.Header{Key: key, Value: []byte(value)})
	}
}

func (c *carrier) Keys() []string { return []string{headerParent, headerState} }

// Headers returns the headers of a record that is written on behalf of ctx: base, and those of the
// span where there is one. base stays as it is.
func Headers(ctx context.Context, base []stream.Header) []stream.Header {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return base
	}
	c := carrier{slices.Clip(base)}
	w3c.Inject(ctx, &c)
	return c.headers
}

// Trace is what the headers of a record say of its trace; nil: it has none, or is not traced.
type Trace []stream.Header

// Of returns the trace of a record, in memory of its own.
func (t *Tracer) Of(headers []stream.Header) Trace {
	if t == nil {
		return nil
	}
	var found Trace
	for _, h := range headers {
		if h.Key == headerParent || h.Key == headerState {
			found = append(found, stream.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
		}
	}
	return found
}

// Span is a part of a trace that is under way. The zero Span is of no trace.
type Span struct {
	ctx  context.Context
	span trace.Span
}

// Begin returns the span of work on a record that began at a time. It is the zero Span unless the
// record's producer sampled the trace.
func (t *Tracer) Begin(of Trace, name string, began time.Time) Span {
	if t == nil || of == nil {
		return Span{}
	}
	ctx := w3c.Extract(context.Background(), &carrier{of})
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return Span{}
	}
	ctx, span := t.spans.Start(ctx, name, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(began))
	return Span{ctx, span}
}

// Took makes a span, from began to now, of each record whose trace is sampled.
func (t *Tracer) Took(name string, began time.Time, records []stream.Record) {
	if t == nil {
		return
	}
	for i := range records {
		r := &records[i]
		if s := t.Begin(t.Of(r.Headers), name, began); s.span != nil {
			s.Place(r.Partition, r.Offset)
			s.End()
		}
	}
}

// Place notes where the record stands on its topic.
func (s *Span) Place(partition int, offset int64) {
	if s.span != nil {
		s.span.SetAttributes(attribute.Int("messaging.destination.partition.id", partition), attribute.Int64("messaging.kafka.offset", offset))
	}
}

// Note notes a fact in a few words, such as the version of the weights.
func (s *Span) Note(name, value string) {
	if s.span != nil {
		s.span.SetAttributes(attribute.String("clickloop."+name, value))
	}
}

// Headers returns the headers of a record that the span's work writes: see the function Headers.
func (s *Span) Headers(base []stream.Header) []stream.Header {
	if s.span == nil {
		return base
	}
	return Headers(s.ctx, base)
}

// End ends the span.
func (s *Span) End() {
	if s.span != nil {
		s.span.End()
	}
}

// Part begins a span within that of ctx; the zero Span where there is none.
func Part(ctx context.Context, name string) Span {
	parent := trace.SpanFromContext(ctx)
	if !parent.SpanContext().IsSampled() {
		return Span{}
	}
	ctx, span := parent.TracerProvider().Tracer("github.com/clickloop/clickloop").Start(ctx, name)
	return Span{ctx, span}
}
