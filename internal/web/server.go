package web

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
)

// Limits of every server.
const (
	headerTime   = 10 * time.Second // for a request's header
	bodyTime     = 30 * time.Second // for its body
	answerTime   = 30 * time.Second // for the client to read its answer, and answerByte for each byte
	answerByte   = time.Second / (64 << 10)
	idleTime     = 2 * time.Minute // of a connection without a request
	shutdownTime = 3 * time.Second // for calls when the server ends
	headerBytes  = 32 << 10        // of a request: a browser sends all cookies of a site
)

// Server answers the calls of a port.
//
// A client may neither wait for ever nor hold much: see the limits above, conns and waiting. Each
// port has limits of its own, so that a public port that is full leaves the admin port reachable.
type Server struct {
	Port    Port
	Handler http.Handler
	TLS     *tls.Config // nil: plain HTTP
	HTTP2   bool        // besides HTTP/1.1: with TLS by ALPN, without it by prior knowledge
	// Delay is how long the server takes requests after its context has ended
	Delay   time.Duration
	Logger  *slog.Logger
	Metrics *Metrics // nil for none
}

// Serve answers the calls on l until ctx ends. Then GETs that wait end at once. New calls are
// answered for Delay, and on until none has come for a moment; each answer closes its connection.
// Then the server takes no more, and calls at work have three seconds before their connections are
// closed. Serve returns nil, or the error that ended the listener.
func (s Server) Serve(ctx context.Context, l net.Listener) error {
	return newConns(s.Port, s.Metrics).serve(ctx, l, s)
}

func (s *conns) serve(ctx context.Context, l net.Listener, of Server) error {
	server := &http.Server{
		Handler:           s.drain.count(s.receiving(endingGets(ctx, of.Handler))),
		HTTP2:             http2Config(),
		TLSConfig:         of.TLS,
		Protocols:         new(http.Protocols),
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          slog.NewLogLogger(of.Logger.Handler(), slog.LevelDebug),
		ConnState:         s.note,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, rawOf(c))
		},
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(of.HTTP2)
	server.Protocols.SetUnencryptedHTTP2(of.HTTP2 && of.TLS == nil)
	serve := server.Serve
	if of.TLS != nil {
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := serve(listener{l, s}); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		s.drain.await(of.Delay)
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		_ = server.Shutdown(bounded) // Close ends what it could not
		s.awaitEmpty(bounded)
		return server.Close()
	})
	return g.Wait()
}

// awaitEmpty waits until no connection is open, or ctx ends: one that was accepted in the last
// moment is none of those that http.Server.Shutdown waits for.
func (s *conns) awaitEmpty(ctx context.Context) {
	for ctx.Err() == nil {
		s.mu.Lock()
		open := s.open
		s.mu.Unlock()
		if open == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// connKey is the key of a request's *conn in its context.
type connKey struct{}

// receiving bounds the time and the memory in which bodies come and answers go.
func (s *conns) receiving(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, stream := r.Context().Value(connKey{}).(*conn), streamOf(w, r)
		out := &outgoing{ResponseWriter: w, held: held{conn: c}, stream: stream}
		defer func() { s.metrics.answered(s.port, out.status) }()
		if stream != nil {
			if !c.openStream() {
				Refuse(out, http.StatusServiceUnavailable, "busy", errStreams)
				return
			}
			defer c.closeStream()
		}
		if r.Body != http.NoBody {
			b := c.receive(r, stream)
			defer b.end()
			r.Body = b
		}
		next.ServeHTTP(out, r)
	})
}

// endingGets ends GETs when ctx does: one that waits for a version or a watermark would delay the
// end of the process.
func endingGets(ctx context.Context, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			inner, cancel := context.WithCancel(r.Context())
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			r = r.WithContext(inner)
		}
		next.ServeHTTP(w, r)
	})
}
